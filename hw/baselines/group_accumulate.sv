// The accumulator of PEs that end a group with an exact integer: FP32 from integer and exponent, then fp_accumulate.
//
// Models: what int_to_fp32 and fp_accumulate model, a register between them: 4 stages, one group a cycle. The control
// inputs are taken with valid. Does not model: conversion of the row's sum to FP16.
module group_accumulate (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               valid,
    input  logic signed [24:0] partial,
    input  logic signed [ 9:0] exponent,
    input  logic               group_first,
    input  logic               group_last,
    input  logic               row_first,
    input  logic        [18:0] scale,
    output logic               done,
    output logic        [31:0] sum
);
  logic valid1, group_first1, group_last1, row_first1;
  logic [18:0] scale1;
  logic [31:0] x_d, x1;
  int_to_fp32 convert (
      .value   (partial),
      .exponent(exponent),
      .result  (x_d)
  );
  always_ff @(posedge clk) begin
    if (!rst_n) valid1 <= 1'b0;
    else valid1 <= valid;
    if (valid) begin
      x1 <= x_d;
      group_first1 <= group_first;
      group_last1 <= group_last;
      row_first1 <= row_first;
      scale1 <= scale;
    end
  end
  fp_accumulate accumulate (
      .clk        (clk),
      .rst_n      (rst_n),
      .valid      (valid1),
      .x          (x1),
      .group_first(group_first1),
      .group_last (group_last1),
      .row_first  (row_first1),
      .scale      (scale1),
      .done       (done),
      .sum        (sum)
  );
endmodule
