// iFPU: pre-aligned activations are added or subtracted under each of four bit planes of the weights; the planes count
// 1, 2, 4, 8. A 4-bit code c stands for the weight 2c - 15. The published unit is serial over the planes; here the four
// stand side by side, so that it takes one group a cycle as the other PEs do.
//
// Models: the group's sum exact. Stages: operands, three of the trees, planes joined, four of the accumulator. Golden
// function: baselines::ifpu_group(). Does not model: alignment (aligner.sv), planes with factors of their own.
module ifpu_pe #(
    parameter integer LANES = 32,
    parameter integer M = 14
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               valid,
    input  logic [        4:0] exponent,
    input  logic [  LANES-1:0] sign,
    input  logic [M*LANES-1:0] magnitude,
    input  logic [4*LANES-1:0] code,
    output logic               partial_valid,  // the control inputs are taken now
    input  logic               group_first,
    input  logic               group_last,
    input  logic               row_first,
    input  logic [       18:0] scale,
    output logic               done,
    output logic [       31:0] sum
);
  localparam integer TERM = M + 1;
  localparam integer SUM = TERM + $clog2(LANES);
  localparam integer JOINED = SUM + 4;
  logic valid1;
  logic [LANES-1:0] sign1;
  logic [M*LANES-1:0] magnitude1;
  logic [4*LANES-1:0] code1;
  logic [4:0] exponent1, exponent2, exponent3, exponent4, exponent5;
  logic [3:0] plane_valid;
  logic [4*SUM-1:0] plane;
  logic signed [JOINED-1:0] joined_d, joined5;
  genvar i, p;
  generate
    for (p = 0; p < 4; p = p + 1) begin : gen_plane
      logic [TERM*LANES-1:0] terms;
      for (i = 0; i < LANES; i = i + 1) begin : gen_lane
        assign terms[TERM*i+:TERM] = sign1[i] == code1[4*i+p] ? -{1'b0, magnitude1[M*i+:M]} : {1'b0, magnitude1[M*i+:M]};
      end
      int_sum #(
          .LANES(LANES),
          .WIDTH(TERM)
      ) tree (
          .clk      (clk),
          .rst_n    (rst_n),
          .valid    (valid1),
          .terms    (terms),
          .sum_valid(plane_valid[p]),
          .sum      (plane[SUM*p+:SUM])
      );
    end
  endgenerate
  integer k;
  logic signed [SUM-1:0] one;
  always_comb begin
    joined_d = {JOINED{1'b0}};
    one = {SUM{1'b0}};
    for (k = 0; k < 4; k = k + 1) begin
      one = plane[SUM*k+:SUM];
      joined_d = joined_d + (JOINED'(one) <<< k);
    end
  end
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      partial_valid <= 1'b0;
    end else begin
      valid1 <= valid;
      partial_valid <= &plane_valid;
    end
    if (valid) begin
      sign1 <= sign;
      magnitude1 <= magnitude;
      code1 <= code;
      exponent1 <= exponent;
    end
    exponent2 <= exponent1;
    exponent3 <= exponent2;
    exponent4 <= exponent3;
    exponent5 <= exponent4;
    if (&plane_valid) joined5 <= joined_d;
  end
  group_accumulate accumulate (
      .clk        (clk),
      .rst_n      (rst_n),
      .valid      (partial_valid),
      .partial    (25'(joined5)),
      .exponent   ({5'd0, exponent5} - 10'(14 + M)),
      .group_first(group_first),
      .group_last (group_last),
      .row_first  (row_first),
      .scale      (scale),
      .done       (done),
      .sum        (sum)
  );
endmodule
