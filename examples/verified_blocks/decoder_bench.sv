// The decoder verified with harmonia_verification_pkg: rows of every mode, a codebook in front of each, the golden model as predictor.
//   +items=N (rows, default 300)   +seed=N   +coverage=FILE.xml
module decoder_bench;
  import harmonia_verification_pkg::*;

  logic clk = 0, rst_n = 0;
  always #5 clk = !clk;
  logic c_valid, c_ready, c_last, i_valid, i_ready, i_last, s_valid, s_ready, out_valid, out_ready, out_last;
  logic [7:0] c_data;
  logic [2:0] c_user;
  logic [255:0] i_data;
  logic [31:0] i_keep;
  logic [15:0] s_data, out_user;
  logic [3:0] s_user;
  logic [511:0] out_data;
  logic [63:0] out_keep;
  lut_decoder dut (
      .clk, .rst_n,
      .s_axis_codebook_tvalid(c_valid), .s_axis_codebook_tready(c_ready), .s_axis_codebook_tdata(c_data), .s_axis_codebook_tuser(c_user),
      .s_axis_codebook_tlast(c_last),
      .s_axis_index_tvalid(i_valid), .s_axis_index_tready(i_ready), .s_axis_index_tdata(i_data), .s_axis_index_tkeep(i_keep),
      .s_axis_index_tlast(i_last),
      .s_axis_scale_tvalid(s_valid), .s_axis_scale_tready(s_ready), .s_axis_scale_tdata(s_data), .s_axis_scale_tuser(s_user),
      .m_axis_tvalid(out_valid), .m_axis_tready(out_ready), .m_axis_tdata(out_data), .m_axis_tkeep(out_keep), .m_axis_tuser(out_user),
      .m_axis_tlast(out_last));
  harmonia_driver_pins #(.DATA(8), .USER(3)) c_pins (
      .clk, .rst_n, .tvalid(c_valid), .tready(c_ready), .tdata(c_data), .tkeep(), .tuser(c_user), .tlast(c_last));
  harmonia_driver_pins #(.DATA(256), .KEEP(32)) i_pins (
      .clk, .rst_n, .tvalid(i_valid), .tready(i_ready), .tdata(i_data), .tkeep(i_keep), .tuser(), .tlast(i_last));
  harmonia_driver_pins #(.DATA(16), .USER(4)) s_pins (
      .clk, .rst_n, .tvalid(s_valid), .tready(s_ready), .tdata(s_data), .tkeep(), .tuser(s_user), .tlast());
  harmonia_monitor_pins #(.DATA(8), .USER(3)) c_seen (
      .clk, .rst_n, .tvalid(c_valid), .tready(c_ready), .tdata(c_data), .tkeep('1), .tuser(c_user), .tlast(c_last));
  harmonia_monitor_pins #(.DATA(256), .KEEP(32)) i_seen (
      .clk, .rst_n, .tvalid(i_valid), .tready(i_ready), .tdata(i_data), .tkeep(i_keep), .tuser('0), .tlast(i_last));
  harmonia_monitor_pins #(.DATA(16), .USER(4)) s_seen (
      .clk, .rst_n, .tvalid(s_valid), .tready(s_ready), .tdata(s_data), .tkeep('1), .tuser(s_user), .tlast(1'b1));
  harmonia_responder_pins out_pins (.clk, .tready(out_ready));
  harmonia_monitor_pins #(.DATA(512), .KEEP(64), .USER(16)) out_seen (
      .clk, .rst_n, .tvalid(out_valid), .tready(out_ready), .tdata(out_data), .tkeep(out_keep), .tuser(out_user), .tlast(out_last));

  // What rows there were.
  class input_coverage extends harmonia_coverage;
    harmonia_coverpoint mode, tail;
    function void build();
      instance_name = "decoder_bench";
      type_name = "decoder_input";
      mode = add("mode", "codes of the codebooks", 10);
      mode.add("n1", 0, 0);
      mode.add("n2", 1, 1);
      mode.add("n4", 2, 2);
      mode.add("none", 3, 3, HARMONIA_ILLEGAL_BIN);
      mode.add("int4", 4, 4);
      mode.add("int4_zero", 5, 5);
      tail = add("tail", "bytes of the last beat of a row");
      tail.add("one", 1, 1);
      tail.add("some", 2, 31);
      tail.add("all", 32, 32);
    endfunction
    virtual function void write(harmonia_item item);
      if (item.stream == HARMONIA_CODEBOOK && item.last) mode.sample(longint'(item.user[2:0]));
      if (item.stream == HARMONIA_INDEX && item.last) tail.sample(longint'($countones(item.keep)));
    endfunction
  endclass

  int items = 300, seed = 1, blocks = 0;
  string file;
  harmonia_driver codebook = new, index = new, scale = new;
  harmonia_responder responder = new;
  harmonia_monitor c_monitor = new, i_monitor = new, s_monitor = new, out_monitor = new;
  harmonia_scoreboard scoreboard = new;
  harmonia_decoder_predictor predictor = new;
  harmonia_decoder_row row;
  input_coverage coverage = new;
  initial begin
    if ($value$plusargs("items=%d", items)) begin end
    if ($value$plusargs("seed=%d", seed)) begin end
    void'($urandom(seed));
    coverage.build();
    scoreboard.name = "decoder";
    predictor.scoreboard = scoreboard;
    c_monitor.stream = HARMONIA_CODEBOOK;
    i_monitor.stream = HARMONIA_INDEX;
    s_monitor.stream = HARMONIA_SCALE;
    predictor.listen(c_monitor);
    predictor.listen(i_monitor);
    predictor.listen(s_monitor);
    coverage.listen(c_monitor);
    coverage.listen(i_monitor);
    scoreboard.listen(out_monitor);
    codebook.pause_of_16 = 2;
    index.pause_of_16 = 4;
    scale.pause_of_16 = 4;
    responder.pause_of_16 = 6;
    c_pins.driver = codebook;
    i_pins.driver = index;
    s_pins.driver = scale;
    c_seen.monitor = c_monitor;
    i_seen.monitor = i_monitor;
    s_seen.monitor = s_monitor;
    out_pins.responder = responder;
    out_seen.monitor = out_monitor;
    repeat (4) @(negedge clk);
    rst_n = 1;
    for (int n = 0; n < items; n++) begin
      row = new;
      row.draw();
      // Order between streams is the user's: a codebook is offered when the codes of the row before are in, and loaded before this row's.
      for (int unsigned i = 0; i < row.codebook_beats(); i++) codebook.send(row.codebook_beat(i));
      while (codebook.waiting.size() != 0 || c_valid) @(negedge clk);
      for (int unsigned i = 0; i < row.index_beats(); i++) index.send(row.index_beat(i));
      for (int unsigned i = 0; i < row.number_of_scales(); i++) scale.send(row.scale_beat(i));
      blocks += row.blocks();
      while (index.waiting.size() != 0 || i_valid) @(negedge clk);
    end
    while (scoreboard.scored != blocks) @(negedge clk);
    scoreboard.finish();
    if ($value$plusargs("coverage=%s", file)) coverage.save(file, seed);
    if (coverage.report() != 0) $fatal(1, "a bin was not covered");
    $display("decoder: %0d beats scored, all equal to the golden model", scoreboard.scored);
    $finish;
  end
endmodule
