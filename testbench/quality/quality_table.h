// The quality axis measured: one real model on one or several texts under many settings.
//
// Models: negative log-likelihood, agreement of the likeliest token with the FP32 reference, stored bytes.
// Does not model: speed and energy; a caller puts those beside it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/testbench/infer/config.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

struct QualityText {
  std::string name;
  std::vector<std::vector<int>> documents;
};

/// One line of a table: what its cells say of the setting, and the setting.
struct QualitySetting {
  std::vector<std::string> cells;
  InferConfig config;
};

struct QualitySettings {
  std::vector<std::string> columns;  ///< headings of the cells
  std::vector<QualitySetting> settings;
};

/// Every combination of the values of `over` (key, values), the last key varying fastest, on top of `base`
/// ("key=value"). Throws config::InputError for a bad key or value.
QualitySettings quality_combinations(const std::vector<std::string>& base,
                                     const std::vector<std::pair<std::string, std::vector<std::string>>>& over);

/// A YAML list of settings, each a map as `--set` builds it, laid on `base`. Throws config::InputError with line and
/// column.
QualitySettings read_quality_settings(const std::string& file, const std::vector<std::string>& base);

struct QualityRow {
  std::vector<std::string> cells;
  std::string summary;
  double bits_per_weight = 0;       ///< of the seven linears, with scales and codebooks
  std::size_t weight_bytes = 0;     ///< linears and output head: what a decode step reads
  double kv_bytes_per_token = 0;    ///< all layers, K and V, mean over a full context
  std::vector<TextQuality> texts;   ///< in the order of the texts
  std::vector<QualityLoss> losses;  ///< against the FP32 reference
};

struct QualityTable {
  std::vector<std::string> columns;
  std::vector<std::string> texts;  ///< names
  std::vector<std::size_t> text_tokens;
  std::int64_t context = 0;
  std::vector<TextQuality> reference;  ///< FP32, by text
  std::vector<QualityRow> rows;
  bool complete = true;  ///< false: an interrupt came; `rows` has what was finished before

  /// Aligned columns for a terminal, or a Markdown table.
  std::string text() const;
  std::string markdown() const;
};

/// Runs every setting on every text, on the golden machine. The calibration documents serve settings with
/// smoothing.offline_exponent > 0. Throws config::InputError.
QualityTable quality_table(const std::shared_ptr<const ModelWeights>& model, const std::vector<QualityText>& texts,
                           const QualitySettings& settings, const std::vector<std::vector<int>>& calibration,
                           const std::function<void(std::size_t done, std::size_t total)>& progress = {});

/// Bytes of a KV cache with `context` tokens, all layers, in the settings' format.
std::size_t kv_cache_bytes(const accelerator::ModelShape& shape, const accelerator::GoldenSettings& settings,
                           std::size_t context);

}  // namespace harmonia::testbench
