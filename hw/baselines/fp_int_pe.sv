// FP-INT: 32 products of an FP16 activation and an integer weight, a tree of FP32 adders, FP32 sums with scales.
//
// Models: each product exact, every addition rounded to nearest even. Stages: operands, products, five of the tree,
// three of the accumulator. Golden function: baselines::fp_int_group().
// Does not model: infinities and NaNs among the activations.
module fp_int_pe #(
    parameter integer LANES = 32
) (
    input  logic                clk,
    input  logic                rst_n,
    input  logic                valid,
    input  logic [16*LANES-1:0] a,
    input  logic [ 5*LANES-1:0] w,              // signed, -15..15
    output logic                partial_valid,  // the control inputs are taken now
    input  logic                group_first,
    input  logic                group_last,
    input  logic                row_first,
    input  logic [        18:0] scale,
    output logic                done,
    output logic [        31:0] sum
);
  logic valid1, valid2;
  logic [16*LANES-1:0] a1;
  logic [5*LANES-1:0] w1;
  logic [32*LANES-1:0] product_d, product2;
  logic [31:0] group;
  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_lane
      fp_int_product lane (
          .a      (a1[16*i+:16]),
          .w      (w1[5*i+:5]),
          .product(product_d[32*i+:32])
      );
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
      a1 <= a;
      w1 <= w;
    end
    if (valid1) product2 <= product_d;
  end
  fp_sum #(
      .LANES(LANES)
  ) tree (
      .clk      (clk),
      .rst_n    (rst_n),
      .valid    (valid2),
      .terms    (product2),
      .sum_valid(partial_valid),
      .sum      (group)
  );
  fp_accumulate accumulate (
      .clk        (clk),
      .rst_n      (rst_n),
      .valid      (partial_valid),
      .x          (group),
      .group_first(group_first),
      .group_last (group_last),
      .row_first  (row_first),
      .scale      (scale),
      .done       (done),
      .sum        (sum)
  );
endmodule
