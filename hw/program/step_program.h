// From one step of a Llama model to the descriptors that the blocks work through: what the sequencer knows.
//
// Models: tiling and loop order of every GEMM, attention per sequence and kv head with its scores on chip (fused) or
//   through memory (unfused), KV appends with the growing V group, spilling of activations that do not fit on chip, and
//   which descriptors must wait for which writes.
// Does not model: time (the blocks do), the arithmetic (hw/formats, hw/vector).
//
// Loop order of a GEMM C[M x N] = A[M x K] B[N x K]^T: row-first keeps a strip of A on chip while all of B streams by;
// column-first keeps a strip of B while all of A streams by. The one that moves fewer bytes is taken unless one is
// forced.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/hw/accelerator/config.h"
#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/decoder/descriptor.h"
#include "harmonia/hw/memory/dma.h"
#include "harmonia/hw/memory/operand_descriptor.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/pe/descriptor.h"
#include "harmonia/hw/program/memory_map.h"
#include "harmonia/hw/vector/descriptor.h"
#include "harmonia/tlm/traffic_class.h"

namespace harmonia::accelerator {

/// One sequence's part of a step: `tokens` new ones after `cached`.
struct SequenceStep {
  std::uint64_t slot = 0;
  std::uint64_t cached = 0;
  std::uint64_t tokens = 1;
  bool logits = true;  // the last token's logits are wanted
};

struct StepWork {
  std::vector<SequenceStep> sequences;
  std::vector<std::uint32_t> token_ids;  // functional mode: the tokens of all sequences, in order

  std::uint64_t tokens() const {
    std::uint64_t sum = 0;
    for (const SequenceStep& s : sequences) sum += s.tokens;
    return sum;
  }
};

/// How the linears run on the PE array: what follows from formats and kind of array.
struct LinearMode {
  decoder::DecodeKind decode = decoder::DecodeKind::codebook;
  pe::Operand operand = pe::Operand::codebook;
  int passes = 2;
  bool one_bit = false;
};
/// Throws config::InputError when the array has no mode for the format (a bf16 codebook on an integer PE).
LinearMode linear_mode(WeightFormat format, formats::CodebookKind codebook, PeKind array);

/// On-chip room and array shape, from an accelerator configuration.
struct OnChip {
  std::uint64_t weight_tile_bytes = 0;  // largest tile of codes and scales
  std::uint64_t operand_bytes = 0;      // A operands in the activation buffer
  std::uint64_t scratch_bytes = 0;      // FP16 values of the vector unit in the activation buffer
  int pe_rows = 16, pe_cols = 8;
  bool online_smoothing = false;
  std::uint32_t growing_channels = 0;  // of V groups kept in the converter from strip to strip
  decoder::Config decoder;             // how long a tile takes that is expanded again
  LoopOrder order = LoopOrder::fewest_bytes;
  bool fused_attention = true;
  OperandFormat linear_operand = OperandFormat::bfp8(), attention_operand = OperandFormat::bfp8();
  static OnChip from(const AcceleratorConfig& config);
};

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

/// Queues that descriptors go to.
enum class Queue : std::uint8_t {
  weights,
  decoder,
  pe,
  vector,
  converter,
  operands,
  kv_read,
  residual,
  kv_write,
  vector_read,
  operand_read,
  out_write
};
inline constexpr std::size_t queue_count = 12;

/// Descriptor number `item` of `queue` (counted within its batch) must not begin before `count` descriptors of the
/// write queue `on` (counted within the step) are complete.
struct Gate {
  Queue queue;
  std::size_t item;
  Queue on;
  std::uint64_t count;
};

/// Descriptors in the order in which each block takes them.
struct Batch {
  std::vector<memory::DmaDescriptor> weights, kv_read, residual, kv_write, vector_read, operand_read, out_write;
  std::vector<decoder::Descriptor> decoder;
  std::vector<pe::Descriptor> pe;
  std::vector<vector::Descriptor> vector;
  std::vector<converter::Descriptor> converter;
  std::vector<memory::OperandDescriptor> operands;
  std::vector<Gate> gates;
};

/// What a step is expected to move and compute; held against what the simulated sockets moved.
struct Expected {
  std::array<std::uint64_t, bus::traffic_class_count> bytes{};
  std::uint64_t macs = 0;      // of all GEMMs, attention included, masked scores excluded per strip
  std::uint64_t pe_slots = 0;  // 32-lane group operations, passes included
  std::uint64_t weights = 0;   // decoded
  struct OfClass {
    std::uint64_t bytes = 0, macs = 0, weights = 0;
  };
  std::array<OfClass, operation_class_count> of_class{};

