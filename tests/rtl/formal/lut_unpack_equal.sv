// To be proved: the decoder's unpacking gives, for every lane and width, the code that formats.md, section 2, defines.
//
// Specification, plain: K-means codes of n bits stand 8/n to a byte, the first in the most significant bits; INT4 codes
// two to a byte, the first in the low nibble. Weight i is taken out of its byte by a shift and a mask.
module lut_unpack_equal #(
    parameter integer LANES = 64
) (
    input logic [        1:0] bits_log2,
    input logic               low_first,
    input logic [4*LANES-1:0] bytes
);
  logic [4*LANES-1:0] codes;
  lut_unpack #(
      .LANES(LANES)
  ) implementation (
      .bits_log2(bits_log2),
      .low_first(low_first),
      .bytes    (bytes),
      .codes    (codes)
  );

  // INT4 order goes with four bits only; there is no width of eight bits.
  always_comb assume (bits_log2 != 2'd3 && (!low_first || bits_log2 == 2'd2));

  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_lane
      logic [7:0] byte1, byte2, byte4, code;
      assign byte1 = bytes[8*(i/8)+:8];
      assign byte2 = bytes[8*(i/4)+:8];
      assign byte4 = bytes[8*(i/2)+:8];
      always_comb begin
        case (bits_log2)
          2'd0: code = (byte1 >> (7 - i % 8)) & 8'd1;
          2'd1: code = (byte2 >> 2 * (3 - i % 4)) & 8'd3;
          default: code = (byte4 >> 4 * (low_first ? i % 2 : 1 - i % 2)) & 8'd15;
        endcase
        assert (codes[4*i+:4] == code[3:0] && code[7:4] == 4'd0);
      end
    end
  endgenerate
endmodule
