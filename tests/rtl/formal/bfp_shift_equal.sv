// To be proved: unpacking and shifting one FP16 value gives the magnitude and sign of formats.md, section 1, with M = 8,
// and its upper nibble the magnitude with M = 4.
//
// Specification, plain: m = h >> (E - e + 11 - M), h the 11-bit significand; Inf and NaN are E = 30, m = 2^M - 1.
// Assumed: E is not below the element's exponent, since it is the maximum of the group.
module bfp_shift_equal (
    input logic [15:0] fp16,
    input logic [ 4:0] group_exponent
);
  logic        sign, nonfinite;
  logic [ 4:0] exponent;
  logic [10:3] significand;
  logic [ 7:0] magnitude;
  bfp_unpack unpack (
      .fp16       (fp16),
      .sign       (sign),
      .exponent   (exponent),
      .significand(significand),
      .nonfinite  (nonfinite)
  );
  bfp_shift shift (
      .significand   (significand),
      .exponent      (exponent),
      .group_exponent(group_exponent),
      .magnitude     (magnitude)
  );

  // Specification.
  integer e, h, distance;
  logic [31:0] m8, m4;
  always_comb begin
    e = fp16[14:10] == 5'd0 ? 1 : {27'd0, fp16[14:10]};
    h = {21'd0, fp16[14:10] != 5'd0, fp16[9:0]};
    if (fp16[14:10] == 5'd31) e = 30;
    distance = {27'd0, group_exponent} - e;
    m8 = h >> (distance + 3);
    m4 = h >> (distance + 7);
    if (fp16[14:10] == 5'd31) begin
      m8 = distance == 0 ? 255 : 255 >> distance;
      m4 = m8 >> 4;
    end
  end
  always_comb begin
    assume (distance >= 0 && group_exponent <= 5'd30);
    assert (sign == fp16[15]);
    assert (nonfinite == (fp16[14:10] == 5'd31));
    assert ({24'd0, magnitude} == m8);
    assert ({28'd0, magnitude[7:4]} == m4);
  end
endmodule
