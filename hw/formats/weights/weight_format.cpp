#include "harmonia/hw/formats/weights/weight_format.h"

#include <stdexcept>

#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/weights/all_weight_formats.h"

namespace harmonia::formats {
namespace {

template <typename Test>
std::optional<WeightFormat> find_if(Test test) {
  for (const WeightFormat f : weight_formats())
    if (test(*f)) return f;
  return std::nullopt;
}

}  // namespace

WeightFormat::WeightFormat() : WeightFormat(weight_format("fp16")) {}

const std::vector<WeightFormat>& weight_formats() {
  // Handles point into the traits, which therefore never move.
  static const std::vector<WeightFormatTraits> traits = all_weight_formats();
  static const std::vector<WeightFormat> all(traits.begin(), traits.end());
  return all;
}

std::optional<WeightFormat> find_weight_format(std::string_view name) {
  return find_if([&](const WeightFormatTraits& t) { return t.name == name; });
}

WeightFormat weight_format(std::string_view name) {
  if (const auto found = find_weight_format(name)) return *found;
  std::string known;
  for (const WeightFormat f : weight_formats()) known += (known.empty() ? "" : ", ") + f->name;
  throw std::invalid_argument("unknown weight format '" + std::string(name) + "', expected one of " + known);
}

std::optional<WeightFormat> with_zero_point(WeightFormat format) {
  if (format->with_zero_point.empty()) return std::nullopt;
  return find_weight_format(format->with_zero_point);
}

WeightFormat without_zero_point(WeightFormat format) {
  if (!format->zero_point) return format;
  return find_if([&](const WeightFormatTraits& t) { return t.with_zero_point == format->name; }).value_or(format);
}

std::optional<WeightFormat> integer_format(int bits, bool zero_point) {
  return find_if([&](const WeightFormatTraits& t) {
    return t.storage.coding == Coding::integers && t.storage.bits == bits && t.zero_point == zero_point;
  });
}

std::optional<WeightFormat> kmeans_format(int bits) {
  return find_if([&](const WeightFormatTraits& t) { return t.is_trained() && t.storage.bits == bits; });
}

ArrayMode bfp_array_mode(WeightFormat format, CodebookKind codebook) {
  switch (format->storage.coding) {
    case Coding::words:
      return {Expansion::to_bfp8, Operand::bfp8, format->passes, false};
    case Coding::integers:
      return {Expansion::integer, Operand::integer, format->passes, false};
    case Coding::codebook:
      break;
  }
  if (codebook == CodebookKind::kBf16)
    throw std::invalid_argument(
        "bf16 is the numeric reference and has no mode on an integer PE array; take int8 or int5");
  const int passes = codebook == CodebookKind::kInt5 ? 1 : format->passes;
  return {Expansion::codebook, Operand::codebook, passes, format->pe_mode == PeMode::kM8B1};
}

ArrayMode fp16_array_mode(WeightFormat format) {
  const Coding coding = format->storage.coding;
  return {coding == Coding::words      ? Expansion::pass
          : coding == Coding::codebook ? Expansion::codebook_fp16
                                       : Expansion::integer_fp16,
          Operand::fp16, 1, false};
}

WeightFormatTraits codebook_traits(const std::string& name, int bits, const std::string& meaning) {
  WeightFormatTraits t;
  t.name = name;
  const bool mean = kmeans_statistic(bits) == ScaleStatistic::kAbsMean;
  t.description = meaning + ", bf16 abs" + (mean ? "mean" : "max") + " scale per " + std::to_string(kKmeansBlock);
  t.storage = {Coding::codebook, bits, static_cast<int>(kKmeansBlock), 16};
  return t;
}

WeightFormatTraits integer_traits(int bits, bool zero_point) {
  WeightFormatTraits t;
  const std::string plain = "int" + std::to_string(bits);
  t.name = plain + (zero_point ? "z" : "");
  if (!zero_point) t.with_zero_point = plain + "z";
  const std::string group = std::to_string(kIntGroup);
  t.description = std::string("integers") + (zero_point ? " with zero-point" : "") + ", FP16 scale per " + group;
  t.source = "number formats specification, sections 1 and 5";
  t.storage = {Coding::integers, bits, static_cast<int>(kIntGroup), zero_point ? 24 : 16};
  t.zero_point = zero_point;
  t.pe_mode = bits == 8 ? PeMode::kM8L8 : PeMode::kM8W4;
  t.passes = bits == 8 ? 2 : 1;
  return t;
}

}  // namespace harmonia::formats
