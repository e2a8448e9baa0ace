// To be proved, mode by mode: what pe_operand hands to the lane is the mode's operand, as sign and two nibbles.
//
// Specification, plain: the operand of formats.md, section 3, as a signed integer. In M8B1 the sign of the lane's share.
// Assumed: an integer that the mode allows (M8W4, M8L5: -15..15).
module pe_operand_equal #(
    parameter logic [2:0] MODE = 3'd0,
    parameter logic [5:0] MODES = 6'b111111
) (
    input logic [7:0] integer_value,
    input logic       bfp_sign,
    input logic [3:0] bfp_high,
    input logic [3:0] bfp_low
);
  localparam logic TWO_PASS = MODE == 3'd2 || MODE == 3'd4;
  logic       sign;
  logic [3:0] low, high;
  pe_operand #(
      .MODES(MODES)
  ) implementation (
      .mode         (MODE),
      .integer_value(integer_value),
      .bfp_sign     (bfp_sign),
      .bfp_high     (bfp_high),
      .bfp_low      (bfp_low),
      .sign         (sign),
      .low          (low),
      .high         (high)
  );
  logic signed [9:0] implemented, specified;
  always_comb begin
    implemented = $signed({2'd0, TWO_PASS ? high : 4'd0, low});
    if (sign) implemented = -implemented;
  end
  always_comb begin
    case (MODE)
      3'd1: specified = $signed({6'd0, bfp_high});
      3'd2: specified = $signed({2'd0, bfp_high, bfp_low});
      3'd5: specified = integer_value[0] ? 10'sd1 : -10'sd1;
      default: specified = $signed(integer_value);
    endcase
    if ((MODE == 3'd1 || MODE == 3'd2) && bfp_sign) specified = -specified;
  end
  always_comb begin
    if (MODE == 3'd0 || MODE == 3'd3) assume ($signed(integer_value) >= -15 && $signed(integer_value) <= 15);
    assert (implemented == specified);
  end
endmodule
