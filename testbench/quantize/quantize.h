// Quantising a model's seven linears per layer and writing the result as one .safetensors file.
//
// Models: every storage format of hw/formats (format_registry.h), offline key smoothing folded into the query and key
// projections, the error of each tensor, stored sizes with scales and codebooks. Does not model: quantisation-aware
// training or error-compensating methods; this is round-to-nearest with trained codebooks.
//
// Names follow Hugging Face, X being the name without its suffix; U8 matrices are [out, stored bytes of a row]:
//   fp16 bf16                X.weight
//   kmeansN nf4 fp4 ternary  X.weight_packed U8, X.scales BF16 [out, in/64], X.centroids F32 [2^n], as the 1-bit
//                            paper's checkpoints
//   intN intNz               X.weight_int U8, X.scales F16 [out, in/group], X.zeros U8 (with a zero-point)
//   bfpN                     X.weight_bfp U8, groups as hw/formats/bfp.h stores them
//   mx*                      X.weight_mx U8, X.scales U8 (E8M0) [out, in/32]
// What the shapes do not say (columns, bits, group) is in the file's metadata under the name of the codes. What is not
// quantised keeps its 16-bit type; FP32 becomes FP16. The model's shape is in the metadata, so that the file loads
// alone. Of a model that is no plain Llama names are those of written_name (weights/huggingface.h): the experts of a layer are one
// matrix with one codebook, routers stay in 16 bits.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harmonia/hw/formats/format_registry.h"
#include "harmonia/testbench/infer/smoothing_calibration.h"
#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

struct QuantizeOptions {
  formats::StorageFormat format = formats::storage_format("kmeans4");
  formats::StorageFormat lm_head = formats::storage_format("fp16");  ///< fp16: not quantised
  formats::CodebookKind codebook = formats::CodebookKind::kInt8;     ///< for the reported machine SNR only
  std::uint64_t seed = 1;
  SmoothingFactors smoothing;  ///< empty: none
};

struct TensorReport {
  std::string name;  ///< Hugging Face name without its suffix
  std::string format;
  std::int64_t rows = 0, cols = 0;
  std::size_t bytes = 0;  ///< codes, scales, zero-points, codebook
  double bits_per_weight = 0;
  double snr_db = 0;          ///< stored values (real codebook) against the weights that were encoded
  double machine_snr_db = 0;  ///< with the integer codebook that the PE array multiplies by
};

struct QuantizeReport {
  std::vector<TensorReport> tensors;  ///< the quantised ones
  std::size_t quantized_bytes = 0, other_bytes = 0, quantized_weights = 0;
};

/// Writes `path` complete or not at all. `progress` is called with finished and total tensors. Throws
/// config::InputError (values that are not finite), config::RunError (the disk).
QuantizeReport quantize_model(const ModelWeights& model, const QuantizeOptions& options,
                              const std::filesystem::path& path,
                              const std::function<void(std::size_t, std::size_t)>& progress = {});

}  // namespace harmonia::testbench
