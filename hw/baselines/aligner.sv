// Pre-alignment at the edge of an array of FIGNA's or iFPU's PEs: a group of FP16 values becomes integers of M bits under
// the largest exponent. One serves all PEs of a row.
//
// Models: three stages (largest exponent of eights, of all, shift), one group a cycle, truncation toward zero.
// Golden function: baselines::align(). Does not model: infinities and NaNs.
module aligner #(
    parameter integer LANES = 32,  // a multiple of 8
    parameter integer M = 14
) (
    input  logic                clk,
    input  logic                rst_n,
    input  logic                valid,
    input  logic [16*LANES-1:0] a,
    output logic                aligned_valid,
    output logic [         4:0] exponent,
    output logic [   LANES-1:0] sign,
    output logic [ M*LANES-1:0] magnitude
);
  localparam integer EIGHTS = LANES / 8;
  logic valid1, valid2;
  logic [16*LANES-1:0] a1, a2;
  logic [5*EIGHTS-1:0] eight_d, eight1;
  logic [4:0] all_d, all2;
  logic [M*LANES-1:0] magnitude_d;
  logic [LANES-1:0] sign_d;
  integer s;
  genvar i;
  generate
    for (i = 0; i < EIGHTS; i = i + 1) begin : gen_eight
      integer k;
      logic [4:0] largest;
      always_comb begin
        largest = 5'd1;
        for (k = 0; k < 8; k = k + 1) if (a[16*(8*i+k)+10+:5] > largest) largest = a[16*(8*i+k)+10+:5];
      end
      assign eight_d[5*i+:5] = largest;
    end
    for (i = 0; i < LANES; i = i + 1) begin : gen_lane
      assign sign_d[i] = a2[16*i+15];
      align_lane #(
          .M(M)
      ) lane (
          .a        (a2[16*i+:15]),
          .exponent (all2),
          .magnitude(magnitude_d[M*i+:M])
      );
    end
  endgenerate
  always_comb begin
    all_d = 5'd1;
    for (s = 0; s < EIGHTS; s = s + 1) if (eight1[5*s+:5] > all_d) all_d = eight1[5*s+:5];
  end
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      valid2 <= 1'b0;
      aligned_valid <= 1'b0;
    end else begin
      valid1 <= valid;
      valid2 <= valid1;
      aligned_valid <= valid2;
    end
    if (valid) begin
      a1 <= a;
      eight1 <= eight_d;
    end
    if (valid1) begin
      a2 <= a1;
      all2 <= all_d;
    end
    if (valid2) begin
      exponent <= all2;
      sign <= sign_d;
      magnitude <= magnitude_d;
    end
  end
endmodule
