// The golden number formats for SystemVerilog testbenches: imports of harmonia_golden.h through DPI-C.
//
// Models: what harmonia_golden.h computes, bit for bit. Does not model: anything by itself; a testbench adds time.
//
// Arrays are unpacked arrays of any size, and their sizes are checked: an array that is too small is refused. Every
// function returns HARMONIA_OK or an error code, which harmonia_error_text() turns into words; on an error nothing is
// written. FP16 and bf16 values are their 16 bits, stored groups their bytes, as in harmonia_golden.h.
//
// To link: harmonia_golden_dpi.c (beside this file) and libharmonia_golden. For example
//   $ verilator --binary --timing tb.sv dut.sv harmonia_golden_pkg.sv harmonia_golden_dpi.c -LDFLAGS "-lharmonia_golden"
package harmonia_golden_pkg;

  localparam int HARMONIA_OK = 0;
  localparam int HARMONIA_NULL_POINTER = 1;
  localparam int HARMONIA_BAD_LENGTH = 2;
  localparam int HARMONIA_BAD_FORMAT = 3;
  localparam int HARMONIA_BAD_VALUE = 4;
  localparam int HARMONIA_FAILED = 5;

  import "DPI-C" function string harmonia_error_text(input int code);

  // ---- BFP ----
  // Bytes of a stored row of n values.
  import "DPI-C" function int harmonia_dpi_bfp_row_bytes(
      input int group_size, input int mantissa_bits, input longint unsigned n, output longint unsigned bytes);
  // All of x to a stored row; nonfinite: how many values were infinite or NaN. rounding: 0 truncation, 1 nearest-even.
  import "DPI-C" function int harmonia_dpi_bfp_encode(
      input int group_size, input int mantissa_bits, input int rounding, input shortint unsigned x[],
      inout byte unsigned stored[], output longint unsigned nonfinite);
  // A stored row to as many values as x has.
  import "DPI-C" function int harmonia_dpi_bfp_decode_fp16(
      input int group_size, input int mantissa_bits, input byte unsigned stored[], inout shortint unsigned x[]);
  // x becomes element `count` of a stored group that holds `count` values so far.
  import "DPI-C" function int harmonia_dpi_bfp_append(
      input int group_size, input int mantissa_bits, input shortint unsigned x, input int count,
      inout byte unsigned stored[]);
  // Drops the low nibble plane of `groups` groups.
  import "DPI-C" function int harmonia_dpi_bfp_demote_8_to_4(
      input int group_size, input byte unsigned stored8[], input longint unsigned groups, inout byte unsigned stored4[]);

  // ---- PE: the exact integer of one group ----
  import "DPI-C" function int harmonia_dpi_pe_partial_bfp(
      input int group_size, input int a_bits, input byte unsigned a[], input int b_bits, input byte unsigned b[],
      output int partial_sum);
  import "DPI-C" function int harmonia_dpi_pe_partial_int(
      input int group_size, input int a_bits, input byte unsigned a[], input shortint w[], output int partial_sum);
  import "DPI-C" function int harmonia_dpi_pe_partial_1bit(
      input int group_size, input int a_bits, input byte unsigned a[], input byte unsigned codes[], input int q0,
      input int q1, output int partial_sum);
  // ---- PE: a row of n products, FP32 bits of the sum and the sum as FP16 ----
  import "DPI-C" function int harmonia_dpi_pe_dot_bfp(
      input int group_size, input int a_bits, input byte unsigned a[], input int b_bits, input byte unsigned b[],
      input longint unsigned n, output int unsigned fp32_bits, output shortint unsigned fp16);

  // ---- Smoothing: key[channels[i]] -= offsets[i] in FP16, i < count ----
  import "DPI-C" function int harmonia_dpi_smoothing_subtract(
      input shortint unsigned channels[], input shortint unsigned offsets[], input longint unsigned count,
      inout shortint unsigned key[]);

  // ---- K-means: table[index] of `cols` packed indices of 1, 2, 3, 4 or 8 bits ----
  import "DPI-C" function int harmonia_dpi_kmeans_decode_int8(
      input int index_bits, input byte table_of_values[], input byte unsigned packed_indices[],
      input longint unsigned cols, inout byte q[]);

endpackage
