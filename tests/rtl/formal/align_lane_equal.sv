// To be proved: the alignment of an FP16 value is that of the golden function baselines::align(), truncated to M bits.
//
// Specification, plain: |a| = h * 2^(e - 25), h the significand of 11 bits, and |a| = m * 2^(E - 14 - M), so that
// m = floor(h * 2^(M - 11 + e - E)).
// Assumed: E is not below the element's exponent, since it is the maximum of the group; a is finite.
module align_lane_equal #(
    parameter integer M = 14
) (
    input logic [14:0] a,
    input logic [ 4:0] exponent
);
  logic [M-1:0] magnitude;
  align_lane #(
      .M(M)
  ) lane (
      .a        (a),
      .exponent (exponent),
      .magnitude(magnitude)
  );

  // Specification.
  integer e, up;
  logic [63:0] h, m;
  always_comb begin
    e = a[14:10] == 5'd0 ? 1 : {27'd0, a[14:10]};
    h = {53'd0, a[14:10] != 5'd0, a[9:0]};
    up = M - 11 + e - {27'd0, exponent};
    m = up >= 0 ? h << up : h >> -up;
  end
  always_comb begin
    assume ({27'd0, exponent} >= e && exponent <= 5'd30);
    assert ({{(64 - M) {1'b0}}, magnitude} == m);
  end
endmodule