  Expected& operator+=(const Expected& other);
  friend Expected operator-(const Expected& later, const Expected& earlier);
};

/// Codebook of a tensor as the decoder holds it, for functional runs.
struct DecoderTable {
  std::vector<std::int8_t> codebook;
  float scale = 1.0f;
  std::vector<float> centroids;  // for arrays of FP16 operands: the values that the codes stand for
};

class StepProgram {
 public:
  struct Settings {
    formats::CodebookKind codebook = formats::CodebookKind::kInt8;
    PeKind array = PeKind::harmonia;
    bool half_split_rope = true;
    /// Angle per position of each rotated pair; empty: theta^(-2i/head_dim). Functional runs.
    std::vector<float> rope_frequencies;
    /// Table of a tensor by its id; empty in timing-only runs.
    std::function<const DecoderTable&(std::uint32_t)> table;
    bool data_valid = false;
  };

  /// The references must outlive the program. Throws config::InputError when a tile does not fit on chip.
  StepProgram(const ModelShape& shape, const MemoryMap& map, const OnChip& chip, const Settings& settings,
              const StepWork& work);

  /// What the vector unit's setup descriptor is followed by: SequenceRows, then RoPE frequencies if there are any.
  std::vector<unsigned char> setup_table() const;
  Batch embedding();
  /// In place of embedding, layers and final norm: the step's vectors straight to the operand of the head's matrix.
  Batch input();
  Batch layer(int index);
  Batch head() { return head(0, map_.lm_head.rows); }
  /// Output channels [from, to) of lm_head; the piece from 0 also does the final norm. from must be a multiple of 128.
  /// more: a further piece follows. Where head_in_strips() it must be whole.
  Batch head(std::uint64_t from, std::uint64_t to, bool more = false);

  bool resident() const { return resident_; }
  /// Whether the rows of lm_head's operand do not fit on chip together: its weights are then read once for each strip
  /// of them.
  bool head_in_strips() const;
  /// Of what was generated so far.
  const Expected& expected() const { return expected_; }
  /// Class of an operation number; operations are numbered in the order of generation.
  OperationClass class_of(std::uint32_t operation) const {
    return operation < classes_.size() ? classes_[operation] : OperationClass::elementwise;
  }
  std::uint64_t rows() const { return rows_; }
  /// Attention of all layers, each product at the rate of whichever of memory and array holds it up longer: a measure
  /// to interpolate by, from the shapes and strips alone; masks, softmax and pipelines play no part in it.
  double attention_seconds(double bytes_per_s, double slots_per_s) const;
  /// Most rows of a step whose activations stay on chip.
  static std::uint64_t rows_on_chip(const ModelShape& shape, const OnChip& chip);
  /// Longest context that a token can attend to: its probabilities must fit beside its queries.
  static std::uint64_t longest_context(const ModelShape& shape, const OnChip& chip);

 private:
  struct Strip {
    std::uint64_t first, rows;
  };
  struct Part {  // rows of a strip that belong to one sequence
    std::size_t sequence;
    std::uint64_t row, rows, position;
  };

  struct Unit {
    std::uint64_t column, columns;
    Strip strip;
    std::uint32_t operation;
  };

  /// For each piece of a spilled tensor, the out_write descriptor that wrote it last: a read waits for those that wrote
  /// what it reads, and not for younger ones.
  struct Written {
    std::vector<std::uint64_t> piece;  // [block][row]
    std::vector<std::uint64_t> row;    // the youngest of its blocks
  };

