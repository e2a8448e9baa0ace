// FIGNA: 32 products of a pre-aligned activation of M bits and an integer weight, an integer tree, FP32 sums with scales.
// M = 14 is FIGNA, 11 and 8 are its narrower variants.
//
// Models: the group's sum exact. Stages: operands, products, three of the tree, four of the accumulator. Golden function:
// baselines::aligned_group(). Does not model: alignment (aligner.sv, once per row of PEs).
module figna_pe #(
    parameter integer LANES = 32,
    parameter integer M = 14
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               valid,
    input  logic [        4:0] exponent,
    input  logic [  LANES-1:0] sign,
    input  logic [M*LANES-1:0] magnitude,
    input  logic [5*LANES-1:0] w,              // signed, -15..15
    output logic               partial_valid,  // the control inputs are taken now
    input  logic               group_first,
    input  logic               group_last,
    input  logic               row_first,
    input  logic [       18:0] scale,
    output logic               done,
    output logic [       31:0] sum
);
  localparam integer PRODUCT = M + 5;
  localparam integer SUM = PRODUCT + $clog2(LANES);
  logic valid1, valid2;
  logic [LANES-1:0] sign1;
  logic [M*LANES-1:0] magnitude1;
  logic [5*LANES-1:0] w1;
  logic [PRODUCT*LANES-1:0] product_d, product2;
  logic signed [SUM-1:0] group;
  logic [4:0] exponent1, exponent2, exponent3, exponent4, exponent5;
  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_lane
      logic [3:0] w_magnitude;
      logic [M+3:0] raw;
      assign w_magnitude = w1[5*i+4] ? -w1[5*i+:4] : w1[5*i+:4];
      assign raw = {4'd0, magnitude1[M*i+:M]} * {{M{1'b0}}, w_magnitude};
      assign product_d[PRODUCT*i+:PRODUCT] = sign1[i] ^ w1[5*i+4] ? -{1'b0, raw} : {1'b0, raw};
    end
  endgenerate
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      valid2 <= 1'b0;
    end else begin
      valid1 <= valid;
      valid2 <= valid1;
    end
    if (valid) begin
      sign1 <= sign;
      magnitude1 <= magnitude;
      w1 <= w;
      exponent1 <= exponent;
    end
    if (valid1) product2 <= product_d;
    exponent2 <= exponent1;
    exponent3 <= exponent2;
    exponent4 <= exponent3;
    exponent5 <= exponent4;
  end
  int_sum #(
      .LANES(LANES),
      .WIDTH(PRODUCT)
  ) tree (
      .clk      (clk),
      .rst_n    (rst_n),
      .valid    (valid2),
      .terms    (product2),
      .sum_valid(partial_valid),
      .sum      (group)
  );
  group_accumulate accumulate (
      .clk        (clk),
      .rst_n      (rst_n),
      .valid      (partial_valid),
      .partial    (25'(group)),
      .exponent   ({5'd0, exponent5} - 10'(14 + M)),
      .group_first(group_first),
      .group_last (group_last),
      .row_first  (row_first),
      .scale      (scale),
      .done       (done),
      .sum        (sum)
  );
endmodule
