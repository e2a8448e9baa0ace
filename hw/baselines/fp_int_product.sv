// FP16 times a small integer as FP32, combinational, exact.
//
// Models: a * w, w in -15..15; subnormals kept; a product with zero has the sign of both factors' signs.
// Does not model: infinities and NaNs.
module fp_int_product (
    input  logic        [15:0] a,
    input  logic signed [ 4:0] w,
    output logic        [31:0] product
);
  logic negative;
  logic [3:0] magnitude;
  logic [4:0] exponent;
  logic [14:0] raw;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [14:0] aligned;  // 14 is the hidden bit
  /* verilator lint_on UNUSEDSIGNAL */
  logic [3:0] zeros;
  logic [7:0] field;
  integer k;
  assign negative = a[15] ^ w[4];
  assign magnitude = w[4] ? -w[3:0] : w[3:0];
  assign exponent = a[14:10] != 0 ? a[14:10] : 5'd1;
  assign raw = {4'd0, a[14:10] != 0, a[9:0]} * {11'd0, magnitude};
  always_comb begin
    zeros = 4'd0;
    for (k = 0; k < 15; k = k + 1) if (raw[k]) zeros = 4'(14 - k);
  end
  assign aligned = raw << zeros;
  // 2^(exponent - 15 - 10) * raw, raw = 1.x * 2^(14 - zeros): biased by 127.
  assign field = {3'b000, exponent} + 8'd116 - {4'b0000, zeros};
  assign product = raw == 0 ? {negative, 31'd0} : {negative, field, aligned[13:0], 9'd0};
endmodule
