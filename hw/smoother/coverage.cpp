#include "harmonia/hw/smoother/coverage.h"

#include <algorithm>

#include "harmonia/tlm/coverage/fp16_bins.h"

namespace harmonia::smoother {
namespace {

coverage::Group heads_group(const std::string& instance) {
  coverage::Group g("smoother.heads", instance);
  g.point("count", "smoothed channels of the head").bin("0", 0).bin("1", 1).bin("2 and 3", 2, 3).bin("4", 4);
  g.point("beats", "beats of 32 channels that hold them").bin("none", 0).bin("one", 1).bin("several", 2, 4);
  return g;
}

coverage::Group channels_group(const std::string& instance) {
  coverage::Group g("smoother.channels", instance);
  coverage::fp16_bins(g.point("key", "the key's element"));
  coverage::fp16_bins(g.point("offset", "its offset"));
  coverage::fp16_bins(g.point("result", "the difference"));
  g.cross("key x offset", {"key", "offset"});
  return g;
}

}  // namespace

SmootherCoverage::SmootherCoverage(const std::string& instance)
    : heads_(heads_group(instance)), channels_(channels_group(instance)) {}

void SmootherCoverage::sample(const formats::KeyOffsets& offsets, const formats::Fp16* key) {
  std::vector<int> beats;
  for (std::size_t i = 0; i < offsets.count; ++i) {
    const formats::Fp16 x = key[offsets.channel[i]];
    const auto of = [](formats::Fp16 v) { return static_cast<std::int64_t>(coverage::class_of(v)); };
    channels_.sample({of(x), of(offsets.offset[i]), of(formats::subtract(x, offsets.offset[i]))});
    if (const int beat = offsets.channel[i] / 32; std::find(beats.begin(), beats.end(), beat) == beats.end())
      beats.push_back(beat);
  }
  heads_.sample({static_cast<std::int64_t>(offsets.count), static_cast<std::int64_t>(beats.size())});
}

}  // namespace harmonia::smoother
