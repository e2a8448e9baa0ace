#include "harmonia/testbench/compare/measured_quality.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/infer/trained_family.h"
#include "harmonia/testbench/quality/quality_table.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kLargestText = 64U << 20;

constexpr std::size_t kFamilyPieces = 32;  // of the held-out text: 8,000 tokens, some seconds for each setting

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

/// All documents of the texts together; at most `pieces` of them.
QualityText read_texts(const std::vector<std::string>& files, const Tokenizer& tokenizer, std::int64_t context,
                       std::size_t pieces) {
  QualityText all;
  for (const std::string& file : files) {
    const auto parts = documents(tokenizer, config::read_text_file(file, kLargestText), context);
    if (parts.empty()) throw config::InputError({file}, "holds no text");
    all.documents.insert(all.documents.end(), parts.begin(), parts.end());
  }
  if (all.documents.size() > pieces) all.documents.resize(pieces);
  return all;
}

/// One model under the settings, and what it is named in the result.
struct ModelSettings {
  std::string name, file;
  std::vector<InferConfig> settings;
};

QualityTable measured(const ModelSettings& of, const std::string& tokenizer_file, const std::vector<std::string>& texts,
                      std::size_t pieces, const std::function<void(std::size_t, std::size_t)>& progress) {
  const auto model = std::make_shared<const ModelWeights>(load_weights(of.file));
  const Tokenizer tokenizer = load_tokenizer(tokenizer_file, model->info.shape.vocab_size);
  QualitySettings wanted;
  for (const InferConfig& c : of.settings) wanted.settings.push_back({{}, c});
  const QualityText text = read_texts(texts, tokenizer, model->info.max_context, pieces);
  QualityTable table = quality_table(model, {text}, wanted, {}, progress);
  if (!table.complete) throw config::RunError("stopped by an interrupt while quality was measured");
  return table;
}

void set_reference(QualityMeasurement& out, const TextQuality& reference) {
  out.tokens = reference.tokens;
  out.reference_nll = reference.nll;
  out.reference_perplexity = reference.perplexity();
}

MeasuredQuality measured_row(const QualityRow& row, const InferConfig& setting, const std::string& model,
                             const QualityLoss& loss) {
  MeasuredQuality m;
  m.weights = setting.weights.format + (setting.weights.zero_point ? "z" : "");
  m.kv = accelerator::name(setting.kv.format);
  m.model = model;
  m.nll = row.texts[0].nll;
  m.perplexity = row.texts[0].perplexity();
  m.loss = loss;
  m.bits_per_weight = row.bits_per_weight;
  m.kv_bytes_per_token = row.kv_bytes_per_token;
  return m;
}

/// What a setting becomes on a member: codes that were trained stay as they are.
InferConfig on_member(InferConfig setting, const TrainedFamily::Member& member) {
  if (setting.weights.format == member.weights) setting.weights.format = "stored";
  return setting;
}

QualityMeasurement measure_family(const QualitySource& source, const std::vector<InferConfig>& settings,
                                  const TrainedFamily& family,
                                  const std::function<void(std::size_t, std::size_t)>& progress) {
  QualityMeasurement out;
  out.model = "the trained models of equal memory (docs/trained.md)";
  const bool own_texts = !source.texts.empty();
  const std::vector<std::string> texts = own_texts ? source.texts : std::vector<std::string>{family.held_out.string()};
  for (const std::string& file : texts) out.texts.push_back(file_name(file));
  out.settings.resize(settings.size());
  // The member of 16 bit first: its FP32 path is the reference of all.
  const TrainedFamily::Member& sixteen = family.for_format("fp16");
  std::vector<const TrainedFamily::Member*> order = {&sixteen};
  for (const TrainedFamily::Member& m : family.members)
    if (m.equal_memory && &m != &sixteen) order.push_back(&m);
  TextQuality reference;
  for (const TrainedFamily::Member* member : order) {
    ModelSettings of{member->name, member->file.string(), {}};
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < settings.size(); ++i)
      if (&family.for_format(settings[i].weights.format) == member) {
        of.settings.push_back(on_member(settings[i], *member));
        places.push_back(i);
      }
    if (places.empty() && member != &sixteen) continue;
    const QualityTable table = measured(of, source.tokenizer.empty() ? family.tokenizer.string() : source.tokenizer,
                                        texts, own_texts ? SIZE_MAX : kFamilyPieces, progress);
    if (member == &sixteen) set_reference(out, reference = table.reference[0]);
    for (std::size_t i = 0; i < places.size(); ++i)
      out.settings[places[i]] = measured_row(table.rows[i], settings[places[i]], member->name,
                                             quality_loss(table.rows[i].texts[0], reference));
  }
  return out;
}

}  // namespace

InferConfig quality_settings(const Scenario& s) {
  using accelerator::PeKind;
  static const std::map<PeKind, InferArray> arrays = {
      {PeKind::harmonia, InferArray::bfp8},     {PeKind::fp16, InferArray::fp16},
      {PeKind::fp_int, InferArray::fp_int},     {PeKind::ifpu, InferArray::ifpu},
      {PeKind::figna, InferArray::figna},       {PeKind::figna_m11, InferArray::figna_m11},
      {PeKind::figna_m8, InferArray::figna_m8}, {PeKind::anda, InferArray::anda}};
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
  c.activations.format = arrays.at(s.accelerator.pe.kind);
  if (c.activations.format == InferArray::anda) c.activations.mantissa_bits = s.accelerator.pe.mantissa_bits;
  c.smoothing.online = s.accelerator.smoother.online;
  c.smoothing.channels_per_head = s.accelerator.smoother.channels_per_head;
  c.seed = s.seed;
  return c;
}

QualityMeasurement measure_quality(const QualitySource& source, const std::vector<InferConfig>& settings,
                                   const Library& library,
                                   const std::function<void(std::size_t, std::size_t)>& progress) {
  if (source.weights.empty()) return measure_family(source, settings, trained_family(library), progress);
  const ModelFiles files = model_files(source.weights, source.tokenizer, library);
  QualityMeasurement out;
  out.model = file_name(files.weights);
  for (const std::string& file : source.texts) out.texts.push_back(file_name(file));
  const QualityTable table =
      measured({out.model, files.weights, settings}, files.tokenizer, source.texts, SIZE_MAX, progress);
  set_reference(out, table.reference[0]);
  for (std::size_t i = 0; i < table.rows.size(); ++i)
    out.settings.push_back(measured_row(table.rows[i], settings[i], out.model, table.rows[i].losses[0]));
  return out;
}

}  // namespace harmonia::testbench
