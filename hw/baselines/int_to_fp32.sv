// An exact integer and a power of two as an FP32 number, combinational.
//
// Models: value * 2^exponent, exact: at most 24 magnitude bits. Zero is +0.
// Does not model: results outside FP32's normal range (the groups of this project stay within 2^-60 .. 2^60).
module int_to_fp32 (
    input  logic signed [24:0] value,     // -(2^24 - 1) .. 2^24 - 1
    input  logic signed [ 9:0] exponent,
    output logic        [31:0] result
);
  /* verilator lint_off UNUSEDSIGNAL */
  logic [24:0] negated;
  logic [23:0] aligned;  // bit 23 is the hidden one
  logic [ 9:0] field;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [23:0] magnitude;
  logic [ 4:0] zeros;
  integer      k;
  assign negated = -value;
  assign magnitude = value[24] ? negated[23:0] : value[23:0];
  always_comb begin
    zeros = 5'd0;
    for (k = 0; k < 24; k = k + 1) if (magnitude[k]) zeros = 5'(23 - k);
  end
  assign aligned = magnitude << zeros;
  assign field = 10'd150 + exponent - {5'd0, zeros};
  assign result = magnitude == 0 ? 32'd0 : {value[24], field[7:0], aligned[22:0]};
endmodule
