// What is fixed about a step before its first descriptor: its rows, what stays on chip, strips of queries.
// Models: facts that all generators of a step read. Does not model: what is carried over from descriptor to descriptor
// (batch_builder.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/memory_map.h"
#include "harmonia/hw/program/on_chip.h"
#include "harmonia/hw/program/routing.h"
#include "harmonia/hw/program/step_work.h"
#include "harmonia/hw/program/tiling.h"

namespace harmonia::accelerator {

/// Codebook of a tensor as the decoder holds it, for functional runs.
struct DecoderTable {
  std::vector<std::int8_t> codebook;
  float scale = 1.0f;
  std::vector<float> centroids;  // for arrays of FP16 operands: the values that the codes stand for
};

struct ProgramSettings {
  formats::CodebookKind codebook = formats::CodebookKind::kInt8;
  bool half_split_rope = true;
  /// Angle per position of each rotated pair; empty: theta^(-2i/rotated). Functional runs.
  std::vector<float> rope_frequencies;
  float rope_magnitude = 1.0f;  // with frequencies: factor of sine and cosine
  /// Table of a tensor by its id; empty in timing-only runs.
  std::function<const DecoderTable&(std::uint32_t)> table;
  bool data_valid = false;
  /// Microseconds of an all-reduce of so many values between the devices; needed for a shape that is a part of a model.
  std::function<double(std::uint64_t)> all_reduce_us;
  /// Weights are read and expanded during all-reduces, as far as their buffers reach; on a machine that is no GPU.
  bool weights_ahead = false;
  /// Where tokens of mixture layers go; needed for a model that has some.
  std::shared_ptr<const Routing> routing;
};

/// Rows of a strip that belong to one sequence.
struct Part {
  std::size_t sequence;
  std::uint64_t row, rows;  // of the step
  std::uint64_t position;   // of the first row in its sequence
};

struct StepPlan {
  const ModelShape& model;
  ModelShape shape;  // the model's, as it is for the layer at hand
  const MemoryMap& map;
  const OnChip chip;
  const ProgramSettings settings;
  const StepWork& work;
  std::uint64_t rows = 0;
  bool resident = true;                    // activations stay on chip
  std::vector<std::uint64_t> first_row;    // of each sequence
  std::vector<std::uint64_t> query_strip;  // tokens per strip of queries, by sequence

  /// The references must outlive the plan. Throws config::InputError when a tile does not fit on chip.
  StepPlan(const ModelShape& shape, const MemoryMap& map, const OnChip& chip, const ProgramSettings& settings,
           const StepWork& work);

  /// From here on `shape` is that of layer `index`, whose heads and widths may be its own.
  void turn_to(int index) {
    if (!model.layers.empty()) shape = model.of_layer(index);
  }

  std::uint64_t operand_row(std::uint64_t columns) const { return chip.linear_operand.row_bytes(columns); }
  std::uint64_t attention_row(std::uint64_t columns) const { return chip.attention_operand.row_bytes(columns); }
  /// How rows become A operands of the linears and of attention.
  const formats::OperandFormat& operand_format() const { return chip.linear_operand; }
  const formats::OperandFormat& attention_format() const { return chip.attention_operand; }
  /// Where the smoother's offsets follow all keys of a first step that come in strips: they are computed twice.
  bool measures_keys(const SequenceStep& s) const { return !resident && chip.online_smoothing && s.cached == 0; }
  std::vector<Part> parts_of(const Strip& strip) const;
};

}  // namespace harmonia::accelerator
