// Processing element: the exact dot product of one block-floating-point group with a group of another kind, as a signed
// integer and a power of two.
//
// Models: 32 lanes of 8 x 4 bits; the modes M8W4, M8M4, M8M8, M8L5, M8L8, M8B1; the second pass over the operand's upper
// nibble (M8M8, M8L8); result = P * 2^exponent, P exact. Does not model: FP32 accumulation across groups, scales.
//
// s_axis_a_tdata  a stored BFP group, M = 8: byte 0 exponent, sign plane, high-nibble plane, low-nibble plane.
// s_axis_w_tdata  the second operand. BFP modes: a stored group (M8M4: without the low plane; its bits do not matter).
//                 Integer modes: lane i's byte at bits 8i+7..8i, in two's complement. M8B1: bit 0 of that byte.
// s_axis_w_tuser  2..0 mode, numbered as above; 10..3 q0 and 18..11 q1, the two codebook entries of M8B1.
// m_axis_tdata    31..0 P, 47..32 the exponent, both signed.
// m_axis_tlast    that of s_axis_a.
//
// M8B1: sum q_i a_i = ((q0 + q1) A + (q1 - q0) T) / 2 with A = sum a_i and T = sum of +-a_i. An array shares A among its
// rows; here each PE forms its own.
//
// Seven stages: operands, products, three of adder tree, joining of the passes, result. Initiation interval 1, or 2 in
// the two-pass modes. MODES has a bit for each mode that is built.
module pe #(
    parameter integer     LANES = 32,  // a multiple of 16
    parameter logic [5:0] MODES = 6'b111111
) (
    input  logic                           clk,
    input  logic                           rst_n,
    input  logic                           s_axis_a_tvalid,
    output logic                           s_axis_a_tready,
    input  logic [8*(1+LANES/8+LANES)-1:0] s_axis_a_tdata,
    input  logic                           s_axis_a_tlast,
    input  logic                           s_axis_w_tvalid,
    output logic                           s_axis_w_tready,
    input  logic [8*(1+LANES/8+LANES)-1:0] s_axis_w_tdata,
    input  logic [18:0]                    s_axis_w_tuser,
    output logic                           m_axis_tvalid,
    input  logic                           m_axis_tready,
    output logic [47:0]                    m_axis_tdata,
    output logic                           m_axis_tlast
);
  localparam integer SIGN_AT = 8;
  localparam integer HIGH_AT = SIGN_AT + LANES;
  localparam integer LOW_AT = HIGH_AT + 4 * LANES;
  localparam integer FOURS = LANES / 4;
  localparam integer SIXTEENS = LANES / 16;
  localparam integer SUM_BITS = 13 + $clog2(LANES);
  localparam integer A_BITS = 9 + $clog2(LANES);
  localparam logic ONE_BIT = MODES[5];
  localparam logic TWO_PASS = MODES[2] | MODES[4];

  // Both operands enter together. A two-pass group stays in stage 1 for a second cycle.
  logic [7:1] valid;
  logic [7:1] move  /* verilator split_var */;
  logic       two_pass1, second_pass1, enter;
  assign move[7] = !valid[7] || m_axis_tready;
  assign move[6] = !valid[6] || move[7];
  assign move[5] = !valid[5] || move[6];
  assign move[4] = !valid[4] || move[5];
  assign move[3] = !valid[3] || move[4];
  assign move[2] = !valid[2] || move[3];
  assign move[1] = !valid[1] || (move[2] && (!two_pass1 || second_pass1));
  assign enter = s_axis_a_tvalid && s_axis_w_tvalid && move[1];
  assign s_axis_a_tready = move[1] && s_axis_w_tvalid;
  assign s_axis_w_tready = move[1] && s_axis_a_tvalid;
  assign m_axis_tvalid = valid[7];

  // Stage 1: the operands as signs and magnitudes, the exponent of the result.
  logic [2:0]         mode_d, mode1;
  logic [7:0]         q0_d, q1_d;
  logic [LANES-1:0]   a_sign1, b_sign_d, b_sign1;
  logic [8*LANES-1:0] a_magnitude_d, a_magnitude1;
  logic [4*LANES-1:0] b_low_d, b_high_d, b_low1, b_high1;
  logic [9:0]         exponent_d, exponent1;
  logic               last1;
  logic signed [8:0]  q_sum1, q_difference1;
  assign mode_d = s_axis_w_tuser[2:0];
  assign q0_d = s_axis_w_tuser[10:3];
  assign q1_d = s_axis_w_tuser[18:11];
  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_operand
      assign a_magnitude_d[8*i+:8] = {s_axis_a_tdata[HIGH_AT+4*i+:4], s_axis_a_tdata[LOW_AT+4*i+:4]};
      pe_operand #(
          .MODES(MODES)
      ) operand (
          .mode         (mode_d),
          .integer_value(s_axis_w_tdata[8*i+:8]),
          .bfp_sign     (s_axis_w_tdata[SIGN_AT+i]),
          .bfp_high     (s_axis_w_tdata[HIGH_AT+4*i+:4]),
          .bfp_low      (s_axis_w_tdata[LOW_AT+4*i+:4]),
          .sign         (b_sign_d[i]),
          .low          (b_low_d[4*i+:4]),
          .high         (b_high_d[4*i+:4])
      );
    end
  endgenerate
  // Ea - 15 - 7, and Eb - 15 - (Mb - 1) more when the second operand has an exponent.
  always_comb begin
    exponent_d = {2'b00, s_axis_a_tdata[7:0]} - 10'd22;
    if (MODES[1] && mode_d == 3'd1) exponent_d = exponent_d + {2'b00, s_axis_w_tdata[7:0]} - 10'd18;
    else if (MODES[2] && mode_d == 3'd2) exponent_d = exponent_d + {2'b00, s_axis_w_tdata[7:0]} - 10'd22;
  end
  assign two_pass1 = TWO_PASS && ((MODES[2] && mode1 == 3'd2) || (MODES[4] && mode1 == 3'd4));
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid[1] <= 1'b0;
      second_pass1 <= 1'b0;
    end else begin
      if (move[1]) valid[1] <= enter;
      if (move[1]) second_pass1 <= 1'b0;
      else if (valid[1] && move[2]) second_pass1 <= 1'b1;
    end
    if (move[1]) begin
      mode1 <= mode_d;
      q_sum1 <= {q0_d[7], q0_d} + {q1_d[7], q1_d};
      q_difference1 <= {q1_d[7], q1_d} - {q0_d[7], q0_d};
      a_sign1 <= s_axis_a_tdata[SIGN_AT+:LANES];
      a_magnitude1 <= a_magnitude_d;
      b_sign1 <= b_sign_d;
      b_low1 <= b_low_d;
      b_high1 <= b_high_d;
      exponent1 <= exponent_d;
      last1 <= s_axis_a_tlast;
    end
  end

  // Side information that travels beside the sums: 0 the first of two passes, 1 the second, 2 last, 3 M8B1,
  // 13..4 exponent, 22..14 q0 + q1, 31..23 q1 - q0.
  logic [31:0] side1, side2, side3, side4, side5;
  assign side1 = {
    q_difference1, q_sum1, exponent1, ONE_BIT && mode1 == 3'd5, last1, two_pass1 && second_pass1, two_pass1 && !second_pass1
  };
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid[5:2] <= 4'b0000;
    end else begin
      if (move[2]) valid[2] <= valid[1];
      if (move[3]) valid[3] <= valid[2];
      if (move[4]) valid[4] <= valid[3];
      if (move[5]) valid[5] <= valid[4];
    end
    if (move[2]) side2 <= side1;
    if (move[3]) side3 <= side2;
    if (move[4]) side4 <= side3;
    if (move[5]) side5 <= side4;
  end

  // Stages 2 to 5: products, and sums of 4, of 16 and of all lanes. Flat vectors; each sum has the width of the last.
  logic [13*LANES-1:0]          product_d, product2;
  logic [SUM_BITS*FOURS-1:0]    four_d, four3;
  logic [SUM_BITS*SIXTEENS-1:0] sixteen_d, sixteen4;
  logic signed [SUM_BITS-1:0]   all_d, all5;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_lane
      pe_lane lane (
          .a_sign     (a_sign1[i]),
          .a_magnitude(a_magnitude1[8*i+:8]),
          .b_sign     (b_sign1[i]),
          .b_slice    (TWO_PASS && second_pass1 ? b_high1[4*i+:4] : b_low1[4*i+:4]),
          .product    (product_d[13*i+:13])
      );
    end
    for (i = 0; i < FOURS; i = i + 1) begin : gen_four
      logic signed [12:0] p0, p1, p2, p3;
      logic signed [14:0] sum;
      assign p0 = product2[13*(4*i)+:13];
      assign p1 = product2[13*(4*i+1)+:13];
      assign p2 = product2[13*(4*i+2)+:13];
      assign p3 = product2[13*(4*i+3)+:13];
      assign sum = (15'(p0) + 15'(p1)) + (15'(p2) + 15'(p3));
      assign four_d[SUM_BITS*i+:SUM_BITS] = SUM_BITS'(sum);
    end
    for (i = 0; i < SIXTEENS; i = i + 1) begin : gen_sixteen
      assign sixteen_d[SUM_BITS*i+:SUM_BITS] =
          (four3[SUM_BITS*(4*i)+:SUM_BITS] + four3[SUM_BITS*(4*i+1)+:SUM_BITS])
          + (four3[SUM_BITS*(4*i+2)+:SUM_BITS] + four3[SUM_BITS*(4*i+3)+:SUM_BITS]);
    end
  endgenerate
  integer s;
  always_comb begin
    all_d = {SUM_BITS{1'b0}};
    for (s = 0; s < SIXTEENS; s = s + 1) all_d = all_d + sixteen4[SUM_BITS*s+:SUM_BITS];
  end
  always_ff @(posedge clk) begin
    if (move[2]) product2 <= product_d;
    if (move[3]) four3 <= four_d;
    if (move[4]) sixteen4 <= sixteen_d;
    if (move[5]) all5 <= all_d;
  end

  // A = sum a_i, in step with T.
  logic signed [A_BITS-1:0] a_all5;
  generate
    if (ONE_BIT) begin : gen_a_sum
      logic [9*LANES-1:0]         signed_d, signed2;
      logic [A_BITS*FOURS-1:0]    a_four_d, a_four3;
      logic [A_BITS*SIXTEENS-1:0] a_sixteen_d, a_sixteen4;
      logic signed [A_BITS-1:0]   a_all_d;
      for (i = 0; i < LANES; i = i + 1) begin : gen_signed
        assign signed_d[9*i+:9] = a_sign1[i] ? -{1'b0, a_magnitude1[8*i+:8]} : {1'b0, a_magnitude1[8*i+:8]};
      end
      for (i = 0; i < FOURS; i = i + 1) begin : gen_a_four
        logic signed [8:0]  a0, a1, a2, a3;
        logic signed [10:0] sum;
        assign a0 = signed2[9*(4*i)+:9];
        assign a1 = signed2[9*(4*i+1)+:9];
        assign a2 = signed2[9*(4*i+2)+:9];
        assign a3 = signed2[9*(4*i+3)+:9];
        assign sum = (11'(a0) + 11'(a1)) + (11'(a2) + 11'(a3));
        assign a_four_d[A_BITS*i+:A_BITS] = A_BITS'(sum);
      end
      for (i = 0; i < SIXTEENS; i = i + 1) begin : gen_a_sixteen
        assign a_sixteen_d[A_BITS*i+:A_BITS] =
            (a_four3[A_BITS*(4*i)+:A_BITS] + a_four3[A_BITS*(4*i+1)+:A_BITS])
            + (a_four3[A_BITS*(4*i+2)+:A_BITS] + a_four3[A_BITS*(4*i+3)+:A_BITS]);
      end
      integer t;
      always_comb begin
        a_all_d = {A_BITS{1'b0}};
        for (t = 0; t < SIXTEENS; t = t + 1) a_all_d = a_all_d + a_sixteen4[A_BITS*t+:A_BITS];
      end
      always_ff @(posedge clk) begin
        if (move[2]) signed2 <= signed_d;
        if (move[3]) a_four3 <= a_four_d;
        if (move[4]) a_sixteen4 <= a_sixteen_d;
        if (move[5]) a_all5 <= a_all_d;
      end
    end else begin : gen_no_a_sum
      assign a_all5 = {A_BITS{1'b0}};
    end
  endgenerate

  // Stage 6: the first pass waits for the second, which counts sixteenfold; M8B1 multiplies by its codebook.
  logic signed [23:0] joined6, partial6, wide5, t_term_d, a_term_d, t_term6, a_term6;
  logic [9:0]         exponent6;
  logic               one_bit6, last6;
  assign wide5 = 24'(all5);
  assign t_term_d = ONE_BIT ? $signed(side5[31:23]) * 24'(all5) : 24'sd0;
  assign a_term_d = ONE_BIT ? $signed(side5[22:14]) * 24'(a_all5) : 24'sd0;
  always_ff @(posedge clk) begin
    if (!rst_n) valid[6] <= 1'b0;
    else if (move[6]) valid[6] <= valid[5] && !side5[0];
    if (move[6]) begin
      if (valid[5] && side5[0]) partial6 <= wide5;
      joined6 <= side5[1] ? partial6 + (wide5 <<< 4) : wide5;
      t_term6 <= t_term_d;
      a_term6 <= a_term_d;
      exponent6 <= side5[13:4];
      one_bit6 <= side5[3];
      last6 <= side5[2];
    end
  end

  // Stage 7: the result.
  logic signed [23:0] doubled6, result6;
  assign doubled6 = t_term6 + a_term6;
  assign result6 = ONE_BIT && one_bit6 ? doubled6 >>> 1 : joined6;
  always_ff @(posedge clk) begin
    if (!rst_n) valid[7] <= 1'b0;
    else if (move[7]) valid[7] <= valid[6];
    if (move[7]) begin
      m_axis_tdata <= {{6{exponent6[9]}}, exponent6, {8{result6[23]}}, result6};
      m_axis_tlast <= last6;
    end
  end
endmodule
