// A DRAM channel as an AXI4 slave: a thin shell around axi::AxiMemory (hw/axi/axi_memory.h says what it models) over DPI-C.
//
// Inputs are sampled at the rising edge of aclk, outputs are registers. aresetn is active low and sampled at that edge, too.
// DATA_WIDTH is 8 to 1024 bits, a power of two; ID_WIDTH up to 32, ADDR_WIDTH up to 64.
module harmonia_axi_memory #(
    parameter              CONFIGURATION = "DDR4-3200",  // "PRESET key=value ...": docs/dram.md
    parameter int unsigned DATA_WIDTH = 64,
    parameter int unsigned ID_WIDTH = 4,
    parameter int unsigned ADDR_WIDTH = 32,
    parameter int unsigned CLOCK_PS = 0,                 // period of aclk; 0: the DRAM's command clock
    parameter int unsigned OUTSTANDING = 64              // reads and writes each
) (
    input  logic                    aclk,
    input  logic                    aresetn,
    input  logic                    awvalid,
    output logic                    awready,
    input  logic [    ID_WIDTH-1:0] awid,
    input  logic [  ADDR_WIDTH-1:0] awaddr,
    input  logic [             7:0] awlen,
    input  logic [             2:0] awsize,
    input  logic [             1:0] awburst,
    input  logic                    wvalid,
    output logic                    wready,
    input  logic [  DATA_WIDTH-1:0] wdata,
    input  logic [DATA_WIDTH/8-1:0] wstrb,
    input  logic                    wlast,
    output logic                    bvalid,
    input  logic                    bready,
    output logic [    ID_WIDTH-1:0] bid,
    output logic [             1:0] bresp,
    input  logic                    arvalid,
    output logic                    arready,
    input  logic [    ID_WIDTH-1:0] arid,
    input  logic [  ADDR_WIDTH-1:0] araddr,
    input  logic [             7:0] arlen,
    input  logic [             2:0] arsize,
    input  logic [             1:0] arburst,
    output logic                    rvalid,
    input  logic                    rready,
    output logic [    ID_WIDTH-1:0] rid,
    output logic [  DATA_WIDTH-1:0] rdata,
    output logic [             1:0] rresp,
    output logic                    rlast
);
  import harmonia_axi_pkg::*;

  chandle memory;
  initial begin
    memory = harmonia_axi_memory_new(CONFIGURATION, DATA_WIDTH / 8, 64'(CLOCK_PS), OUTSTANDING);
    if (memory == null) $fatal(1, "harmonia_axi_memory: the configuration cannot be used");
    {rvalid, bvalid, arready, wready, awready} = '0;
    {bid, bresp, rid, rdata, rresp, rlast} = '0;
  end
  final if (memory != null) harmonia_axi_memory_delete(memory);

  bit [4:0] driven;
  int unsigned bid_next, rid_next;
  bit [1:0] bresp_next, rresp_next;
  data_t rdata_next;
  bit rlast_next;

  always @(posedge aclk) begin
    harmonia_axi_memory_clock(memory, aresetn, {rready, bready}, {arvalid, wvalid, awvalid}, driven, 32'(awid), 64'(awaddr),
                              {awburst, awsize, awlen}, data_t'(wdata), strobes_t'(wstrb), wlast, bid_next, bresp_next,
                              32'(arid), 64'(araddr), {arburst, arsize, arlen}, rid_next, rdata_next, rresp_next, rlast_next);
    {rvalid, bvalid, arready, wready, awready} <= driven;
    bid <= ID_WIDTH'(bid_next);
    bresp <= bresp_next;
    rid <= ID_WIDTH'(rid_next);
    rdata <= DATA_WIDTH'(rdata_next);
    rresp <= rresp_next;
    rlast <= rlast_next;
  end
endmodule
