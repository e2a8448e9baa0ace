// A passive AXI4 checker: axi::AxiChecker (hw/axi/axi_checker.h lists its rules) over DPI-C. It can be bound to any AXI4 link:
//
//   bind my_slave harmonia_axi_checker #(.DATA_WIDTH(64), .ID_WIDTH(4), .ADDR_WIDTH(32)) checker_i (.*);
//
// Each broken rule is printed with its cycle, counted from the first rising edge, which is 0. With FATAL the first one ends
// the simulation.
module harmonia_axi_checker #(
    parameter int unsigned DATA_WIDTH = 64,
    parameter int unsigned ID_WIDTH = 4,
    parameter int unsigned ADDR_WIDTH = 32,
    parameter bit          FATAL = 0
) (
    input logic                    aclk,
    input logic                    aresetn,
    input logic                    awvalid,
    input logic                    awready,
    input logic [    ID_WIDTH-1:0] awid,
    input logic [  ADDR_WIDTH-1:0] awaddr,
    input logic [             7:0] awlen,
    input logic [             2:0] awsize,
    input logic [             1:0] awburst,
    input logic                    wvalid,
    input logic                    wready,
    input logic [  DATA_WIDTH-1:0] wdata,
    input logic [DATA_WIDTH/8-1:0] wstrb,
    input logic                    wlast,
    input logic                    bvalid,
    input logic                    bready,
    input logic [    ID_WIDTH-1:0] bid,
    input logic [             1:0] bresp,
    input logic                    arvalid,
    input logic                    arready,
    input logic [    ID_WIDTH-1:0] arid,
    input logic [  ADDR_WIDTH-1:0] araddr,
    input logic [             7:0] arlen,
    input logic [             2:0] arsize,
    input logic [             1:0] arburst,
    input logic                    rvalid,
    input logic                    rready,
    input logic [    ID_WIDTH-1:0] rid,
    input logic [  DATA_WIDTH-1:0] rdata,
    input logic [             1:0] rresp,
    input logic                    rlast
);
  import harmonia_axi_pkg::*;

  chandle checker_;
  longint unsigned violations = 0;
  initial begin
    checker_ = harmonia_axi_checker_new(DATA_WIDTH / 8);
    if (checker_ == null) $fatal(1, "harmonia_axi_checker: the width of the bus cannot be used");
  end
  final if (checker_ != null) harmonia_axi_checker_delete(checker_);

  int unsigned broken;
  always @(posedge aclk) begin
    broken = harmonia_axi_checker_clock(checker_, aresetn, {rready, bready, arready, wready, awready},
                                        {rvalid, bvalid, arvalid, wvalid, awvalid}, 32'(awid), 64'(awaddr),
                                        {awburst, awsize, awlen}, data_t'(wdata), strobes_t'(wstrb), wlast, 32'(bid), bresp,
                                        32'(arid), 64'(araddr), {arburst, arsize, arlen}, 32'(rid), data_t'(rdata), rresp,
                                        rlast);
    for (int unsigned i = 0; i < broken; i++) begin
      if (violations < 1000) $display("%m: %s", harmonia_axi_checker_violation(checker_, violations));
      violations++;
    end
    if (FATAL && broken != 0) $fatal(1, "harmonia_axi_checker: a rule of AXI4 was broken");
  end
endmodule
