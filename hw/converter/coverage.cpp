#include "harmonia/hw/converter/coverage.h"

#include <algorithm>

#include "harmonia/tlm/coverage/fp16_bins.h"

namespace harmonia::converter {
namespace {

using coverage::Group;
using formats::Fp16;

enum Lost : std::int64_t { nothing, bits, values };
enum Relation : std::int64_t { empty, below, equal, above, not_finite };

Group rows_group(const std::string& instance) {
  Group g("converter.rows", instance);
  g.point("mantissa", "mantissa bits of the format").bin("M = 8", 8).bin("M = 4", 4);
  g.point("spread", "largest minus smallest exponent of the elements that are not zero")
      .bin("0", 0)
      .bin("1 to 3", 1, 3)
      .bin("4 to 7", 4, 7)
      .bin("8 and more", 8, 30);
  coverage::fp16_bins(g.point("largest", "class of the element of the largest magnitude"));
  g.point("signs", "signs of the elements that are not zero")
      .bin("all positive", 1)
      .bin("all negative", 2)
      .bin("both", 3);
  g.point("lost", "what truncation takes").bin("nothing", nothing).bin("low bits", bits).bin("whole elements", values);
  g.point("length", "elements of the group").bin("1", 1).bin("2 to 31", 2, 31).bin("32", 32);
  g.cross("mantissa x spread", {"mantissa", "spread"});
  g.cross("mantissa x largest", {"mantissa", "largest"});
  g.cross("mantissa x lost", {"mantissa", "lost"});
  return g;
}

Group growth_group(const std::string& instance) {
  Group g("converter.growth", instance);
  g.point("place", "where the value goes").bin("first", 0).bin("between", 1, 30).bin("last", 31);
  g.point("exponent", "the value's exponent against the group's")
      .bin("the group is all zeros", empty)
      .bin("smaller", below)
      .bin("equal", equal)
      .bin("larger, the elements before are shifted", above)
      .bin("infinite or NaN", not_finite);
  coverage::fp16_bins(g.point("value", "class of the value"));
  g.cross("place x exponent", {"place", "exponent"});
  // A group without elements has no exponent to compare with.
  for (const char* relation : {"smaller", "equal", "larger, the elements before are shifted"})
    g.ignore("place x exponent", {{"place", "first"}, {"exponent", relation}});
  return g;
}

}  // namespace

ConverterCoverage::ConverterCoverage(const std::string& instance)
    : rows_(rows_group(instance)), growth_(growth_group(instance)) {}

void ConverterCoverage::sample_row(const formats::BfpFormat& format, const Fp16* x, std::size_t count) {
  formats::BfpGroup group;
  formats::encode(format, x, static_cast<int>(count), &group);
  int low = 31, high = 0;
  std::int64_t signs = 0, lost = nothing;
  Fp16 largest{};
  for (std::size_t i = 0; i < count; ++i) {
    const auto magnitude = static_cast<std::uint16_t>(x[i].bits & 0x7fffu);
    if (magnitude >= largest.bits) largest.bits = magnitude;
    if (magnitude == 0) continue;
    const formats::Fp16Parts parts = formats::split(x[i]);
    signs |= parts.negative ? 2 : 1;
    if (!formats::is_finite(x[i])) continue;
    low = std::min(low, parts.exponent);
    high = std::max(high, parts.exponent);
    const int stored = group.magnitude[i], shift = group.exponent - parts.exponent + 11 - format.mantissa_bits;
    if (stored == 0)
      lost = values;
    else if (lost == nothing && shift > 0 && (parts.significand & ((1 << std::min(shift, 11)) - 1)) != 0)
      lost = bits;
  }
  using Value = Group::Value;
  rows_.sample({format.mantissa_bits, high > 0 ? Value(high - low) : Value(),
                static_cast<std::int64_t>(coverage::class_of(largest)), signs != 0 ? Value(signs) : Value(), lost,
                static_cast<std::int64_t>(count)});
}

void ConverterCoverage::sample_growth(Fp16 x, int place, const std::uint8_t* stored) {
  formats::BfpGroup group;
  formats::unpack(formats::kBfp8, stored, &group);
  const bool zeros = std::all_of(group.magnitude.begin(), group.magnitude.begin() + place,
                                 [](std::uint16_t magnitude) { return magnitude == 0; });
  const int exponent = formats::split(x).exponent;
  Relation relation = exponent < group.exponent ? below : exponent == group.exponent ? equal : above;
  if (zeros) relation = empty;
  if (!formats::is_finite(x)) relation = not_finite;
  growth_.sample({place, relation, static_cast<std::int64_t>(coverage::class_of(x))});
}

}  // namespace harmonia::converter
