// Online outlier smoothing of keys: subtracts a frozen FP16 offset from the few flagged channels of a KV head.
//
// Models: the offset table, written entry by entry; the lookup by head and channel; the FP16 subtraction, nearest-even.
// Does not model: the choice of channels and offsets after prefill, and the factors folded into the weights.
//
// One beat is LANES consecutive channels of one head. Three stages, initiation interval 1. There are ENTRIES subtractors,
// not LANES: a head has at most ENTRIES flagged channels; entries of one head must name different channels.
//
// s_axis_table_tdata: 15..0 offset (FP16), 23..16 channel, 31..24 head, 39..32 entry, 40 flagged. A write takes effect for
//                     beats accepted in later cycles. Reset clears every flag.
// s_axis_tuser:       7..0 first channel of the beat divided by LANES, 15..8 head.
module outlier_smoother #(
    parameter integer LANES = 32,
    parameter integer HEADS = 8,
    parameter integer ENTRIES = 4
) (
    input  logic                clk,
    input  logic                rst_n,
    input  logic                s_axis_table_tvalid,
    output logic                s_axis_table_tready,
    input  logic [40:0]         s_axis_table_tdata,
    input  logic                s_axis_tvalid,
    output logic                s_axis_tready,
    input  logic [16*LANES-1:0] s_axis_tdata,
    input  logic [15:0]         s_axis_tuser,
    input  logic                s_axis_tlast,
    output logic                m_axis_tvalid,
    input  logic                m_axis_tready,
    output logic [16*LANES-1:0] m_axis_tdata,
    output logic                m_axis_tlast
);
  localparam integer LANE_BITS = $clog2(LANES);

  logic [3:1] valid;
  logic [3:1] move  /* verilator split_var */;
  assign move[3] = !valid[3] || m_axis_tready;
  assign move[2] = !valid[2] || move[3];
  assign move[1] = !valid[1] || move[2];
  assign s_axis_tready = move[1];
  assign m_axis_tvalid = valid[3];
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid <= 3'b000;
    end else begin
      if (move[1]) valid[1] <= s_axis_tvalid;
      if (move[2]) valid[2] <= valid[1];
      if (move[3]) valid[3] <= valid[2];
    end
  end

  logic [16*LANES-1:0] data1, data2, merged;
  logic                last1, last2;
  logic [7:0]          in_group, in_head, write_head, write_entry;
  assign in_group = s_axis_tuser[7:0];
  assign in_head = s_axis_tuser[15:8];
  assign write_head = s_axis_table_tdata[31:24];
  assign write_entry = s_axis_table_tdata[39:32];
  assign s_axis_table_tready = rst_n;

  logic [ENTRIES-1:0]           hit2;
  logic [LANE_BITS*ENTRIES-1:0] lane2;
  logic [16*ENTRIES-1:0]        result2;
  genvar e;
  generate
    for (e = 0; e < ENTRIES; e = e + 1) begin : gen_entry
      logic [HEADS-1:0]     flagged;
      logic [23:0]          offsets[0:HEADS-1];  // 15..0 offset, 23..16 channel
      logic                 found, hit1;
      logic [23:0]          entry;
      logic [LANE_BITS-1:0] lane, lane1;
      logic [15:0]          operand1, offset1, difference;
      integer h;
      always_comb begin
        found = 1'b0;
        entry = 24'd0;
        for (h = 0; h < HEADS; h = h + 1) begin
          if ({24'd0, in_head} == h) begin
            found = flagged[h];
            entry = offsets[h];
          end
        end
      end
      assign lane = entry[16+:LANE_BITS];
      integer w;
      always_ff @(posedge clk) begin
        for (w = 0; w < HEADS; w = w + 1) begin
          if (!rst_n) begin
            flagged[w] <= 1'b0;
          end else if (s_axis_table_tvalid && write_entry == e && {24'd0, write_head} == w) begin
            flagged[w] <= s_axis_table_tdata[40];
            offsets[w] <= s_axis_table_tdata[23:0];
          end
        end
        if (move[1]) begin
          hit1 <= found && ({{LANE_BITS{1'b0}}, entry[23:16+LANE_BITS]} == in_group);
          lane1 <= lane;
          operand1 <= s_axis_tdata[16*lane+:16];
          offset1 <= entry[15:0];
        end
        if (move[2]) begin
          hit2[e] <= hit1;
          lane2[LANE_BITS*e+:LANE_BITS] <= lane1;
          result2[16*e+:16] <= difference;
        end
      end
      fp_add #(
          .EXPONENT(5),
          .FRACTION(10)
      ) subtractor (
          .a  (operand1),
          .b  ({~offset1[15], offset1[14:0]}),
          .sum(difference)
      );
    end
  endgenerate

  integer l, n;
  always_comb begin
    merged = data2;
    for (l = 0; l < LANES; l = l + 1) begin
      for (n = 0; n < ENTRIES; n = n + 1) begin
        if (hit2[n] && lane2[LANE_BITS*n+:LANE_BITS] == LANE_BITS'(l)) merged[16*l+:16] = result2[16*n+:16];
      end
    end
  end

  always_ff @(posedge clk) begin
    if (move[1]) begin
      data1 <= s_axis_tdata;
      last1 <= s_axis_tlast;
    end
    if (move[2]) begin
      data2 <= data1;
      last2 <= last1;
    end
    if (move[3]) begin
      m_axis_tdata <= merged;
      m_axis_tlast <= last2;
    end
  end
endmodule
