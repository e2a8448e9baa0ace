// The assertions of hw/rtl/axis_assertions.sv on pins that a test drives: each rule can be broken alone.
module assertion_probe (
    input logic       clk,
    input logic       rst_n,
    input logic       tvalid,
    input logic       tready,
    input logic [7:0] tdata,
    input logic [3:0] tkeep,
    input logic       tuser,
    input logic       tlast,
    input logic       in_taken,
    input logic       in_last,
    input logic       out_taken,
    input logic       out_last,
    input logic       in_ends,
    input logic       out_ends
);
  axis_assertions #(
      .DATA(8),
      .KEEP(4),
      .KEEP_WHOLE(1'b1)
  ) stream (
      .*
  );
  axis_packet_order #(.DEPTH(8)) order (.*);
  axis_packet_end rows (.*);
endmodule
