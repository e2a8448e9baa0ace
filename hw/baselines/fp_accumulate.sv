// What stands behind every PE of the comparison: FP32 sums of groups, times the scale of their weights, summed over a row.
//
// Models: inner = first group of a scale ? x : inner + x; behind the last group of a scale
// sum = (first scale of a row ? 0 : sum) + inner * scale, each step one nearest-even rounding, as formats::dot_int().
// SCALED = 0: one running sum from group_first to group_last, for weights without scales. The control inputs are taken
// with valid: a sequencer that a whole row of PEs shares counts groups, so that no PE carries them along its pipeline.
// Stages: 3 with scales, 1 without; one group a cycle. done: sum is that of everything up to a group_last.
// Does not model: conversion of the row's sum to FP16.
module fp_accumulate #(
    parameter logic SCALED = 1'b1
) (
    input  logic        clk,
    input  logic        rst_n,
    input  logic        valid,
    input  logic [31:0] x,
    input  logic        group_first,
    input  logic        group_last,
    /* verilator lint_off UNUSEDSIGNAL */
    input  logic        row_first,  // of scaled sums only, as is the scale
    input  logic [18:0] scale,
    /* verilator lint_on UNUSEDSIGNAL */
    output logic        done,
    output logic [31:0] sum
);
  generate
    if (SCALED) begin : gen_scaled
      logic last1, row_first1, last2, row_first2;
      logic [18:0] scale1;
      logic [31:0] inner, inner_next, scaled_d, scaled, sum_next;
      fp_add #(
          .EXPONENT(8),
          .FRACTION(23)
      ) inner_adder (
          .a  (inner),
          .b  (x),
          .sum(inner_next)
      );
      fp_scale multiplier (
          .value  (inner),
          .scale  (scale1),
          .product(scaled_d)
      );
      fp_add #(
          .EXPONENT(8),
          .FRACTION(23)
      ) outer_adder (
          .a  (row_first2 ? 32'd0 : sum),
          .b  (scaled),
          .sum(sum_next)
      );
      always_ff @(posedge clk) begin
        if (!rst_n) begin
          last1 <= 1'b0;
          last2 <= 1'b0;
          done  <= 1'b0;
        end else begin
          last1 <= valid && group_last;
          last2 <= last1;
          done  <= last2;
        end
        if (valid) begin
          inner <= group_first ? x : inner_next;
          row_first1 <= row_first;
          scale1 <= scale;
        end
        if (last1) begin
          scaled <= scaled_d;
          row_first2 <= row_first1;
        end
        if (last2) sum <= sum_next;
      end
    end else begin : gen_plain
      logic [31:0] sum_next;
      fp_add #(
          .EXPONENT(8),
          .FRACTION(23)
      ) adder (
          .a  (sum),
          .b  (x),
          .sum(sum_next)
      );
      always_ff @(posedge clk) begin
        if (!rst_n) done <= 1'b0;
        else done <= valid && group_last;
        if (valid) sum <= group_first ? x : sum_next;
      end
    end
  endgenerate
endmodule
