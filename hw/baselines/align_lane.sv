// One FP16 value as a magnitude of M bits under an exponent that a group shares, combinational, truncated toward zero.
//
// Models: |a| = magnitude * 2^(exponent - 15 - (M - 1)); exponent is at least that of a (1 for subnormals).
// Does not model: infinities and NaNs.
module align_lane #(
    parameter integer M = 14
) (
    input  logic [ 14:0] a,  // without its sign
    input  logic [  4:0] exponent,
    output logic [M-1:0] magnitude
);
  logic [4:0] own, distance;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [M+10:0] wide;
  /* verilator lint_on UNUSEDSIGNAL */
  assign own = a[14:10] != 0 ? a[14:10] : 5'd1;
  assign distance = exponent - own;
  assign wide = {a[14:10] != 0, a[9:0], {M{1'b0}}} >> distance;
  assign magnitude = wide[M+10:11];
endmodule
