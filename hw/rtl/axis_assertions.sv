// Rules of one AXI4-Stream (AMBA 4 AXI4-Stream, 2.2 and 2.4) as assertions, to be bound into a block or put beside its pins.
//
// Models: once TVALID is high it stays, and nothing changes, until TREADY; a beat keeps its low bytes, at least one; only the last
// beat of a packet is partial (KEEP_WHOLE); no beat is offered in reset, from its second edge on, nor at the first edge after it.
// Covers: a beat waits, is taken, TREADY is high before TVALID, a packet ends or goes on.
// Does not model: TID, TDEST, TSTRB, positions of null bytes other than at the end (the blocks have none).
//
// A broken rule is an $error with the rule's name; with HARMONIA_ASSERTION_DPI defined it is a call of
// harmonia_assertion_failed(where, rule), for a bench in C++.
`ifdef HARMONIA_ASSERTION_DPI
`define HARMONIA_BROKEN(rule) harmonia_assertion_failed($sformatf("%m"), rule)
`else
`define HARMONIA_BROKEN(rule) $error("%m: %s", rule)
`endif

module axis_assertions #(
    parameter integer DATA = 8,
    parameter integer KEEP = 1,
    parameter integer USER = 1,
    parameter bit     KEEP_WHOLE = 1'b0
) (
    input logic            clk,
    input logic            rst_n,
    input logic            tvalid,
    input logic            tready,
    input logic [DATA-1:0] tdata,
    input logic [KEEP-1:0] tkeep,
    input logic [USER-1:0] tuser,
    input logic            tlast
);
`ifdef HARMONIA_ASSERTION_DPI
  import "DPI-C" context function void harmonia_assertion_failed(input string where, input string rule);
`endif
  valid_stays :
  assert property (@(posedge clk) disable iff (!rst_n) rst_n && tvalid && !tready |=> tvalid)
  else `HARMONIA_BROKEN("valid stays");
  data_stable :
  assert property (@(posedge clk) disable iff (!rst_n) rst_n && tvalid && !tready |=> !tvalid || $stable({tdata, tkeep, tuser, tlast}))
  else `HARMONIA_BROKEN("data stable");
  keep_legal :
  assert property (@(posedge clk) disable iff (!rst_n) tvalid |-> tkeep[0] && (tkeep & (tkeep + 1'b1)) == '0)
  else `HARMONIA_BROKEN("TKEEP legal");
  keep_whole :
  assert property (@(posedge clk) disable iff (!rst_n) KEEP_WHOLE && tvalid && !tlast |-> &tkeep)
  else `HARMONIA_BROKEN("only the last beat is partial");
  logic was_in_reset = 1'b0;
  always_ff @(posedge clk) was_in_reset <= !rst_n;
  reset :
  assert property (@(posedge clk) was_in_reset |-> !tvalid)
  else `HARMONIA_BROKEN("no beat after reset");

  // What a bench should meet of a stream; `--coverage` of Verilator counts them.
  waits :
  cover property (@(posedge clk) rst_n && tvalid && !tready);
  taken :
  cover property (@(posedge clk) rst_n && tvalid && tready);
  ready_before_valid :
  cover property (@(posedge clk) rst_n && !tvalid && tready);
  packet_ends :
  cover property (@(posedge clk) rst_n && tvalid && tready && tlast);
  packet_goes_on :
  cover property (@(posedge clk) rst_n && tvalid && tready && !tlast);
endmodule

// Packets of a block that gives one beat for each that it takes: they leave in the order in which they came, none early.
module axis_packet_order #(
    parameter integer DEPTH = 64  // beats that may be rows, a power of two
) (
    input logic clk,
    input logic rst_n,
    input logic in_taken,
    input logic in_last,
    input logic out_taken,
    input logic out_last
);
`ifdef HARMONIA_ASSERTION_DPI
  import "DPI-C" context function void harmonia_assertion_failed(input string where, input string rule);
`endif
  localparam integer BITS = $clog2(DEPTH);
  logic [DEPTH-1:0] lasts;
  logic [BITS:0]    written, taken;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      written <= '0;
      taken <= '0;
    end else begin
      if (in_taken) begin
        lasts[written[BITS-1:0]] <= in_last;
        written <= written + 1'b1;
      end
      if (out_taken) taken <= taken + 1'b1;
    end
  end
  beat_of_nothing :
  assert property (@(posedge clk) disable iff (!rst_n) out_taken |-> written != taken)
  else `HARMONIA_BROKEN("no beat of nothing");
  packet_order :
  assert property (@(posedge clk) disable iff (!rst_n) out_taken && written != taken |-> out_last == lasts[taken[BITS-1:0]])
  else `HARMONIA_BROKEN("packet order");
endmodule

// Packets of a block that gives several beats for one: none ends at the output before its end came in.
module axis_packet_end (
    input logic clk,
    input logic rst_n,
    input logic in_ends,
    input logic out_ends
);
`ifdef HARMONIA_ASSERTION_DPI
  import "DPI-C" context function void harmonia_assertion_failed(input string where, input string rule);
`endif
  logic [15:0] open_packets;
  always_ff @(posedge clk) begin
    if (!rst_n) open_packets <= '0;
    else open_packets <= open_packets + 16'(in_ends) - 16'(out_ends);
  end
  packet_end :
  assert property (@(posedge clk) disable iff (!rst_n) out_ends |-> open_packets != '0)
  else `HARMONIA_BROKEN("no packet ends early");
endmodule
