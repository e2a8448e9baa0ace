// Where everything lies in the DRAM address space: embeddings, weights and scales of every tensor, norms, KV cache,
// spilled activations. Models: one flat physical address space, regions one after the other, each tensor aligned. Does
// not model: virtual memory, fragmentation.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/formats/operand_format.h"
#include "harmonia/hw/formats/weights/weight_format.h"
#include "harmonia/hw/kv_cache/layout.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/stored_formats.h"

namespace harmonia::accelerator {

struct TensorPlace {
  std::uint32_t id = 0;  // numbered from 1; the decoder reloads its codebook when it changes
  WeightFormat format;
  std::uint64_t rows = 0, k = 0;
  std::uint64_t index = 0;  // address of the codes
  std::uint64_t scale = 0;  // address of the scales

  const WeightStorage& storage() const { return format->storage; }
  std::uint64_t index_row_bytes() const { return storage().index_row_bytes(k); }
  std::uint64_t scale_row_bytes() const { return storage().scale_row_bytes(k); }
  std::uint64_t bytes() const { return rows * (index_row_bytes() + scale_row_bytes()); }
};

struct LayerPlaces {
  PerTensor<TensorPlace> matrix;
  PerTensor<std::uint64_t> gains;  // addresses
  std::size_t widths = 0;          // which of MemoryMap::widths its spilled activations have
};

struct Region {
  std::string name;
  std::uint64_t base;
  std::uint64_t bytes;
};

/// A spilled activation tensor: blocks of columns after each other, in each all rows, so that a strip of rows and a
/// tile of columns are both made of long pieces.
struct SpillPlace {
  std::uint64_t base = 0;
  std::uint32_t block_columns = 128;
  std::uint32_t blocks = 0;
  std::uint32_t block_row_bytes = 0;  // bytes of one row within a block
  std::uint32_t last_row_bytes = 0;   // within the last block, which may have fewer columns
  std::uint64_t rows = 0;

  std::uint64_t block_stride() const { return rows * block_row_bytes; }
  std::uint64_t bytes() const { return blocks * block_stride(); }
  std::uint64_t address(std::uint64_t block, std::uint64_t row) const {
    return base + block * block_stride() + row * (block + 1 == blocks ? last_row_bytes : block_row_bytes);
  }
};

struct MapRequest {
  ModelShape shape;
  WeightFormat weights = formats::weight_format("kmeans4");
  WeightFormat lm_head;
  KvPolicy kv;
  formats::OperandFormat linear_operand = formats::OperandFormat::bfp8(),
                         attention_operand = formats::OperandFormat::bfp8();
  std::uint64_t kv_capacity_tokens = 4096;
  std::uint64_t slots = 1;
  std::uint64_t kv_tokens = 0;  // that all slots hold together at most; fewer than their sum: slots overlap. 0: the sum
  std::uint64_t max_step_tokens = 1;
  std::uint64_t sequence_step_tokens = 1;  // of these, of one sequence
  std::uint64_t score_bytes = 0;  // unfused attention: scores of the largest strip of queries; 0: they stay on chip
  std::uint64_t partial_sum_bytes = 0;  // FP32 sums of the largest product whose K comes in parts; 0: none does
  std::uint64_t region_alignment = 1 << 20;
  std::uint64_t tensor_alignment = 4096;
  std::uint64_t memory_bytes = 0;  // 0: not checked
};

struct MemoryMap {
  std::vector<Region> regions;
  std::vector<LayerPlaces> layers;
  TensorPlace lm_head;
  std::uint64_t embedding = 0, final_norm = 0;
  KvCacheLayout kv;
  // Used only when a step's activations do not fit on chip; branch: only by models with norms behind a block.
  SpillPlace residual, normed, branch;
  /// Queries, attention outputs and the operand of the down projection, by the widths that layers have: all begin where the widest do.
  struct Widths {
    SpillPlace query, attended, activated;
  };
  std::vector<Widths> widths;
  // Unfused attention only: two places each, used in turn by the strips of queries.
  std::array<std::uint64_t, 2> scores{}, probabilities{};
  std::uint64_t score_bytes = 0;   // of one place
  std::uint64_t partial_sums = 0;  // FP32 sums of a product whose K comes in parts, matrix after matrix
  std::uint64_t end = 0;

  const TensorPlace& matrix(ModelTensor tensor, int layer) const {
    return layers[static_cast<std::size_t>(layer)].matrix[tensor];
  }
  /// Address of a norm's gains; of a norm that is not of a layer, `layer` is ignored.
  std::uint64_t gains(ModelTensor tensor, int layer) const {
    return tensor == ModelTensor::final_norm ? final_norm : layers[static_cast<std::size_t>(layer)].gains[tensor];
  }
  /// Where a value of a layer lies that does not stay on chip. Throws std::logic_error for one that has no place.
  const SpillPlace& spilled(Value value, int layer) const;
  StoredFormats formats() const;

  /// Throws config::InputError, saying what takes how much, when it does not fit into memory_bytes.
  static MemoryMap build(const MapRequest& request);
};

}  // namespace harmonia::accelerator
