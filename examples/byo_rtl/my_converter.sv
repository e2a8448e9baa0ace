// Somebody's own FP16-to-BFP converter: G = 32, M = 8 or 4, truncation; written for clarity, in two stages. Same ports as
// hw/converter/bfp_converter.sv, which says what travels on them.
module my_converter (
    input  logic         clk,
    input  logic         rst_n,
    input  logic         s_axis_tvalid,
    output logic         s_axis_tready,
    input  logic [511:0] s_axis_tdata,
    input  logic [  6:0] s_axis_tuser,
    input  logic         s_axis_tlast,
    output logic         m_axis_tvalid,
    input  logic         m_axis_tready,
    output logic [295:0] m_axis_tdata,
    output logic [ 36:0] m_axis_tkeep,
    output logic         m_axis_tlast,
    output logic [ 31:0] nonfinite_count
);
  logic valid1, valid2, move1, move2;
  assign move2 = !valid2 || m_axis_tready;
  assign move1 = !valid1 || move2;
  assign s_axis_tready = move1;
  assign m_axis_tvalid = valid2;

  // Stage 1: fields of every element, the stored ones when a group grows, and the largest exponent.
  logic [  4:0] exponent[32], exponent1[32], largest, largest1;
  logic [  7:0] significand[32], significand1[32];
  logic [ 31:0] sign, sign1;
  logic [  5:0] nonfinite, nonfinite1;
  logic         demote1, last1;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [ 15:0] x;  // 2..0 cannot reach eight bits
  /* verilator lint_on UNUSEDSIGNAL */
  integer       i;
  always_comb begin
    largest = 5'd1;
    nonfinite = 6'd0;
    for (i = 0; i < 32; i = i + 1) begin
      x = s_axis_tuser[1] ? s_axis_tdata[296+:16] : s_axis_tdata[16*i+:16];
      if (s_axis_tuser[1] && {27'd0, s_axis_tuser[6:2]} != i) begin
        sign[i] = s_axis_tdata[8+i];
        exponent[i] = s_axis_tdata[4:0];
        significand[i] = {s_axis_tdata[40+4*i+:4], s_axis_tdata[168+4*i+:4]};
      end else begin
        sign[i] = x[15];
        exponent[i] = x[14:10] == 5'd31 ? 5'd30 : x[14:10] == 5'd0 ? 5'd1 : x[14:10];
        significand[i] = x[14:10] == 5'd31 ? 8'hff : {x[14:10] != 5'd0, x[9:3]};
        if (x[14:10] == 5'd31) nonfinite = nonfinite + 6'd1;
      end
      if (significand[i] != 8'd0 && exponent[i] > largest) largest = exponent[i];
    end
  end

  // Stage 2: shift, pack.
  logic [295:0] packed_group;
  logic [  7:0] magnitude;
  integer       j;
  always_comb begin
    packed_group = 296'd0;
    packed_group[7:0] = {3'd0, largest1};
    packed_group[39:8] = sign1;
    for (j = 0; j < 32; j = j + 1) begin
      magnitude = significand1[j] == 8'd0 ? 8'd0 : significand1[j] >> (largest1 - exponent1[j]);
      packed_group[40+4*j+:4] = magnitude[7:4];
      packed_group[168+4*j+:4] = demote1 ? 4'd0 : magnitude[3:0];
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      valid2 <= 1'b0;
      nonfinite_count <= 32'd0;
    end else begin
      if (move1) valid1 <= s_axis_tvalid;
      if (move2) valid2 <= valid1;
      if (valid1 && move2) nonfinite_count <= nonfinite_count + {26'd0, nonfinite1};
    end
    if (move1) begin
      exponent1 <= exponent;
      significand1 <= significand;
      sign1 <= sign;
      largest1 <= largest;
      nonfinite1 <= nonfinite;
      demote1 <= s_axis_tuser[0];
      last1 <= s_axis_tlast;
    end
    if (move2) begin
      m_axis_tdata <= packed_group;
      m_axis_tkeep <= {{16{~demote1}}, {21{1'b1}}};
      m_axis_tlast <= last1;
    end
  end
endmodule
