// Anda: one bit-serial unit. Activations are stored with a shared exponent and come one bit plane of 32 mantissas a cycle,
// most significant first; the weights of the group stay. M cycles a group of M-bit mantissas.
//
// Models: the group's sum exact. Stages: operands, three of the tree, sum over the planes, four of the accumulator. Golden
// function: baselines::aligned_group(). Sixteen units take 16/M groups a cycle, the rate of the accelerator `anda`.
// Does not model: the published unit's width of 64, compression of the planes, conversion (hw/converter).
module anda_unit #(
    parameter integer LANES = 32
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               valid,
    input  logic               plane_first,
    input  logic               plane_last,
    input  logic signed [ 9:0] exponent,       // of a unit of the last plane; taken with that plane
    input  logic [  LANES-1:0] sign,
    input  logic [  LANES-1:0] plane,
    input  logic [5*LANES-1:0] w,              // signed, -15..15
    output logic               partial_valid,  // the control inputs are taken now
    input  logic               group_first,
    input  logic               group_last,
    input  logic               row_first,
    input  logic [       18:0] scale,
    output logic               done,
    output logic [       31:0] sum
);
  localparam integer SUM = 5 + $clog2(LANES);
  logic valid1, sum_valid;
  logic first1, first2, first3, first4, last1, last2, last3, last4;
  logic signed [9:0] exponent1, exponent2, exponent3, exponent4, exponent5;
  logic [LANES-1:0] sign1, plane1;
  logic [5*LANES-1:0] w1;
  logic [5*LANES-1:0] terms;
  logic signed [SUM-1:0] group;
  logic signed [24:0] planes;
  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_lane
      assign terms[5*i+:5] = !plane1[i] ? 5'd0 : sign1[i] ? -w1[5*i+:5] : w1[5*i+:5];
    end
  endgenerate
  int_sum #(
      .LANES(LANES),
      .WIDTH(5)
  ) tree (
      .clk      (clk),
      .rst_n    (rst_n),
      .valid    (valid1),
      .terms    (terms),
      .sum_valid(sum_valid),
      .sum      (group)
  );
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      partial_valid <= 1'b0;
    end else begin
      valid1 <= valid;
      partial_valid <= sum_valid && last4;
    end
    if (valid) begin
      sign1 <= sign;
      plane1 <= plane;
      w1 <= w;
      first1 <= plane_first;
      last1 <= plane_last;
      exponent1 <= exponent;
    end
    first2 <= first1;
    first3 <= first2;
    first4 <= first3;
    last2 <= last1;
    last3 <= last2;
    last4 <= last3;
    exponent2 <= exponent1;
    exponent3 <= exponent2;
    exponent4 <= exponent3;
    exponent5 <= exponent4;
    if (sum_valid) planes <= first4 ? 25'(group) : (planes <<< 1) + 25'(group);
  end
  group_accumulate accumulate (
      .clk        (clk),
      .rst_n      (rst_n),
      .valid      (partial_valid),
      .partial    (planes),
      .exponent   (exponent5),
      .group_first(group_first),
      .group_last (group_last),
      .row_first  (row_first),
      .scale      (scale),
      .done       (done),
      .sum        (sum)
  );
endmodule
