// The significand of one element brought under the group's exponent, combinational: elements too small vanish.
module bfp_shift (
    input  logic [10:3] significand,
    input  logic [4:0]  exponent,
    input  logic [4:0]  group_exponent,  // not below exponent
    output logic [7:0]  magnitude
);
  logic [4:0] distance;
  assign distance = group_exponent - exponent;
  assign magnitude = significand >> distance;
endmodule
