// To be proved: lane LANE of Anda's unit, between its operand registers and its adder tree: a bit of the mantissa times
// the signed weight, with the sign of the activation.
//
// Specification, plain: 0, w or -w. Assumed: a weight is not -16.
// Cut: anda_unit in sign1 plane1 w1 out terms
module anda_lanes_equal #(
    parameter integer LANE = 0
) (
    input logic [ 31:0] sign,
    input logic [ 31:0] plane,
    input logic [159:0] w
);
  logic [159:0] terms;
  anda_unit pe (
      .sign1 (sign),
      .plane1(plane),
      .w1    (w),
      .terms (terms)
  );
  genvar i;
  generate
    for (i = LANE; i <= LANE; i = i + 1) begin : gen_lane
      logic signed [5:0] weight, expected;
      always_comb weight = 6'($signed(w[5*i+:5]));
      always_comb expected = (sign[i] ? -6'sd1 : 6'sd1) * $signed({5'd0, plane[i]}) * weight;
      always_comb begin
        assume (weight != -6'sd16);
        assert (6'($signed(terms[5*i+:5])) == expected);
      end
    end
  endgenerate
endmodule
