// An FP32 sum times the scale of its weights, combinational, nearest-even.
//
// Models: value * scale. The scale has sign, 8 exponent and 10 fraction bits, which hold every FP16 and every bf16 value;
// that form is made once when a scale is loaded, not in each PE.
// Does not model: subnormal, infinite and NaN operands or products: sums and scales of weights are zero or normal.
module fp_scale (
    input  logic [31:0] value,
    input  logic [18:0] scale,
    output logic [31:0] product
);
  logic zero, up;
  logic [34:0] raw;
  logic [22:0] fraction;
  logic guard, sticky;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [ 9:0] field;
  logic [32:0] rounded;
  /* verilator lint_on UNUSEDSIGNAL */
  assign zero = value[30:0] == 0 || scale[17:0] == 0;
  assign raw = {11'd0, 1'b1, value[22:0]} * {24'd0, 1'b1, scale[9:0]};
  assign fraction = raw[34] ? raw[33:11] : raw[32:10];
  assign guard = raw[34] ? raw[10] : raw[9];
  assign sticky = raw[34] ? |raw[9:0] : |raw[8:0];
  assign up = guard && (sticky || fraction[0]);
  assign field = {2'b00, value[30:23]} + {2'b00, scale[17:10]} - 10'd127 + {9'd0, raw[34]};
  assign rounded = {field, fraction} + {32'd0, up};
  assign product = {value[31] ^ scale[18], zero ? 31'd0 : rounded[30:0]};
endmodule
