// K-means LUT decoder: packed n-bit codes to signed 8-bit integers, one block of LANES weights and its scale per cycle.
//
// Models: n = 1, 2, 4 through a codebook of 2^n signed integers; INT4 codes passed through, in two's complement or with
// a zero-point per scale; the two sequential streams of a row (codes, scales); reload of the codebook between rows.
// Does not model: n = 3 and n = 8, the FP16 pass (no decoding takes place), arithmetic on the scale (it travels along).
//
// Streams, all of one row at a time:
//   s_axis_codebook  starts with a beat that sets the mode (tuser: 0, 1, 2 for codes of 1, 2, 4 bits; 4 INT4; 5 INT4
//                    with zero-points) and carries entry 0; the codebook's other entries follow, tlast with the last
//                    one. INT4 needs the one beat only. A packet offered before the last beat of a row is accepted is
//                    loaded before the next row; a row in flight is finished with the codebook it began with.
//   s_axis_index     LANES/2 bytes per beat in stored order, tkeep marks a row's tail, tlast ends a row.
//   s_axis_scale     one per block (K-means) or one per two blocks of a row (INT4, groups of 2*LANES): tdata the 16-bit
//                    scale, tuser the zero-point.
//   m_axis           one block: tdata byte i is weight i; tkeep its bytes that come from kept index bytes; tuser the
//                    scale; tlast ends the row.
// Three stages: beat register, code register, output register. A beat yields 4/n blocks.
//
// MAX_BITS = 1, 2 or 4 leaves out what wider codes need (INT4 goes with 4).
module lut_decoder #(
    parameter integer LANES = 64,
    parameter integer MAX_BITS = 4
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic               s_axis_codebook_tvalid,
    output logic               s_axis_codebook_tready,
    input  logic [7:0]         s_axis_codebook_tdata,
    input  logic [2:0]         s_axis_codebook_tuser,
    input  logic               s_axis_codebook_tlast,
    input  logic               s_axis_index_tvalid,
    output logic               s_axis_index_tready,
    input  logic [4*LANES-1:0] s_axis_index_tdata,
    input  logic [LANES/2-1:0] s_axis_index_tkeep,
    input  logic               s_axis_index_tlast,
    input  logic               s_axis_scale_tvalid,
    output logic               s_axis_scale_tready,
    input  logic [15:0]        s_axis_scale_tdata,
    input  logic [3:0]         s_axis_scale_tuser,
    output logic               m_axis_tvalid,
    input  logic               m_axis_tready,
    output logic [8*LANES-1:0] m_axis_tdata,
    output logic [LANES-1:0]   m_axis_tkeep,
    output logic [15:0]        m_axis_tuser,
    output logic               m_axis_tlast
);
  localparam integer ENTRIES = 1 << MAX_BITS;
  localparam integer BEAT_BYTES = LANES / 2;

  logic [1:0] bits_log2;
  logic       int4, with_zero;
  logic       valid1, valid2, valid3;
  logic       move2, move3;
  assign move3 = !valid3 || m_axis_tready;
  assign move2 = !valid2 || move3;

  // Codebook: loaded only when no row is open and nothing that still needs the old entries is inside.
  logic                          loading, row_open, load, load_allowed;
  logic [3:0]                    next_entry, write_entry;
  logic [8*(1<<MAX_BITS)-1:0]    codebook;
  assign load_allowed = loading || (!row_open && !valid1 && !valid2);
  assign s_axis_codebook_tready = load_allowed && rst_n;
  assign load = s_axis_codebook_tvalid && load_allowed;
  assign write_entry = loading ? next_entry : 4'd0;
  genvar i;
  generate
    for (i = 0; i < ENTRIES; i = i + 1) begin : gen_codebook
      always_ff @(posedge clk) begin
        if (load && {28'd0, write_entry} == i) codebook[8*i+:8] <= s_axis_codebook_tdata;
      end
    end
  endgenerate
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      loading <= 1'b0;
      next_entry <= 4'd0;
      bits_log2 <= 2'd0;
      int4 <= 1'b0;
      with_zero <= 1'b0;
    end else if (load) begin
      loading <= !s_axis_codebook_tlast;
      next_entry <= write_entry + 4'd1;
      if (!loading) begin
        int4 <= s_axis_codebook_tuser[2];
        with_zero <= s_axis_codebook_tuser[2] && s_axis_codebook_tuser[0];
        bits_log2 <= s_axis_codebook_tuser[2] ? 2'd2 : s_axis_codebook_tuser[1:0];
      end
    end
  end

  // Stage 1: a beat, shifted down block by block.
  logic [4*LANES-1:0]    beat1, beat1_next;
  logic [BEAT_BYTES-1:0] keep1, keep1_next;
  logic                  last1, more1, block_moves, scale_needed, second_of_pair;
  logic                  accept;
  generate
    if (MAX_BITS == 1) begin : gen_shift1
      assign beat1_next = beat1 >> LANES;
      assign keep1_next = keep1 >> LANES / 8;
    end else begin : gen_shift
      assign beat1_next = bits_log2 == 2'd0 ? beat1 >> LANES : bits_log2 == 2'd1 ? beat1 >> 2 * LANES : {4 * LANES{1'b0}};
      assign keep1_next = bits_log2 == 2'd0 ? keep1 >> LANES / 8
                        : bits_log2 == 2'd1 ? keep1 >> LANES / 4 : {BEAT_BYTES{1'b0}};
    end
  endgenerate
  assign more1 = keep1_next[0];
  assign scale_needed = !(int4 && second_of_pair);
  assign block_moves = valid1 && move2 && (!scale_needed || s_axis_scale_tvalid);
  assign s_axis_scale_tready = valid1 && move2 && scale_needed;
  assign s_axis_index_tready = rst_n && !loading && !(s_axis_codebook_tvalid && !row_open)
                             && (!valid1 || (block_moves && !more1));
  assign accept = s_axis_index_tvalid && s_axis_index_tready;

  logic [19:0] scale_held, scale1;
  assign scale1 = scale_needed ? {s_axis_scale_tuser, s_axis_scale_tdata} : scale_held;
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      row_open <= 1'b0;
      second_of_pair <= 1'b0;
    end else begin
      if (accept) begin
        valid1 <= 1'b1;
        row_open <= !s_axis_index_tlast;
      end else if (block_moves && !more1) begin
        valid1 <= 1'b0;
      end
      if (block_moves) second_of_pair <= !second_of_pair && !(last1 && !more1);
    end
    if (accept) begin
      beat1 <= s_axis_index_tdata;
      keep1 <= s_axis_index_tkeep;
      last1 <= s_axis_index_tlast;
    end else if (block_moves) begin
      beat1 <= beat1_next;
      keep1 <= keep1_next;
    end
    if (block_moves) scale_held <= scale1;
  end

  // Stage 2: codes.
  logic [4*LANES-1:0] codes1, codes2;
  logic [LANES-1:0]   lanes1, lanes2;
  logic [19:0]        scale2;
  logic               last2;
  lut_unpack #(
      .LANES(LANES)
  ) unpack (
      .bits_log2(bits_log2),
      .low_first(int4),
      .bytes    (beat1),
      .codes    (codes1)
  );
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_keep
      assign lanes1[i] = bits_log2 == 2'd0 ? keep1[i/8] : bits_log2 == 2'd1 ? keep1[i/4] : keep1[i/2];
    end
  endgenerate
  always_ff @(posedge clk) begin
    if (!rst_n) valid2 <= 1'b0;
    else if (move2) valid2 <= block_moves;
    if (move2) begin
      codes2 <= codes1;
      lanes2 <= lanes1;
      scale2 <= scale1;
      last2 <= last1 && !more1;
    end
  end

  // Stage 3: values.
  logic [8*LANES-1:0] values2;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_value
      logic [3:0] code;
      logic [7:0] looked_up, passed;
      assign code = codes2[4*i+:4];
      assign looked_up = codebook[8*code[MAX_BITS-1:0]+:8];
      if (MAX_BITS == 4) begin : gen_int4
        assign passed = with_zero ? {4'd0, code} - {4'd0, scale2[19:16]} : {{4{code[3]}}, code};
      end else begin : gen_no_int4
        assign passed = 8'd0;
      end
      assign values2[8*i+:8] = !lanes2[i] ? 8'd0 : int4 ? passed : looked_up;
    end
  endgenerate
  assign m_axis_tvalid = valid3;
  always_ff @(posedge clk) begin
    if (!rst_n) valid3 <= 1'b0;
    else if (move3) valid3 <= valid2;
    if (move3) begin
      m_axis_tdata <= values2;
      m_axis_tkeep <= lanes2;
      m_axis_tuser <= scale2[15:0];
      m_axis_tlast <= last2;
    end
  end
endmodule
