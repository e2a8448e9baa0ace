// DPI-C imports of the AXI4 memory and the AXI4 checker (libharmonia_axi_dpi). Vectors have the widest bus's width, so that
// instances of several widths share one import; the modules cut and pad them.
package harmonia_axi_pkg;
  typedef bit [1023:0] data_t;
  typedef bit [127:0] strobes_t;
  // {burst[1:0], size[2:0], length[7:0]} of an address channel.
  typedef bit [12:0] shape_t;

  // null and a message on standard error when the configuration cannot be used.
  import "DPI-C" function chandle harmonia_axi_memory_new(input string configuration, input int unsigned bus_bytes,
                                                          input longint clock_ps, input int unsigned outstanding);
  import "DPI-C" function void harmonia_axi_memory_delete(input chandle memory);
  import "DPI-C" function void harmonia_axi_memory_clock(
      input chandle memory, input bit aresetn,
      // ready: {rready, bready}; valid: {arvalid, wvalid, awvalid}; driven: {rvalid, bvalid, arready, wready, awready}
      input bit [1:0] ready, input bit [2:0] valid, output bit [4:0] driven,
      input int unsigned awid, input longint unsigned awaddr, input shape_t awshape,
      input data_t wdata, input strobes_t wstrb, input bit wlast,
      output int unsigned bid, output bit [1:0] bresp,
      input int unsigned arid, input longint unsigned araddr, input shape_t arshape,
      output int unsigned rid, output data_t rdata, output bit [1:0] rresp, output bit rlast);
  // Contents without time: of `bytes` up to 128 from `address`. 0 when they are outside the memory.
  import "DPI-C" function int harmonia_axi_memory_peek(input chandle memory, input longint unsigned address,
                                                       input int unsigned bytes, output data_t data);
  import "DPI-C" function int harmonia_axi_memory_poke(input chandle memory, input longint unsigned address,
                                                       input int unsigned bytes, input data_t data);

  import "DPI-C" function chandle harmonia_axi_checker_new(input int unsigned bus_bytes);
  import "DPI-C" function void harmonia_axi_checker_delete(input chandle checker_);
  // How many rules were broken at this edge.
  import "DPI-C" function int unsigned harmonia_axi_checker_clock(
      input chandle checker_, input bit aresetn,
      // ready: {rready, bready, arready, wready, awready}; valid: {rvalid, bvalid, arvalid, wvalid, awvalid}
      input bit [4:0] ready, input bit [4:0] valid,
      input int unsigned awid, input longint unsigned awaddr, input shape_t awshape,
      input data_t wdata, input strobes_t wstrb, input bit wlast,
      input int unsigned bid, input bit [1:0] bresp,
      input int unsigned arid, input longint unsigned araddr, input shape_t arshape,
      input int unsigned rid, input data_t rdata, input bit [1:0] rresp, input bit rlast);
  // "RULE: text" of the i-th violation, of the first thousand.
  import "DPI-C" function string harmonia_axi_checker_violation(input chandle checker_, input longint unsigned i);
endpackage
