#include "harmonia/testbench/compare/measured_quality.h"

#include <filesystem>
#include <memory>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/quality/quality_table.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kLargestText = 64U << 20;

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

}  // namespace

std::optional<InferConfig> quality_settings(const Scenario& s) {
  const accelerator::PeKind kind = s.accelerator.pe.kind;
  if (kind != accelerator::PeKind::harmonia && kind != accelerator::PeKind::fp16) return std::nullopt;
  InferConfig c;
  c.weights.format = s.weights.format;
  c.weights.codebook = s.weights.codebook == "int5"   ? formats::CodebookKind::kInt5
                       : s.weights.codebook == "bf16" ? formats::CodebookKind::kBf16
                                                      : formats::CodebookKind::kInt8;
  c.weights.lm_head = s.weights.lm_head;
  c.weights.zero_point = s.weights.zero_point;
  c.weights.group_size = s.weights.group_size;
  c.kv.format = accelerator::kv_format(s.kv.format);
  c.kv.n_initial = s.kv.n_initial;
  c.kv.n_local = s.kv.n_local;
  c.activations.format =
      kind == accelerator::PeKind::harmonia ? formats::ActivationFormat::bfp8 : formats::ActivationFormat::fp16;
  c.smoothing.online = s.accelerator.smoother.online;
  c.smoothing.channels_per_head = s.accelerator.smoother.channels_per_head;
  c.seed = s.seed;
  return c;
}

QualityMeasurement measure_quality(const QualitySource& source, const std::vector<InferConfig>& settings,
                                   const std::function<void(std::size_t, std::size_t)>& progress) {
  const auto model = std::make_shared<const ModelWeights>(load_weights(source.weights));
  const Tokenizer tokenizer =
      load_tokenizer(source.tokenizer.empty() ? source.weights : source.tokenizer, model->info.shape.vocab_size);
  QualityMeasurement out;
  out.model = file_name(source.weights);
  QualityText all;
  for (const std::string& file : source.texts) {
    const auto parts = documents(tokenizer, config::read_text_file(file, kLargestText), model->info.max_context);
    if (parts.empty()) throw config::InputError({file}, "holds no text");
    all.documents.insert(all.documents.end(), parts.begin(), parts.end());
    out.texts.push_back(file_name(file));
  }
  QualitySettings wanted;
  for (const InferConfig& c : settings) wanted.settings.push_back({{}, c});
  const QualityTable table = quality_table(model, {all}, wanted, {}, progress);
  if (!table.complete) throw config::RunError("stopped by an interrupt while quality was measured");
  out.tokens = table.reference[0].tokens;
  out.reference_nll = table.reference[0].nll;
  out.reference_perplexity = table.reference[0].perplexity();
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const QualityRow& row = table.rows[i];
    MeasuredQuality m;
    m.weights = settings[i].weights.format + (settings[i].weights.zero_point ? "z" : "");
    m.kv = accelerator::name(settings[i].kv.format);
    m.nll = row.texts[0].nll;
    m.perplexity = row.texts[0].perplexity();
    m.loss = row.losses[0];
    m.bits_per_weight = row.bits_per_weight;
    m.kv_bytes_per_token = row.kv_bytes_per_token;
    out.settings.push_back(m);
  }
  return out;
}

}  // namespace harmonia::testbench
