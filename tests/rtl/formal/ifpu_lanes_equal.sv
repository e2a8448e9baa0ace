// To be proved: lane LANE of iFPU's PE, between its operand registers and its adder trees: the terms of the four bit
// planes, counted 1, 2, 4 and 8 times, are the aligned activation times the odd integer that its code stands for.
//
// Specification, plain: value * (2 code - 15).
// Cut: ifpu_pe in sign1 magnitude1 code1 out gen_plane[0].terms gen_plane[1].terms gen_plane[2].terms gen_plane[3].terms
module ifpu_lanes_equal #(
    parameter integer M = 14,
    parameter integer LANE = 0
) (
    input logic [    31:0] sign,
    input logic [32*M-1:0] magnitude,
    input logic [   127:0] code
);
  logic [32*(M+1)-1:0] one, two, four, eight;
  ifpu_pe pe (
      .sign1               (sign),
      .magnitude1          (magnitude),
      .code1               (code),
      .\gen_plane[0].terms (one),
      .\gen_plane[1].terms (two),
      .\gen_plane[2].terms (four),
      .\gen_plane[3].terms (eight)
  );
  genvar i;
  generate
    for (i = LANE; i <= LANE; i = i + 1) begin : gen_lane
      logic signed [M+6:0] value, weight, joined;
      always_comb value = sign[i] ? -$signed({7'd0, magnitude[M*i+:M]}) : $signed({7'd0, magnitude[M*i+:M]});
      always_comb weight = 2 * $signed({1'b0, code[4*i+:4]}) - 15;
      always_comb
        joined = (M+7)'($signed(one[(M+1)*i+:M+1])) + 2 * (M+7)'($signed(two[(M+1)*i+:M+1]))
            + 4 * (M+7)'($signed(four[(M+1)*i+:M+1])) + 8 * (M+7)'($signed(eight[(M+1)*i+:M+1]));
      always_comb assert (joined == value * weight);
    end
  endgenerate
endmodule
