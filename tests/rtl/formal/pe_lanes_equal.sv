// To be proved: lane LANE of this project's PE, between its operand registers and its product registers, in both passes:
// each takes its own operands (pe_lane_equal.sv is one lane, pe_operand_equal.sv what comes before the registers).
//
// Specification, plain: magnitude times magnitude, and the sign. The second pass is of two-pass modes, 2 and 4.
// Cut: pe in mode1 second_pass1 a_sign1 a_magnitude1 b_sign1 b_low1 b_high1 out product_d
module pe_lanes_equal #(
    parameter integer LANE = 0
) (
    input logic [  2:0] mode,
    input logic         second_pass,
    input logic [ 31:0] a_sign,
    input logic [255:0] a_magnitude,
    input logic [ 31:0] b_sign,
    input logic [127:0] b_low,
    input logic [127:0] b_high
);
  logic [415:0] product;
  pe dut (
      .mode1       (mode),
      .second_pass1(second_pass),
      .a_sign1     (a_sign),
      .a_magnitude1(a_magnitude),
      .b_sign1     (b_sign),
      .b_low1      (b_low),
      .b_high1     (b_high),
      .product_d   (product)
  );
  genvar i;
  generate
    for (i = LANE; i <= LANE; i = i + 1) begin : gen_lane
      logic signed [12:0] times;
      always_comb times = {5'd0, a_magnitude[8*i+:8]} * {9'd0, second_pass ? b_high[4*i+:4] : b_low[4*i+:4]};
      always_comb assert ($signed(product[13*i+:13]) == (a_sign[i] == b_sign[i] ? times : -times));
    end
  endgenerate
endmodule
