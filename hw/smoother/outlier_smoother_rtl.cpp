#include "harmonia/hw/smoother/outlier_smoother_rtl.h"

#include <Voutlier_smoother.h>

#include <algorithm>
#include <stdexcept>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/rtl/engine.h"
#include "harmonia/hw/smoother/outlier_smoother_ports.h"

namespace harmonia::smoother {

namespace {
constexpr std::size_t kLanes = formats::kBfpGroup;
}

std::unique_ptr<rtl::StreamDut> make_outlier_smoother_rtl() {
  return std::make_unique<rtl::VerilatedDut<Voutlier_smoother>>("outlier_smoother",
                                                                bind_outlier_smoother<Voutlier_smoother>);
}

rtl::Beat table_beat(std::size_t head, std::size_t entry, bool flagged, std::size_t channel, formats::Fp16 offset) {
  rtl::Beat beat;
  beat.data[0] = static_cast<std::uint8_t>(offset.bits);
  beat.data[1] = static_cast<std::uint8_t>(offset.bits >> 8);
  beat.data[2] = static_cast<std::uint8_t>(channel);
  beat.data[3] = static_cast<std::uint8_t>(head);
  beat.data[4] = static_cast<std::uint8_t>(entry);
  beat.data[5] = flagged;
  return beat;
}

rtl::Beat key_beat(std::size_t head, std::size_t first_channel, const formats::Fp16* key, std::size_t count,
                   bool last) {
  rtl::Beat beat;
  for (std::size_t i = 0; i < std::min(count, kLanes); ++i) {
    beat.data[2 * i] = static_cast<std::uint8_t>(key[i].bits);
    beat.data[2 * i + 1] = static_cast<std::uint8_t>(key[i].bits >> 8);
  }
  beat.user = static_cast<std::uint32_t>(head << 8 | first_channel / kLanes);
  beat.last = last;
  return beat;
}

struct OutlierSmootherRtl::State {
  State(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
      : engine(std::move(dut), compare, stalls) {}

  rtl::Engine engine;
  std::array<formats::KeyOffsets, kOutlierSmootherRtlHeads> offsets{};
};

OutlierSmootherRtl::OutlierSmootherRtl(bool compare, const rtl::Stalls& stalls)
    : OutlierSmootherRtl(make_outlier_smoother_rtl(), compare, stalls) {}
OutlierSmootherRtl::OutlierSmootherRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
    : state_(std::make_unique<State>(std::move(dut), compare, stalls)) {}
OutlierSmootherRtl::~OutlierSmootherRtl() = default;

void OutlierSmootherRtl::set_offsets(std::size_t head, const formats::KeyOffsets& offsets) {
  if (head >= kOutlierSmootherRtlHeads || offsets.count > kOutlierSmootherRtlEntries) {
    throw std::invalid_argument("outlier_smoother RTL: the table holds 8 heads with 4 flagged channels each");
  }
  for (std::size_t i = 0; i < offsets.count; ++i) {
    if (offsets.channel[i] >= kOutlierSmootherRtlChannels) {
      throw std::invalid_argument("outlier_smoother RTL: channel " + std::to_string(offsets.channel[i]) +
                                  ", expected less than 256");
    }
  }
  rtl::StreamDriver& driver = state_->engine.driver();
  for (std::size_t i = 0; i < kOutlierSmootherRtlEntries; ++i) {
    const bool flagged = i < offsets.count;
    driver.push(kTableStream, table_beat(head, i, flagged, flagged ? offsets.channel[i] : 0,
                                         flagged ? offsets.offset[i] : formats::Fp16{}));
  }
  while (driver.pending(kTableStream)) driver.cycle();
  state_->offsets[head] = offsets;
}

void OutlierSmootherRtl::subtract_offsets(std::size_t head, formats::Fp16* key, std::size_t head_dim,
                                          std::size_t tokens) {
  if (head >= kOutlierSmootherRtlHeads || head_dim > kOutlierSmootherRtlChannels) {
    throw std::invalid_argument("outlier_smoother RTL: expected a head below 8 and at most 256 channels");
  }
  State& s = *state_;
  std::vector<formats::Fp16> golden;
  for (std::size_t t = 0; t < tokens; ++t, key += head_dim) {
    if (s.engine.compare()) {
      golden.assign(key, key + head_dim);
      formats::subtract_offsets(s.offsets[head], golden.data());
    }
    std::size_t beats = 0;
    for (std::size_t c = 0; c < head_dim; c += kLanes, ++beats) {
      const bool last = c + kLanes >= head_dim;
      const rtl::Beat beat = key_beat(head, c, key + c, head_dim - c, last);
      s.engine.driver().push(kKeyStream, beat);
      if (!s.engine.compare()) continue;
      rtl::Beat expected = key_beat(head, c, golden.data() + c, head_dim - c, last);
      expected.user = 0;
      s.engine.expect(expected, beat, kKeyStream);
    }
    std::size_t at = 0;
    s.engine.take(beats, [&](const rtl::Beat& beat) {
      for (std::size_t i = 0; i < std::min(kLanes, head_dim - at); ++i) {
        key[at + i].bits = static_cast<std::uint16_t>(beat.data[2 * i] | beat.data[2 * i + 1] << 8);
      }
      at += kLanes;
    });
  }
}

std::uint64_t OutlierSmootherRtl::cycles() const { return state_->engine.driver().cycles(); }

}  // namespace harmonia::smoother
