// A PE after BitMoD: FP16 activations, aligned inside the PE to the group's largest exponent; weights bit-serial as signed
// digits, INT4 in two cycles.
//
// Models: 4-bit weights -8..7 as two radix-4 digits d0 + 4 d1 (Booth), one of them a cycle, the low one first; the group's
// sum exact behind the alignment to M bits. Stages: operands, largest exponent, alignment and digit, three of the tree, sum
// of the digits, four of the accumulator. Golden function: baselines::aligned_group(). A lane makes half a product a
// cycle.
// Does not model: BitMoD's data types with special values, its serial scales, infinities and NaNs.
module bitmod_pe #(
    parameter integer LANES = 32,
    parameter integer M = 14
) (
    input  logic                clk,
    input  logic                rst_n,
    input  logic                valid,          // twice for each group, operands held
    input  logic                digit,          // 0 the low digit, 1 the high one
    input  logic [16*LANES-1:0] a,
    input  logic [ 4*LANES-1:0] w,              // two's complement
    output logic                partial_valid,  // the control inputs are taken now
    input  logic                group_first,
    input  logic                group_last,
    input  logic                row_first,
    input  logic [        18:0] scale,
    output logic                done,
    output logic [        31:0] sum
);
  localparam integer TERM = M + 2;
  localparam integer SUM = TERM + $clog2(LANES);
  logic valid1, valid2, valid3, sum_valid;
  logic digit1, digit2, digit3, digit4, digit5, digit6;
  logic [16*LANES-1:0] a1, a2;
  logic [4*LANES-1:0] w1, w2;
  logic [4:0] largest_d, exponent2, exponent3, exponent4, exponent5, exponent6, exponent7;
  logic [TERM*LANES-1:0] term_d, term3;
  logic signed [SUM-1:0] group, low;
  logic signed [24:0] joined;
  integer k;
  always_comb begin
    largest_d = 5'd1;
    for (k = 0; k < LANES; k = k + 1) if (a1[16*k+10+:5] > largest_d) largest_d = a1[16*k+10+:5];
  end
  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_lane
      logic [M-1:0] magnitude;
      logic [2:0] bits;  // of the digit, with the bit below it
      logic negative, zero, twice;
      logic [M:0] one;
      align_lane #(
          .M(M)
      ) lane (
          .a        (a2[16*i+:15]),
          .exponent (exponent2),
          .magnitude(magnitude)
      );
      assign bits = digit2 ? w2[4*i+1+:3] : {w2[4*i+:2], 1'b0};
      assign negative = a2[16*i+15] ^ bits[2];
      assign zero = bits == 3'b000 || bits == 3'b111;
      assign twice = bits == 3'b011 || bits == 3'b100;
      assign one = zero ? {(M + 1) {1'b0}} : twice ? {magnitude, 1'b0} : {1'b0, magnitude};
      assign term_d[TERM*i+:TERM] = negative ? -{1'b0, one} : {1'b0, one};
    end
  endgenerate
  int_sum #(
      .LANES(LANES),
      .WIDTH(TERM)
  ) tree (
      .clk      (clk),
      .rst_n    (rst_n),
      .valid    (valid3),
      .terms    (term3),
      .sum_valid(sum_valid),
      .sum      (group)
  );
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      valid2 <= 1'b0;
      valid3 <= 1'b0;
      partial_valid <= 1'b0;
    end else begin
      valid1 <= valid;
      valid2 <= valid1;
      valid3 <= valid2;
      partial_valid <= sum_valid && digit6;
    end
    if (valid) begin
      a1 <= a;
      w1 <= w;
      digit1 <= digit;
    end
    if (valid1) begin
      a2 <= a1;
      w2 <= w1;
      digit2 <= digit1;
      exponent2 <= largest_d;
    end
    if (valid2) begin
      term3 <= term_d;
      digit3 <= digit2;
      exponent3 <= exponent2;
    end
    digit4 <= digit3;
    digit5 <= digit4;
    digit6 <= digit5;
    exponent4 <= exponent3;
    exponent5 <= exponent4;
    exponent6 <= exponent5;
    exponent7 <= exponent6;
    if (sum_valid && !digit6) low <= group;
    if (sum_valid && digit6) joined <= 25'(low) + (25'(group) <<< 2);
  end
  group_accumulate accumulate (
      .clk        (clk),
      .rst_n      (rst_n),
      .valid      (partial_valid),
      .partial    (joined),
      .exponent   ({5'd0, exponent7} - 10'(14 + M)),
      .group_first(group_first),
      .group_last (group_last),
      .row_first  (row_first),
      .scale      (scale),
      .done       (done),
      .sum        (sum)
  );
endmodule
