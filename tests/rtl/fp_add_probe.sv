// Both widths of the adder, and the FP16 multiply-accumulate of the area reference, for the tests.
module fp_add_probe (
    input  logic [15:0] a16,
    input  logic [15:0] b16,
    output logic [15:0] sum16,
    input  logic [31:0] a32,
    input  logic [31:0] b32,
    output logic [31:0] sum32
);
  fp_add #(
      .EXPONENT(5),
      .FRACTION(10)
  ) add16 (
      .a  (a16),
      .b  (b16),
      .sum(sum16)
  );
  fp_add #(
      .EXPONENT(8),
      .FRACTION(23)
  ) add32 (
      .a  (a32),
      .b  (b32),
      .sum(sum32)
  );
endmodule
