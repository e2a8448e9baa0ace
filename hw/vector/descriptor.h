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

/// Cycles of a function of one value on a lane: an exponential with division, or two products.
inline std::uint64_t function_cycles(Function function, std::uint64_t exponential) {
  return function == Function::relu_squared ? 2 : exponential;
}

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
  bool partial = false;     // the rows are a device's part of a sum over devices, whose other rows are zeros:
  std::uint8_t absent = 0;  // bit r: row r is another device's
  bool received = false;    // the rows came over a link (VectorUnit::put_rows), and not through the operand socket

  std::uint64_t operand_bytes() const { return received ? 0 : row_bytes(); }
  Cost cost(const Config& /*config*/) const { return {multiplier != 1.0f ? 2u : 1u, 0}; }
};

/// RMSNorm of rows of the residual stream: sum of squares, then scale. The result leaves. Otherwise LayerNorm, whose biases come
/// behind the gains and whose mean takes a pass more, or nothing: the rows leave as they are.
struct Norm : Rows {
  bool gains = false;        // they come first through the operand socket; otherwise those of the norm before hold
  bool centred = false;      // LayerNorm
  bool plain = false;        // no norm
  bool from_memory = false;  // the rows come through the operand socket, block by block
  bool twice = false;        // and once more behind the last: they are longer than the scratch memory
  bool last_rows = false;    // the rows are the last of sequences that want logits, from number row_begin on
  std::uint32_t block_columns = 0;  // as those of Embed; of what comes from memory too
  float epsilon = 0.0f;

  std::uint64_t operand_bytes() const {
    return (gains ? gain_bytes() : 0) + (from_memory ? row_bytes() * (twice ? 2 : 1) : 0);
  }
  std::uint64_t gain_bytes() const { return 2ull * columns * (centred ? 2 : 1); }
  Cost cost(const Config& /*config*/) const { return {0, plain ? 1u : centred ? 3u : 2u}; }
};

/// The norm of rows that were kept, added to the residual stream. Gains first through the operand socket, then from memory the
/// kept rows and those of the residual stream, both block by block.
struct AddNormed : Norm {
  float multiplier = 1.0f;  // of the normed rows, whose products are rounded to FP16 before the sum

  std::uint64_t operand_bytes() const { return Norm::operand_bytes() + (from_memory ? row_bytes() : 0); }
  Cost cost(const Config& /*config*/) const { return {0, (centred ? 4u : 3u) + (multiplier != 1.0f ? 1u : 0u)}; }
};

/// How results of a projection leave, head by head. A bias is added first, then each head is normed: the bias of these columns
/// and the gains come through the operand socket, gains that are not there are those that came to the same place last.
///
/// A norm over all heads takes whole rows: results are kept, with their squares summed, until those of the last column are there,
/// and then all heads leave.
struct Projection : Results {
  std::uint32_t head_dim = 0;
  bool bias = false, norm = false;
  bool gains = false;       // they come, behind the bias
  std::uint8_t place = 0;   // of the gains: 0 or 1
  std::uint32_t width = 0;  // of all heads, which the norm is over; 0: of each head
  float epsilon = 0.0f;

  std::uint64_t operand_bytes() const {
    return (bias ? 2ull * columns : 0) + (gains ? 2ull * (width != 0 ? width : head_dim) : 0);
  }
  /// Whether results of further columns come before the heads leave.
  bool goes_on() const { return width != 0 && column_begin + columns < width; }
  Cost cost(const Config& /*config*/) const { return cost_with(1); }

 protected:
  /// With so many passes over what leaves.
  Cost cost_with(std::uint64_t passes) const {
    const std::uint64_t biased = bias ? 1 : 0;
    if (width == 0) return {passes + biased + (norm ? 2u : 0u), 0};
    return {2 + biased, 0, goes_on() ? 0 : width * (1 + passes)};
  }
};
/// Rotary position embedding: two products and a sum in two passes, which take all channels of a head when any of them is
/// rotated.
struct Rotation : Projection {
  double theta = 0.0;         // base, where the table of the setup holds no angles
  bool own_theta = false;     // the base holds although there is a table
  bool half_split = true;     // pairs are (c, c + rotated / 2); otherwise adjacent
  bool rotates = true;        // otherwise only bias and norm
  std::uint32_t rotated = 0;  // first channels of each head that are rotated; 0: all
  float magnitude = 1.0f;     // factor of sine and cosine

  Cost cost(const Config& /*config*/) const { return cost_with(rotates ? 2 : 1); }
  std::uint32_t channels() const { return rotated != 0 ? rotated : head_dim; }
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
  float cap = 0.0f;    // of scaled scores, by one more exponential each; 0: none
  bool sinks = false;  // a score of its own for each query head of the group comes first through the operand socket

  std::uint64_t sink_bytes() const { return sinks ? 2ull * group : 0; }
  std::uint64_t exponentials(const Config& config) const {
    return static_cast<std::uint64_t>(config.exp_cycles_per_element) * (cap != 0.0f ? 2 : 1);
  }

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
  std::uint64_t operand_bytes() const { return sink_bytes() + (from_memory ? row_bytes() : 0); }
  Cost cost(const Config& config) const { return {1, exponentials(config) + 1}; }
};

