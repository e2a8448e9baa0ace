// From one step of a Llama model to the descriptors that the blocks work through: what the sequencer knows.
//
// Models: the operations of the layer graph in their order, each by its generator (operations.h): tiling and loop order
//   of every GEMM, attention per sequence and kv head with its scores on chip or through memory, KV appends with the
//   growing V group, spilling of activations that do not fit on chip, and which descriptors wait for which writes.
// Does not model: time (the blocks do), the arithmetic (hw/formats, hw/vector), what a step should move
//   (conservation.h).
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {

class StepProgram {
 public:
  using Settings = ProgramSettings;

  /// The references must outlive the program. Throws config::InputError when a tile does not fit on chip.
  StepProgram(const ModelShape& shape, const MemoryMap& map, const OnChip& chip, const Settings& settings,
              const StepWork& work);

  /// What the vector unit's setup descriptor is followed by: SequenceRows, then RoPE frequencies if there are any.
  std::vector<unsigned char> setup_table() const;
  Batch embedding();
  /// In place of embedding, layers and final norm: the step's vectors straight to the operand of the head's matrix.
  Batch input();
  /// All of a layer; of a mixture with the experts that the settings' routing says.
  Batch layer(int index);
  /// A mixture layer in two parts: the second holds what can be ordered only when the router's results are known.
  Batch before_routing(int index);
  Batch after_routing(int index);
  Batch head() { return head(0, g_.plan.map.lm_head.rows); }
  /// Output channels [from, to) of lm_head; the piece from 0 also does the final norm. from must be a multiple of 128.
  /// more: a further piece follows. Where head_in_strips() it must be whole.
  Batch head(std::uint64_t from, std::uint64_t to, bool more = false);

  bool resident() const { return g_.plan.resident; }
  std::uint64_t rows() const { return g_.plan.rows; }
  /// Whether the rows of lm_head's operand do not fit on chip together: its weights are then read once for each strip
  /// of them.
  bool head_in_strips() const;
  /// Class of an operation number; operations are numbered in the order of generation.
  OperationClass class_of(std::uint32_t operation) const { return g_.out.class_of(operation); }
  /// Number of the last operation generated so far.
  std::uint32_t operations() const { return g_.out.operations(); }

 private:
  void generate_layer(int index, bool before, bool after);

  Generation g_;
};

}  // namespace harmonia::accelerator
