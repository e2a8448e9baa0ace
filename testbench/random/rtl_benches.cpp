// The four RTL blocks beside their models.
#include <algorithm>
#include <array>
#include <string>

#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/converter/coverage.h"
#include "harmonia/hw/decoder/coverage.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/pe/coverage.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "harmonia/hw/smoother/coverage.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"
#include "harmonia/testbench/random/benches.h"

namespace harmonia::testbench {

using formats::Fp16;
using rtl::Beat;
using rtl::SideBySide;
using stimulus::draw;
using stimulus::draw_below;
using stimulus::Random;
using stimulus::Stimulus;
using Waits = rtl::StallCoverage::Waits;

namespace {

constexpr std::uint64_t kBatch = 64;  // transactions that share a pattern of stalls

/// Runs `body(check, transaction)` for each transaction and drains after each batch; a difference is the outcome's message.
template <class Body>
RandomOutcome side_by_side(rtl::StreamDut& dut, const Stimulus& s, Random& random, rtl::StallCoverage& stalls,
                           Body body) {
  RandomOutcome outcome;
  SideBySide check(dut);
  check.driver().set_coverage(&stalls);
  try {
    for (std::uint64_t t = 0; t < static_cast<std::uint64_t>(s.transactions); ++t) {
      if (t % kBatch == 0) {
        check.drain();
        const stimulus::StallPattern p = draw(random, s.stalls);
        check.driver().set_stalls({p.input, p.output, random.next()});
      }
      body(check, t);
      ++outcome.transactions;
    }
    check.drain();
  } catch (const rtl::Difference& d) {
    outcome.passed = false;
    outcome.message = d.what();
  }
  return outcome;
}

void add(RandomOutcome& outcome, const std::vector<coverage::Group>& groups) {
  outcome.groups.insert(outcome.groups.end(), groups.begin(), groups.end());
}

/// A stored group of what an encoder writes, any planes under any exponent now and then, or largest magnitudes of one sign.
void random_group(Random& random, const Stimulus& s, const formats::BfpFormat& format, bool largest,
                  std::uint8_t* out) {
  const std::size_t bytes = format.group_bytes(), signs = format.sign_bytes();
  if (largest) {
    out[0] = static_cast<std::uint8_t>(1 + draw_below(random, 30));
    std::fill(out + 1, out + 1 + signs, static_cast<std::uint8_t>(random.next() & 1 ? 0xff : 0));
    std::fill(out + 1 + signs, out + bytes, std::uint8_t{0xff});
  } else if (draw_below(random, 8) == 0) {
    out[0] = static_cast<std::uint8_t>(1 + draw_below(random, 30));
    for (std::size_t i = 1; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(random.next());
  } else {
    std::array<Fp16, 32> x;
    draw(random, s.tensor, x.data(), x.size());
    formats::encode_row(format, x.data(), x.size(), out);
  }
}

}  // namespace

RandomOutcome random_converter(const Stimulus& s, std::uint64_t seed) {
  Random random(seed);
  const auto dut = converter::make_bfp_converter_rtl();
  converter::ConverterCoverage operands("converter");
  rtl::StallCoverage stalls("converter", {{"s_axis"}, {"m_axis"}});
  std::uint64_t nonfinite = 0;
  RandomOutcome outcome = side_by_side(*dut, s, random, stalls, [&](SideBySide& check, std::uint64_t) {
    const std::size_t mode = drawn_mode(random, s, {"bfp8", "bfp4", "merge"});
    const bool last = random.next() & 1;
    std::array<Fp16, 32> x{};
    Beat beat;
    if (mode == 2) {
      std::array<std::uint8_t, 37> stored{};
      const int place =
          draw_below(random, 4) == 0 ? (random.next() & 1 ? 0 : 31) : static_cast<int>(draw_below(random, 32));
      // A group of zeros has no exponent to compare with, at any place.
      if (draw_below(random, 8) != 0) draw(random, s.tensor, x.data(), x.size());
      formats::encode_row(formats::kBfp8, x.data(), static_cast<std::size_t>(place), stored.data());
      if (place == 0) formats::clear_stored(formats::kBfp8, stored.data());
      Fp16 newcomer;
      draw(random, s.tensor, &newcomer, 1);
      beat = converter::merge_beat(newcomer, place, stored.data(), last);
      operands.sample_growth(newcomer, place, stored.data());
    } else {
      const formats::BfpFormat& format = mode == 0 ? formats::kBfp8 : formats::kBfp4;
      const auto count =
          static_cast<std::size_t>(s.lengths.empty() ? draw(random, {{1, 1, 1}, {2, 31, 2}, {32, 32, 13}})
                                                     : std::clamp<std::int64_t>(draw(random, s.lengths), 1, 32));
      draw(random, s.tensor, x.data(), count);
      beat = converter::row_beat(format, x.data(), count, last);
      operands.sample_row(format, x.data(), count);
    }
    check.driver().push(0, beat);
    check.expect(converter::golden_beat(beat, &nonfinite), beat);
  });
  if (outcome.passed && dut->status() != static_cast<std::uint32_t>(nonfinite)) {
    outcome.passed = false;
    outcome.message = "bfp_converter: the counter of values that are not finite is " + std::to_string(dut->status()) +
                      ", expected " + std::to_string(nonfinite);
  }
  add(outcome, operands.groups());
  add(outcome, stalls.groups());
  return outcome;
}

RandomOutcome random_pe(const Stimulus& s, std::uint64_t seed) {
  Random random(seed);
  const auto dut = pe::make_pe_rtl();
  pe::PeCoverage operands("pe");
  rtl::StallCoverage stalls("pe", {{"s_axis_a"}, {"s_axis_w"}, {"m_axis"}});
  std::vector<std::string> names;
  for (int m = 0; m < formats::kPeModes; ++m) names.emplace_back(formats::info(static_cast<formats::PeMode>(m)).name);
  formats::PeMode mode = formats::PeMode::kM8W4;
  RandomOutcome outcome = side_by_side(*dut, s, random, stalls, [&](SideBySide& check, std::uint64_t t) {
    // Runs of one mode, and changes of it.
    if (t == 0 || draw_below(random, 4) == 0) mode = static_cast<formats::PeMode>(drawn_mode(random, s, names));
    const bool largest = draw_below(random, 16) == 0;
    std::array<std::uint8_t, 37> a{}, b{};
    random_group(random, s, formats::kBfp8, largest, a.data());
    const Beat first = pe::first_operand(a.data(), random.next() & 1);
    Beat second;
    if (mode == formats::PeMode::kM8M4 || mode == formats::PeMode::kM8M8) {
      random_group(random, s, mode == formats::PeMode::kM8M4 ? formats::kBfp4 : formats::kBfp8, largest, b.data());
      second = pe::bfp_operand(mode, b.data());
    } else if (mode == formats::PeMode::kM8B1) {
      const auto entry = [&] { return largest ? -128 : static_cast<int>(draw_below(random, 256)) - 128; };
      std::array<std::uint8_t, 4> codes;
      for (std::uint8_t& c : codes) c = static_cast<std::uint8_t>(random.next());
      const int q0 = entry(), q1 = entry();
      second = pe::one_bit_operand(codes.data(), q0, q1);
    } else {
      const int limit = mode == formats::PeMode::kM8L8 ? 128 : 15;
      const bool extreme = draw_below(random, 16) == 0;
      std::array<std::int8_t, 32> w;
      for (std::int8_t& v : w) {
        int r = static_cast<int>(draw_below(random, static_cast<std::uint64_t>(2 * limit + 1))) - limit;
        if (extreme) r = r < 0 ? -limit : limit;
        v = static_cast<std::int8_t>(largest ? -limit : std::min(r, 127));
      }
      second = pe::integer_operand(mode, w.data());
    }
    check.driver().push(pe::kFirstOperand, first);
    check.driver().push(pe::kSecondOperand, second);
    const Beat golden = pe::golden_beat(first, second);
    operands.sample(mode, a.data(), pe::result_of(golden).partial);
    check.expect(golden, second, pe::kSecondOperand, "first operand " + rtl::hex(first, 37));
  });
  add(outcome, operands.groups());
  add(outcome, stalls.groups());
  return outcome;
}

RandomOutcome random_decoder(const Stimulus& s, std::uint64_t seed) {
  using decoder::LutDecoderRtlMode;
  Random random(seed);
  const auto dut = decoder::make_lut_decoder_rtl();
  decoder::DecoderCoverage operands("decoder");
  rtl::StallCoverage stalls("decoder",
                            {{"s_axis_codebook", Waits::first}, {"s_axis_index"}, {"s_axis_scale"}, {"m_axis"}});
  constexpr LutDecoderRtlMode kModes[] = {LutDecoderRtlMode::kOneBit, LutDecoderRtlMode::kTwoBit,
                                          LutDecoderRtlMode::kFourBit, LutDecoderRtlMode::kInt4,
                                          LutDecoderRtlMode::kInt4ZeroPoint};
  // A transaction is a row; in front of one in four is a codebook, offered while the row before it is in flight or not.
  LutDecoderRtlMode mode = LutDecoderRtlMode::kFourBit;
  std::array<std::int8_t, 16> table{};
  int bits = 4;
  const auto take_until_taken = [](SideBySide& check, std::size_t stream) {
    while (check.driver().pending(stream))
      if (check.driver().cycle()) check.check(check.driver().last_result());
  };
  RandomOutcome outcome = side_by_side(*dut, s, random, stalls, [&](SideBySide& check, std::uint64_t t) {
    if (t % kBatch == 0 || draw_below(random, 4) == 0) {
      mode = kModes[drawn_mode(random, s, {"n1", "n2", "n4", "int4", "int4z"})];
      bits = mode == LutDecoderRtlMode::kOneBit ? 1 : mode == LutDecoderRtlMode::kTwoBit ? 2 : 4;
      for (std::int8_t& q : table) q = static_cast<std::int8_t>(random.next());
      if (draw_below(random, 2)) std::sort(table.begin(), table.end());
      if (draw_below(random, 4) == 0) table[0] = -128, table[1] = 127;
      // Order between streams is the user's: the codes of the row before must all be in.
      take_until_taken(check, decoder::kIndexStream);
      operands.sample_codebook(bits, table.data());
      for (const Beat& beat : decoder::codebook_beats(mode, table.data()))
        check.driver().push(decoder::kCodebookStream, beat);
      take_until_taken(check, decoder::kCodebookStream);
    }
    const auto cols = static_cast<std::size_t>(
        s.lengths.empty() ? (draw_below(random, 4) ? 64 * (1 + draw_below(random, 16)) : 1 + draw_below(random, 500))
                          : static_cast<std::uint64_t>(std::clamp<std::int64_t>(draw(random, s.lengths), 1, 1 << 16)));
    const bool alone = draw_below(random, 8) == 0;
    const auto code = static_cast<std::uint8_t>((random.next() & ((1u << bits) - 1)) * (bits == 1   ? 0xff
                                                                                        : bits == 2 ? 0x55
                                                                                                    : 0x11));
    std::vector<std::uint8_t> packed(cols / 2 + 1), zeros(cols / 64 + 1);
    for (std::uint8_t& byte : packed) byte = alone ? code : static_cast<std::uint8_t>(random.next());
    for (std::uint8_t& zero : zeros) zero = static_cast<std::uint8_t>(random.next() & 15);
    std::vector<std::uint16_t> scales(cols / 64 + 1);
    for (std::uint16_t& scale : scales) {
      scale = static_cast<std::uint16_t>(random.next());
      if (draw_below(random, 8) == 0)
        scale = static_cast<std::uint16_t>((scale & 0x8000u) | (random.next() & 1 ? 0x7f80u : 0));
    }
    const bool with_zero = mode == LutDecoderRtlMode::kInt4ZeroPoint;
    operands.sample_row(bits, packed.data(), cols, scales.data(), with_zero ? zeros.data() : nullptr);
    const auto beats = decoder::row_beats(mode, packed.data(), cols, scales.data(), with_zero ? zeros.data() : nullptr);
    for (const Beat& beat : beats.index) check.driver().push(decoder::kIndexStream, beat);
    for (const Beat& beat : beats.scale) check.driver().push(decoder::kScaleStream, beat);
    for (const Beat& beat : decoder::golden_row(mode, table.data(), packed.data(), cols, scales.data(), zeros.data()))
      check.expect(beat, beats.index.front(), decoder::kIndexStream);
  });
  add(outcome, operands.groups());
  add(outcome, stalls.groups());
  return outcome;
}

RandomOutcome random_smoother(const Stimulus& s, std::uint64_t seed) {
  Random random(seed);
  const auto dut = smoother::make_outlier_smoother_rtl();
  smoother::SmootherCoverage operands("smoother");
  rtl::StallCoverage stalls("smoother", {{"s_axis_table", Waits::none}, {"s_axis_key"}, {"m_axis"}});
  std::array<formats::KeyOffsets, smoother::kOutlierSmootherRtlHeads> table{};
  constexpr std::size_t kHeadDim = 128;
  // A transaction is a key of one head; in front of one in sixteen its offsets are replaced.
  RandomOutcome outcome = side_by_side(*dut, s, random, stalls, [&](SideBySide& check, std::uint64_t) {
    const std::size_t head = draw_below(random, table.size());
    const auto take_until_taken = [&](std::size_t stream) {
      while (check.driver().pending(stream))
        if (check.driver().cycle()) check.check(check.driver().last_result());
    };
    if (draw_below(random, 16) == 0) {
      formats::KeyOffsets& offsets = table[head];
      offsets.count = draw_below(random, 5);
      for (std::size_t i = 0; i < offsets.count; ++i) {
        // Channels of one head differ: each from a class of its own, so that they share beats or do not.
        offsets.channel[i] = static_cast<std::uint16_t>(draw_below(random, 2) ? i * 32 + 4 * draw_below(random, 8) + i
                                                                              : i + 4 * draw_below(random, 32));
        draw(random, s.tensor, &offsets.offset[i], 1);
        // Infinities and NaNs on both sides of the subtraction are rare otherwise.
        if (draw_below(random, 8) == 0)
          offsets.offset[i].bits = static_cast<std::uint16_t>(0x7c00u | (random.next() & 0x8200u));
      }
      for (std::size_t i = 0; i < smoother::kOutlierSmootherRtlEntries; ++i) {
        const bool flagged = i < offsets.count;
        check.driver().push(smoother::kTableStream,
                            smoother::table_beat(head, i, flagged, flagged ? offsets.channel[i] : 0,
                                                 flagged ? offsets.offset[i] : Fp16{}));
      }
      take_until_taken(smoother::kTableStream);
    }
    std::array<Fp16, kHeadDim> key;
    draw(random, s.tensor, key.data(), key.size());
    std::array<Fp16, kHeadDim> golden = key;
    operands.sample(table[head], key.data());
    formats::subtract_offsets(table[head], golden.data());
    for (std::size_t c = 0; c < kHeadDim; c += 32) {
      const bool last = c + 32 == kHeadDim;
      const Beat beat = smoother::key_beat(head, c, key.data() + c, 32, last);
      Beat expected = smoother::key_beat(head, c, golden.data() + c, 32, last);
      expected.user = 0;
      check.driver().push(smoother::kKeyStream, beat);
      check.expect(expected, beat, smoother::kKeyStream);
    }
    // Keys have been looked up before the offsets of their head may change.
    take_until_taken(smoother::kKeyStream);
  });
  add(outcome, operands.groups());
  add(outcome, stalls.groups());
  return outcome;
}

}  // namespace harmonia::testbench
