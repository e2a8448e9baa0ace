// The PE verified with harmonia_verification_pkg: operands of every mode, the golden model as predictor.
//   +items=N (default 2000)   +seed=N   +coverage=FILE.xml
module pe_bench;
  import harmonia_verification_pkg::*;

  logic clk = 0, rst_n = 0;
  always #5 clk = !clk;
  logic a_valid, a_ready, a_last, w_valid, w_ready, out_valid, out_ready, out_last;
  logic [295:0] a_data, w_data;
  logic [18:0] w_user;
  logic [47:0] out_data;
  pe dut (
      .clk, .rst_n,
      .s_axis_a_tvalid(a_valid), .s_axis_a_tready(a_ready), .s_axis_a_tdata(a_data), .s_axis_a_tlast(a_last),
      .s_axis_w_tvalid(w_valid), .s_axis_w_tready(w_ready), .s_axis_w_tdata(w_data), .s_axis_w_tuser(w_user),
      .m_axis_tvalid(out_valid), .m_axis_tready(out_ready), .m_axis_tdata(out_data), .m_axis_tlast(out_last));
  harmonia_driver_pins #(.DATA(296)) a_pins (
      .clk, .rst_n, .tvalid(a_valid), .tready(a_ready), .tdata(a_data), .tkeep(), .tuser(), .tlast(a_last));
  harmonia_driver_pins #(.DATA(296), .USER(19)) w_pins (
      .clk, .rst_n, .tvalid(w_valid), .tready(w_ready), .tdata(w_data), .tkeep(), .tuser(w_user), .tlast());
  harmonia_monitor_pins #(.DATA(296)) a_seen (
      .clk, .rst_n, .tvalid(a_valid), .tready(a_ready), .tdata(a_data), .tkeep('1), .tuser('0), .tlast(a_last));
  harmonia_monitor_pins #(.DATA(296), .USER(19)) w_seen (
      .clk, .rst_n, .tvalid(w_valid), .tready(w_ready), .tdata(w_data), .tkeep('1), .tuser(w_user), .tlast(1'b1));
  harmonia_responder_pins out_pins (.clk, .tready(out_ready));
  harmonia_monitor_pins #(.DATA(48), .KEEP(6)) out_seen (
      .clk, .rst_n, .tvalid(out_valid), .tready(out_ready), .tdata(out_data), .tkeep('1), .tuser('0), .tlast(out_last));

  // Which products there were.
  class input_coverage extends harmonia_coverage;
    harmonia_coverpoint mode;
    function void build();
      instance_name = "pe_bench";
      type_name = "pe_input";
      mode = add("mode", "modes of the products", 20);
      mode.add("m8w4", 0, 0);
      mode.add("m8m4", 1, 1);
      mode.add("m8m8", 2, 2);
      mode.add("m8l5", 3, 3);
      mode.add("m8l8", 4, 4);
      mode.add("m8b1", 5, 5);
      mode.add("none", 6, 7, HARMONIA_ILLEGAL_BIN);
    endfunction
    virtual function void write(harmonia_item item);
      mode.sample(longint'(item.user[2:0]));
    endfunction
  endclass

  int items = 2000, seed = 1;
  string file;
  harmonia_driver first = new, second = new;
  harmonia_responder responder = new;
  harmonia_monitor a_monitor = new, w_monitor = new, out_monitor = new;
  harmonia_scoreboard scoreboard = new;
  harmonia_pe_predictor predictor = new;
  harmonia_pe_operands operands;
  input_coverage coverage = new;
  initial begin
    if ($value$plusargs("items=%d", items)) begin end
    if ($value$plusargs("seed=%d", seed)) begin end
    void'($urandom(seed));
    coverage.build();
    scoreboard.name = "pe";
    predictor.scoreboard = scoreboard;
    a_monitor.stream = HARMONIA_FIRST;
    w_monitor.stream = HARMONIA_SECOND;
    predictor.listen(a_monitor);
    predictor.listen(w_monitor);
    coverage.listen(w_monitor);
    scoreboard.listen(out_monitor);
    first.pause_of_16 = 4;
    second.pause_of_16 = 4;
    responder.pause_of_16 = 6;
    a_pins.driver = first;
    w_pins.driver = second;
    a_seen.monitor = a_monitor;
    w_seen.monitor = w_monitor;
    out_pins.responder = responder;
    out_seen.monitor = out_monitor;
    repeat (4) @(negedge clk);
    rst_n = 1;
    for (int n = 0; n < items; n++) begin
      operands = new;
      operands.draw();
      first.send(operands.first());
      second.send(operands.second());
      while (first.waiting.size() > 8 || second.waiting.size() > 8) @(negedge clk);
    end
    while (scoreboard.scored != items) @(negedge clk);
    scoreboard.finish();
    if ($value$plusargs("coverage=%s", file)) coverage.save(file, seed);
    if (coverage.report() != 0) $fatal(1, "a bin was not covered");
    $display("pe: %0d beats scored, all equal to the golden model", scoreboard.scored);
    $finish;
  end
endmodule
