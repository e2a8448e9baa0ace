// What a step must move and compute, counted by formula: the other side of the checks that end every run.
//
// Models: bytes by traffic class, multiply-accumulates, passes of the array and decoded weights, in all and by class of
//   operation, from the model's shapes, the stored formats, the room on chip and the formulas for external memory
//   accesses (hardware specification, "External memory access per GEMM") and for the KV cache (hw/kv_cache/head.h).
// Does not model: tiles, descriptors, addresses, time. It uses nothing of tiling.h or of the generators: where the number
//   of strips or the loop order decides about bytes, it follows from the formula here, so that a strip that a generator
//   drops or doubles shows as a difference.
#pragma once

#include <array>
#include <cstdint>

#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/on_chip.h"
#include "harmonia/hw/program/routing.h"
#include "harmonia/hw/program/step_work.h"
#include "harmonia/hw/program/stored_formats.h"
#include "harmonia/tlm/traffic_class.h"

namespace harmonia::accelerator {

/// What the experts of mixture layers take: how many are read, rows that are sent to them, and for these bytes and operations.
struct ExpertWork {
  std::uint64_t experts = 0, rows = 0;
  std::array<std::uint64_t, bus::traffic_class_count> bytes{};
  std::uint64_t macs = 0, pe_slots = 0, weights = 0;
  std::uint64_t buffer_bytes = 0;  // of the bytes, those that pass weight and KV buffers
  // Handed to the array from the activation buffer; results that the vector unit takes; those of them that the converter takes.
  std::uint64_t operand_bytes = 0, results = 0, converted = 0;

  void add(const ExpertWork& other, std::uint64_t times);
};

struct Expected {
  std::array<std::uint64_t, bus::traffic_class_count> bytes{};
  std::uint64_t macs = 0;      // of all GEMMs, attention included, masked scores excluded per strip
  std::uint64_t pe_slots = 0;  // 32-lane group operations, passes included
  std::uint64_t weights = 0;   // decoded
  std::uint64_t mixtures = 0;  // mixture layers that ran
  ExpertWork experts;          // of them
  // Where experts are placed on devices: those of all devices together, and how many the device reads that reads the most, summed over
  // the layers.
  ExpertWork placed;
  std::uint64_t most_experts = 0;
  std::uint64_t reduced_values = 0;  // in all-reduces between devices
  struct OfClass {
    std::uint64_t bytes = 0, macs = 0, weights = 0;  // weights: by their expansions on a machine that is a GPU
    std::uint64_t weight_buffer_bytes = 0, kv_buffer_bytes = 0;  // of the bytes, those that pass the buffer
  };
  std::array<OfClass, operation_class_count> of_class{};

  /// Adds `times` times the other.
  void add(const Expected& other, std::uint64_t times);
  Expected& operator+=(const Expected& other) {
    add(other, 1);
    return *this;
  }
};

/// What of a step is run.
struct StepExtent {
  std::uint64_t layers = 0;
  std::uint64_t head_columns = 0;  // of lm_head, from the first
  bool single_linear = false;      // vectors from memory times lm_head: no layers and no norms

  static StepExtent whole(const ModelShape& shape) {
    return {static_cast<std::uint64_t>(shape.num_hidden_layers), static_cast<std::uint64_t>(shape.vocab_size), false};
  }
};

/// The step must be one that the machine takes (StepProgram refuses the others). routing: of a model with mixture layers.
Expected expected_of_step(const ModelShape& shape, const StoredFormats& formats, formats::CodebookKind codebook,
                          const OnChip& chip, const StepWork& work, const StepExtent& extent,
                          const Routing* routing = nullptr);

}  // namespace harmonia::accelerator
