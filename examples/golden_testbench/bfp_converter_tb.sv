// An RTL block scored against the golden model, called through DPI-C: the FP16-to-BFP converter.
//
// Random FP16 groups of every kind go in with random gaps, and as many values that join a stored group, at each of its places
// in turn; results leave with mantissas of 8 and of 4 bits and are taken with random back-pressure. Each must equal what
// harmonia_golden_pkg says, byte for byte; the counter of infinities and NaNs must agree at the end, and every value of
// every nibble must have been seen.
//   +groups=N   how many (default 20000)   +seed=N
module bfp_converter_tb;
  import harmonia_golden_pkg::*;
  localparam int G = 32;
  localparam int BYTES = 1 + G / 8 + G;

  logic clk = 0;
  logic rst_n = 0;
  always #5 clk = !clk;

  logic in_valid = 0, in_ready, in_last = 0, out_valid, out_ready = 0, out_last;
  logic [16*G-1:0] in_data;
  logic [6:0] in_user;
  logic [8*BYTES-1:0] out_data;
  logic [BYTES-1:0] out_keep;
  logic [31:0] nonfinite;
  bfp_converter dut (
      .clk            (clk),
      .rst_n          (rst_n),
      .s_axis_tvalid  (in_valid),
      .s_axis_tready  (in_ready),
      .s_axis_tdata   (in_data),
      .s_axis_tuser   (in_user),
      .s_axis_tlast   (in_last),
      .m_axis_tvalid  (out_valid),
      .m_axis_tready  (out_ready),
      .m_axis_tdata   (out_data),
      .m_axis_tkeep   (out_keep),
      .m_axis_tlast   (out_last),
      .nonfinite_count(nonfinite)
  );

  // What is still inside the block, oldest first.
  typedef struct packed {
    logic [8*BYTES-1:0] data;
    logic [BYTES-1:0]   keep;
    logic               last;
  } expected_t;
  expected_t expected[$];
  longint unsigned expected_nonfinite = 0;
  int groups = 20000, seed = 1, issued = 0, sent = 0, scored = 0;

  // FP16 values of every kind: any bits, small exponents, one exponent for the whole group, zeros.
  function automatic logic [15:0] random_fp16(input int kind);
    logic [15:0] bits = 16'($urandom);
    case (kind)
      0: return bits;
      1: return bits & 16'h87ff;
      2: return (bits & 16'h83ff) | 16'h3c00;
      3: return bits & 16'h8000;
      default: return (bits & 16'h83ff) | ((16'd10 + 16'($urandom) % 16'd12) << 10);
    endcase
  endfunction

  // What has been seen of the results: values of each high nibble by width of the mantissas, and of each low nibble.
  logic [15:0] seen_high[2][G], seen_low[G];
  int merges[2][G];

  function automatic void must(input int status);
    if (status != HARMONIA_OK) $fatal(1, "the golden model refused: %s", harmonia_error_text(status));
  endfunction

  task automatic new_group;
    shortint unsigned x[G];
    byte unsigned stored[BYTES];
    longint unsigned count;
    int kind = $urandom_range(6), place = (issued / 2) % G;
    logic demote = 1'($urandom), merge = 1'(issued);
    logic [15:0] newcomer = random_fp16($urandom_range(6));
    expected_t e;
    for (int i = 0; i < G; i++) x[i] = random_fp16(kind);
    for (int i = 0; i < BYTES; i++) stored[i] = 0;
    if (merge) begin
      stored[0] = 1;  // no values yet: exponent 1 and zeros
      for (int i = 0; i < place; i++) must(harmonia_dpi_bfp_append(G, 8, x[i], i, stored));
      in_data = '0;
      for (int i = 0; i < BYTES; i++) in_data[8*i+:8] = stored[i];
      in_data[8*BYTES+:16] = newcomer;
      must(harmonia_dpi_bfp_append(G, 8, newcomer, place, stored));
      if (demote) for (int i = 1 + G / 8 + G / 2; i < BYTES; i++) stored[i] = 0;
      if (&newcomer[14:10]) expected_nonfinite++;
      merges[demote][place]++;
    end else begin
      must(harmonia_dpi_bfp_encode(G, demote ? 4 : 8, 0, x, stored, count));
      expected_nonfinite += count;
      for (int i = 0; i < G; i++) in_data[16*i+:16] = x[i];
    end
    for (int i = 0; i < BYTES; i++) e.data[8*i+:8] = stored[i];
    for (int i = 0; i < G; i++) begin
      seen_high[demote][i][e.data[8*(1+G/8)+4*i+:4]] = 1;
      if (!demote) seen_low[i][e.data[8*(1+G/8+G/2)+4*i+:4]] = 1;
    end
    e.keep = demote ? {{(G / 2) {1'b0}}, {(1 + G / 8 + G / 2) {1'b1}}} : {BYTES{1'b1}};
    e.last = 1'($urandom);
    in_user = {merge ? 5'(place) : 5'd0, merge, demote};
    in_last = e.last;
    expected.push_back(e);
  endtask

  initial begin
    byte unsigned short_array[3];
    shortint unsigned x[G];
    longint unsigned count;
    if ($value$plusargs("groups=%d", groups)) begin end
    if ($value$plusargs("seed=%d", seed)) begin end
    void'($urandom(seed));
    for (int i = 0; i < G; i++) begin
      seen_high[0][i] = 0;
      seen_high[1][i] = 0;
      seen_low[i] = 0;
      merges[0][i] = 0;
      merges[1][i] = 0;
    end
    // An array that is too small is refused, not overrun.
    for (int i = 0; i < G; i++) x[i] = 0;
    if (harmonia_dpi_bfp_encode(G, 8, 0, x, short_array, count) != HARMONIA_BAD_LENGTH) $fatal(1, "not refused");
    repeat (3) @(posedge clk);
    @(negedge clk) rst_n = 1;
  end

  always @(posedge clk) begin
    if (rst_n) begin
      if (in_valid && in_ready) sent++;
      if (out_valid && out_ready) begin
        automatic expected_t e = expected.pop_front();
        if (out_data !== e.data || out_keep !== e.keep || out_last !== e.last)
          $fatal(1, "group %0d at %0t:\n  expected %h keep %h last %b\n  actual   %h keep %h last %b", scored, $time,
                 e.data, e.keep, e.last, out_data, out_keep, out_last);
        scored++;
        if (scored == groups) begin
          if (longint'(nonfinite) != expected_nonfinite)
            $fatal(1, "the block counted %0d nonfinite values, the model %0d", nonfinite, expected_nonfinite);
          if (groups >= 5000)
            for (int i = 0; i < G; i++)
              if (merges[0][i] == 0 || merges[1][i] == 0 || !(&seen_high[0][i] && &seen_high[1][i] && &seen_low[i]))
                $fatal(1, "element %0d was not merged in both widths, or not seen with every nibble", i);
          $display("%0d groups scored, all equal to the golden model; %0d nonfinite values", scored, nonfinite);
          $finish;
        end
      end
    end
  end
  // Inputs change away from the sampling edge.
  always @(negedge clk) begin
    if (rst_n) begin
      if (!in_valid || sent == issued) begin
        in_valid = 0;
        if (issued < groups && $urandom_range(3) != 0) begin
          new_group();
          issued++;
          in_valid = 1;
        end
      end
      out_ready = $urandom_range(3) != 0;
    end
  end
endmodule
