// What the sequencer asks of the vector unit: one operation on results of the PE array, on bytes from memory, or on its own
// scratch memory.
//
// Models: the fields that a command register file would hold, one struct for each kind of operation. Does not model: register
//   addresses or their encoding.
//
// Each kind says how many results and operand bytes it takes before it is done, how many values it works on, and how many
// passes over them it makes (cost). Kinds that are derived from StreamUpdate change rows of the residual stream by results
// of the array: such a kind is a struct here and an entry of the variant, and no more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/vector/config.h"
#include "harmonia/hw/vector/vector_math.h"
#include "harmonia/tlm/descriptor_kinds.h"

namespace harmonia::vector {

/// Passes over each value on a lane.
struct Cost {
  std::uint64_t arriving = 0;    // as results of the array arrive; of a kind that takes none, when its operand is there
  std::uint64_t afterwards = 0;  // over all values, when the last is there
  std::uint64_t of_row = 0;      // over one value a row, then
};

/// Rows of the step from `row_begin` on: of the result, or in the scratch memory.
struct Rows {
  std::uint32_t rows = 0, columns = 0;
  std::uint32_t row_begin = 0;

  std::uint64_t elements() const { return std::uint64_t{rows} * columns; }
  std::uint64_t results() const { return 0; }        // of the PE array
  std::uint64_t operand_bytes() const { return 0; }  // from the operand socket
  std::uint64_t row_bytes() const { return 2 * elements(); }
};

/// The same of results of the PE array, whose columns are those from `column_begin` on of a wider row.
struct Results : Rows {
  std::uint32_t column_begin = 0;

  std::uint64_t results() const { return elements(); }
  Cost cost(const Config& /*config*/) const { return {1, 0}; }
};

/// The rows of the step: positions and sequences. A table follows: SequenceRows, then angles per position for the RoPE.
struct Setup {
  std::uint32_t rows = 0, sequences = 0;
  std::uint32_t width = 0;  // of the residual stream

  std::uint64_t elements() const { return 0; }
  std::uint64_t results() const { return 0; }
  std::uint64_t operand_bytes() const { return 0; }
  Cost cost(const Config& /*config*/) const { return {}; }
};

/// Operand to residual stream.
struct Embed : Rows {
  bool leaves = false;              // the rows go out instead of staying in the scratch memory,
  std::uint32_t block_columns = 0;  // in chunks of so many columns of all rows; 0: all columns
  float multiplier = 1.0f;

  std::uint64_t operand_bytes() const { return row_bytes(); }
  Cost cost(const Config& /*config*/) const { return {multiplier != 1.0f ? 2u : 1u, 0}; }
};

/// RMSNorm of rows of the residual stream: sum of squares, then scale. The result leaves.
struct Norm : Rows {
  bool gains = false;        // they come first through the operand socket; otherwise those of the norm before hold
  bool from_memory = false;  // the rows come through the operand socket, block by block
  bool twice = false;        // and once more behind the last: they are longer than the scratch memory
  bool last_rows = false;    // the rows are the last of sequences that want logits, from number row_begin on
  std::uint32_t block_columns = 0;  // as those of Embed; of what comes from memory too
  float epsilon = 0.0f;

  std::uint64_t operand_bytes() const {
    return (gains ? 2ull * columns : 0) + (from_memory ? row_bytes() * (twice ? 2 : 1) : 0);
  }
  Cost cost(const Config& /*config*/) const { return {0, 2}; }
};

/// How results of a projection leave, head by head. A bias is added first, then each head is normed: the bias of these columns
/// and the gains come through the operand socket, gains that are not there are those that came to the same place last.
struct Projection : Results {
  std::uint32_t head_dim = 0;
  bool bias = false, norm = false;
  bool gains = false;      // they come, behind the bias
  std::uint8_t place = 0;  // of the gains: 0 or 1
  float epsilon = 0.0f;

  std::uint64_t operand_bytes() const { return (bias ? 2ull * columns : 0) + (gains ? 2ull * head_dim : 0); }
  /// Passes over the values beside what becomes of them.
  std::uint64_t passes() const { return (bias ? 1u : 0u) + (norm ? 2u : 0u); }
  Cost cost(const Config& /*config*/) const { return {1 + passes(), 0}; }
};
/// Rotary position embedding: two products and a sum in two passes.
struct Rotation : Projection {
  double theta = 0.0;      // base, where the table of the setup holds no angles
  bool half_split = true;  // pairs are (c, c + head_dim / 2); otherwise adjacent

  Cost cost(const Config& /*config*/) const { return {2 + passes(), 0}; }
};
struct RotateQueries : Rotation {
  bool by_sequence = true;  // a chunk is one head of one sequence; otherwise one head of all rows
};
struct RotateKeys : Rotation {};
/// Passed on, but for bias and norm, unchanged.
struct PassValues : Projection {};
struct PassScores : Results {};
/// FP32 sums of a product whose k comes in parts, two words each: passed on unchanged.
struct PassSums : Results {};

/// Rows of scores of keys from `first_key` on, `columns` of them, and which keys each row sees: the first token all before key
/// `visible`, each token one more than the one before it, the oldest ones beyond `window` none.
struct KeysSeen : Rows {
  std::uint32_t group = 1;                // query heads per kv head; rows are token-major
  std::uint32_t visible = 0, window = 0;  // window 0: all
  std::uint32_t first_key = 0;
  std::uint32_t head_dim = 0;
  float scale = 0.0f;  // of scores; 0: 1 / sqrt(head_dim)

