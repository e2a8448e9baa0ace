// To be proved: one lane, first pass and sixteen times the second, is the signed product of both operands. A one-pass
// mode is the case of an empty upper nibble. Together with pe_operand_equal.sv: the lane in every mode.
//
// Specification, plain: magnitude times magnitude, and the sign.
module pe_lane_equal (
    input logic       a_sign,
    input logic [7:0] a_magnitude,
    input logic       b_sign,
    input logic [7:0] b_magnitude
);
  logic signed [12:0] first, second;
  pe_lane first_pass (
      .a_sign     (a_sign),
      .a_magnitude(a_magnitude),
      .b_sign     (b_sign),
      .b_slice    (b_magnitude[3:0]),
      .product    (first)
  );
  pe_lane second_pass (
      .a_sign     (a_sign),
      .a_magnitude(a_magnitude),
      .b_sign     (b_sign),
      .b_slice    (b_magnitude[7:4]),
      .product    (second)
  );
  logic signed [17:0] implemented;
  logic        [15:0] magnitude;
  always_comb implemented = first + 18'sd16 * second;
  always_comb magnitude = {8'd0, a_magnitude} * {8'd0, b_magnitude};
  always_comb assert (implemented == (a_sign != b_sign ? -$signed({2'd0, magnitude}) : $signed({2'd0, magnitude})));
endmodule
