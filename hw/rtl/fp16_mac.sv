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

  logic        negative, a_nan, b_nan, a_inf, b_inf, a_zero, b_zero;
  logic [10:0] a_sig, b_sig;
  logic [ 5:0] a_exponent, b_exponent;
  assign negative = a1[15] ^ b1[15];
  assign a_nan = a1[14:10] == 5'd31 && a1[9:0] != 0;
  assign b_nan = b1[14:10] == 5'd31 && b1[9:0] != 0;
  assign a_inf = a1[14:10] == 5'd31 && a1[9:0] == 0;
  assign b_inf = b1[14:10] == 5'd31 && b1[9:0] == 0;
  assign a_zero = a1[14:0] == 0;
  assign b_zero = b1[14:0] == 0;
  assign a_sig = {a1[14:10] != 0, a1[9:0]};
  assign b_sig = {b1[14:10] != 0, b1[9:0]};
  assign a_exponent = a1[14:10] != 0 ? {1'b0, a1[14:10]} : 6'd1;
  assign b_exponent = b1[14:10] != 0 ? {1'b0, b1[14:10]} : 6'd1;

  // The product normalised: its leading one is bit 21 - zeros of 22.
  logic [21:0] raw;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [21:0] aligned;  // 21 is the hidden bit
  /* verilator lint_on UNUSEDSIGNAL */
  logic [ 4:0] zeros;
  integer      k;
  assign raw = {11'd0, a_sig} * {11'd0, b_sig};
  always_comb begin
    zeros = 5'd0;
    for (k = 0; k < 22; k = k + 1) if (raw[k]) zeros = 5'(21 - k);
  end
  assign aligned = raw << zeros;
  logic [7:0] field;
  // 2^(a - 15 - 10 + b - 15 - 10) * raw, raw = 1.x * 2^(21 - zeros): biased by 127.
  assign field = {2'b00, a_exponent} + {2'b00, b_exponent} + 8'd98 - {3'b000, zeros};
  always_comb begin
    if (a_nan || b_nan || (a_inf && b_zero) || (b_inf && a_zero)) product_d = 32'h7fc00000;
    else if (a_inf || b_inf) product_d = {negative, 8'hff, 23'd0};
    else if (a_zero || b_zero) product_d = {negative, 31'd0};
    else product_d = {negative, field, aligned[20:0], 2'b00};
  end

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
