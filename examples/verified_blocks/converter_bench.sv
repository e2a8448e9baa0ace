// The converter verified with harmonia_verification_pkg: groups of both widths and merges, the golden model as predictor.
//   +items=N (default 2000)   +seed=N   +coverage=FILE.xml
module converter_bench;
  import harmonia_verification_pkg::*;
  localparam int BYTES = 37;

  logic clk = 0, rst_n = 0;
  always #5 clk = !clk;
  logic in_valid, in_ready, in_last, out_valid, out_ready, out_last;
  logic [511:0] in_data;
  logic [6:0] in_user;
  logic [8*BYTES-1:0] out_data;
  logic [BYTES-1:0] out_keep;
  logic [31:0] nonfinite;
  bfp_converter dut (
      .clk, .rst_n, .s_axis_tvalid(in_valid), .s_axis_tready(in_ready), .s_axis_tdata(in_data), .s_axis_tuser(in_user), .s_axis_tlast(in_last),
      .m_axis_tvalid(out_valid), .m_axis_tready(out_ready), .m_axis_tdata(out_data), .m_axis_tkeep(out_keep), .m_axis_tlast(out_last),
      .nonfinite_count(nonfinite));
  harmonia_driver_pins #(.DATA(512), .USER(7)) in_pins (
      .clk, .rst_n, .tvalid(in_valid), .tready(in_ready), .tdata(in_data), .tkeep(), .tuser(in_user), .tlast(in_last));
  harmonia_monitor_pins #(.DATA(512), .USER(7)) in_seen (
      .clk, .rst_n, .tvalid(in_valid), .tready(in_ready), .tdata(in_data), .tkeep('1), .tuser(in_user), .tlast(in_last));
  harmonia_responder_pins out_pins (.clk, .tready(out_ready));
  harmonia_monitor_pins #(.DATA(8 * BYTES), .KEEP(BYTES)) out_seen (
      .clk, .rst_n, .tvalid(out_valid), .tready(out_ready), .tdata(out_data), .tkeep(out_keep), .tuser('0), .tlast(out_last));

  // What the inputs were.
  class input_coverage extends harmonia_coverage;
    harmonia_coverpoint operation, place;
    function void build();
      instance_name = "converter_bench";
      type_name = "converter_input";
      operation = add("operation", "what the beat asks for", 20);
      operation.add("bfp8", 0, 0);
      operation.add("bfp4", 1, 1);
      operation.add("merge_bfp8", 2, 2);
      operation.add("merge_bfp4", 3, 3);
      place = add("place", "where a merged value goes");
      for (int i = 0; i < 32; i++) place.add($sformatf("place_%0d", i), longint'(i), longint'(i));
    endfunction
    virtual function void write(harmonia_item item);
      operation.sample(longint'(item.user[1:0]));
      if (item.user[1]) place.sample(longint'(item.user[6:2]));
    endfunction
  endclass

  int items = 2000, seed = 1;
  string file;
  harmonia_driver driver = new;
  harmonia_responder responder = new;
  harmonia_monitor in_monitor = new, out_monitor = new;
  harmonia_scoreboard scoreboard = new;
  harmonia_converter_predictor predictor = new;
  harmonia_converter_row row;
  input_coverage coverage = new;
  initial begin
    if ($value$plusargs("items=%d", items)) begin end
    if ($value$plusargs("seed=%d", seed)) begin end
    void'($urandom(seed));
    coverage.build();
    scoreboard.name = "converter";
    predictor.scoreboard = scoreboard;
    driver.pause_of_16 = 4;
    responder.pause_of_16 = 6;
    predictor.listen(in_monitor);
    coverage.listen(in_monitor);
    scoreboard.listen(out_monitor);
    in_pins.driver = driver;
    in_seen.monitor = in_monitor;
    out_pins.responder = responder;
    out_seen.monitor = out_monitor;
    repeat (4) @(negedge clk);
    rst_n = 1;
    for (int n = 0; n < items; n++) begin
      row = new;
      row.draw();
      driver.send(row.beat());
      // The test goes on when the driver has room.
      while (driver.waiting.size() > 8) @(negedge clk);
    end
    while (scoreboard.scored != items) @(negedge clk);
    scoreboard.finish();
    if (longint'(nonfinite) != predictor.nonfinite) $fatal(1, "nonfinite_count is %0d, expected %0d", nonfinite, predictor.nonfinite);
    if ($value$plusargs("coverage=%s", file)) coverage.save(file, seed);
    if (coverage.report() != 0) $fatal(1, "a bin was not covered");
    $display("converter: %0d beats scored, all equal to the golden model", scoreboard.scored);
    $finish;
  end
endmodule
