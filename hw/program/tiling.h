// Tiles, strips and loop orders of a step, as plain functions of shapes and of the room on chip.
//
// Models: the bytes of a GEMM in either loop order, tiles of weights, strips of operands, strips of queries, whether the
//   activations of a step stay on chip, the parts of a K that does not fit.
// Does not model: addresses, descriptors, time.
//
// Loop order of a GEMM C[M x N] = A[M x K] B[N x K]^T: row-first keeps a strip of A on chip while all of B streams by;
// column-first keeps a strip of B while all of A streams by. The one that moves fewer bytes is taken unless one is
// forced.
//
// Where no row of B fits into a tile, or no row of A into the buffer, K comes in equal parts: the product of each part is one
// of its own, in the same order with the same strips, and FP32 sums go to memory behind it and come back before the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/memory_map.h"
#include "harmonia/hw/program/on_chip.h"
#include "harmonia/hw/program/step_work.h"

namespace harmonia::accelerator {

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

// ---- External memory accesses of a GEMM ----

/// Bytes that one GEMM moves to and from memory, by the formulas for row-first and column-first order.
struct Ema {
  std::uint64_t a_bytes = 0, b_bytes = 0, c_bytes = 0;
  bool column_first = false;
  std::uint64_t strips = 1;  // of A when row-first, of B when column-first
};
/// a_row, b_row: stored bytes of a row of A and of B; a_resident: A is on chip already; rows_a, rows_b: rows of A and B
/// that fit. c_row: bytes that a row of C takes in memory (0: it stays on chip). b_strips: strips of B where they are
/// not ceil(n / rows_b), because B is several tensors.
Ema external_access(std::uint64_t m, std::uint64_t n, std::uint64_t a_row, std::uint64_t b_row, std::uint64_t c_row,
                    std::uint64_t rows_a, std::uint64_t rows_b, bool a_resident, LoopOrder order,
                    std::uint64_t b_strips = 0);

// ---- One linear: a product of A with one or more matrices of the same k ----

/// Rows [first, first + rows).
struct Strip {
  std::uint64_t first, rows;
};
/// Strips of `most` rows, the last one shorter.
std::vector<Strip> strips_of(std::uint64_t rows, std::uint64_t most);

struct LinearShape {
  std::uint64_t rows = 0;              // of A
  std::uint64_t k = 0;                 // input features
  std::vector<std::uint64_t> columns;  // output features of each matrix
  bool paired = false;                 // the matrices are computed unit beside unit (gate and up)
  std::uint64_t unit_columns = 128;    // of which the results are handed on together
  std::uint64_t a_row = 0, b_row = 0;  // stored bytes of a row of A, and of the largest of the matrices
  bool a_resident = true;              // A is on chip already
  std::uint64_t whole_row = 0;         // bytes of a row of results that are kept until all are there; 0: they are not
  // What a K that does not fit is split by: so many values, and their bytes in a row of A and of the largest matrix. 0: it
  // cannot be split.
  std::uint64_t k_unit = 0, a_unit = 0, b_unit = 0;
  std::string weights = "fp16";  // name of the format, for messages
};

struct LinearTiling {
  std::uint64_t tile_rows = 0;  // of a matrix: what the array works through at a time
  bool column_first = false;
  std::vector<Strip> strips;  // of A
  std::uint64_t k_part = 0;   // values of K at a time; the last part may have fewer
};
/// Throws config::InputError when not even k_unit values of a row fit on chip.
LinearTiling tile_linear(const LinearShape& linear, const OnChip& chip);

/// What K can be split by: whole groups of A, whole blocks of scales, and of an A in memory whole blocks of `block` columns
/// (0: it is on chip).
std::uint64_t unit_of_k(WeightFormat format, const formats::OperandFormat& a, std::uint64_t block);
/// Room that an address map needs for FP32 sums: of the largest product of a step whose K may come in parts; 0: none does.
std::uint64_t partial_sum_bytes(const MapRequest& request, const OnChip& chip);

// ---- Whole steps ----

/// Keys of a sequence that a layer reads in a step, whichever query reads them: of a layer that attends to all tokens, where
/// the model has one.
std::uint64_t keys_of_step(const ModelShape& shape, const SequenceStep& sequence);
/// All queries of a token as A operands, head by head, in bytes.
std::uint64_t query_row_bytes(const ModelShape& shape, const OnChip& chip);
/// Whether the activations of a step stay on chip: residual stream, attention outputs and all operands. Throws
/// config::InputError when they do not and cannot leave it either.
bool activations_stay(const ModelShape& shape, const OnChip& chip, const StepWork& work);
/// Query tokens of a strip: scores and probabilities of one strip are on chip at a time, of whole rows or, online, of a
/// block of keys beside the FP32 sums of the outputs. Throws config::InputError when
/// those of one token do not fit.
std::uint64_t query_tokens_per_strip(const ModelShape& shape, const OnChip& chip, const StepWork& work,
                                     const SequenceStep& sequence, bool resident);
/// Rows of the output head's operand at a time: all that are wanted, or, when they do not fit, half of the buffer's, so
/// that the next are there when the array has done with these.
std::uint64_t head_strip_rows(const ModelShape& shape, const OnChip& chip, std::uint64_t wanted);
/// Whether not even one row of it fits: it goes through memory, and K comes in parts.
bool head_in_memory(const ModelShape& shape, const OnChip& chip);
/// Whether a row of the residual stream is longer than the vector unit's half: its norm reads it twice, for the sum of squares
/// and for the values.
bool norm_reads_twice(const ModelShape& shape, const OnChip& chip);
/// Most rows of a step whose activations stay on chip.
std::uint64_t rows_on_chip(const ModelShape& shape, const OnChip& chip);
/// Longest context that a token can attend to: its probabilities must fit beside its queries. There is no limit online, and
/// where every layer has a window that fits.
std::uint64_t longest_context(const ModelShape& shape, const OnChip& chip);
/// Values that a strip reads of which the last token sees `visible` of `context`. Those of a plain cache become groups
/// of 32 tokens on the way to a BFP array, and a group has the exponent of all its tokens that are in the cache, also
/// of those that this strip does not see: bit for bit what the strip after it takes.
std::uint64_t values_read(bool grouped_cache, const OnChip& chip, std::uint64_t visible, std::uint64_t context);

}  // namespace harmonia::accelerator
