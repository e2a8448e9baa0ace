// The pins of AXI4-Streams for the objects of harmonia_verification_pkg: a bench makes one of these a stream and gives it its object.
//
// Models: TVALID, TREADY, TDATA, TKEEP, TUSER, TLAST on one clock, sampled at its rising edge, changed at its falling edge; reset,
// synchronous and active low, with no beat offered before an edge has seen it high. Does not model: TID, TDEST, TSTRB.
// A stream without TKEEP, TUSER or TLAST leaves that pin open at a driver, and is tied to '1, '0 and 1 at a monitor.
module harmonia_driver_pins #(
    parameter integer DATA = 8,
    parameter integer KEEP = 1,
    parameter integer USER = 1
) (
    input  logic            clk,
    input  logic            rst_n,
    output logic            tvalid,
    input  logic            tready,
    output logic [DATA-1:0] tdata,
    output logic [KEEP-1:0] tkeep,
    output logic [USER-1:0] tuser,
    output logic            tlast
);
  import harmonia_verification_pkg::*;
  harmonia_driver driver;
  harmonia_item   item;
  logic taken = 1'b0, out_of_reset = 1'b0;
  initial tvalid = 1'b0;
  always @(posedge clk) begin
    taken = tvalid && tready && rst_n;
    out_of_reset = rst_n;
  end
  always @(negedge clk) begin
    if (taken || !out_of_reset) tvalid = 1'b0;
    if (!tvalid && out_of_reset && driver != null) begin
      item = driver.next();
      if (item != null) begin
        tdata = item.data[DATA-1:0];
        tkeep = item.keep[KEEP-1:0];
        tuser = item.user[USER-1:0];
        tlast = item.last;
        tvalid = 1'b1;
      end
    end
  end
endmodule

module harmonia_responder_pins (
    input  logic clk,
    output logic tready
);
  import harmonia_verification_pkg::*;
  harmonia_responder responder;
  initial tready = 1'b0;
  always @(negedge clk) tready = responder != null && responder.ready();
endmodule

module harmonia_monitor_pins #(
    parameter integer DATA = 8,
    parameter integer KEEP = 1,
    parameter integer USER = 1
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
  import harmonia_verification_pkg::*;
  harmonia_monitor monitor;
  harmonia_item    item;
  always @(posedge clk) begin
    if (rst_n && tvalid && tready && monitor != null) begin
      item = new;
      item.data[DATA-1:0] = tdata;
      item.keep[KEEP-1:0] = tkeep;
      item.user[USER-1:0] = tuser;
      item.last = tlast;
      monitor.saw(item);
    end
  end
endmodule
