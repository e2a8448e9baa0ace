// FP16 taken apart, combinational: hidden bit made explicit, subnormals with exponent 1, Inf and NaN as the largest element
// there is. The significand comes without its lower three places, which no 8-bit magnitude can hold.
module bfp_unpack (
    /* verilator lint_off UNUSEDSIGNAL */
    input  logic [15:0] fp16,  // 2..0 are those places
    /* verilator lint_on UNUSEDSIGNAL */
    output logic        sign,
    output logic [4:0]  exponent,
    output logic [10:3] significand,
    output logic        nonfinite
);
  logic subnormal;
  assign subnormal = fp16[14:10] == 5'd0;
  assign nonfinite = fp16[14:10] == 5'd31;
  assign sign = fp16[15];
  assign exponent = nonfinite ? 5'd30 : subnormal ? 5'd1 : fp16[14:10];
  assign significand = nonfinite ? 8'hFF : {~subnormal, fp16[9:3]};
endmodule
