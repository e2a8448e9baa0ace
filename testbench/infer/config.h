// Which formats a model is run with: the keys that `harmonia infer --set` and the quality tables take, in the words of
// a scenario (weights, kv, activations), with the smoother's switch beside them.
//
// Models: names, ranges and defaults of the settings, and what they mean for the golden model.
// Does not model: the machine's sizes and rates (scenario files).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

struct InferWeights {
  std::string format = "stored";  // of the seven linears; "stored" keeps packed codes and takes anything else as fp16
  formats::CodebookKind codebook = formats::CodebookKind::kInt8;
  std::string lm_head = "stored";  // of the output head, in the same way
  bool zero_point = false;
  int group_size = 128;
  void describe(config::Fields& f);
};

struct InferKv {
  accelerator::KvFormat format = accelerator::KvFormat::kBfp4Windows;
  int n_initial = 32;
  int n_local = 64;
  void describe(config::Fields& f);
};

/// What multiplies the linears: the machine's BFP array, a plain FP16 array, or such an array with another design's PEs.
enum class InferArray : std::uint8_t { bfp8, fp16, fp_fp, fp_int, ifpu, figna, figna_m11, figna_m8, bitmod, anda };

struct InferActivations {
  InferArray format = InferArray::bfp8;
  int mantissa_bits = 8;
  void describe(config::Fields& f);

  formats::ActivationFormat array() const {
    return format == InferArray::bfp8 ? formats::ActivationFormat::bfp8 : formats::ActivationFormat::fp16;
  }
  /// Null but for another design's PEs.
  std::shared_ptr<const formats::ArrayArithmetic> design() const;
  std::string name() const;
};

struct InferSmoothing {
  bool online = false;
  int channels_per_head = 4;
  double offline_exponent = 0;  // of the factors folded into Q and K; 0: none
  void describe(config::Fields& f);
};

struct InferConfig {
  InferWeights weights;
  InferKv kv;
  InferActivations activations;
  InferSmoothing smoothing;
  std::uint64_t seed = 1;
  void describe(config::Fields& f);

  accelerator::GoldenSettings golden() const;
  /// Why the array cannot multiply weights of this format; empty when it can, or when "stored" leaves it to the file.
  std::string weights_problem() const;
  /// Formats, smoother and kind of array of a machine that computes the same. Throws config::InputError when there is none: another
  /// design's PEs are golden functions only.
  void apply(Scenario& scenario) const;
  /// "kmeans4/int8, KV bfp4+windows, activations bfp8, online smoothing".
  std::string summary() const;
};

/// Applies overrides ("weights.format=kmeans4") to `base` and checks every key. Throws config::InputError.
InferConfig infer_config(const std::vector<std::string>& overrides, const InferConfig& base = {});

/// `format` (a name that was checked) with the zero-point switch taken into account.
formats::WeightFormat weight_format(const InferWeights& weights, const std::string& format);

}  // namespace harmonia::testbench
