// This project's PE with the accumulator of the comparison behind it: hw/pe/pe.sv and group_accumulate.
//
// Models: what those two model; 11 stages. The result of a group is always taken, so that the PE never waits.
// Golden functions: pe::golden_beat() and baselines::Accumulator. Does not model: multiplication of the row's sum by the
// scale of a codebook, once per output value.
module harmonia_pe #(
    parameter integer     LANES = 32,
    parameter logic [5:0] MODES = 6'b111111
) (
    input  logic                           clk,
    input  logic                           rst_n,
    input  logic                           valid,
    output logic                           ready,
    input  logic [8*(1+LANES/8+LANES)-1:0] a,              // as s_axis_a_tdata of pe.sv
    input  logic [8*(1+LANES/8+LANES)-1:0] w,              // as s_axis_w_tdata
    input  logic [                   18:0] user,           // as s_axis_w_tuser
    output logic                           partial_valid,  // the control inputs are taken now
    input  logic                           group_first,
    input  logic                           group_last,
    input  logic                           row_first,
    input  logic [                   18:0] scale,
    output logic                           done,
    output logic [                   31:0] sum
);
  /* verilator lint_off UNUSEDSIGNAL */
  logic        a_ready;
  logic [47:0] result;
  logic        last;
  /* verilator lint_on UNUSEDSIGNAL */
  pe #(
      .LANES(LANES),
      .MODES(MODES)
  ) array_element (
      .clk            (clk),
      .rst_n          (rst_n),
      .s_axis_a_tvalid(valid),
      .s_axis_a_tready(a_ready),
      .s_axis_a_tdata (a),
      .s_axis_a_tlast (1'b0),
      .s_axis_w_tvalid(valid),
      .s_axis_w_tready(ready),
      .s_axis_w_tdata (w),
      .s_axis_w_tuser (user),
      .m_axis_tvalid  (partial_valid),
      .m_axis_tready  (1'b1),
      .m_axis_tdata   (result),
      .m_axis_tlast   (last)
  );
  group_accumulate accumulate (
      .clk        (clk),
      .rst_n      (rst_n),
      .valid      (partial_valid),
      .partial    (result[24:0]),
      .exponent   (result[41:32]),
      .group_first(group_first),
      .group_last (group_last),
      .row_first  (row_first),
      .scale      (scale),
      .done       (done),
      .sum        (sum)
  );
endmodule
