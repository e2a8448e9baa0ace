// FP16 to block floating point: one group of G values per beat, four pipeline stages, initiation interval 1.
//
// Models: truncation to an 8-bit magnitude under the group's largest FP16 exponent; demotion to 4 bits by leaving the
// low-nibble plane out; saturation of Inf and NaN and their count; growing a stored group in place by one element (the
// value path of the KV cache). Does not model: nearest-even rounding, other mantissa widths, the smoother in front.
//
// s_axis_tdata, plain:  G FP16 values, element i in bits 16i+15..16i.
// s_axis_tdata, merge:  the stored M = 8 group in bits 0..8*GROUP_BYTES-1, the FP16 newcomer in the 16 bits above.
// s_axis_tuser:         bit 0: store M = 4 instead of 8; bit 1: merge; bits 2 and up: the newcomer's place in the group.
// m_axis_tdata:         byte 0 exponent, then sign plane, high-nibble plane, low-nibble plane; m_axis_tkeep marks the
//                       bytes that are stored (1 + G/8 + G/2, and G/2 more for M = 8); the others are zero.
// nonfinite_count counts Inf and NaN inputs since reset, modulo 2^32; a beat is counted when it leaves stage 2.

module bfp_converter #(
    parameter integer G = 32  // elements of a group, a power of two from 8 to 128
) (
    input  logic                       clk,
    input  logic                       rst_n,
    input  logic                       s_axis_tvalid,
    output logic                       s_axis_tready,
    input  logic [16*G-1:0]            s_axis_tdata,
    input  logic [1+$clog2(G):0]       s_axis_tuser,
    input  logic                       s_axis_tlast,
    output logic                       m_axis_tvalid,
    input  logic                       m_axis_tready,
    output logic [8*(1+G/8+G)-1:0]     m_axis_tdata,
    output logic [(1+G/8+G)-1:0]       m_axis_tkeep,
    output logic                       m_axis_tlast,
    output logic [31:0]                nonfinite_count
);
  localparam integer LANE_BITS = $clog2(G);
  localparam integer GROUP_BYTES = 1 + G / 8 + G;
  localparam integer SIGN_AT = 8;
  localparam integer HIGH_AT = SIGN_AT + G;
  localparam integer LOW_AT = HIGH_AT + 4 * G;

  // Each stage moves when it is empty or the next one moves: bubbles close up under back-pressure.
  logic [4:1] valid;
  logic [4:1] move  /* verilator split_var */;
  assign move[4] = !valid[4] || m_axis_tready;
  assign move[3] = !valid[3] || move[4];
  assign move[2] = !valid[2] || move[3];
  assign move[1] = !valid[1] || move[2];
  assign s_axis_tready = move[1];
  assign m_axis_tvalid = valid[4];

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid <= 4'b0000;
    end else begin
      if (move[1]) valid[1] <= s_axis_tvalid;
      if (move[2]) valid[2] <= valid[1];
      if (move[3]) valid[3] <= valid[2];
      if (move[4]) valid[4] <= valid[3];
    end
  end

  // Stage 1: every element as sign, exponent, significand. In a merge the stored elements share the old exponent, and
  // their magnitudes stand where a significand's upper eight bits do: the shifter behind needs no second form. The lower
  // three bits of a significand never reach a magnitude.
  logic                 in_demote, in_merge;
  logic [LANE_BITS-1:0] in_place;
  logic [15:0]          in_newcomer;
  assign in_demote = s_axis_tuser[0];
  assign in_merge = s_axis_tuser[1];
  assign in_place = s_axis_tuser[2+:LANE_BITS];
  assign in_newcomer = s_axis_tdata[8*GROUP_BYTES+:16];

  logic [G-1:0]    sign1_d, nonfinite1_d, sign1, nonfinite1;
  logic [5*G-1:0]  exponent1_d, exponent1;
  logic [8*G-1:0]  significand1_d, significand1;
  logic            demote1, last1;
  genvar i;
  generate
    for (i = 0; i < G; i = i + 1) begin : gen_unpack
      logic        sign, nonfinite, stored;
      logic [4:0]  exponent, exponent_sel;
      logic [10:3] significand, significand_sel;
      bfp_unpack unpack (
          .fp16       (in_merge ? in_newcomer : s_axis_tdata[16*i+:16]),
          .sign       (sign),
          .exponent   (exponent),
          .significand(significand),
          .nonfinite  (nonfinite)
      );
      assign stored = in_merge && in_place != i;
      assign exponent_sel = stored ? s_axis_tdata[4:0] : exponent;
      assign significand_sel =
          stored ? {s_axis_tdata[HIGH_AT+4*i+:4], s_axis_tdata[LOW_AT+4*i+:4]} : significand;
      assign sign1_d[i] = stored ? s_axis_tdata[SIGN_AT+i] : sign;
      assign nonfinite1_d[i] = nonfinite && !stored;
      assign significand1_d[8*i+:8] = significand_sel;
      // A zero takes no part in the maximum; nor need an FP16 subnormal, whose exponent is 1 in any case.
      assign exponent1_d[5*i+:5] = significand_sel == 8'd0 ? 5'd1 : exponent_sel;
    end
  endgenerate
  always_ff @(posedge clk) begin
    if (move[1]) begin
      sign1 <= sign1_d;
      exponent1 <= exponent1_d;
      significand1 <= significand1_d;
      nonfinite1 <= nonfinite1_d;
      demote1 <= in_demote;
      last1 <= s_axis_tlast;
    end
  end

  // Stage 2: the largest exponent and the number of nonfinite elements, both as trees (node 1 the root, leaves G..2G-1).
  logic [4:0]         largest[1:2*G-1]  /* verilator split_var */;
  logic [LANE_BITS:0] count  [1:2*G-1]  /* verilator split_var */;
  generate
    for (i = 0; i < G; i = i + 1) begin : gen_leaf
      assign largest[G+i] = exponent1[5*i+:5];
      assign count[G+i] = {{LANE_BITS{1'b0}}, nonfinite1[i]};
    end
    for (i = 1; i < G; i = i + 1) begin : gen_node
      assign largest[i] = largest[2*i] > largest[2*i+1] ? largest[2*i] : largest[2*i+1];
      assign count[i] = count[2*i] + count[2*i+1];
    end
  endgenerate
  logic [4:0]      group2;
  logic [G-1:0]    sign2;
  logic [5*G-1:0]  exponent2;
  logic [8*G-1:0]  significand2;
  logic            demote2, last2;
  logic [LANE_BITS:0] count2;
  always_ff @(posedge clk) begin
    if (move[2]) begin
      group2 <= largest[1];
      count2 <= count[1];
      sign2 <= sign1;
      exponent2 <= exponent1;
      significand2 <= significand1;
      demote2 <= demote1;
      last2 <= last1;
    end
  end
  always_ff @(posedge clk) begin
    if (!rst_n) nonfinite_count <= 32'd0;
    else if (valid[2] && move[3]) nonfinite_count <= nonfinite_count + {{31 - LANE_BITS{1'b0}}, count2};
  end

  // Stage 3: the shifters.
  logic [4:0]     group3;
  logic [G-1:0]   sign3;
  logic [8*G-1:0] magnitude3_d, magnitude3;
  logic           demote3, last3;
  generate
    for (i = 0; i < G; i = i + 1) begin : gen_shift
      bfp_shift shift (
          .significand   (significand2[8*i+:8]),
          .exponent      (exponent2[5*i+:5]),
          .group_exponent(group2),
          .magnitude     (magnitude3_d[8*i+:8])
      );
    end
  endgenerate
  always_ff @(posedge clk) begin
    if (move[3]) begin
      group3 <= group2;
      sign3 <= sign2;
      magnitude3 <= magnitude3_d;
      demote3 <= demote2;
      last3 <= last2;
    end
  end

  // Stage 4: planes in storage order.
  logic [8*GROUP_BYTES-1:0] packed_d;
  assign packed_d[SIGN_AT-1:0] = {3'b000, group3};
  assign packed_d[SIGN_AT+:G] = sign3;
  generate
    for (i = 0; i < G; i = i + 1) begin : gen_planes
      assign packed_d[HIGH_AT+4*i+:4] = magnitude3[8*i+4+:4];
      assign packed_d[LOW_AT+4*i+:4] = demote3 ? 4'd0 : magnitude3[8*i+:4];
    end
  endgenerate
  always_ff @(posedge clk) begin
    if (move[4]) begin
      m_axis_tdata <= packed_d;
      m_axis_tkeep <= {{(G / 2) {~demote3}}, {(1 + G / 8 + G / 2) {1'b1}}};
      m_axis_tlast <= last3;
    end
  end
endmodule
