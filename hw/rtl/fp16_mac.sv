// The FP16 multiply-accumulate that areas are compared with: one lane of a floating-point PE.
//
// Models: sum += a * b with the product exact (two FP16 significands have 22 bits, which FP32 holds) and one FP32
// nearest-even rounding per addition, as harmonia_pe_dot_fp16(); three stages: operands, product, sum. Subnormals kept.
// Does not model: conversion of the sum back to FP16.
module fp16_mac (
    input  logic        clk,
    input  logic        rst_n,
    input  logic        valid,
    input  logic        first,  // begins a new sum
    input  logic [15:0] a,
    input  logic [15:0] b,
    output logic [31:0] sum
);
  logic        valid1, first1, valid2, first2;
  logic [15:0] a1, b1;
  logic [31:0] product_d, product2, next;

  fp16_product multiplier (
      .a      (a1),
      .b      (b1),
      .product(product_d)
  );
  fp_add #(
      .EXPONENT(8),
      .FRACTION(23)
  ) adder (
      .a  (first2 ? 32'd0 : sum),
      .b  (product2),
      .sum(next)
  );
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      valid2 <= 1'b0;
      sum <= 32'd0;
    end else begin
      valid1 <= valid;
      valid2 <= valid1;
      if (valid2) sum <= next;
    end
    a1 <= a;
    b1 <= b;
    first1 <= first;
    first2 <= first1;
    product2 <= product_d;
  end
endmodule
