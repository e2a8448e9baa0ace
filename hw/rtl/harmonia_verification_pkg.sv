// Parts of a bench for blocks with AXI4-Streams, in plain SystemVerilog: typed transactions, drivers, monitors, predictors over the
// golden model (DPI-C), a scoreboard, coverage. No UVM is needed; harmonia_uvm_pkg.sv has components of the same names for UVM.
//
// Models: a beat as an object (harmonia_item), and the transactions of converter, decoder and PE with their own fields; drivers with
// random pauses; monitors that hand on what was taken; what the three blocks answer, by harmonia_golden_pkg; queues of expected and
// actual beats, matched by id; bins with at_least, ranges and kinds, written as UCIS 1.0 XML that `harmonia coverage` reads.
// Does not model: time. The modules of harmonia_stream_pins.sv are on the pins and call these objects at clock edges, so that no
// class waits and no virtual interface is needed: Verilator 5.006 runs neither reliably. No covergroups and constraints, for the same
// reason: transactions draw themselves from $urandom.
package harmonia_verification_pkg;
  import harmonia_golden_pkg::*;

  localparam int HARMONIA_GROUP = 32;
  localparam int HARMONIA_STORED_8 = 37;  // bytes of a stored group with mantissas of 8 bits
  localparam int HARMONIA_STORED_4 = 21;  // and of 4

  // ---- Transactions ----

  // One beat, wide enough for every stream of the blocks. Bits that a stream lacks are 0. (A whole member of more than 64 bits, assigned
  // to a pin, is lost in Verilator 5.006; a part of it is not. So it is wider than the widest stream, 512.)
  class harmonia_item;
    bit [543:0]  data;
    bit [63:0]   keep;
    bit [31:0]   user;
    bit          last;
    int unsigned stream;  // which of the block's inputs it goes to, as the bench numbers them
    int unsigned id;      // beats of one id keep their order; the scoreboard asks for no order between ids

    function bit same(harmonia_item other);
      return data == other.data && keep == other.keep && user == other.user && last == other.last;
    endfunction
    function string text();
      return $sformatf("data %0h keep %0h user %0h last %b", data, keep, user, last);
    endfunction
  endclass

  // FP16 bits of a kind: 0 any, 1 small exponents, 2 one exponent, 3 zeros, 4 infinities and NaNs among others, else a range.
  function automatic shortint unsigned harmonia_draw_fp16(int unsigned kind);
    bit [15:0] bits = 16'($urandom);
    case (kind)
      0: return bits;
      1: return bits & 16'h87ff;
      2: return (bits & 16'h83ff) | 16'h3c00;
      3: return bits & 16'h8000;
      4: return 2'($urandom) == 2'd0 ? bits | 16'h7c00 : bits & 16'hbfff;
      default: return (bits & 16'h83ff) | ((16'd10 + 16'($urandom) % 16'd12) << 10);
    endcase
  endfunction

  function automatic void harmonia_must(int status);
    if (status != HARMONIA_OK) $fatal(1, "the golden model refused: %s", harmonia_error_text(status));
  endfunction

  // What bfp_converter takes in a beat: a group of FP16 values, or a newcomer for a stored group.
  class harmonia_converter_row;
    shortint unsigned x[HARMONIA_GROUP];
    bit               demote;  // mantissas of 4 bits at the output
    bit               merge;   // x[place] joins the group of x[0..place-1]
    int unsigned      place;
    bit               last;

    function void draw();
      int unsigned kind = $urandom_range(6);
      for (int i = 0; i < HARMONIA_GROUP; i++) x[i] = harmonia_draw_fp16(kind);
      demote = 1'($urandom);
      merge = 1'($urandom);
      place = merge ? $urandom_range(HARMONIA_GROUP - 1) : 0;
      if (merge) x[place] = harmonia_draw_fp16($urandom_range(6));
      last = 1'($urandom);
    endfunction
    function harmonia_item beat();
      byte unsigned stored[HARMONIA_STORED_8];
      shortint unsigned value;
      harmonia_item item = new;
      item.keep = '1;
      item.user = 32'(demote) | 32'(merge) << 1 | 32'(place) << 2;
      item.last = last;
      if (!merge) begin
        for (int i = 0; i < HARMONIA_GROUP; i++) item.data[16*i+:16] = x[i];
        return item;
      end
      for (int i = 0; i < HARMONIA_STORED_8; i++) stored[i] = 0;
      stored[0] = 1;  // no values yet: exponent 1 and zeros
      for (int unsigned i = 0; i < place; i++) begin
        value = x[i];
        harmonia_must(harmonia_dpi_bfp_append(HARMONIA_GROUP, 8, value, i, stored));
      end
      for (int i = 0; i < HARMONIA_STORED_8; i++) item.data[8*i+:8] = stored[i];
      item.data[8*HARMONIA_STORED_8+:16] = x[place];
      return item;
    endfunction
  endclass

  // Streams of lut_decoder, as its predictor numbers them.
  localparam int unsigned HARMONIA_CODEBOOK = 0;
  localparam int unsigned HARMONIA_INDEX = 1;
  localparam int unsigned HARMONIA_SCALE = 2;

  // A row for lut_decoder with the codebook in front of it: several beats on three streams.
  class harmonia_decoder_row;
    bit [2:0]     mode;  // 0, 1, 2: codes of 1, 2, 4 bits; 4: INT4; 5: INT4 with zero-points
    byte          entries[16];
    int unsigned  bytes;  // of codes
    byte unsigned codes[256];
    bit [15:0]    scales[32];
    bit [3:0]     zeros[32];

    function int unsigned bits();
      return mode == 0 ? 1 : mode == 1 ? 2 : 4;
    endfunction
    function int unsigned weights();
      return bytes * 8 / bits();
    endfunction
    function int unsigned blocks();
      return (weights() + 63) / 64;
    endfunction
    // INT4 has a scale for two blocks.
    function int unsigned number_of_scales();
      return mode[2] ? (blocks() + 1) / 2 : blocks();
    endfunction
    function void draw();
      case ($urandom_range(4))
        0: mode = 0;
        1: mode = 1;
        2: mode = 2;
        3: mode = 4;
        default: mode = 5;
      endcase
      // 32 blocks at most.
      bytes = 1 + $urandom_range(mode == 0 ? 127 : 255);
      for (int i = 0; i < 16; i++) entries[i] = byte'($urandom);
      for (int i = 0; i < 256; i++) codes[i] = 8'($urandom);
      for (int i = 0; i < 32; i++) scales[i] = 16'($urandom);
      for (int i = 0; i < 32; i++) zeros[i] = mode == 5 ? 4'($urandom) : 4'd0;
    endfunction
    function harmonia_item codebook_beat(int unsigned i);
      harmonia_item beat = new;
      beat.stream = HARMONIA_CODEBOOK;
      beat.data[7:0] = mode[2] ? 8'd0 : entries[i];
      beat.keep = '1;
      beat.user = 32'(mode);
      beat.last = i + 1 == codebook_beats();
      return beat;
    endfunction
    function int unsigned codebook_beats();
      return mode[2] ? 1 : 1 << bits();
    endfunction
    function harmonia_item index_beat(int unsigned i);
      harmonia_item beat = new;
      beat.stream = HARMONIA_INDEX;
      for (int unsigned b = 0; b < 32 && 32 * i + b < bytes; b++) begin
        beat.data[8*b+:8] = codes[32*i+b];
        beat.keep[b] = 1;
      end
      beat.last = i + 1 == index_beats();
      return beat;
    endfunction
    function int unsigned index_beats();
      return (bytes + 31) / 32;
    endfunction
    function harmonia_item scale_beat(int unsigned i);
      harmonia_item beat = new;
      beat.stream = HARMONIA_SCALE;
      beat.data[15:0] = scales[i];
      beat.keep = '1;
      beat.user = 32'(zeros[i]);
      beat.last = 1;
      return beat;
    endfunction
  endclass

  // Streams of pe.
  localparam int unsigned HARMONIA_FIRST = 0;
  localparam int unsigned HARMONIA_SECOND = 1;

  // Both operands of pe.
  class harmonia_pe_operands;
    bit [2:0]     mode;  // as pe.sv numbers them: 0 M8W4, 1 M8M4, 2 M8M8, 3 M8L5, 4 M8L8, 5 M8B1
    byte unsigned a[HARMONIA_STORED_8];
    byte unsigned b[HARMONIA_STORED_8];  // modes 1 and 2: a stored group; else 32 signed bytes
    byte          q0, q1;
    bit           last;

    function void draw();
      mode = 3'($urandom_range(5));
      a[0] = 8'(1 + $urandom_range(29));
      b[0] = 8'(1 + $urandom_range(29));
      for (int i = 1; i < HARMONIA_STORED_8; i++) begin
        a[i] = 8'($urandom);
        b[i] = 8'($urandom);
      end
      // M8W4 and M8L5 allow -15 to 15.
      if (mode != 1 && mode != 2)
        for (int i = 0; i < HARMONIA_STORED_8; i++)
          b[i] = mode == 4 ? 8'($urandom) : mode == 5 ? 8'($urandom_range(1)) : 8'($urandom_range(30)) - 8'd15;
      q0 = byte'(int'($urandom_range(254)) - 127);
      q1 = byte'(int'($urandom_range(254)) - 127);
      last = 1'($urandom);
    endfunction
    function harmonia_item first();
      harmonia_item beat = new;
      beat.stream = HARMONIA_FIRST;
      for (int i = 0; i < HARMONIA_STORED_8; i++) beat.data[8*i+:8] = a[i];
      beat.keep = '1;
      beat.last = last;
      return beat;
    endfunction
    function harmonia_item second();
      harmonia_item beat = new;
      beat.stream = HARMONIA_SECOND;
      for (int i = 0; i < HARMONIA_STORED_8; i++) beat.data[8*i+:8] = b[i];
      beat.keep = '1;
      beat.user = {13'd0, q1, q0, mode};
      beat.last = 1;
      return beat;
    endfunction
  endclass

  // ---- Components ----

  typedef class harmonia_monitor;
  // Hears of each beat that a monitor saw.
  class harmonia_subscriber;
    function void listen(harmonia_monitor monitor);
      monitor.subscribers.push_back(this);
    endfunction
    virtual function void write(harmonia_item item);
    endfunction
  endclass

  // What a harmonia_driver_pins offers next.
  class harmonia_driver;
    harmonia_item waiting[$];
    int unsigned  pause_of_16 = 0;  // chance of a pause before a beat
    int unsigned  sent = 0;

    function void send(harmonia_item item);
      waiting.push_back(item);
    endfunction
    // Called at each clock at which a beat could be offered; null: none now.
    function harmonia_item next();
      if (waiting.size() == 0 || $urandom_range(15) < pause_of_16) return null;
      sent++;
      return waiting.pop_front();
    endfunction
  endclass

  // When a harmonia_responder_pins takes a beat.
  class harmonia_responder;
    int unsigned pause_of_16 = 0;
    function bit ready();
      return $urandom_range(15) >= pause_of_16;
    endfunction
  endclass

  class harmonia_monitor;
    harmonia_subscriber subscribers[$];
    int unsigned        stream = 0;  // what its items say
    int unsigned        seen = 0;

    // Called at each clock at which a beat is taken.
    function void saw(harmonia_item item);
      item.stream = stream;
      seen++;
      for (int i = 0; i < subscribers.size(); i++) subscribers[i].write(item);
    endfunction
  endclass

  // Expected and actual beats, matched by id in order. Who comes first waits for the other. The first difference ends the simulation.
  class harmonia_scoreboard extends harmonia_subscriber;
    string        name = "scoreboard";
    harmonia_item expected[$];
    harmonia_item actual[$];
    int unsigned  scored = 0;

    function void compare(harmonia_item e, harmonia_item a);
      if (!e.same(a))
        $fatal(1, "%s: beat %0d, id %0d\n  expected %s\n  actual   %s", name, scored, a.id, e.text(), a.text());
      scored++;
    endfunction
    function void expect_item(harmonia_item item);
      for (int i = 0; i < actual.size(); i++)
        if (actual[i].id == item.id) begin
          compare(item, actual[i]);
          actual.delete(i);
          return;
        end
      expected.push_back(item);
    endfunction
    // An actual beat, from the monitor at the output.
    virtual function void write(harmonia_item item);
      for (int i = 0; i < expected.size(); i++)
        if (expected[i].id == item.id) begin
          compare(expected[i], item);
          expected.delete(i);
          return;
        end
      actual.push_back(item);
    endfunction
    function void finish();
      if (expected.size() != 0) $fatal(1, "%s: %0d expected beats never came", name, expected.size());
      if (actual.size() != 0) $fatal(1, "%s: %0d beats came that nothing was expected for", name, actual.size());
    endfunction
  endclass

  // Says what a block answers to the beats that its monitors saw.
  class harmonia_predictor extends harmonia_subscriber;
    harmonia_scoreboard scoreboard;
  endclass

  class harmonia_converter_predictor extends harmonia_predictor;
    longint unsigned nonfinite = 0;  // what nonfinite_count must say

    virtual function void write(harmonia_item item);
      shortint unsigned x[HARMONIA_GROUP];
      byte unsigned stored[HARMONIA_STORED_8];
      shortint unsigned newcomer;
      longint unsigned count = 0;
      bit demote = item.user[0];
      bit merge = item.user[1];
      int bytes = demote ? HARMONIA_STORED_4 : HARMONIA_STORED_8;
      harmonia_item e = new;
      for (int i = 0; i < HARMONIA_STORED_8; i++) stored[i] = merge ? item.data[8*i+:8] : 8'd0;
      if (merge) begin
        newcomer = item.data[8*HARMONIA_STORED_8+:16];
        harmonia_must(harmonia_dpi_bfp_append(HARMONIA_GROUP, 8, newcomer, int'(item.user[6:2]), stored));
        if (newcomer[14:10] == 5'd31) count = 1;
      end else begin
        for (int i = 0; i < HARMONIA_GROUP; i++) x[i] = item.data[16*i+:16];
        harmonia_must(harmonia_dpi_bfp_encode(HARMONIA_GROUP, demote ? 4 : 8, 0, x, stored, count));
      end
      nonfinite += count;
      for (int i = 0; i < bytes; i++) begin
        e.data[8*i+:8] = stored[i];
        e.keep[i] = 1;
      end
      e.last = item.last;
      scoreboard.expect_item(e);
    endfunction
  endclass

  class harmonia_decoder_predictor extends harmonia_predictor;
    bit [2:0]     mode;
    bit           loading = 0, row_open = 0;
    int unsigned  entry = 0;
    byte          entries[16];
    byte unsigned codes[$];        // of rows whose scales have not all come
    int unsigned  row_bytes[$];
    bit [2:0]     row_mode[$];
    byte          row_entries[$];  // 16 for each row
    harmonia_item scales[$];

    virtual function void write(harmonia_item item);
      case (item.stream)
        HARMONIA_CODEBOOK: load(item);
        HARMONIA_INDEX: take(item);
        default: scales.push_back(item);
      endcase
      while (row_complete()) answer();
    endfunction
    function void load(harmonia_item item);
      if (!loading) begin
        mode = item.user[2:0];
        entry = 0;
      end
      if (!mode[2]) entries[entry] = item.data[7:0];
      entry++;
      loading = !item.last;
    endfunction
    function void take(harmonia_item item);
      int unsigned taken = 0;
      if (!row_open) begin
        row_bytes.push_back(0);
        row_mode.push_back(mode);
        for (int i = 0; i < 16; i++)
          // INT4 is a codebook too: the codes in two's complement, or from 0 on.
          row_entries.push_back(!mode[2] ? entries[i] : mode == 5 || i < 8 ? byte'(i) : byte'(i - 16));
      end
      for (int i = 0; i < 32; i++)
        if (item.keep[i]) begin
          // INT4 has the first code in the low nibble, a codebook in the high one.
          codes.push_back(mode[2] ? {item.data[8*i+:4], item.data[8*i+4+:4]} : item.data[8*i+:8]);
          taken++;
        end
      row_bytes.push_back(row_bytes.pop_back() + taken);
      row_open = !item.last;
    endfunction
    function int unsigned bits_of(bit [2:0] m);
      return m == 0 ? 1 : m == 1 ? 2 : 4;
    endfunction
    function int unsigned scales_of(int unsigned blocks, bit [2:0] m);
      return m[2] ? (blocks + 1) / 2 : blocks;
    endfunction
    function bit row_complete();
      int unsigned blocks;
      if (row_bytes.size() == 0 || (row_bytes.size() == 1 && row_open)) return 0;
      blocks = (row_bytes[0] * 8 / bits_of(row_mode[0]) + 63) / 64;
      return scales.size() >= scales_of(blocks, row_mode[0]);
    endfunction
    function void answer();
      byte table_of_values[16];
      byte unsigned packed_codes[32];
      byte q[64];
      bit [2:0] m = row_mode.pop_front();
      int unsigned bytes = row_bytes.pop_front();
      int unsigned n = bits_of(m);
      int unsigned per_block = 8 * n;  // bytes of a block
      int unsigned block = 0;
      int unsigned here;
      harmonia_item e, scale;
      for (int i = 0; i < 16; i++) table_of_values[i] = row_entries.pop_front();
      for (int unsigned at = 0; at < bytes; at += per_block) begin
        here = bytes - at < per_block ? bytes - at : per_block;
        for (int i = 0; i < 32; i++) packed_codes[i] = 0;
        for (int i = 0; i < 64; i++) q[i] = 0;
        for (int unsigned i = 0; i < here; i++) packed_codes[i] = codes.pop_front();
        harmonia_must(harmonia_dpi_kmeans_decode_int8(n, table_of_values, packed_codes, 64'(here) * 8 / 64'(n), q));
        if (!m[2] || block % 2 == 0) scale = scales.pop_front();
        e = new;
        for (int unsigned i = 0; i < here * 8 / n; i++) begin
          e.data[8*i+:8] = m == 5 ? q[i] - byte'(scale.user[3:0]) : q[i];
          e.keep[i] = 1;
        end
        e.user = 32'(scale.data[15:0]);
        e.last = at + per_block >= bytes;
        scoreboard.expect_item(e);
        block++;
      end
    endfunction
  endclass

  class harmonia_pe_predictor extends harmonia_predictor;
    harmonia_item first[$], second[$];

    virtual function void write(harmonia_item item);
      if (item.stream == HARMONIA_FIRST) first.push_back(item);
      else second.push_back(item);
      if (first.size() != 0 && second.size() != 0) answer();
    endfunction
    function void answer();
      byte unsigned a[HARMONIA_STORED_8];
      byte unsigned b[HARMONIA_STORED_8];
      shortint w[HARMONIA_GROUP];
      byte unsigned codes[HARMONIA_GROUP/8];
      harmonia_item fa = first.pop_front();
      harmonia_item fb = second.pop_front();
      bit [2:0] mode = fb.user[2:0];
      byte q0 = fb.user[10:3];
      byte q1 = fb.user[18:11];
      int partial = 0;
      int exponent;
      harmonia_item e = new;
      for (int i = 0; i < HARMONIA_STORED_8; i++) a[i] = fa.data[8*i+:8];
      for (int i = 0; i < HARMONIA_STORED_8; i++) b[i] = fb.data[8*i+:8];
      for (int i = 0; i < HARMONIA_GROUP; i++) w[i] = {{8{fb.data[8*i+7]}}, fb.data[8*i+:8]};
      for (int i = 0; i < HARMONIA_GROUP / 8; i++)
        for (int k = 0; k < 8; k++) codes[i][7-k] = fb.data[8*(8*i+k)];
      // The value is partial * 2^exponent: exponents of 5 bits biased by 15, mantissas of 8 and 4 bits as integers.
      exponent = int'(a[0]) - 15 - 7;
      case (mode)
        1: begin
          harmonia_must(harmonia_dpi_pe_partial_bfp(HARMONIA_GROUP, 8, a, 4, b, partial));
          exponent += int'(b[0]) - 15 - 3;
        end
        2: begin
          harmonia_must(harmonia_dpi_pe_partial_bfp(HARMONIA_GROUP, 8, a, 8, b, partial));
          exponent += int'(b[0]) - 15 - 7;
        end
        5: harmonia_must(harmonia_dpi_pe_partial_1bit(HARMONIA_GROUP, 8, a, codes, int'(q0), int'(q1), partial));
        default: harmonia_must(harmonia_dpi_pe_partial_int(HARMONIA_GROUP, 8, a, w, partial));
      endcase
      e.data[31:0] = partial;
      e.data[47:32] = 16'(exponent);
      e.keep = 64'h3f;
      e.last = fa.last;
      scoreboard.expect_item(e);
    endfunction
  endclass

  // ---- Coverage ----

  typedef enum int {HARMONIA_BIN, HARMONIA_IGNORE_BIN, HARMONIA_ILLEGAL_BIN} harmonia_bin_kind;

  // Bins of one value, in order; the first whose range has a value takes it.
  class harmonia_coverpoint;
    string           name, meaning;
    int unsigned     at_least = 1;
    string           names[$];
    longint          from[$], upto[$];
    int              kinds[$];
    longint unsigned hits[$];

    function void add(string bin, longint low, longint high, harmonia_bin_kind kind = HARMONIA_BIN);
      names.push_back(bin);
      from.push_back(low);
      upto.push_back(high);
      kinds.push_back(int'(kind));
      hits.push_back(0);
    endfunction
    // A value that no bin has ends the simulation, as one of an illegal bin does.
    function void sample(longint value);
      for (int i = 0; i < names.size(); i++)
        if (value >= from[i] && value <= upto[i]) begin
          hits[i] = hits[i] + 1;
          if (kinds[i] == int'(HARMONIA_ILLEGAL_BIN)) $fatal(1, "%s: illegal bin %s: %0d", name, names[i], value);
          return;
        end
      $fatal(1, "%s: no bin has %0d", name, value);
    endfunction
  endclass

  class harmonia_coverage extends harmonia_subscriber;
    string instance_name, type_name;
    harmonia_coverpoint points[$];

    function harmonia_coverpoint add(string its_name, string meaning, int unsigned at_least = 1);
      harmonia_coverpoint point = new;
      point.name = its_name;
      point.meaning = meaning;
      point.at_least = at_least;
      points.push_back(point);
      return point;
    endfunction
    // Prints how many bins were hit, and the holes, whose number is returned.
    function int unsigned report();
      int unsigned covered = 0, holes = 0;
      for (int p = 0; p < points.size(); p++)
        for (int b = 0; b < points[p].names.size(); b++)
          if (points[p].kinds[b] == int'(HARMONIA_BIN)) begin
            if (points[p].hits[b] >= 64'(points[p].at_least)) covered++;
            else begin
              holes++;
              $display("%s: hole: %s %s", instance_name, points[p].name, points[p].names[b]);
            end
          end
      $display("%s: %0d of %0d bins covered", instance_name, covered, covered + holes);
      return holes;
    endfunction
    function string kind_text(int kind);
      return kind == int'(HARMONIA_BIN) ? "default" : kind == int'(HARMONIA_IGNORE_BIN) ? "ignore" : "illegal";
    endfunction
    // UCIS 1.0 XML, for `harmonia coverage report` and `merge`.
    function void save(string file, int unsigned seed);
      int fd;
      fd = $fopen(file, "w");
      if (fd == 0) $fatal(1, "%s cannot be written", file);
      $fdisplay(fd, "<?xml version=\"1.0\"?>");
      $fdisplay(fd, "<ucis:UCIS xmlns:ucis=\"http://www.w3.org/2001/XMLSchema-instance\" writtenBy=\"harmonia\" writtenTime=\"2000-01-01T00:00:00\" ucisVersion=\"1.0\">");
      $fdisplay(fd, "  <ucis:sourceFiles fileName=\"harmonia\" id=\"1\" />");
      $fdisplay(fd, "  <ucis:historyNodes historyNodeId=\"0\" logicalName=\"%s\" physicalName=\"%s\" kind=\"HistoryNodeKind\" testStatus=\"true\" date=\"2000-01-01T00:00:00\" toolCategory=\"UCIS:Simulator\" ucisVersion=\"1.0\" vendorId=\"harmonia\" vendorTool=\"harmonia\" vendorToolVersion=\"1\" seed=\"%0d\" cmd=\"\" />", instance_name, instance_name, seed);
      $fdisplay(fd, "  <ucis:instanceCoverages name=\"%s\" key=\"1\" instanceId=\"1\" moduleName=\"%s\">", instance_name, instance_name);
      $fdisplay(fd, "    <ucis:id file=\"1\" line=\"1\" inlineCount=\"1\" />");
      $fdisplay(fd, "    <ucis:covergroupCoverage><ucis:cgInstance name=\"%s\" key=\"0\">", type_name);
      $fdisplay(fd, "      <ucis:options weight=\"1\" goal=\"100\" comment=\"\" at_least=\"1\" />");
      $fdisplay(fd, "      <ucis:cgId cgName=\"%s\" moduleName=\"%s\"><ucis:cginstSourceId file=\"1\" line=\"1\" inlineCount=\"1\" /><ucis:cgSourceId file=\"1\" line=\"1\" inlineCount=\"1\" /></ucis:cgId>", type_name, instance_name);
      for (int p = 0; p < points.size(); p++) begin
        $fdisplay(fd, "      <ucis:coverpoint name=\"%s\" key=\"0\">", points[p].name);
        $fdisplay(fd, "        <ucis:options weight=\"1\" goal=\"100\" comment=\"%s\" at_least=\"%0d\" />", points[p].meaning, points[p].at_least);
        for (int b = 0; b < points[p].names.size(); b++)
          $fdisplay(fd, "        <ucis:coverpointBin name=\"%s\" key=\"0\" type=\"%s\"><ucis:range from=\"%0d\" to=\"%0d\"><ucis:contents coverageCount=\"%0d\" /></ucis:range></ucis:coverpointBin>",
                    points[p].names[b], kind_text(points[p].kinds[b]), points[p].from[b], points[p].upto[b], points[p].hits[b]);
        $fdisplay(fd, "      </ucis:coverpoint>");
      end
      $fdisplay(fd, "    </ucis:cgInstance></ucis:covergroupCoverage>\n  </ucis:instanceCoverages>\n</ucis:UCIS>");
      $fclose(fd);
    endfunction
  endclass

endpackage
