// One lane of the PE, one pass, combinational: an 8-bit magnitude times a 4-bit slice of the second operand, signed.
module pe_lane (
    input  logic               a_sign,
    input  logic [7:0]         a_magnitude,
    input  logic               b_sign,
    input  logic [3:0]         b_slice,
    output logic signed [12:0] product
);
  logic [11:0] magnitude;
  assign magnitude = {4'd0, a_magnitude} * {8'd0, b_slice};
  assign product = a_sign ^ b_sign ? -{1'b0, magnitude} : {1'b0, magnitude};
endmodule
