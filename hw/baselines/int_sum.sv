// Sum of LANES signed integers in three stages: of 4, of 16, of all. Exact.
//
// Models: an adder tree with registers as that of hw/pe/pe.sv. Does not model: stalls; valid travels beside it.
module int_sum #(
    parameter integer LANES = 32,  // a multiple of 16
    parameter integer WIDTH = 13
) (
    input  logic                                    clk,
    input  logic                                    rst_n,
    input  logic                                    valid,
    input  logic        [          WIDTH*LANES-1:0] terms,
    output logic                                    sum_valid,
    output logic signed [WIDTH+$clog2(LANES)-1:0] sum
);
  localparam integer OUT = WIDTH + $clog2(LANES);
  localparam integer FOURS = LANES / 4;
  localparam integer SIXTEENS = LANES / 16;
  logic [OUT*FOURS-1:0] four_d, four1;
  logic [OUT*SIXTEENS-1:0] sixteen_d, sixteen2;
  logic signed [OUT-1:0] all_d;
  logic valid1, valid2;
  genvar i;
  generate
    for (i = 0; i < FOURS; i = i + 1) begin : gen_four
      logic signed [WIDTH-1:0] t0, t1, t2, t3;
      logic signed [WIDTH+1:0] four;
      assign t0 = terms[WIDTH*(4*i)+:WIDTH];
      assign t1 = terms[WIDTH*(4*i+1)+:WIDTH];
      assign t2 = terms[WIDTH*(4*i+2)+:WIDTH];
      assign t3 = terms[WIDTH*(4*i+3)+:WIDTH];
      assign four = ((WIDTH + 2)'(t0) + (WIDTH + 2)'(t1)) + ((WIDTH + 2)'(t2) + (WIDTH + 2)'(t3));
      assign four_d[OUT*i+:OUT] = OUT'(four);
    end
    for (i = 0; i < SIXTEENS; i = i + 1) begin : gen_sixteen
      assign sixteen_d[OUT*i+:OUT] =
          (four1[OUT*(4*i)+:OUT] + four1[OUT*(4*i+1)+:OUT]) + (four1[OUT*(4*i+2)+:OUT] + four1[OUT*(4*i+3)+:OUT]);
    end
  endgenerate
  integer s;
  always_comb begin
    all_d = {OUT{1'b0}};
    for (s = 0; s < SIXTEENS; s = s + 1) all_d = all_d + sixteen2[OUT*s+:OUT];
  end
  always_ff @(posedge clk) begin
    if (!rst_n) begin
      valid1 <= 1'b0;
      valid2 <= 1'b0;
      sum_valid <= 1'b0;
    end else begin
      valid1 <= valid;
      valid2 <= valid1;
      sum_valid <= valid2;
    end
    if (valid) four1 <= four_d;
    if (valid1) sixteen2 <= sixteen_d;
    if (valid2) sum <= all_d;
  end
endmodule
