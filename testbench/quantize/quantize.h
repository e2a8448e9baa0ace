// Quantising a model's seven linears per layer and writing the result as one .safetensors file.
//
// Models: every weight format of the machine, offline key smoothing folded into the query and key projections, the
// error of each tensor, stored sizes with scales and codebooks. Does not model: quantisation-aware training or
// error-compensating methods; this is round-to-nearest with trained codebooks.
//
// Names follow Hugging Face. K-means, NF4 and ternary: X.weight_packed uint8 [out, row bytes], X.scales bf16 [out,
// in/64], X.centroids FP32 [2^n], as the 1-bit paper's checkpoints. Integers: X.weight_int uint8, X.scales FP16,
// X.zeros uint8 (with a zero-point), and bits, group and columns in the file's metadata. What is not quantised keeps
// its 16-bit type; FP32 becomes FP16. The model's shape is in the metadata, so that the file loads alone.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harmonia/accelerator/linear_weights.h"
#include "harmonia/testbench/infer/smoothing_calibration.h"
#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

struct QuantizeOptions {
  accelerator::WeightFormat format = accelerator::WeightFormat::kKmeans4;
  accelerator::WeightFormat lm_head = accelerator::WeightFormat::kFp16;  ///< fp16: not quantised
  formats::CodebookKind codebook = formats::CodebookKind::kInt8;         ///< for the reported machine SNR only
  std::size_t int_group = formats::kIntGroup;
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

/// Signal-to-noise ratio in dB, 10 log10(sum x^2 / sum (x - y)^2); +infinity for equal arrays.
double snr_db(const float* x, const float* y, std::size_t n);

/// Writes `path` complete or not at all. `progress` is called with finished and total tensors. Throws
/// config::InputError (values that are not finite), config::RunError (the disk).
QuantizeReport quantize_model(const ModelWeights& model, const QuantizeOptions& options,
                              const std::filesystem::path& path,
                              const std::function<void(std::size_t, std::size_t)>& progress = {});

}  // namespace harmonia::testbench
