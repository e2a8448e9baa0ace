// IEEE 754 binary addition, combinational: nearest-even, subnormals kept, one canonical quiet NaN.
//
// Models: sum = a + b of one binary format with EXPONENT and FRACTION bits (FP16: 5, 10; FP32: 8, 23).
// Does not model: exception flags, other rounding directions, NaN payloads.
module fp_add #(
    parameter integer EXPONENT = 5,
    parameter integer FRACTION = 10
) (
    input  logic [EXPONENT+FRACTION:0] a,
    input  logic [EXPONENT+FRACTION:0] b,
    output logic [EXPONENT+FRACTION:0] sum
);
  localparam integer WIDTH = 1 + EXPONENT + FRACTION;
  localparam integer SIG = FRACTION + 4;  // hidden bit, fraction, guard, round, sticky
  localparam integer LZ_BITS = $clog2(SIG + 1);
  localparam integer E_BITS = EXPONENT + 1;

  // x is the operand of larger magnitude.
  logic [WIDTH-1:0] x, y;
  logic swap, x_normal, y_normal, subtract;
  assign swap = b[WIDTH-2:0] > a[WIDTH-2:0];
  assign x = swap ? b : a;
  assign y = swap ? a : b;
  assign x_normal = x[FRACTION+:EXPONENT] != 0;
  assign y_normal = y[FRACTION+:EXPONENT] != 0;
  assign subtract = x[WIDTH-1] ^ y[WIDTH-1];

  logic [EXPONENT-1:0] x_exponent, y_exponent, distance;
  assign x_exponent = x_normal ? x[FRACTION+:EXPONENT] : {{(EXPONENT - 1) {1'b0}}, 1'b1};
  assign y_exponent = y_normal ? y[FRACTION+:EXPONENT] : {{(EXPONENT - 1) {1'b0}}, 1'b1};
  assign distance = x_exponent - y_exponent;

  // Bits of y shifted out are remembered in the sticky place.
  logic [SIG-1:0] x_sig, y_sig, y_shifted;
  logic [2*SIG-1:0] y_wide;
  assign x_sig = {x_normal, x[FRACTION-1:0], 3'b000};
  assign y_sig = {y_normal, y[FRACTION-1:0], 3'b000};
  assign y_wide = {y_sig, {SIG{1'b0}}} >> distance;
  assign y_shifted = {y_wide[2*SIG-1:SIG+1], y_wide[SIG] | (|y_wide[SIG-1:0]) | (y_sig != 0 && y_wide == 0)};

  logic [SIG:0] total;
  assign total = subtract ? {1'b0, x_sig} - {1'b0, y_shifted} : {1'b0, x_sig} + {1'b0, y_shifted};

  // Leading zeros below the carry place; the exponent may not fall under 1.
  logic [LZ_BITS-1:0] zeros, left;
  integer k;
  always_comb begin
    zeros = SIG[LZ_BITS-1:0];
    for (k = 0; k < SIG; k = k + 1) begin
      if (total[k]) zeros = LZ_BITS'(SIG - 1 - k);
    end
  end
  assign left = {{(32 - LZ_BITS) {1'b0}}, zeros} < {{(32 - EXPONENT) {1'b0}}, x_exponent} ? zeros : LZ_BITS'(x_exponent - 1'b1);

  logic [SIG-1:0]    aligned;
  logic [E_BITS-1:0] aligned_exponent;
  always_comb begin
    if (total[SIG]) begin
      aligned = {total[SIG:2], total[1] | total[0]};
      aligned_exponent = {1'b0, x_exponent} + 1'b1;
    end else begin
      aligned = total[SIG-1:0] << left;
      aligned_exponent = {1'b0, x_exponent} - {{(E_BITS - LZ_BITS) {1'b0}}, left};
    end
  end

  // A missing hidden bit means exponent field 0; rounding up may carry into the exponent, which is then right as well.
  logic [EXPONENT+FRACTION:0] rounded;
  logic                       round_up;
  logic [E_BITS-1:0]          field;
  assign field = aligned[SIG-1] ? aligned_exponent : {E_BITS{1'b0}};
  assign round_up = aligned[2] && (aligned[1] || aligned[0] || aligned[3]);
  assign rounded = {field, aligned[SIG-2:3]} + {{(EXPONENT + FRACTION) {1'b0}}, round_up};

  localparam logic [EXPONENT-1:0] ONES = {EXPONENT{1'b1}};
  logic a_special, b_special, a_nan, b_nan;
  assign a_special = a[FRACTION+:EXPONENT] == ONES;
  assign b_special = b[FRACTION+:EXPONENT] == ONES;
  assign a_nan = a_special && a[FRACTION-1:0] != 0;
  assign b_nan = b_special && b[FRACTION-1:0] != 0;

  always_comb begin
    if (a_nan || b_nan || (a_special && b_special && subtract)) sum = {1'b0, ONES, 1'b1, {(FRACTION - 1) {1'b0}}};
    else if (a_special || b_special) sum = {x[WIDTH-1], ONES, {FRACTION{1'b0}}};
    else if (total == 0) sum = {a[WIDTH-1] & b[WIDTH-1], {(WIDTH - 1) {1'b0}}};
    else if (rounded[FRACTION+:E_BITS] >= {1'b0, ONES}) sum = {x[WIDTH-1], ONES, {FRACTION{1'b0}}};
    else sum = {x[WIDTH-1], rounded[EXPONENT+FRACTION-1:0]};
  end
endmodule
