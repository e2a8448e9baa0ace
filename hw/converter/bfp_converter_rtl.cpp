#include "harmonia/hw/converter/bfp_converter_rtl.h"

#include <Vbfp_converter.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "harmonia/hw/converter/bfp_converter_ports.h"
#include "harmonia/hw/rtl/engine.h"

namespace harmonia::converter {

namespace {

constexpr std::size_t kGroup = formats::kBfpGroup;
constexpr std::size_t kStored = formats::kBfp8.group_bytes();
constexpr std::uint32_t kDemote = 1;
constexpr std::uint32_t kMerge = 2;

void require_supported(const formats::BfpFormat& format) {
  if (format.group_size != formats::kBfp8.group_size || (format.mantissa_bits != 8 && format.mantissa_bits != 4) ||
      format.rounding != formats::Rounding::kTruncate) {
    throw std::invalid_argument("bfp_converter RTL: expected groups of 32, 8 or 4 mantissa bits, truncation");
  }
}

}  // namespace

std::unique_ptr<rtl::StreamDut> make_bfp_converter_rtl() {
  return std::make_unique<rtl::VerilatedDut<Vbfp_converter>>("bfp_converter", bind_bfp_converter<Vbfp_converter>);
}

rtl::Beat row_beat(const formats::BfpFormat& format, const formats::Fp16* x, std::size_t count, bool last) {
  rtl::Beat beat;
  for (std::size_t i = 0; i < std::min(count, kGroup); ++i) {
    beat.data[2 * i] = static_cast<std::uint8_t>(x[i].bits);
    beat.data[2 * i + 1] = static_cast<std::uint8_t>(x[i].bits >> 8);
  }
  beat.user = format.mantissa_bits == 4 ? kDemote : 0;
  beat.last = last;
  return beat;
}

rtl::Beat merge_beat(formats::Fp16 x, int place, const std::uint8_t* stored, bool last) {
  rtl::Beat beat;
  std::copy_n(stored, kStored, beat.data.begin());
  beat.data[kStored] = static_cast<std::uint8_t>(x.bits);
  beat.data[kStored + 1] = static_cast<std::uint8_t>(x.bits >> 8);
  beat.user = kMerge | static_cast<std::uint32_t>(place) << 2;
  beat.last = last;
  return beat;
}

rtl::Beat golden_beat(const rtl::Beat& input, std::uint64_t* nonfinite) {
  rtl::Beat out;
  const bool demote = input.user & kDemote;
  const auto fp16_at = [&](std::size_t byte) {
    return formats::Fp16{static_cast<std::uint16_t>(input.data[byte] | input.data[byte + 1] << 8)};
  };
  if (input.user & kMerge) {
    std::copy_n(input.data.begin(), kStored, out.data.begin());
    *nonfinite += static_cast<std::uint64_t>(
        formats::append_stored(formats::kBfp8, fp16_at(kStored), static_cast<int>(input.user >> 2), out.data.data()));
    if (demote) std::fill(out.data.begin() + formats::kBfp4.group_bytes(), out.data.begin() + kStored, std::uint8_t{0});
  } else {
    std::array<formats::Fp16, kGroup> x;
    for (std::size_t i = 0; i < kGroup; ++i) x[i] = fp16_at(2 * i);
    *nonfinite += formats::encode_row(demote ? formats::kBfp4 : formats::kBfp8, x.data(), kGroup, out.data.data());
  }
  out.keep = rtl::keep_of(demote ? formats::kBfp4.group_bytes() : formats::kBfp8.group_bytes());
  out.last = input.last;
  return out;
}

struct BfpConverterRtl::State {
  State(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
      : engine(std::move(dut), compare, stalls) {}

  void push(const rtl::Beat& beat) {
    engine.driver().push(0, beat);
    if (engine.compare()) engine.expect(golden_beat(beat, &golden_nonfinite), beat);
  }
  /// Nonfinite elements since the last call.
  std::size_t take_nonfinite() {
    const std::uint32_t now = static_cast<std::uint32_t>(engine.driver().dut().status());
    const std::uint32_t delta = now - counted;
    counted = now;
    if (engine.compare() && delta != golden_nonfinite) {
      throw rtl::Difference(
          fmt::format("bfp_converter: the RTL counted {} nonfinite elements, the model {}, at cycle {}", delta,
                      golden_nonfinite, engine.driver().cycles()));
    }
    golden_nonfinite = 0;
    return delta;
  }

  rtl::Engine engine;
  std::uint64_t golden_nonfinite = 0;
  std::uint32_t counted = 0;
};

BfpConverterRtl::BfpConverterRtl(bool compare, const rtl::Stalls& stalls)
    : BfpConverterRtl(make_bfp_converter_rtl(), compare, stalls) {}
BfpConverterRtl::BfpConverterRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
    : state_(std::make_unique<State>(std::move(dut), compare, stalls)) {}
BfpConverterRtl::~BfpConverterRtl() = default;

std::size_t BfpConverterRtl::encode_row(const formats::BfpFormat& format, const formats::Fp16* x, std::size_t n,
                                        std::uint8_t* out) {
  require_supported(format);
  const std::size_t groups = format.groups(n);
  for (std::size_t g = 0; g < groups;) {
    const std::size_t batch = std::min(rtl::kBatch, groups - g);
    for (std::size_t i = 0; i < batch; ++i) {
      const std::size_t at = (g + i) * kGroup;
      state_->push(row_beat(format, x + at, n - at, g + i + 1 == groups));
    }
    state_->engine.take(
        batch, [&](const rtl::Beat& beat) { out = std::copy_n(beat.data.begin(), format.group_bytes(), out); });
    g += batch;
  }
  return state_->take_nonfinite();
}

std::size_t BfpConverterRtl::append_row(const formats::BfpFormat& format, const formats::Fp16* x, std::size_t channels,
                                        int count, std::uint8_t* groups) {
  require_supported(format);
  if (format.mantissa_bits != 8 || count < 0 || count >= static_cast<int>(kGroup)) {
    throw std::invalid_argument("bfp_converter RTL: a group grows with 8 mantissa bits and has room for 32 elements");
  }
  for (std::size_t c = 0; c < channels;) {
    const std::size_t batch = std::min(rtl::kBatch, channels - c);
    for (std::size_t i = 0; i < batch; ++i) {
      state_->push(merge_beat(x[c + i], count, groups + (c + i) * kStored, c + i + 1 == channels));
    }
    state_->engine.take(batch, [&](const rtl::Beat& beat) {
      std::copy_n(beat.data.begin(), kStored, groups + c * kStored);
      ++c;
    });
  }
  return state_->take_nonfinite();
}

std::uint64_t BfpConverterRtl::cycles() const { return state_->engine.driver().cycles(); }

}  // namespace harmonia::converter