  /// Columns [from, to) of a row, which may be none.
  struct Columns {
    std::size_t from = 0, to = 0;
  };
  Columns of_row(std::size_t row) const {
    const std::size_t end = visible + row / group, begin = window == 0 || end <= window ? 0 : end - window;
    const auto column = [&](std::size_t key) {
      return key <= first_key ? 0 : std::min<std::size_t>(columns, key - first_key);
    };
    return {column(begin), column(end)};
  }
};

/// Scores to probabilities, which leave: maximum as scores arrive, then exponential with sum, then division.
struct Softmax : KeysSeen {
  bool from_memory = false;  // the scores are the operand

  std::uint64_t results() const { return from_memory ? 0 : elements(); }
  std::uint64_t operand_bytes() const { return from_memory ? row_bytes() : 0; }
  Cost cost(const Config& config) const { return {1, static_cast<std::uint64_t>(config.exp_cycles_per_element) + 1}; }
};

/// Online softmax of a block of keys: maximum as scores arrive, then exponential with sum. Of each row the largest score and the
/// sum stay in the scratch memory, rescaled by an exponential, a product and a sum. A row that sees none of the block's keys is
/// left as it is.
struct OnlineSoftmax : KeysSeen {
  bool first = false;  // begins the rows

  std::uint64_t results() const { return elements(); }
  Cost cost(const Config& config) const {
    const auto exponential = static_cast<std::uint64_t>(config.exp_cycles_per_element);
    return {1, exponential, exponential + 2};
  }
};

/// Results of the attention's second product, [token][query head of the group], to their rows.
struct CollectAttention : Results {
  enum class Leaves : std::uint8_t { nothing, heads, all_rows };  // these rows head by head; whole rows of the step

  std::uint32_t group = 1;
  std::uint32_t head_begin = 0;  // first query head
  std::uint32_t width = 0;       // of all heads
  Leaves leaves = Leaves::nothing;
};

/// The same of one block of keys: the rows' FP32 sums in the scratch memory are rescaled by what the block's OnlineSoftmax
/// found, and the results added. The last block's are divided by the rows' sums of exponentials, and go where attention's go.
struct AccumulateAttention : CollectAttention {
  bool first = false, last = false;  // of the rows' blocks

  Cost cost(const Config& /*config*/) const { return {2, last ? std::uint64_t{1} : 0}; }
};

/// Results of the array change rows of the residual stream, which stand in the scratch memory, or come and go as bytes. A kind
/// derived from it has a static update(stream, results, n, out), which may write over either input.
struct StreamUpdate : Results {
  bool in_memory = false;
  float multiplier = 1.0f;  // of the results, whose products are rounded to FP16 before the update

  Cost cost(const Config& /*config*/) const { return {multiplier != 1.0f ? 2u : 1u, 0}; }

  std::uint64_t operand_bytes() const { return in_memory ? row_bytes() : 0; }
};
struct AddResidual : StreamUpdate {
  static void update(const formats::Fp16* stream, const formats::Fp16* results, std::size_t n,
                     formats::Fp16* out) noexcept {
    residual_add(stream, results, n, out);
  }
};

/// Gate and up results, `columns` of each, to silu(gate) * up, which leaves: exponential with division as they arrive.
struct SiluMultiply : Results {
  bool gelu = false;  // GELU by its tanh formula in place of SiLU

  std::uint64_t results() const { return 2 * elements(); }
  Cost cost(const Config& config) const { return {static_cast<std::uint64_t>(config.exp_cycles_per_element), 1}; }
};

/// Scores of a router, a unit after the other. With the last unit the experts of each row go to the host, and their weights
/// stay in the scratch memory; exponential with sum, and a pass for each expert chosen.
struct Route : Results {
  RouteRule rule;
  std::uint32_t experts = 0;  // scores of a row
  bool ends = true;

  Cost cost(const Config& config) const {
    return {1, static_cast<std::uint64_t>(config.exp_cycles_per_element) + rule.experts_per_token};
  }
};
/// Sigmoid of a row's score, which scales what the shared experts give to the row.
struct ScaleOfRows : Results {
  Cost cost(const Config& config) const { return {static_cast<std::uint64_t>(config.exp_cycles_per_element), 0}; }
};
/// Results times a number of their row, added to rows of the residual stream in the scratch memory: what an expert gives, to
/// those that were sent to it, in their order, or what the shared experts give.
struct AddScaled : Results {
  static constexpr std::uint32_t shared = ~std::uint32_t{0};
  std::uint32_t expert = shared;

  Cost cost(const Config& /*config*/) const { return {2, 0}; }
};

/// Results to the host; row_begin counts the rows that want logits.
struct Logits : Results {
  float divisor = 1.0f;

  Cost cost(const Config& /*config*/) const { return {divisor != 1.0f ? 2u : 1u, 0}; }
};

/// Tells the host when everything before is done.
struct Marker {
  std::uint32_t number = 0;

  std::uint64_t elements() const { return 0; }
  std::uint64_t results() const { return 0; }
  std::uint64_t operand_bytes() const { return 0; }
  Cost cost(const Config& /*config*/) const { return {}; }
};

using Kind = std::variant<Setup, Embed, Norm, RotateQueries, RotateKeys, PassValues, PassScores, PassSums, Softmax,
                          OnlineSoftmax, CollectAttention, AccumulateAttention, AddResidual, SiluMultiply, Route,
                          ScaleOfRows, AddScaled, Logits, Marker>;

struct Descriptor {
  std::uint32_t operation = 0;
  Kind kind;
};

/// Rows of a step that belong to one sequence, in the setup table.
struct SequenceRows {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t first_position = 0;
  std::uint32_t slot = 0;
  std::uint32_t logits = 0;      // 1: the last row goes on to the output head
  std::uint32_t chunk_rows = 0;  // queries: at most so many rows in a chunk
};

}  // namespace harmonia::vector
