// The codes of LANES weights out of packed bytes, combinational. K-means planes hold the first weight in the most
// significant bits of a byte; INT4 planes hold it in the low nibble. Codes narrower than four bits are zero-extended.
module lut_unpack #(
    parameter integer LANES = 64
) (
    input  logic [1:0]         bits_log2,  // 0, 1, 2: codes of 1, 2, 4 bits
    input  logic               low_first,  // INT4 order
    input  logic [4*LANES-1:0] bytes,      // the weights' bytes from bit 0 up; 1-bit codes use the lowest LANES bits
    output logic [4*LANES-1:0] codes       // weight i in bits 4i+3..4i
);
  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : gen_code
      logic       one;
      logic [1:0] two;
      logic [3:0] four;
      assign one = bytes[8*(i/8)+7-i%8];
      assign two = bytes[8*(i/4)+6-2*(i%4)+:2];
      assign four = low_first ? bytes[4*i+:4] : bytes[4*(i^1)+:4];
      assign codes[4*i+:4] = bits_log2 == 2'd0 ? {3'b000, one} : bits_log2 == 2'd1 ? {2'b00, two} : four;
    end
  endgenerate
endmodule
