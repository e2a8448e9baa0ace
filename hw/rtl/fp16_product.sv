// FP16 times FP16 as FP32, combinational, exact: two significands of 11 bits have a product of 22, which FP32 holds.
//
// Models: subnormals, infinities; one canonical quiet NaN. Does not model: exception flags.
module fp16_product (
    input  logic [15:0] a,
    input  logic [15:0] b,
    output logic [31:0] product
);
  logic        negative, a_nan, b_nan, a_inf, b_inf, a_zero, b_zero;
  logic [10:0] a_sig, b_sig;
  logic [ 5:0] a_exponent, b_exponent;
  assign negative = a[15] ^ b[15];
  assign a_nan = a[14:10] == 5'd31 && a[9:0] != 0;
  assign b_nan = b[14:10] == 5'd31 && b[9:0] != 0;
  assign a_inf = a[14:10] == 5'd31 && a[9:0] == 0;
  assign b_inf = b[14:10] == 5'd31 && b[9:0] == 0;
  assign a_zero = a[14:0] == 0;
  assign b_zero = b[14:0] == 0;
  assign a_sig = {a[14:10] != 0, a[9:0]};
  assign b_sig = {b[14:10] != 0, b[9:0]};
  assign a_exponent = a[14:10] != 0 ? {1'b0, a[14:10]} : 6'd1;
  assign b_exponent = b[14:10] != 0 ? {1'b0, b[14:10]} : 6'd1;

  // The product normalised: its leading one is bit 21 - zeros of 22.
  logic [21:0] raw;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [21:0] aligned;  // 21 is the hidden bit
  /* verilator lint_on UNUSEDSIGNAL */
  logic [ 4:0] zeros;
  integer      k;
  assign raw = {11'd0, a_sig} * {11'd0, b_sig};
  always_comb begin
    zeros = 5'd0;
    for (k = 0; k < 22; k = k + 1) if (raw[k]) zeros = 5'(21 - k);
  end
  assign aligned = raw << zeros;
  logic [7:0] field;
  // 2^(a - 15 - 10 + b - 15 - 10) * raw, raw = 1.x * 2^(21 - zeros): biased by 127.
  assign field = {2'b00, a_exponent} + {2'b00, b_exponent} + 8'd98 - {3'b000, zeros};
  always_comb begin
    if (a_nan || b_nan || (a_inf && b_zero) || (b_inf && a_zero)) product = 32'h7fc00000;
    else if (a_inf || b_inf) product = {negative, 8'hff, 23'd0};
    else if (a_zero || b_zero) product = {negative, 31'd0};
    else product = {negative, field, aligned[20:0], 2'b00};
  end
endmodule
