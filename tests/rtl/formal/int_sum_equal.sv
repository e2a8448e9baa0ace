// To be proved: each stage of the baselines' adder tree adds what stands in the registers before it: four terms, four of
// those sums, and both of the last. Three stages in turn add all 32 terms.
//
// Specification, plain: sums of signed integers, wide enough for all.
// Cut: int_sum in four1 sixteen2 out four_d sixteen_d all_d
module int_sum_equal #(
    parameter integer WIDTH = 13
) (
    input logic [    WIDTH*32-1:0] terms,
    input logic [ (WIDTH+5)*8-1:0] four,
    input logic [ (WIDTH+5)*2-1:0] sixteen
);
  logic [(WIDTH+5)*8-1:0] four_sum;
  logic [(WIDTH+5)*2-1:0] sixteen_sum;
  logic [      WIDTH+4:0] all_sum;
  int_sum tree (
      .terms    (terms),
      .four1    (four),
      .sixteen2 (sixteen),
      .four_d   (four_sum),
      .sixteen_d(sixteen_sum),
      .all_d    (all_sum)
  );
  localparam integer OUT = WIDTH + 5;
  genvar i;
  generate
    for (i = 0; i < 8; i = i + 1) begin : gen_four
      logic signed [OUT-1:0] expected;
      always_comb
        expected = OUT'($signed(terms[WIDTH*(4*i)+:WIDTH])) + OUT'($signed(terms[WIDTH*(4*i+1)+:WIDTH]))
            + OUT'($signed(terms[WIDTH*(4*i+2)+:WIDTH])) + OUT'($signed(terms[WIDTH*(4*i+3)+:WIDTH]));
      always_comb assert ($signed(four_sum[OUT*i+:OUT]) == expected);
    end
    for (i = 0; i < 2; i = i + 1) begin : gen_sixteen
      always_comb
        assert (sixteen_sum[OUT*i+:OUT] == four[OUT*(4*i)+:OUT] + four[OUT*(4*i+1)+:OUT] + four[OUT*(4*i+2)+:OUT] + four[OUT*(4*i+3)+:OUT]);
    end
  endgenerate
  always_comb assert (all_sum == sixteen[OUT-1:0] + sixteen[2*OUT-1:OUT]);
endmodule
