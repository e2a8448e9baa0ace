// A Llama-style model's weights in memory: its shape, and one view per tensor, whatever file they came from.
//
// Models: the tensors of a Llama layer (RMSNorm, grouped-query attention with RoPE, SiLU-gated feed-forward or a mixture of
// such), biases, norms of queries and keys and norms behind a block, tied or untied output head, RoPE in both channel pairings, of
// a part of each head, with linear, Llama-3 and YaRN scaling. Does not model: what the layer graph has not; the loaders refuse
// models that need it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/mx.h"
#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/model/model_shape.h"
#include "harmonia/testbench/files/mapped_file.h"
#include "harmonia/testbench/models/model_config.h"

namespace harmonia::testbench {

/// How a tensor's elements are stored. kQ8_0 and kQ4_0 are GGUF's blocks of 32 (one FP16 scale each); kLut is n-bit
/// K-means indices (formats/kmeans.h), kInt group-wise integers (formats/int_quant.h), kBfp block floating point
/// (formats/bfp.h), kMx microscaling blocks (formats/mx.h).
/// kInt8Float 8-bit integers with an FP32 scale per `group` elements of the whole tensor (llama2.c version 2).
enum class ElementType { kF32, kF16, kBf16, kQ8_0, kQ4_0, kLut, kInt, kBfp, kMx, kInt8Float };

/// What a model file says about the model beside its tensors.
struct ModelInfo {
  accelerator::ModelShape shape;
  std::int64_t max_context = 0;  ///< tokens that it was trained for
  formats::RopePairing rope_pairing = formats::RopePairing::kAdjacent;
  RopeScaling rope_scaling;
  bool gains_less_one = false;  ///< norms are stored in its files as what their gains exceed 1 by; views hold the gains

  /// Throws config::InputError, naming `file`, when the shape is inconsistent or a size is out of range (1 .. 2^31-1,
  /// at most 4096 layers, also heads * head_dim).
  void validate(const std::string& file) const;
};

/// RoPE's angle per position of pair i (0 .. rotated/2-1): theta^(-2i/rotated), after the frequency scaling, in double. layer: one
/// with a theta of its own is not scaled; -1: one without.
double rope_frequency(const ModelInfo& info, std::int64_t pair, int layer = -1);

/// A matrix [rows = output features, cols = input features], or a vector with rows = 1, row-major. Does not own its
/// bytes, which need no alignment.
struct WeightView {
  std::string name;  // as in the file
  ElementType type = ElementType::kF32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  const std::uint8_t* data = nullptr;
  std::size_t bytes = 0;
  // kLut, kInt, kBfp, kMx only. Scales: bf16 [rows, ceil(cols/64)], FP16 [rows, ceil(cols/group)], E8M0 [rows,
  // ceil(cols/32)].
  int code_bits = 0;  // kBfp: mantissa
  const std::uint8_t* scales = nullptr;
  const std::uint8_t* centroids = nullptr;  // kLut: FP32 [2^code_bits]
  const std::uint8_t* zeros = nullptr;      // kInt: bytes [rows, ceil(cols/group)], null without zero-points
  std::size_t group = 0;                    // kInt, kBfp
  formats::MxElement mx_element = formats::MxElement::kFp4;  // kMx
  std::int64_t row_step =
      1;  // kMx: stored rows from one row to the next, where the file has those of two matrices in turn
  // One matrix for each expert, of equal size: the rows are theirs, one after the other. Empty: the matrix is in one piece.
  std::vector<WeightView> parts = {};

  /// Decodes row `row` to `cols` FP32 values; exact except kLut, whose product centroid * scale is rounded once to
  /// FP32.
  void read_row(std::int64_t row, float* out) const;
  /// The whole tensor as FP32, rows x cols.
  std::vector<float> read() const;
  /// Copies of the codes: kLut and kInt respectively, std::logic_error for any other type.
  formats::KmeansTensor kmeans() const;
  formats::IntTensor integers() const;
};

/// Stored bytes of one row of `cols` elements; 0 when the type cannot store such a row (GGUF blocks need cols % 32 ==
/// 0).
std::size_t row_bytes(ElementType type, std::int64_t cols);

using accelerator::ModelTensor;
/// One layer's tensors; those of the model stay empty.
using LayerWeights = accelerator::PerTensor<WeightView>;

/// The tensors of a model. Views stay valid as long as `storage` lives; copies share it.
struct ModelWeights {
  std::string source;  // file, for messages
  ModelInfo info;
  WeightView embedding;  // [vocab, hidden]
  std::vector<LayerWeights> layers;
  WeightView final_norm;  // [1, hidden]
  WeightView lm_head;     // [vocab, hidden]; the embedding when tied
  std::vector<std::shared_ptr<const void>> storage;
  std::vector<std::string> notices;  // whole sentences about the file

  /// Throws config::InputError when a tensor's dimensions do not follow from the shape, naming the tensor.
  void validate() const;
  /// Throws config::InputError that names the first tensor with a value that is not finite. Reads every weight once.
  void require_finite() const;
};

/// a * b, or the largest size_t when that overflows: sums and comparisons with a file's size stay right.
std::size_t saturating_multiply(std::size_t a, std::size_t b);
std::size_t saturating_add(std::size_t a, std::size_t b);

/// Loads a model by its content: GGUF by magic, safetensors by the name's ending (config.json beside it, or the folder
/// that holds both, sharded with an index or not), else llama2.c. Throws config::InputError.
ModelWeights load_weights(const std::string& path);

}  // namespace harmonia::testbench
