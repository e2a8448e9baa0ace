// The second operand of one lane, combinational: from any mode's encoding to sign and magnitude.
//
// Modes: 0 M8W4, 1 M8M4, 2 M8M8, 3 M8L5, 4 M8L8, 5 M8B1. Integer modes take the lane's byte in two's complement (M8W4
// and M8L5: -15..15); M8B1 takes bit 0 of that byte, 0 for subtract, 1 for add; BFP modes take sign and nibbles.
// MODES has a bit for each mode that is built; what the others need is left out.
module pe_operand #(
    parameter logic [5:0] MODES = 6'b111111
) (
    input  logic [2:0] mode,
    input  logic [7:0] integer_value,
    input  logic       bfp_sign,
    input  logic [3:0] bfp_high,
    input  logic [3:0] bfp_low,
    output logic       sign,
    output logic [3:0] low,  // first pass
    output logic [3:0] high  // second pass, of the two-pass modes only
);
  localparam logic BFP = MODES[1] | MODES[2];
  localparam logic INTEGER = MODES[0] | MODES[3] | MODES[4];
  localparam logic BYTE = MODES[4];

  // M8M4 keeps its only magnitude nibble in the high plane of the stored group.
  logic is_bfp4, is_bfp, is_one;
  assign is_bfp4 = MODES[1] && mode == 3'd1;
  assign is_bfp = BFP && (mode == 3'd1 || mode == 3'd2);
  assign is_one = MODES[5] && mode == 3'd5;

  // A five-bit range needs a five-bit negation only.
  logic       negative;
  logic [7:0] magnitude;
  assign negative = INTEGER && integer_value[7];
  generate
    if (BYTE) begin : gen_byte
      assign magnitude = negative ? -integer_value : integer_value;
    end else begin : gen_five
      assign magnitude = {4'd0, negative ? -integer_value[3:0] : integer_value[3:0]};
    end
  endgenerate

  always_comb begin
    if (is_one) begin
      sign = !integer_value[0];
      low = 4'd1;
      high = 4'd0;
    end else if (is_bfp) begin
      sign = bfp_sign;
      low = is_bfp4 ? bfp_high : bfp_low;
      high = bfp_high;
    end else begin
      sign = negative;
      low = magnitude[3:0];
      high = magnitude[7:4];
    end
  end
endmodule
