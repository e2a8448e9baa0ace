// To be proved: lane LANE of FIGNA's PE, between its operand registers and its product registers, multiplies an aligned
// magnitude with its sign by a signed weight.
//
// Specification, plain: magnitude times magnitude, and the sign. Assumed: a weight is not -16.
// Cut: figna_pe in sign1 magnitude1 w1 out product_d
module figna_lanes_equal #(
    parameter integer M = 14,
    parameter integer LANE = 0
) (
    input logic [    31:0] sign,
    input logic [32*M-1:0] magnitude,
    input logic [   159:0] w
);
  logic [32*(M+5)-1:0] product;
  figna_pe pe (
      .sign1     (sign),
      .magnitude1(magnitude),
      .w1        (w),
      .product_d (product)
  );
  genvar i;
  generate
    for (i = LANE; i <= LANE; i = i + 1) begin : gen_lane
      logic signed [4:0] weight;
      logic [4:0] size;
      logic signed [M+5:0] times;
      always_comb weight = w[5*i+:5];
      always_comb size = weight < 0 ? -weight : weight;
      always_comb times = {6'd0, magnitude[M*i+:M]} * {{(M + 1) {1'b0}}, size};
      always_comb begin
        assume (weight != -5'sd16);
        assert ($signed(product[(M+5)*i+:M+5]) == (sign[i] == (weight < 0) ? times : -times));
      end
    end
  endgenerate
endmodule
