// Which formats a model is run with: the keys that `harmonia infer --set` and the quality tables take, in the words of
// a scenario (weights, kv, activations), with the smoother's switch beside them.
//
// Models: names, ranges and defaults of the settings, and what they mean for the golden model.
// Does not model: the machine's sizes and rates (scenario files).
#pragma once

#include <cstdint>
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

struct InferActivations {
  formats::ActivationFormat format = formats::ActivationFormat::bfp8;
  void describe(config::Fields& f);
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
  /// Formats, smoother and kind of array of a machine that computes the same.
  void apply(Scenario& scenario) const;
  /// "kmeans4/int8, KV bfp4+windows, activations bfp8, online smoothing".
  std::string summary() const;
};

/// Applies overrides ("weights.format=kmeans4") to `base` and checks every key. Throws config::InputError.
InferConfig infer_config(const std::vector<std::string>& overrides, const InferConfig& base = {});

/// `format` (a name that was checked) with the zero-point switch taken into account.
formats::WeightFormat weight_format(const InferWeights& weights, const std::string& format);

}  // namespace harmonia::testbench
