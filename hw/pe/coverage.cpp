#include "harmonia/hw/pe/coverage.h"

#include <cstdlib>

#include "harmonia/hw/formats/bfp.h"

namespace harmonia::pe {
namespace {

enum Result : std::int64_t { largest_negative, negative, zero, positive, largest_positive };

coverage::Group dots_group(const std::string& instance) {
  coverage::Group g("pe.dots", instance);
  coverage::Point& mode = g.point("mode", "mode of the group");
  for (int m = 0; m < formats::kPeModes; ++m) mode.bin(formats::info(static_cast<formats::PeMode>(m)).name, m);
  g.point("exponent", "exponent of the first operand").bin("1", 1).bin("2 to 29", 2, 29).bin("30", 30);
  g.point("partial", "integer result")
      .bin("largest negative", largest_negative)
      .bin("negative", negative)
      .bin("zero", zero)
      .bin("positive", positive)
      .bin("largest positive", largest_positive);
  g.point("change", "mode against the group before").bin("the same", 0).bin("another", 1);
  g.cross("mode x partial", {"mode", "partial"});
  g.cross("mode x exponent", {"mode", "exponent"});
  return g;
}

}  // namespace

PeCoverage::PeCoverage(const std::string& instance) : dots_(dots_group(instance)) {}

void PeCoverage::sample(formats::PeMode mode, const std::uint8_t* a, std::int32_t partial) {
  const std::int32_t most = formats::info(mode).max_abs_partial;
  Result result = partial < 0 ? negative : partial > 0 ? positive : zero;
  if (std::abs(partial) >= most) result = partial < 0 ? largest_negative : largest_positive;
  using Value = coverage::Group::Value;
  const int m = static_cast<int>(mode);
  dots_.sample({m, a[0], result, last_mode_ < 0 ? Value() : Value(m == last_mode_ ? 0 : 1)});
  last_mode_ = m;
}

}  // namespace harmonia::pe