/// Online softmax of a block of keys: maximum as scores arrive, then exponential with sum. Of each row the largest score and the
/// sum stay in the scratch memory, rescaled by an exponential, a product and a sum. A row that sees none of the block's keys is
/// left as it is.
struct OnlineSoftmax : KeysSeen {
  bool first = false;  // begins the rows

  std::uint64_t results() const { return elements(); }
  std::uint64_t operand_bytes() const { return first ? sink_bytes() : 0; }
  Cost cost(const Config& config) const {
    const auto exponential = static_cast<std::uint64_t>(config.exp_cycles_per_element);
    return {1, exponentials(config), exponential + 2};
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
  bool bias = false;        // of these columns, first through the operand socket
  bool partial = false;     // the results are a device's part of a sum over devices, which changes the rows
  float multiplier = 1.0f;  // of the results, whose products are rounded to FP16 before the update

  Cost cost(const Config& /*config*/) const { return {1u + (multiplier != 1.0f ? 1u : 0u) + (bias ? 1u : 0u), 0}; }

  std::uint64_t operand_bytes() const { return (bias ? 2ull * columns : 0) + (in_memory ? row_bytes() : 0); }
};
struct AddResidual : StreamUpdate {
  static void update(const formats::Fp16* stream, const formats::Fp16* results, std::size_t n,
                     formats::Fp16* out) noexcept {
    residual_add(stream, results, n, out);
  }
};

/// Results that are kept as rows of their own until their norm is added to the residual stream; or they leave.
struct KeepBranch : Results {
  bool bias = false;  // of these columns, through the operand socket
  bool leaves = false;
  bool partial = false;  // the results are a device's part of a sum over devices, which is then kept

  std::uint64_t operand_bytes() const { return bias ? 2ull * columns : 0; }
  Cost cost(const Config& /*config*/) const { return {bias ? 2u : 1u, 0}; }
};

/// Gate and up results, `columns` of each, to activation(gate) * up, which leaves: exponential with division as they arrive.
struct SiluMultiply : Results {
  Function function = Function::silu;
  float limit = 0.0f;  // of the clamped function
  bool bias = false;   // the gate's for these columns, then up's, through the operand socket

  std::uint64_t operand_bytes() const { return bias ? 4ull * columns : 0; }
  std::uint64_t results() const { return 2 * elements(); }
  Cost cost(const Config& config) const {
    return {function_cycles(function, static_cast<std::uint64_t>(config.exp_cycles_per_element)) + (bias ? 1u : 0u), 1};
  }
};

/// Results of the first of two matrices to their activation, which leaves.
struct Activate : Results {
  Function function = Function::silu;
  bool bias = false;  // of these columns, through the operand socket

  std::uint64_t operand_bytes() const { return bias ? 2ull * columns : 0; }
  Cost cost(const Config& config) const {
    return {function_cycles(function, static_cast<std::uint64_t>(config.exp_cycles_per_element)) + (bias ? 1u : 0u), 0};
  }
};

/// Scores of a router, a unit after the other. With the last unit the experts of each row go to the host, and their weights
/// stay in the scratch memory; exponential with sum, and a pass for each expert chosen.
struct Route : Results {
  RouteRule rule;
  std::uint32_t experts = 0;  // scores of a row
  bool ends = true;
  bool bias = false;  // of these scores, through the operand socket

  std::uint64_t operand_bytes() const { return bias ? 2ull * columns : 0; }
  Cost cost(const Config& config) const {
    return {bias ? 2u : 1u, static_cast<std::uint64_t>(config.exp_cycles_per_element) + rule.experts_per_token};
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
  bool bias = false;        // of these columns, through the operand socket
  bool partial = false;     // the results are a device's part of a sum over devices, as those before them in the layer
  float multiplier = 1.0f;  // of the results, whose products are rounded to FP16 before they are scaled

  std::uint64_t operand_bytes() const { return bias ? 2ull * columns : 0; }
  Cost cost(const Config& /*config*/) const { return {2u + (bias ? 1u : 0u) + (multiplier != 1.0f ? 1u : 0u), 0}; }
};

/// Results to the host; row_begin counts the rows that want logits.
struct Logits : Results {
  float divisor = 1.0f;
  float cap = 0.0f;  // of what is divided, by an exponential each; 0: none

  Cost cost(const Config& config) const {
    const auto exponential = static_cast<std::uint64_t>(config.exp_cycles_per_element);
    return {(divisor != 1.0f ? 2u : 1u) + (cap != 0.0f ? exponential : 0), 0};
  }
};

/// Tells the host when everything before is done.
struct Marker {
  std::uint32_t number = 0;

  std::uint64_t elements() const { return 0; }
  std::uint64_t results() const { return 0; }
  std::uint64_t operand_bytes() const { return 0; }
  Cost cost(const Config& /*config*/) const { return {}; }
};

using Kind = std::variant<Setup, Embed, Norm, AddNormed, RotateQueries, RotateKeys, PassValues, PassScores, PassSums,
                          Softmax, OnlineSoftmax, CollectAttention, AccumulateAttention, AddResidual, KeepBranch,
                          SiluMultiply, Activate, Route, ScaleOfRows, AddScaled, Logits, Marker>;

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
