#include "harmonia/hw/pe/pe_rtl.h"

#include <Vpe.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "harmonia/hw/pe/pe_ports.h"
#include "harmonia/hw/rtl/engine.h"

namespace harmonia::pe {

using formats::PeMode;

namespace {

constexpr std::size_t kGroup = formats::kBfpGroup;
constexpr std::size_t kStored8 = formats::kBfp8.group_bytes();
constexpr std::size_t kStored4 = formats::kBfp4.group_bytes();

// The numbers of the modes in pe.sv are those of the enumeration.
static_assert(static_cast<int>(PeMode::kM8W4) == 0 && static_cast<int>(PeMode::kM8M4) == 1 &&
              static_cast<int>(PeMode::kM8M8) == 2 && static_cast<int>(PeMode::kM8L5) == 3 &&
              static_cast<int>(PeMode::kM8L8) == 4 && static_cast<int>(PeMode::kM8B1) == 5);

// partial * 2^exponent in FP32; exact but for the conversion of the integer, as in the golden code.
float value_of(const PeResult& r) { return static_cast<float>(r.partial) * formats::power_of_two(r.exponent); }

bool is_bfp(PeMode mode) { return mode == PeMode::kM8M4 || mode == PeMode::kM8M8; }
bool is_integer(PeMode mode) { return mode == PeMode::kM8W4 || mode == PeMode::kM8L5 || mode == PeMode::kM8L8; }

}  // namespace

std::unique_ptr<rtl::StreamDut> make_pe_rtl() { return std::make_unique<rtl::VerilatedDut<Vpe>>("pe", bind_pe<Vpe>); }

rtl::Beat first_operand(const std::uint8_t* group, bool last) {
  rtl::Beat beat;
  std::copy_n(group, kStored8, beat.data.begin());
  beat.last = last;
  return beat;
}

rtl::Beat bfp_operand(PeMode mode, const std::uint8_t* group) {
  if (!is_bfp(mode)) throw std::invalid_argument("pe RTL: a BFP operand goes with M8M4 or M8M8");
  rtl::Beat beat;
  std::copy_n(group, mode == PeMode::kM8M4 ? kStored4 : kStored8, beat.data.begin());
  beat.user = static_cast<std::uint32_t>(mode);
  return beat;
}

rtl::Beat integer_operand(PeMode mode, const std::int8_t* weights) {
  if (!is_integer(mode)) throw std::invalid_argument("pe RTL: an integer operand goes with M8W4, M8L5 or M8L8");
  rtl::Beat beat;
  std::transform(weights, weights + kGroup, beat.data.begin(),
                 [](std::int8_t w) { return static_cast<std::uint8_t>(w); });
  beat.user = static_cast<std::uint32_t>(mode);
  return beat;
}

rtl::Beat one_bit_operand(const std::uint8_t* codes, int q0, int q1) {
  rtl::Beat beat;
  for (std::size_t i = 0; i < kGroup; ++i) beat.data[i] = codes[i / 8] >> (7 - i % 8) & 1;
  beat.user = static_cast<std::uint32_t>(PeMode::kM8B1) | (static_cast<std::uint32_t>(q0) & 0xffU) << 3 |
              (static_cast<std::uint32_t>(q1) & 0xffU) << 11;
  return beat;
}

rtl::Beat result_beat(const PeResult& result, bool last) {
  rtl::Beat beat;
  const auto partial = static_cast<std::uint32_t>(result.partial);
  const auto exponent = static_cast<std::uint32_t>(result.exponent);
  for (unsigned i = 0; i < 4; ++i) beat.data[i] = static_cast<std::uint8_t>(partial >> 8 * i);
  for (unsigned i = 0; i < 2; ++i) beat.data[4 + i] = static_cast<std::uint8_t>(exponent >> 8 * i);
  beat.keep = rtl::keep_of(6);
  beat.last = last;
  return beat;
}

PeResult result_of(const rtl::Beat& beat) {
  std::uint32_t partial = 0;
  for (unsigned i = 0; i < 4; ++i) partial |= static_cast<std::uint32_t>(beat.data[i]) << 8 * i;
  const auto exponent = static_cast<std::uint16_t>(beat.data[4] | beat.data[5] << 8);
  return {static_cast<std::int32_t>(partial), static_cast<std::int16_t>(exponent)};
}

rtl::Beat golden_beat(const rtl::Beat& first, const rtl::Beat& second) {
  const auto mode = static_cast<PeMode>(second.user & 7);
  const std::uint8_t* a = first.data.data();
  PeResult result;
  result.exponent = a[0] - 22;
  if (is_bfp(mode)) {
    const formats::BfpFormat& fb = mode == PeMode::kM8M4 ? formats::kBfp4 : formats::kBfp8;
    result.partial = formats::partial_bfp(formats::kBfp8, a, fb, second.data.data());
    result.exponent += second.data[0] - 14 - fb.mantissa_bits;
  } else if (is_integer(mode)) {
    std::array<std::int8_t, kGroup> w;
    std::transform(second.data.begin(), second.data.begin() + kGroup, w.begin(),
                   [](std::uint8_t v) { return static_cast<std::int8_t>(v); });
    result.partial = formats::partial_int(formats::kBfp8, a, w.data());
  } else {
    std::array<std::uint8_t, kGroup / 8> codes{};
    for (std::size_t i = 0; i < kGroup; ++i) {
      codes[i / 8] = static_cast<std::uint8_t>(codes[i / 8] | (second.data[i] & 1) << (7 - i % 8));
    }
    result.partial = formats::partial_1bit(formats::add_subtract(formats::kBfp8, a, codes.data()),
                                           static_cast<std::int8_t>(second.user >> 3 & 255),
                                           static_cast<std::int8_t>(second.user >> 11 & 255));
  }
  return result_beat(result, first.last);
}

struct PeRtl::State {
  State(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
      : engine(std::move(dut), compare, stalls) {}

  template <class Second>
  void run(const std::uint8_t* a, std::size_t groups, PeResult* out, Second second) {
    for (std::size_t g = 0, batch = 0; g < groups; g += batch) {
      batch = std::min(rtl::kBatch, groups - g);
      for (std::size_t i = 0; i < batch; ++i) {
        const rtl::Beat first_beat = first_operand(a + (g + i) * kStored8, g + i + 1 == groups);
        const rtl::Beat second_beat = second(g + i);
        engine.driver().push(kFirstOperand, first_beat);
        engine.driver().push(kSecondOperand, second_beat);
        if (engine.compare()) {
          engine.expect(golden_beat(first_beat, second_beat), second_beat, kSecondOperand,
                        "first operand " + rtl::hex(first_beat, kStored8));
        }
      }
      PeResult* to = out + g;
      engine.take(batch, [&](const rtl::Beat& beat) { *to++ = result_of(beat); });
    }
  }

  /// Sum of `count` partials from the first on.
  static float sum(const PeResult* first, std::size_t count) {
    float total = value_of(first[0]);
    for (std::size_t i = 1; i < count; ++i) total += value_of(first[i]);
    return total;
  }
  const std::int8_t* padded(const std::int8_t* w, std::size_t n) {
    if (n % kGroup == 0) return w;
    weights.assign(w, w + n);
    weights.resize((n + kGroup - 1) / kGroup * kGroup, 0);
    return weights.data();
  }
  template <class Scale>
  float scaled_sum(std::size_t groups, std::size_t per_scale, Scale scale) const {
    float total = 0.0f;
    for (std::size_t g = 0, block = 0; g < groups; g += per_scale, ++block) {
      total += sum(results.data() + g, std::min(per_scale, groups - g)) * scale(block);
    }
    return total;
  }

  rtl::Engine engine;
  std::vector<PeResult> results;
  std::vector<std::int8_t> weights;
};

PeRtl::PeRtl(bool compare, const rtl::Stalls& stalls) : PeRtl(make_pe_rtl(), compare, stalls) {}
PeRtl::PeRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
    : state_(std::make_unique<State>(std::move(dut), compare, stalls)) {}
PeRtl::~PeRtl() = default;

void PeRtl::partials_bfp(PeMode mode, const std::uint8_t* a, const std::uint8_t* b, std::size_t groups,
                         PeResult* results) {
  const std::size_t stored = mode == PeMode::kM8M4 ? kStored4 : kStored8;
  state_->run(a, groups, results, [&](std::size_t g) { return bfp_operand(mode, b + g * stored); });
}

void PeRtl::partials_int(PeMode mode, const std::uint8_t* a, const std::int8_t* w, std::size_t groups,
                         PeResult* results) {
  state_->run(a, groups, results, [&](std::size_t g) { return integer_operand(mode, w + g * kGroup); });
}

void PeRtl::partials_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1, std::size_t groups,
                          PeResult* results) {
  state_->run(a, groups, results, [&](std::size_t g) { return one_bit_operand(codes + g * kGroup / 8, q0, q1); });
}

float PeRtl::dot_bfp(const std::uint8_t* a, const formats::BfpFormat& fb, const std::uint8_t* b, std::size_t n,
                     float sum) {
  if (fb.group_size != formats::kBfp8.group_size || (fb.mantissa_bits != 4 && fb.mantissa_bits != 8)) {
    throw std::invalid_argument("pe RTL: expected a second operand of groups of 32 with 4 or 8 mantissa bits");
  }
  const std::size_t groups = fb.groups(n);
  state_->results.resize(groups);
  partials_bfp(fb.mantissa_bits == 4 ? PeMode::kM8M4 : PeMode::kM8M8, a, b, groups, state_->results.data());
  for (const PeResult& result : state_->results) sum += value_of(result);
  return sum;
}

float PeRtl::dot_int(const std::uint8_t* a, const std::int8_t* w, const formats::Fp16* scales, std::size_t n,
                     std::size_t scale_group) {
  if (scale_group == 0 || scale_group % kGroup != 0) {
    throw std::invalid_argument("pe RTL: expected a scale group that is a multiple of 32");
  }
  const bool narrow = std::all_of(w, w + n, [](std::int8_t v) { return v >= -15 && v <= 15; });
  const std::size_t groups = formats::kBfp8.groups(n);
  state_->results.resize(groups);
  partials_int(narrow ? PeMode::kM8W4 : PeMode::kM8L8, a, state_->padded(w, n), groups, state_->results.data());
  return state_->scaled_sum(groups, scale_group / kGroup, [&](std::size_t i) { return formats::to_float(scales[i]); });
}

float PeRtl::dot_codebook(PeMode mode, const std::uint8_t* a, const std::int8_t* q, const formats::Bf16* block_scales,
                          float codebook_scale, std::size_t n) {
  const std::size_t groups = formats::kBfp8.groups(n);
  state_->results.resize(groups);
  partials_int(mode, a, state_->padded(q, n), groups, state_->results.data());
  return codebook_scale * state_->scaled_sum(groups, formats::kCodebookBlock / kGroup,
                                             [&](std::size_t i) { return formats::to_float(block_scales[i]); });
}

float PeRtl::dot_codebook_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1,
                               const formats::Bf16* block_scales, float codebook_scale, std::size_t n) {
  const std::size_t groups = formats::kBfp8.groups(n);
  state_->results.resize(groups);
  // Codes beyond the row meet activations of zero, so their value does not matter; their bytes must exist.
  std::vector<std::uint8_t> padded(groups * kGroup / 8, 0);
  std::copy_n(codes, (n + 7) / 8, padded.begin());
  partials_1bit(a, padded.data(), q0, q1, groups, state_->results.data());
  return codebook_scale * state_->scaled_sum(groups, formats::kCodebookBlock / kGroup,
                                             [&](std::size_t i) { return formats::to_float(block_scales[i]); });
}

std::uint64_t PeRtl::cycles() const { return state_->engine.driver().cycles(); }

}  // namespace harmonia::pe
