// Sum of LANES FP32 numbers in a tree of FP32 adders, neighbours first, a register behind each level.
//
// Models: log2(LANES) stages, one nearest-even rounding per addition. Does not model: stalls.
module fp_sum #(
    parameter integer LANES = 32  // a power of two
) (
    input  logic                clk,
    input  logic                rst_n,
    input  logic                valid,
    input  logic [32*LANES-1:0] terms,
    output logic                sum_valid,
    output logic [        31:0] sum
);
  localparam integer LEVELS = $clog2(LANES);
  // Node n of the heap has the children 2n and 2n + 1; the leaves are LANES .. 2 LANES - 1.
  logic [64*LANES-1:32] node  /* verilator split_var */;
  logic [   LEVELS-1:0] valids;
  assign node[32*LANES+:32*LANES] = terms;
  assign sum = node[32+:32];
  assign sum_valid = valids[LEVELS-1];
  always_ff @(posedge clk) begin
    if (!rst_n) valids <= {LEVELS{1'b0}};
    else valids <= {valids[LEVELS-2:0], valid};
  end
  genvar n;
  generate
    for (n = 1; n < LANES; n = n + 1) begin : gen_node
      logic [31:0] next, held;
      fp_add #(
          .EXPONENT(8),
          .FRACTION(23)
      ) adder (
          .a  (node[64*n+:32]),
          .b  (node[64*n+32+:32]),
          .sum(next)
      );
      always_ff @(posedge clk) held <= next;
      assign node[32*n+:32] = held;
    end
  endgenerate
endmodule
