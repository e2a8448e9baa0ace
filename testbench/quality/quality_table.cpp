#include "harmonia/testbench/quality/quality_table.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "harmonia/config/yaml.h"
#include "harmonia/testbench/infer/golden_engine.h"
#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/results/text.h"

namespace harmonia::testbench {
namespace {

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::vector<std::vector<std::string>> cells(const QualityTable& t) {
  std::vector<std::string> head = t.columns;
  head.insert(head.end(), {"bits/weight", "weight bytes/token", "KV bytes/token"});
  for (const std::string& text : t.texts) head.insert(head.end(), {"NLL " + text, "perplexity", "agreement"});
  std::vector<std::vector<std::string>> rows = {head};
  std::vector<std::string> reference(t.columns.size(), "-");
  reference[0] = "FP32 reference";
  reference.insert(reference.end(), {"32", "-", "-"});
  for (const TextQuality& q : t.reference)
    reference.insert(reference.end(), {fixed(q.nll, 4), fixed(q.perplexity(), 3), "-"});
  rows.push_back(reference);
  for (const QualityRow& r : t.rows) {
    std::vector<std::string> row = r.cells;
    row.insert(row.end(),
               {fixed(r.bits_per_weight, 3), std::to_string(r.weight_bytes), fixed(r.kv_bytes_per_token, 0)});
    for (std::size_t i = 0; i < r.texts.size(); ++i) {
      const QualityLoss& loss = r.losses[i];
      row.insert(row.end(), {fixed(r.texts[i].nll, 4) + " (" + (loss.nll < 0 ? "" : "+") + fixed(loss.nll, 4) + " +- " +
                                 fixed(loss.standard_error, 4) + ")",
                             fixed(r.texts[i].perplexity(), 3), fixed(100.0 * loss.agreement, 1) + " %"});
    }
    rows.push_back(row);
  }
  return rows;
}

/// What a setting is, in the columns of a table of freely chosen settings.
const std::vector<std::string> kSettingColumns = {"weights", "KV cache", "activations", "K smoothing"};
std::vector<std::string> setting_cells(const InferConfig& c) {
  std::string weights = c.weights.format + (c.weights.zero_point ? "z" : "");
  if (c.weights.codebook != formats::CodebookKind::kInt8)
    weights += c.weights.codebook == formats::CodebookKind::kInt5 ? ":int5" : ":bf16";
  std::string smoothing = c.smoothing.online ? "online" : "";
  if (c.smoothing.offline_exponent > 0) smoothing += smoothing.empty() ? "offline" : "+offline";
  std::string kv = accelerator::name(c.kv.format);
  const InferKv standard;
  if (c.kv.format == accelerator::KvFormat::kBfp4Windows &&
      (c.kv.n_initial != standard.n_initial || c.kv.n_local != standard.n_local))
    kv += fmt::format(" {}, {}", c.kv.n_initial, c.kv.n_local);
  return {weights, kv, c.activations.name(), smoothing.empty() ? "-" : smoothing};
}

}  // namespace

std::string QualityTable::text() const { return table(cells(*this)); }

std::string QualityTable::markdown() const {
  std::string out;
  bool first = true;
  for (const std::vector<std::string>& row : cells(*this)) {
    out += '|';
    for (const std::string& cell : row) out += ' ' + cell + " |";
    out += '\n';
    if (first) {
      out += '|';
      for (std::size_t i = 0; i < row.size(); ++i) out += i < columns.size() ? "---|" : "---:|";
      out += '\n';
    }
    first = false;
  }
  return out;
}

std::size_t kv_cache_bytes(const accelerator::ModelShape& shape, const accelerator::GoldenSettings& settings,
                           std::size_t context) {
  const accelerator::KvHead head(settings.kv_policy(), shape.head_dim);
  return head.live_bytes(context) * static_cast<std::size_t>(shape.num_key_value_heads) *
         static_cast<std::size_t>(shape.num_hidden_layers);
}

QualitySettings quality_combinations(const std::vector<std::string>& base,
                                     const std::vector<std::pair<std::string, std::vector<std::string>>>& over) {
  QualitySettings out;
  std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> combinations = {{{}, base}};
  for (const auto& [key, values] : over) {
    out.columns.push_back(key);
    std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> longer;
    for (const auto& [choices, overrides] : combinations)
      for (const std::string& value : values) {
        longer.emplace_back(choices, overrides);
        longer.back().first.push_back(value);
        longer.back().second.push_back(key + "=" + value);
      }
    combinations = std::move(longer);
  }
  for (const auto& [choices, overrides] : combinations) out.settings.push_back({choices, infer_config(overrides)});
  return out;
}

QualitySettings read_quality_settings(const std::string& file, const std::vector<std::string>& base) {
  const config::Node document = config::read_yaml(file);
  if (!document.is_list() || document.items.empty())
    throw config::InputError(document.where,
                             "holds " + config::describe_found(document) +
                                 ", expected a list of settings, each a map such as {kv: {format: bfp4}}");
  QualitySettings out;
  out.columns = kSettingColumns;
  for (const config::Node& item : document.items) {
    config::Node setting = config::Node::map();
    for (const std::string& text : base) config::apply(setting, config::parse_override(text));
    if (!item.is_map())
      throw config::InputError(item.where, "expected a map of settings, found " + config::describe_found(item));
    config::merge(setting, item);
    InferConfig c;
    config::read(c, setting);
    out.settings.push_back({setting_cells(c), c});
  }
  return out;
}

QualityTable quality_table(const std::shared_ptr<const ModelWeights>& model, const std::vector<QualityText>& texts,
                           const QualitySettings& settings, const std::vector<std::vector<int>>& calibration,
                           const std::function<void(std::size_t done, std::size_t total)>& progress) {
  QualityTable out;
  out.columns = settings.columns;
  out.context = model->info.max_context;
  std::size_t tokens = 0;
  for (const QualityText& t : texts) {
    out.texts.push_back(t.name);
    out.text_tokens.push_back(0);
    for (const std::vector<int>& d : t.documents) out.text_tokens.back() += d.size() - 1;
    tokens += out.text_tokens.back();
  }
  const std::size_t total = tokens * (settings.settings.size() + 1);
  std::size_t before = 0;
  const auto report = [&](std::size_t now) {
    if (progress) progress(before + now, total);
  };

  ReferenceLlama reference(model);
  for (const QualityText& t : texts) {
    out.reference.push_back(evaluate_text(reference, t.documents, 32, report));
    before += out.reference.back().tokens;
    out.complete = out.complete && out.reference.back().complete;
  }
  std::map<double, SmoothingFactors> factors;  // by exponent
  for (const auto& [setting, c] : settings.settings) {
    if (!out.complete) break;
    const double exponent = c.smoothing.offline_exponent;
    if (exponent > 0 && factors.count(exponent) == 0)
      factors[exponent] = calibrate_smoothing(model, calibration, exponent);
    QualityRow row;
    row.cells = setting;
    row.summary = c.summary();
    const auto weights = prepare_weights(*model, c, exponent > 0 ? factors[exponent] : SmoothingFactors{});
    const WeightBytes bytes = weight_bytes(*weights);
    row.bits_per_weight = bytes.bits_per_linear_weight;
    row.weight_bytes = bytes.linears + bytes.output_head;
    row.kv_bytes_per_token =
        static_cast<double>(kv_cache_bytes(model->info.shape, c.golden(), static_cast<std::size_t>(out.context))) /
        static_cast<double>(out.context);
    GoldenEngine engine(model->info, weights, c);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      row.texts.push_back(evaluate_text(engine, texts[i].documents, 32, report));
      if (!row.texts.back().complete) {
        out.complete = false;
        break;
      }
      row.losses.push_back(quality_loss(row.texts.back(), out.reference[i]));
      before += row.texts.back().tokens;
    }
    if (out.complete) out.rows.push_back(std::move(row));
  }
  return out;
}

}  // namespace harmonia::testbench
