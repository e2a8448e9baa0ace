#include "harmonia/testbench/infer/config.h"

#include <map>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/hw/baselines/linears.h"

namespace harmonia::testbench {
namespace {

using accelerator::KvFormat;
using formats::CodebookKind;

const config::NameTable<CodebookKind>& codebook_names() {
  static const config::NameTable<CodebookKind> names = {
      {"int8", CodebookKind::kInt8}, {"int5", CodebookKind::kInt5}, {"bf16", CodebookKind::kBf16}};
  return names;
}

const config::NameTable<InferArray>& array_names() {
  static const config::NameTable<InferArray> names = {
      {"bfp8", InferArray::bfp8},           {"fp16", InferArray::fp16},
      {"fp_fp", InferArray::fp_fp},         {"fp_int", InferArray::fp_int},
      {"ifpu", InferArray::ifpu},           {"figna", InferArray::figna},
      {"figna_m11", InferArray::figna_m11}, {"figna_m8", InferArray::figna_m8},
      {"bitmod", InferArray::bitmod},       {"anda", InferArray::anda}};
  return names;
}

const config::NameTable<KvFormat>& kv_names() {
  static const config::NameTable<KvFormat> names = [] {
    config::NameTable<KvFormat> table;
    for (const KvFormat f :
         {KvFormat::kFp16, KvFormat::kInt8, KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows})
      table.emplace_back(accelerator::name(f), f);
    return table;
  }();
  return names;
}

std::vector<std::string> format_names() {
  std::vector<std::string> names = {"stored"};
  for (const formats::WeightFormat f : formats::weight_formats()) names.emplace_back(f->name);
  return names;
}

bool has_zero_point(const std::string& format) {
  const std::optional<formats::WeightFormat> known = formats::find_weight_format(format);
  return known && formats::with_zero_point(*known);
}

}  // namespace

void InferWeights::describe(config::Fields& f) {
  f.add("format", format)
      .one_of(format_names())
      .says("format of the seven linears of a layer; stored: as the file has them");
  f.add("codebook", codebook, codebook_names())
      .says("how codebook formats reach the PE array; bf16 needs activations.format=fp16");
  f.add("lm_head", lm_head).one_of(format_names()).says("format of the output head");
  f.add("zero_point", zero_point).says("int4 and int8 carry a zero-point per group");
  f.add("group_size", group_size)
      .range(32, 65536)
      .multiple_of(32)
      .says("columns that share a scale, of the integer formats");
  f.check("zero_point", [this] {
    return std::string(zero_point && !has_zero_point(format) ? "zero_point needs weights.format int4 or int8" : "");
  });
}

void InferKv::describe(config::Fields& f) {
  f.add("format", format, kv_names()).says("format of the KV cache");
  f.add("n_initial", n_initial)
      .range(0, 1 << 24)
      .unit("tokens")
      .says("first tokens kept at 8 bit by bfp4+windows")
      .assumed("no published size");
  f.add("n_local", n_local)
      .range(0, 1 << 24)
      .unit("tokens")
      .says("newest tokens kept at 8 bit by bfp4+windows")
      .assumed("no published size");
}

void InferActivations::describe(config::Fields& f) {
  f.add("format", format, array_names())
      .says(
          "bfp8: the BFP array; fp16: a plain FP16 array; a design: a plain FP16 array with that design's PEs for the "
          "linears");
  f.add("mantissa_bits", mantissa_bits)
      .range(4, 13)
      .unit("bits")
      .says("of the activations at Anda's PEs; the other designs have their own");
  f.check("mantissa_bits", [this] {
    return std::string(format != InferArray::anda && mantissa_bits != InferActivations().mantissa_bits
                           ? "mantissa_bits needs activations.format anda"
                           : "");
  });
}

std::shared_ptr<const formats::ArrayArithmetic> InferActivations::design() const {
  using baselines::Design;
  static const std::map<InferArray, Design> designs = {
      {InferArray::fp_fp, Design::fp_fp},         {InferArray::fp_int, Design::fp_int},
      {InferArray::ifpu, Design::ifpu},           {InferArray::figna, Design::figna},
      {InferArray::figna_m11, Design::figna_m11}, {InferArray::figna_m8, Design::figna_m8},
      {InferArray::bitmod, Design::bitmod},       {InferArray::anda, Design::anda}};
  const auto found = designs.find(format);
  return found == designs.end() ? nullptr : baselines::arithmetic(found->second, mantissa_bits);
}

std::string InferActivations::name() const {
  return config::name_of(array_names(), format) +
         (format == InferArray::anda ? " M" + std::to_string(mantissa_bits) : std::string());
}

void InferSmoothing::describe(config::Fields& f) {
  f.add("online", online).says("subtract per-channel offsets chosen after the first step from the keys");
  f.add("channels_per_head", channels_per_head)
      .range(1, formats::kMaxOffsets)
      .says("channels with an offset, per kv head")
      .assumed("no published number");
  f.add("offline_exponent", offline_exponent)
      .range(0, 1)
      .says("exponent of the factors folded into Q and K after calibration; 0: none")
      .assumed("0.5 is our default where it is used");
}

void InferConfig::describe(config::Fields& f) {
  f.add("weights", weights);
  f.add("kv", kv);
  f.add("activations", activations);
  f.add("smoothing", smoothing);
  f.add("seed", seed).says("of codebook training and of sampling");
  f.check("weights", [this] {
    return std::string(
        weights.codebook == CodebookKind::kBf16 && activations.format == InferArray::bfp8
            ? "codebook bf16 is a numeric reference without a mode on a BFP array: set activations.format=fp16"
            : "");
  });
  f.check("weights", [this] { return weights_problem(); });
}

std::string InferConfig::weights_problem() const {
  const auto array = activations.design();
  if (!array || array->takes_words() || weights.format == "stored") return {};
  const formats::WeightFormat f = weight_format(weights, weights.format);
  const bool codebook = f->storage.coding == formats::Coding::codebook;
  // The integers that a weight may be.
  int least = -(1 << 15), largest = 1 << 15;
  if (codebook && weights.codebook == CodebookKind::kInt5) {
    least = -15;
    largest = 15;
  } else if (f->storage.coding == formats::Coding::integers && f->storage.bits == 4) {
    least = weights.zero_point ? -15 : -8;
    largest = weights.zero_point ? 15 : 7;
  }
  if (least >= array->least() && largest <= array->largest()) return {};
  return "the PEs of " + activations.name() + " multiply integers of " + std::to_string(array->least()) + " to " +
         std::to_string(array->largest()) + ", expected weights.format int4" +
         (array->largest() == 15 ? ", with or without a zero-point, or a codebook format with weights.codebook=int5"
                                 : " without a zero-point") +
         "; this is " + weights.format + (weights.zero_point ? " with a zero-point" : "") +
         (codebook ? " with codebook " + config::name_of(codebook_names(), weights.codebook) : std::string());
}

accelerator::GoldenSettings InferConfig::golden() const {
  accelerator::GoldenSettings s;
  s.activations = activations.array();
  s.linears = activations.design();
  s.kv = kv.format;
  s.n_initial = static_cast<std::size_t>(kv.n_initial);
  s.n_local = static_cast<std::size_t>(kv.n_local);
  s.online_smoothing = smoothing.online;
  s.smoothed_channels = static_cast<std::size_t>(smoothing.channels_per_head);
  return s;
}

void InferConfig::apply(Scenario& s) const {
  if (activations.design())
    throw config::InputError(
        {"command line"}, "activations.format " + config::name_of(array_names(), activations.format) +
                              " is a golden function alone: the simulated machine computes values for bfp8 and fp16, "
                              "expected one of those or --path golden");
  s.weights.group_size = weights.group_size;
  s.kv.format = accelerator::name(kv.format);
  s.kv.n_initial = kv.n_initial;
  s.kv.n_local = kv.n_local;
  s.activations.format = config::name_of(array_names(), activations.format);
  s.accelerator.smoother.online = smoothing.online;
  s.accelerator.smoother.channels_per_head = smoothing.channels_per_head;
  // The two kinds of array whose arithmetic the golden composition defines.
  s.accelerator.pe.kind =
      activations.format == InferArray::fp16 ? accelerator::PeKind::fp16 : accelerator::PeKind::harmonia;
  s.seed = seed;
}

std::string InferConfig::summary() const {
  std::string text = "weights " + weights.format + (weights.zero_point ? " with zero-point" : "") + " (codebooks " +
                     config::name_of(codebook_names(), weights.codebook) + "), lm_head " + weights.lm_head + ", KV " +
                     accelerator::name(kv.format) + ", activations " + activations.name();
  if (smoothing.online) text += ", online smoothing";
  if (smoothing.offline_exponent > 0) text += ", offline smoothing";
  return text;
}

InferConfig infer_config(const std::vector<std::string>& overrides, const InferConfig& base) {
  config::Node document = config::Node::map();
  for (const std::string& text : overrides) config::apply(document, config::parse_override(text));
  InferConfig c = base;
  config::read(c, document);
  return c;
}

formats::WeightFormat weight_format(const InferWeights& weights, const std::string& format) {
  const formats::WeightFormat f = formats::weight_format(format);
  return weights.zero_point ? formats::with_zero_point(f).value_or(f) : f;
}

}  // namespace harmonia::testbench
