// What each variant of a comparison costs in quality on a real model: measured with the variant's own formats on the
// golden machine, beside what the variant costs on the scenario's model.
//
// Models: perplexity, the loss against FP32, agreement with FP32's likeliest tokens, per variant.
// Does not model: the scenario's own model, whose weights are seldom at hand: the model that is measured is a stand-in,
//   and says so.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harmonia/testbench/infer/config.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

/// The files of a measurement, as the command line names them. Without `weights` the trained models that come with the project
/// are measured, without `texts` then the first pieces of their held-out text.
struct QualitySource {
  std::string weights, tokenizer;
  std::vector<std::string> texts;
};

struct MeasuredQuality {
  std::string weights, kv;  ///< formats
  std::string model;        ///< file or member that was measured
  double perplexity = 0, nll = 0;
  QualityLoss loss;
  double bits_per_weight = 0;     ///< of the measured model
  double kv_bytes_per_token = 0;  ///< likewise
};

struct QualityMeasurement {
  std::string model;  ///< file name, or what the models of a family are
  std::vector<std::string> texts;
  std::size_t tokens = 0;
  double reference_nll = 0, reference_perplexity = 0;  ///< FP32
  std::vector<MeasuredQuality> settings;
};

/// Formats, windows, smoother and the arithmetic of the PEs of a scenario as the golden machine's settings. They cannot be
/// measured where weights_problem() says why: the PEs of some designs do not multiply every format.
InferConfig quality_settings(const Scenario& scenario);

/// Measures every setting on all texts together. Of a family each setting takes the member of equal memory that was trained in
/// its weight format, any other format that of 16 bit rounded after training; the reference of all is the latter in FP32. Throws
/// config::InputError for unusable files.
QualityMeasurement measure_quality(const QualitySource& source, const std::vector<InferConfig>& settings,
                                   const Library& library,
                                   const std::function<void(std::size_t done, std::size_t total)>& progress = {});

}  // namespace harmonia::testbench