  std::uint64_t head_rows(std::uint64_t wanted) const;
  void final_norm(Batch& b, std::uint64_t first, std::uint64_t rows);
  void norm(Batch& b, std::uint64_t gamma, std::uint32_t operand);
  void residual_unit(Batch& b, const Unit& u);
  void write_scores(Batch& b, std::size_t strip, const vector::Descriptor& softmax);
  void softmax_of_scores(Batch& b, std::size_t strip, vector::Descriptor softmax, converter::Descriptor probabilities,
                         std::uint64_t written);
  void linears(Batch& b, const std::vector<const TensorPlace*>& parts, bool paired, std::uint64_t unit_columns,
               std::uint64_t rows, std::uint32_t operand, const SpillPlace* a, OperationClass c,
               const std::function<void(std::size_t part, const Unit&)>& unit);
  vector::Descriptor qkv_vector(Linear which, const Unit& u) const;
  void qkv_unit(Batch& b, int layer, Linear which, const Unit& u);
  void measure_keys_unit(Batch& b, int layer, const Unit& u);
  bool measures_keys(const SequenceStep& s) const { return !resident_ && chip_.online_smoothing && s.cached == 0; }
  std::uint16_t keep_growing();
  void attention(Batch& b, int layer);
  std::vector<Part> parts_of(const Strip& s) const;
  std::uint32_t next_operation(OperationClass c);
  void expect(bus::TrafficClass traffic, std::uint64_t bytes);
  void expect_macs(std::uint64_t macs, std::uint64_t slots);
  void gate(Batch& b, Queue queue, Queue on, std::uint64_t count);
  std::uint64_t written(const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks, std::uint64_t row,
                        std::uint64_t rows) const;
  void read_rows(Batch& b, Queue queue, const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks,
                 std::uint64_t row, std::uint64_t rows, std::uint32_t row_bytes, std::uint32_t operation);
  void write_piece(Batch& b, std::uint64_t address, std::uint64_t bytes, std::uint32_t operation);
  void write_rows(Batch& b, const SpillPlace& place, std::uint64_t block, std::uint64_t row, std::uint64_t rows,
                  std::uint32_t row_bytes, std::uint32_t operation);
  void add_segments(Batch& b, Queue queue, const std::vector<Segment>& main, const std::vector<Segment>& low,
                    std::uint32_t operation, bus::TrafficClass traffic, std::uint32_t main_group, bool write);
  std::vector<memory::DmaDescriptor>& queue_of(Batch& b, Queue q);
  void push(Batch& b, Queue q, memory::DmaDescriptor& d);
  const TensorPlace& place(int layer, Linear which) const {
    return map_.layers[layer].linear[static_cast<std::size_t>(which)];
  }
  std::uint64_t operand_row(std::uint64_t columns) const { return chip_.linear_operand.row_bytes(columns); }
  std::uint64_t attention_row(std::uint64_t columns) const { return chip_.attention_operand.row_bytes(columns); }
  std::uint64_t query_row_bytes() const;
  std::uint64_t token_operands(const SequenceStep& s) const;
  std::uint64_t query_tokens_per_strip(const SequenceStep& s) const;
  std::uint64_t values_read(std::uint64_t visible, std::uint64_t context) const;

  const ModelShape& shape_;
  const MemoryMap& map_;
  const OnChip chip_;
  const Settings settings_;
  const StepWork& work_;
  std::uint64_t rows_ = 0;
  bool resident_ = true;
  std::vector<std::uint64_t> first_row_;  // of each sequence
  Expected expected_;
  OperationClass class_ = OperationClass::elementwise;  // of what is being generated
  std::vector<OperationClass> classes_;
  std::uint32_t operand_ = 0;  // last number given to an A operand
  std::uint64_t kv_writes_ = 0, out_writes_ = 0;
  std::map<const SpillPlace*, Written> written_;
  // V of a sequence and kv head that a strip ended within a group: the group's place in the converter (from 1), or 0
  // and how many descriptors of kv_write have brought it to memory.
  struct Growing {
    std::uint16_t place = 0;
    std::uint64_t written = 0;
  };
  std::map<std::pair<std::size_t, std::uint64_t>, Growing> growing_;
  std::vector<bool> growing_taken_;  // [place]
  std::vector<std::vector<std::vector<std::uint32_t>>>
      query_operand_;                       // [sequence][kv head][strip], of the layer under way
  std::vector<std::uint64_t> query_strip_;  // tokens per strip, by sequence
  std::uint32_t attended_operand_ = 0, activated_operand_ = 0, head_operand_ = 0,
                operand_at_array_ = 0;  // 0: none is known to be there
};

}  // namespace harmonia::accelerator
