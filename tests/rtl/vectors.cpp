// Every RTL block against the model, mode by mode: random and directed operands, random stalls on every stream,
// codebook reload and reset in flight. Every result is compared byte for byte, tkeep, tuser and tlast included.
//
// What is counted: vectors, that is beats, each of 32 elements (converter, PE, smoother) or 64 (decoder). 10^6 per
// block and mode, or what HARMONIA_RTL_VECTORS says; `ctest -C long -R vectors` runs 10^7.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>

#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/converter/coverage.h"
#include "harmonia/hw/decoder/coverage.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"
#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/pe/coverage.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "harmonia/hw/smoother/coverage.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"
#include "harmonia/tlm/coverage/ucis.h"
#include "tests/rtl/duts.h"
#include "tests/rtl/random.h"
#include "tests/support/catch.h"

namespace harmonia {
namespace {

using formats::Fp16;
using rtl::Beat;
using rtl::SideBySide;
using test::Random;

std::uint64_t vectors_wanted() {
  const char* text = std::getenv("HARMONIA_RTL_VECTORS");
  return text ? std::strtoull(text, nullptr, 10) : 1'000'000;
}

constexpr std::uint64_t kSeed = 20240607;

// Stall patterns, taken in turn: none, input, output, both, nearly always both.
rtl::Stalls stalls_of(std::uint64_t batch) {
  static constexpr std::uint32_t kPatterns[][2] = {{0, 0}, {400, 0}, {0, 600}, {300, 300}, {0, 0}, {900, 900}};
  const auto& pattern = kPatterns[batch % 6];
  return {pattern[0], pattern[1], kSeed + batch};
}

constexpr std::size_t kBatchBeats = 512;

/// What a test samples beside comparing, and how many vectors it runs.
template <class Operands>
struct Covered {
  std::uint64_t wanted = vectors_wanted();
  Operands* operands = nullptr;
  rtl::StallCoverage* stalls = nullptr;
};
constexpr std::uint64_t kCoveredVectors = 20000;

// Calls push(side_by_side) for each transaction until `beats` were compared.
template <class Push>
void stream(rtl::StreamDut& dut, std::uint64_t beats, Push push, rtl::StallCoverage* stalls = nullptr) {
  SideBySide check(dut);
  check.driver().set_coverage(stalls);
  for (std::uint64_t batch = 0; check.compared() < beats; ++batch) {
    // The heaviest stalls are slow; a short batch of them is enough.
    const std::size_t size = batch % 6 == 5 ? kBatchBeats / 8 : kBatchBeats;
    check.driver().set_stalls(stalls_of(batch));
    for (std::size_t i = 0; i < size; ++i) push(check);
    check.drain();
  }
}

// ---- Converter ----

void converter_vectors(const formats::BfpFormat& format, bool merge,
                       const Covered<converter::ConverterCoverage>& covered = {}) {
  CAPTURE(kSeed);
  const auto dut = test::converter_dut();
  Random random(kSeed);
  std::uint64_t nonfinite = 0;
  const auto push = [&](SideBySide& check) {
    Beat beat;
    std::array<Fp16, 32> x{};
    const std::size_t count = merge || random() % 16 != 0 ? 32 : 1 + random() % 32;
    test::random_fp16(random, x.data(), count);
    if (merge) {
      const int place = static_cast<int>(random() % 32);
      std::array<std::uint8_t, 37> stored;
      formats::encode_row(formats::kBfp8, x.data(), static_cast<std::size_t>(place), stored.data());
      if (place == 0) formats::clear_stored(formats::kBfp8, stored.data());
      Fp16 newcomer;
      test::random_fp16(random, &newcomer, 1);
      beat = converter::merge_beat(newcomer, place, stored.data(), random() & 1);
      if (covered.operands) covered.operands->sample_growth(newcomer, place, stored.data());
    } else {
      beat = converter::row_beat(format, x.data(), count, random() & 1);
      if (covered.operands) covered.operands->sample_row(format, x.data(), count);
    }
    check.driver().push(0, beat);
    check.expect(converter::golden_beat(beat, &nonfinite), beat);
  };
  stream(*dut, covered.wanted, push, covered.stalls);
  REQUIRE(nonfinite > 0);
  REQUIRE(dut->status() == static_cast<std::uint32_t>(nonfinite));
}

TEST_CASE("converter RTL equals the model: M8") { converter_vectors(formats::kBfp8, false); }
TEST_CASE("converter RTL equals the model: M4") { converter_vectors(formats::kBfp4, false); }
TEST_CASE("converter RTL equals the model: a residual group grows in place") {
  converter_vectors(formats::kBfp8, true);
}

TEST_CASE("converter RTL: every FP16 value under every group exponent") {
  const auto dut = test::converter_dut();
  SideBySide check(*dut);
  std::uint64_t nonfinite = 0;
  std::array<Fp16, 32> x{};
  for (unsigned value = 0; value < 0x10000; value += 8) {
    for (unsigned e = 0; e < 32; e += 3) {
      for (unsigned i = 0; i < 8; ++i) x[i].bits = static_cast<std::uint16_t>(value + i);
      x[8].bits = static_cast<std::uint16_t>(e << 10 | 1);
      const Beat beat = converter::row_beat(formats::kBfp8, x.data(), 32);
      check.driver().push(0, beat);
      check.expect(converter::golden_beat(beat, &nonfinite), beat);
    }
    check.drain();
  }
  REQUIRE(dut->status() == nonfinite);
}

TEST_CASE("converter RTL: every number of values that are not finite is counted") {
  const auto dut = test::converter_dut();
  SideBySide check(*dut);
  Random random(kSeed);
  std::uint64_t nonfinite = 0;
  std::array<Fp16, 32> x;
  for (int repeat = 0; repeat < 8; ++repeat) {
    for (std::ptrdiff_t number = 0; number <= 32; ++number) {
      for (Fp16& v : x) v.bits = static_cast<std::uint16_t>(random() & 0xbbff);  // exponents up to 14
      for (std::ptrdiff_t i = 0; i < number; ++i)
        x[static_cast<std::size_t>(i)].bits = static_cast<std::uint16_t>(0x7c00 | (random() & 0x83ff));
      // The first and the last of the group, then others.
      if (repeat == 1) std::reverse(x.begin(), x.end());
      if (repeat > 1) std::shuffle(x.begin(), x.end(), random);
      const Beat beat = converter::row_beat(formats::kBfp8, x.data(), 32);
      check.driver().push(0, beat);
      check.expect(converter::golden_beat(beat, &nonfinite), beat);
    }
    check.drain();
    REQUIRE(nonfinite == static_cast<std::uint64_t>(repeat + 1) * 32 * 33 / 2);
    REQUIRE(dut->status() == nonfinite);
  }
}

TEST_CASE("converter RTL: four stages, one group per cycle") {
  const auto dut = test::converter_dut();
  rtl::StreamDriver driver(*dut);
  const std::array<Fp16, 32> x{};
  for (int i = 0; i < 100; ++i) driver.push(0, converter::row_beat(formats::kBfp8, x.data(), 32));
  driver.run(1, [](const Beat&) {});
  REQUIRE(driver.last_result_cycle() == converter::kBfpConverterRtlStages);
  driver.run(99, [](const Beat&) {});
  REQUIRE(driver.last_result_cycle() == converter::kBfpConverterRtlStages + 99);
}

TEST_CASE("converter RTL class: rows with a tail, grown groups, bad formats") {
  converter::BfpConverterRtl rtl(true, {200, 200, kSeed});
  Random random(kSeed);
  std::vector<Fp16> x(77);
  test::random_fp16(random, x.data(), x.size());
  for (const auto& format : {formats::kBfp8, formats::kBfp4}) {
    std::vector<std::uint8_t> expected(format.row_bytes(77)), actual(expected.size());
    const std::size_t nonfinite = formats::encode_row(format, x.data(), 77, expected.data());
    REQUIRE(rtl.encode_row(format, x.data(), 77, actual.data()) == nonfinite);
    REQUIRE(actual == expected);
  }
  std::vector<std::uint8_t> expected(5 * 37), actual;
  for (int c = 0; c < 5; ++c) formats::clear_stored(formats::kBfp8, expected.data() + c * 37);
  actual = expected;
  for (int count = 0; count < 32; ++count) {
    test::random_fp16(random, x.data(), 5);
    const std::size_t nonfinite = formats::append_row(formats::kBfp8, x.data(), 5, count, expected.data());
    REQUIRE(rtl.append_row(formats::kBfp8, x.data(), 5, count, actual.data()) == nonfinite);
    REQUIRE(actual == expected);
  }
  formats::BfpFormat nearest = formats::kBfp8;
  nearest.rounding = formats::Rounding::kNearestEven;
  REQUIRE_THROWS_AS(rtl.encode_row(nearest, x.data(), 77, actual.data()), std::invalid_argument);
}

// ---- PE ----

void pe_vectors(formats::PeMode mode, const Covered<pe::PeCoverage>& covered = {}) {
  CAPTURE(kSeed, formats::info(mode).name);
  const auto dut = test::pe_dut();
  Random random(kSeed + static_cast<std::uint64_t>(mode));
  const int limit = mode == formats::PeMode::kM8L8 ? 128 : 15;
  const auto push = [&](SideBySide& check) {
    std::array<std::uint8_t, 37> a, b;
    test::random_group(random, formats::kBfp8, a.data());
    // One in 64: every product has the largest magnitude and the same sign.
    const bool largest = random() % 64 == 0;
    if (largest) test::largest_group(random, formats::kBfp8, a.data());
    const Beat first = pe::first_operand(a.data(), random() & 1);
    Beat second;
    if (mode == formats::PeMode::kM8M4 || mode == formats::PeMode::kM8M8) {
      test::random_group(random, mode == formats::PeMode::kM8M4 ? formats::kBfp4 : formats::kBfp8, b.data());
      if (largest)
        test::largest_group(random, mode == formats::PeMode::kM8M4 ? formats::kBfp4 : formats::kBfp8, b.data());
      second = pe::bfp_operand(mode, b.data());
    } else if (mode == formats::PeMode::kM8B1) {
      const std::uint64_t r = random();
      const std::array<std::uint8_t, 4> codes = {static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(r >> 8),
                                                 static_cast<std::uint8_t>(r >> 16),
                                                 static_cast<std::uint8_t>(r >> 24)};
      const int entry = static_cast<int>(r >> 32 & 255) - 128;
      second = largest ? pe::one_bit_operand(codes.data(), -128, -128)
                       : pe::one_bit_operand(codes.data(), entry, static_cast<int>(r >> 40 & 255) - 128);
    } else {
      std::array<std::int8_t, 32> w;
      const bool extreme = random() % 16 == 0;
      if (largest)
        w.fill(static_cast<std::int8_t>(-limit));
      else
        for (std::int8_t& v : w) {
          const auto r = static_cast<int>(random() % static_cast<unsigned>(2 * limit + 1)) - limit;
          v = static_cast<std::int8_t>(std::min(extreme ? (r < 0 ? -limit : limit) : r, 127));
        }
      second = pe::integer_operand(mode, w.data());
    }
    check.driver().push(pe::kFirstOperand, first);
    check.driver().push(pe::kSecondOperand, second);
    const Beat golden = pe::golden_beat(first, second);
    if (covered.operands) covered.operands->sample(mode, a.data(), pe::result_of(golden).partial);
    check.expect(golden, second, pe::kSecondOperand, "first operand " + rtl::hex(first, 37));
  };
  stream(*dut, covered.wanted, push, covered.stalls);
}

TEST_CASE("PE RTL equals the model: M8W4") { pe_vectors(formats::PeMode::kM8W4); }
TEST_CASE("PE RTL equals the model: M8M4") { pe_vectors(formats::PeMode::kM8M4); }
TEST_CASE("PE RTL equals the model: M8M8") { pe_vectors(formats::PeMode::kM8M8); }
TEST_CASE("PE RTL equals the model: M8L5") { pe_vectors(formats::PeMode::kM8L5); }
TEST_CASE("PE RTL equals the model: M8L8") { pe_vectors(formats::PeMode::kM8L8); }
TEST_CASE("PE RTL equals the model: M8B1") { pe_vectors(formats::PeMode::kM8B1); }

TEST_CASE("PE RTL reaches the largest partial of every mode") {
  std::array<std::uint8_t, 37> a;
  a.fill(0xff);
  a[0] = 30;
  pe::PeRtl rtl(true);
  pe::PeResult result;
  for (int m = 0; m < formats::kPeModes; ++m) {
    const auto mode = static_cast<formats::PeMode>(m);
    const formats::PeModeInfo& info = formats::info(mode);
    CAPTURE(info.name);
    std::array<std::int8_t, 32> w;
    w.fill(static_cast<std::int8_t>(mode == formats::PeMode::kM8L8 ? 127 : 15));
    const std::array<std::uint8_t, 4> codes{};
    switch (mode) {
      case formats::PeMode::kM8M4:
      case formats::PeMode::kM8M8:
        rtl.partials_bfp(mode, a.data(), a.data(), 1, &result);
        break;
      case formats::PeMode::kM8B1:
        rtl.partials_1bit(a.data(), codes.data(), 127, -127, 1, &result);
        break;
      default:
        rtl.partials_int(mode, a.data(), w.data(), 1, &result);
    }
    REQUIRE(std::abs(result.partial) == info.max_abs_partial);
  }
}

TEST_CASE("PE RTL: seven stages; one group per cycle, two in the two-pass modes") {
  Random random(kSeed);
  std::array<std::uint8_t, 37> a;
  test::random_group(random, formats::kBfp8, a.data());
  const std::array<std::int8_t, 32> w{};
  for (int m = 0; m < formats::kPeModes; ++m) {
    const auto mode = static_cast<formats::PeMode>(m);
    CAPTURE(formats::info(mode).name);
    const auto passes = static_cast<std::uint64_t>(formats::info(mode).passes);
    const auto dut = test::pe_dut();
    rtl::StreamDriver driver(*dut);
    for (int i = 0; i < 50; ++i) {
      driver.push(pe::kFirstOperand, pe::first_operand(a.data()));
      Beat second = pe::integer_operand(formats::PeMode::kM8W4, w.data());
      second.user = static_cast<std::uint32_t>(mode);
      driver.push(pe::kSecondOperand, second);
    }
    driver.run(1, [](const Beat&) {});
    REQUIRE(driver.last_result_cycle() == pe::kPeRtlStages + passes - 1);
    driver.run(49, [](const Beat&) {});
    REQUIRE(driver.last_result_cycle() == pe::kPeRtlStages + passes - 1 + 49 * passes);
  }
}

TEST_CASE("PE RTL: modes change from group to group") {
  CAPTURE(kSeed);
  const auto dut = test::pe_dut();
  Random random(kSeed);
  stream(*dut, 20000, [&](SideBySide& check) {
    std::array<std::uint8_t, 37> a, b;
    test::random_group(random, formats::kBfp8, a.data());
    test::random_group(random, formats::kBfp8, b.data());
    const auto mode = static_cast<formats::PeMode>(random() % 6);
    std::array<std::int8_t, 32> w;
    for (std::int8_t& v : w) v = static_cast<std::int8_t>(static_cast<int>(random() % 31) - 15);
    const Beat first = pe::first_operand(a.data());
    const Beat second = mode == formats::PeMode::kM8M4 || mode == formats::PeMode::kM8M8
                            ? pe::bfp_operand(mode, b.data())
                        : mode == formats::PeMode::kM8B1 ? pe::one_bit_operand(b.data(), 5, -9)
                                                         : pe::integer_operand(mode, w.data());
    check.driver().push(pe::kFirstOperand, first);
    check.driver().push(pe::kSecondOperand, second);
    check.expect(pe::golden_beat(first, second), second, pe::kSecondOperand);
  });
}

TEST_CASE("PE RTL class: dot products equal the golden ones") {
  CAPTURE(kSeed);
  pe::PeRtl rtl(true, {100, 100, kSeed});
  Random random(kSeed);
  for (const std::size_t n : {32, 64, 96, 288, 172, 1000}) {
    CAPTURE(n);
    std::vector<Fp16> x(n);
    for (Fp16& v : x) v.bits = static_cast<std::uint16_t>((random() & 0x83ff) | (8 + random() % 10) << 10);
    std::vector<std::uint8_t> a(formats::kBfp8.row_bytes(n));
    formats::encode_row(formats::kBfp8, x.data(), n, a.data());
    for (const auto& fb : {formats::kBfp4, formats::kBfp8}) {
      std::vector<std::uint8_t> b(fb.row_bytes(n));
      formats::encode_row(fb, x.data(), n, b.data());
      REQUIRE(rtl.dot_bfp(a.data(), fb, b.data(), n, 0.5f) ==
              formats::dot_bfp(formats::kBfp8, a.data(), fb, b.data(), n, 0.5f));
    }
    std::vector<std::int8_t> w(n), q(n);
    for (std::int8_t& v : w) v = static_cast<std::int8_t>(static_cast<int>(random() % 16) - 8);
    for (std::int8_t& v : q) v = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
    std::vector<Fp16> scales(n / 32 + 1);
    std::vector<formats::Bf16> block_scales(n / 64 + 1);
    for (Fp16& s : scales) s.bits = static_cast<std::uint16_t>(0x2c00 | (random() & 1023));
    for (formats::Bf16& s : block_scales) s.bits = static_cast<std::uint16_t>(0x3d00 | (random() & 255));
    REQUIRE(rtl.dot_int(a.data(), w.data(), scales.data(), n) ==
            formats::dot_int(formats::kBfp8, a.data(), w.data(), scales.data(), n));
    REQUIRE(rtl.dot_codebook(formats::PeMode::kM8L8, a.data(), q.data(), block_scales.data(), 0.0078f, n) ==
            formats::dot_codebook(formats::kBfp8, a.data(), q.data(), block_scales.data(), 0.0078f, n));
    std::vector<std::uint8_t> codes((n + 7) / 8);
    for (std::uint8_t& c : codes) c = static_cast<std::uint8_t>(random());
    REQUIRE(
        rtl.dot_codebook_1bit(a.data(), codes.data(), -120, 127, block_scales.data(), 0.0078f, n) ==
        formats::dot_codebook_1bit(formats::kBfp8, a.data(), codes.data(), -120, 127, block_scales.data(), 0.0078f, n));
  }
}

// ---- Smoother ----

void smoother_vectors(const Covered<smoother::SmootherCoverage>& covered = {}) {
  CAPTURE(kSeed);
  const auto dut = test::smoother_dut();
  Random random(kSeed);
  SideBySide check(*dut);
  check.driver().set_coverage(covered.stalls);
  std::array<formats::KeyOffsets, smoother::kOutlierSmootherRtlHeads> table{};
  constexpr std::size_t kHeadDim = 128;
  const std::uint64_t tokens = covered.wanted * 32 / kHeadDim;
  std::uint64_t nans = 0;
  for (std::uint64_t t = 0; t < tokens; ++t) {
    const std::size_t head = random() % table.size();
    if (t % 64 == 0) {
      check.driver().set_stalls(stalls_of(t / 64));
      // Another head's entries are written while this head's keys are still inside.
      formats::KeyOffsets& offsets = table[head];
      offsets.count = random() % 5;
      for (std::size_t i = 0; i < offsets.count; ++i) {
        offsets.channel[i] = static_cast<std::uint16_t>(i * 32 + random() % 32);
        if (random() % 2) offsets.channel[i] = static_cast<std::uint16_t>(i + 4 * (random() % 32));
        test::random_fp16(random, &offsets.offset[i], 1);
      }
      bool clash = false;
      for (std::size_t i = 0; i < offsets.count; ++i) {
        for (std::size_t j = 0; j < i; ++j) clash = clash || offsets.channel[i] == offsets.channel[j];
      }
      if (clash) offsets.count = 1;
      for (std::size_t i = 0; i < 4; ++i) {
        const bool flagged = i < offsets.count;
        check.driver().push(smoother::kTableStream,
                            smoother::table_beat(head, i, flagged, flagged ? offsets.channel[i] : 0,
                                                 flagged ? offsets.offset[i] : Fp16{}));
      }
      while (check.driver().pending(smoother::kTableStream)) {
        if (check.driver().cycle()) check.check(check.driver().last_result());
      }
    }
    std::array<Fp16, kHeadDim> key;
    test::random_fp16(random, key.data(), key.size());
    std::array<Fp16, kHeadDim> golden = key;
    if (covered.operands) covered.operands->sample(table[head], key.data());
    formats::subtract_offsets(table[head], golden.data());
    for (const Fp16 g : golden) nans += formats::is_nan(g);
    for (std::size_t c = 0; c < kHeadDim; c += 32) {
      const bool last = c + 32 == kHeadDim;
      const Beat beat = smoother::key_beat(head, c, key.data() + c, 32, last);
      Beat expected = smoother::key_beat(head, c, golden.data() + c, 32, last);
      expected.user = 0;
      check.driver().push(smoother::kKeyStream, beat);
      check.expect(expected, beat, smoother::kKeyStream);
    }
    // Keys of a head must have been looked up before its offsets may change: leave only what the pipeline holds.
    while (check.driver().pending(smoother::kKeyStream)) {
      if (check.driver().cycle()) check.check(check.driver().last_result());
    }
  }
  check.drain();
  REQUIRE(check.compared() == tokens * kHeadDim / 32);
  REQUIRE(nans > 0);
}

TEST_CASE("smoother RTL equals the model; offsets are rewritten while keys flow") { smoother_vectors(); }

TEST_CASE("smoother RTL: heads of 256 channels, the most that the table can name") {
  constexpr std::size_t kHeadDim = 256;
  const auto dut = test::smoother_dut();
  SideBySide check(*dut);
  Random random(kSeed);
  std::array<formats::KeyOffsets, smoother::kOutlierSmootherRtlHeads> table{};
  for (std::size_t head = 0; head < table.size(); ++head) {
    formats::KeyOffsets& offsets = table[head];
    offsets.count = 4;
    for (std::size_t i = 0; i < 4; ++i) {
      offsets.channel[i] = static_cast<std::uint16_t>(64 * i + random() % 64);
      offsets.offset[i] = formats::to_fp16(static_cast<float>(head + 3 * i) - 9.5f);
      check.driver().push(smoother::kTableStream,
                          smoother::table_beat(head, i, true, offsets.channel[i], offsets.offset[i]));
    }
  }
  while (check.driver().pending(smoother::kTableStream)) check.driver().cycle();
  std::array<Fp16, kHeadDim> key;
  for (std::size_t t = 0; t < 4 * table.size(); ++t) {
    const std::size_t head = t % table.size();
    test::random_fp16(random, key.data(), key.size());
    std::array<Fp16, kHeadDim> golden = key;
    formats::subtract_offsets(table[head], golden.data());
    for (std::size_t c = 0; c < kHeadDim; c += 32) {
      const Beat beat = smoother::key_beat(head, c, key.data() + c, 32, c + 32 == kHeadDim);
      Beat expected = smoother::key_beat(head, c, golden.data() + c, 32, c + 32 == kHeadDim);
      expected.user = 0;
      check.driver().push(smoother::kKeyStream, beat);
      check.expect(expected, beat, smoother::kKeyStream);
    }
    check.drain();
  }
}

TEST_CASE("smoother RTL: three stages, one beat per cycle") {
  const auto dut = test::smoother_dut();
  rtl::StreamDriver driver(*dut);
  const std::array<Fp16, 32> key{};
  for (int i = 0; i < 100; ++i) driver.push(smoother::kKeyStream, smoother::key_beat(0, 0, key.data(), 32, false));
  driver.run(1, [](const Beat&) {});
  REQUIRE(driver.last_result_cycle() == smoother::kOutlierSmootherRtlStages);
  driver.run(99, [](const Beat&) {});
  REQUIRE(driver.last_result_cycle() == smoother::kOutlierSmootherRtlStages + 99);
}

TEST_CASE("smoother RTL class: heads, short heads, table limits") {
  smoother::OutlierSmootherRtl rtl(true, {200, 200, kSeed});
  Random random(kSeed);
  formats::KeyOffsets offsets;
  offsets.count = 2;
  offsets.channel[0] = 3;
  offsets.channel[1] = 47;
  offsets.offset[0] = formats::to_fp16(1.5f);
  offsets.offset[1] = formats::to_fp16(-1000.0f);
  rtl.set_offsets(5, offsets);
  std::vector<Fp16> key(2 * 48), golden;
  for (const std::size_t head : {5, 4}) {
    test::random_fp16(random, key.data(), key.size());
    golden = key;
    if (head == 5) {
      formats::subtract_offsets(offsets, golden.data());
      formats::subtract_offsets(offsets, golden.data() + 48);
    }
    rtl.subtract_offsets(head, key.data(), 48, 2);
    REQUIRE(key == golden);
  }
  offsets.count = 5;
  REQUIRE_THROWS_AS(rtl.set_offsets(0, offsets), std::invalid_argument);
  REQUIRE_THROWS_AS(rtl.set_offsets(8, {}), std::invalid_argument);
}

// ---- Decoder ----

using decoder::LutDecoderRtlMode;

/// A random codebook or zero-points, rows of random length, the codebook reloaded between rows: offered at once, so
/// that the reload waits inside the block for the end of the row before it.
void decoder_vectors(LutDecoderRtlMode mode, const Covered<decoder::DecoderCoverage>& covered = {}) {
  CAPTURE(kSeed, static_cast<int>(mode));
  const auto dut = test::decoder_dut();
  SideBySide check(*dut);
  check.driver().set_coverage(covered.stalls);
  Random random(kSeed + static_cast<std::uint64_t>(mode));
  const std::uint64_t wanted = covered.wanted;
  const int bits = mode == LutDecoderRtlMode::kOneBit ? 1 : mode == LutDecoderRtlMode::kTwoBit ? 2 : 4;
  std::array<std::int8_t, 16> table{};
  std::uint64_t reloads = 0;
  for (std::uint64_t row = 0; check.compared() < wanted; ++row) {
    if (row % 8 == 0) {
      // The pauses of the streams would let a row's codes overtake the codebook before it: only here, before the
      // codebook, does the order between the streams matter, and an idle decoder takes a codebook first.
      check.drain();
      check.driver().set_stalls(row % 16 ? rtl::Stalls{0, 0, kSeed} : stalls_of(row / 16));
      for (std::int8_t& q : table) q = static_cast<std::int8_t>(random());
      if (random() % 2) std::sort(table.begin(), table.end());
      if (random() % 4 == 0) table[0] = -128, table[1] = 127;
      if (covered.operands) covered.operands->sample_codebook(bits, table.data());
      for (const Beat& beat : decoder::codebook_beats(mode, table.data())) {
        check.driver().push(decoder::kCodebookStream, beat);
      }
      while (check.driver().pending(decoder::kCodebookStream)) check.driver().cycle();
      ++reloads;
    }
    const std::size_t cols = random() % 4 ? 64 * (1 + random() % 32) : 1 + random() % 1000;
    std::vector<std::uint8_t> packed(cols / 2 + 1), zeros(cols / 64 + 1);
    // One row in eight holds one code alone.
    const bool alone = random() % 8 == 0;
    const auto code = static_cast<std::uint8_t>((random() & ((1u << bits) - 1)) * (bits == 1   ? 0xff
                                                                                   : bits == 2 ? 0x55
                                                                                               : 0x11));
    for (std::uint8_t& byte : packed) byte = alone ? code : static_cast<std::uint8_t>(random());
    for (std::uint8_t& zero : zeros) zero = static_cast<std::uint8_t>(random() & 15);
    std::vector<std::uint16_t> scales(cols / 64 + 1);
    for (std::uint16_t& scale : scales) scale = static_cast<std::uint16_t>(random());
    // Exponents of all zeros and all ones are 1 in 256 each; scales of zero and infinity rarer still.
    for (std::uint16_t& scale : scales)
      if (random() % 8 == 0) scale = static_cast<std::uint16_t>((scale & 0x8000u) | (random() % 2 ? 0x7f80u : 0));
    const bool with_zero = mode == LutDecoderRtlMode::kInt4ZeroPoint;
    if (covered.operands)
      covered.operands->sample_row(bits, packed.data(), cols, scales.data(), with_zero ? zeros.data() : nullptr);
    const auto beats = decoder::row_beats(mode, packed.data(), cols, scales.data(), with_zero ? zeros.data() : nullptr);
    for (const Beat& beat : beats.index) check.driver().push(decoder::kIndexStream, beat);
    for (const Beat& beat : beats.scale) check.driver().push(decoder::kScaleStream, beat);
    for (const Beat& beat : decoder::golden_row(mode, table.data(), packed.data(), cols, scales.data(), zeros.data())) {
      check.expect(beat, beats.index.front(), decoder::kIndexStream, "row " + std::to_string(row));
    }
  }
  check.drain();
  REQUIRE(reloads > 1);
}

TEST_CASE("decoder RTL equals the model: n = 1") { decoder_vectors(LutDecoderRtlMode::kOneBit); }
TEST_CASE("decoder RTL equals the model: n = 2") { decoder_vectors(LutDecoderRtlMode::kTwoBit); }
TEST_CASE("decoder RTL equals the model: n = 4") { decoder_vectors(LutDecoderRtlMode::kFourBit); }
TEST_CASE("decoder RTL equals the model: INT4") { decoder_vectors(LutDecoderRtlMode::kInt4); }
TEST_CASE("decoder RTL equals the model: INT4 with zero-points") { decoder_vectors(LutDecoderRtlMode::kInt4ZeroPoint); }

void codebook_in_flight(int rounds, rtl::StallCoverage* stalls = nullptr) {
  CAPTURE(kSeed);
  Random random(kSeed);
  static constexpr LutDecoderRtlMode kModes[] = {LutDecoderRtlMode::kOneBit, LutDecoderRtlMode::kTwoBit,
                                                 LutDecoderRtlMode::kFourBit, LutDecoderRtlMode::kInt4};
  const auto dut = test::decoder_dut();
  SideBySide check(*dut);
  check.driver().set_coverage(stalls);
  constexpr std::size_t kCols = 64 * 24;
  LutDecoderRtlMode mode = LutDecoderRtlMode::kFourBit;
  std::array<std::int8_t, 16> table{};
  for (const Beat& beat : decoder::codebook_beats(mode, table.data()))
    check.driver().push(decoder::kCodebookStream, beat);
  while (check.driver().pending(decoder::kCodebookStream)) check.driver().cycle();
  for (int round = 0; round < rounds; ++round) {
    check.driver().set_stalls({0, round % 2 ? 500U : 0U, kSeed + static_cast<std::uint64_t>(round)});
    // Two rows are queued; the codebook of the second is offered at a random moment of the first.
    const LutDecoderRtlMode modes[] = {mode, kModes[random() % 4]};
    const std::array<std::int8_t, 16> old_table = table;
    for (std::int8_t& q : table) q = static_cast<std::int8_t>(random());
    const std::array<std::int8_t, 16>* tables[] = {&old_table, &table};
    std::size_t index_beats = 0;
    for (int r = 0; r < 2; ++r) {
      std::vector<std::uint8_t> packed(kCols / 2);
      for (std::uint8_t& byte : packed) byte = static_cast<std::uint8_t>(random());
      std::vector<std::uint16_t> scales(kCols / 64);
      for (std::uint16_t& scale : scales) scale = static_cast<std::uint16_t>(random());
      const auto beats = decoder::row_beats(modes[r], packed.data(), kCols, scales.data(), nullptr);
      for (const Beat& beat : beats.index) check.driver().push(decoder::kIndexStream, beat);
      for (const Beat& beat : beats.scale) check.driver().push(decoder::kScaleStream, beat);
      if (r == 0) index_beats = beats.index.size();
      for (const Beat& beat :
           decoder::golden_row(modes[r], tables[r]->data(), packed.data(), kCols, scales.data(), nullptr)) {
        check.expect(beat, beats.index.front(), decoder::kIndexStream, "round " + std::to_string(round));
      }
    }
    const std::uint64_t accepted = check.driver().accepted(decoder::kIndexStream);
    const std::uint64_t moment = 1 + random() % (index_beats - 1);
    while (check.driver().accepted(decoder::kIndexStream) < accepted + moment) {
      if (check.driver().cycle()) check.check(check.driver().last_result());
    }
    mode = modes[1];
    for (const Beat& beat : decoder::codebook_beats(mode, table.data())) {
      check.driver().push(decoder::kCodebookStream, beat);
    }
    check.drain();
  }
}

TEST_CASE("decoder RTL: a codebook offered while a row is in flight waits for the row's end") {
  codebook_in_flight(2000);
}

TEST_CASE("decoder RTL: three stages, one block per cycle, reload of 2^n cycles") {
  for (const int bits : {1, 2, 4}) {
    CAPTURE(bits);
    const auto mode = bits == 1   ? LutDecoderRtlMode::kOneBit
                      : bits == 2 ? LutDecoderRtlMode::kTwoBit
                                  : LutDecoderRtlMode::kFourBit;
    const auto dut = test::decoder_dut();
    rtl::StreamDriver driver(*dut);
    const std::array<std::int8_t, 16> table{};
    for (const Beat& beat : decoder::codebook_beats(mode, table.data())) driver.push(decoder::kCodebookStream, beat);
    while (driver.pending(decoder::kCodebookStream)) driver.cycle();
    REQUIRE(driver.cycles() == std::uint64_t{1} << bits);
    const std::vector<std::uint8_t> packed(64 * 64);
    const std::vector<std::uint16_t> scales(64);
    const auto beats = decoder::row_beats(mode, packed.data(), 64 * 64, scales.data(), nullptr);
    for (const Beat& beat : beats.index) driver.push(decoder::kIndexStream, beat);
    for (const Beat& beat : beats.scale) driver.push(decoder::kScaleStream, beat);
    const std::uint64_t start = driver.cycles();
    driver.run(1, [](const Beat&) {});
    REQUIRE(driver.last_result_cycle() == start + decoder::kLutDecoderRtlStages);
    driver.run(63, [](const Beat&) {});
    REQUIRE(driver.last_result_cycle() == start + decoder::kLutDecoderRtlStages + 63);
  }
}

TEST_CASE("decoder RTL class: rows, block scales, programming") {
  decoder::LutDecoderRtl rtl(true, {300, 300, kSeed});
  Random random(kSeed);
  const std::vector<std::uint8_t> packed = {0xD4};
  const std::array<std::int8_t, 4> table = {-127, -30, 31, 127};
  std::array<std::uint16_t, 2> scales = {0x3f80, 0x4000};
  std::array<std::int8_t, 4> codes{};
  REQUIRE_THROWS_AS(rtl.decode_row(packed.data(), 4, scales.data(), nullptr, codes.data()), std::invalid_argument);
  rtl.load(2, table.data());
  rtl.decode_row(packed.data(), 4, scales.data(), nullptr, codes.data());
  REQUIRE(codes == std::array<std::int8_t, 4>{127, -30, -30, -127});
  rtl.load_int4(false);
  std::vector<std::uint8_t> int4(129);
  for (std::uint8_t& byte : int4) byte = static_cast<std::uint8_t>(random());
  std::vector<std::int8_t> expected(258), actual(258);
  std::array<std::uint16_t, 5> block_scales{};
  const std::array<std::uint16_t, 3> group_scales = {1, 2, 3};
  formats::int_unpack_signed(int4.data(), 258, 4, expected.data());
  rtl.decode_row(int4.data(), 258, group_scales.data(), nullptr, actual.data(), block_scales.data());
  REQUIRE(actual == expected);
  REQUIRE(block_scales == std::array<std::uint16_t, 5>{1, 1, 2, 2, 3});
  REQUIRE_THROWS_AS(rtl.load(3, table.data()), std::invalid_argument);
}

// ---- Reset in flight ----

// ---- Coverage ----

/// Every bin of these covergroups was hit; what was covered goes to the folder HARMONIA_COVERAGE_DIR where it is set.
void require_closed(const std::string& name, const std::vector<std::vector<coverage::Group>>& parts) {
  coverage::Database all;
  all.runs.push_back({name, "test_rtl", kSeed, true});
  for (const std::vector<coverage::Group>& part : parts) all.merge({{}, part});
  std::string holes;
  for (const coverage::Hole& h : coverage::holes_of(all)) holes += h.group + ", " + h.point + ": " + h.bin + "\n";
  if (const char* folder = std::getenv("HARMONIA_COVERAGE_DIR")) {
    std::ofstream out(std::string(folder) + "/" + name + ".xml");
    coverage::write_ucis(all, out);
  }
  REQUIRE(holes == "");
}

TEST_CASE("coverage: the converter's vectors reach every bin of operands and stalls") {
  converter::ConverterCoverage operands("converter");
  rtl::StallCoverage stalls("converter", {{"s_axis"}, {"m_axis"}});
  for (const bool merge : {false, true})
    for (const auto& format : {formats::kBfp8, formats::kBfp4})
      converter_vectors(format, merge, {kCoveredVectors, &operands, &stalls});
  require_closed("converter", {operands.groups(), stalls.groups()});
}

TEST_CASE("coverage: the decoder's vectors reach every bin of operands and stalls") {
  decoder::DecoderCoverage operands("decoder");
  rtl::StallCoverage stalls(
      "decoder",
      {{"s_axis_codebook", rtl::StallCoverage::Waits::first}, {"s_axis_index"}, {"s_axis_scale"}, {"m_axis"}});
  for (const auto mode : {LutDecoderRtlMode::kOneBit, LutDecoderRtlMode::kTwoBit, LutDecoderRtlMode::kFourBit,
                          LutDecoderRtlMode::kInt4, LutDecoderRtlMode::kInt4ZeroPoint})
    decoder_vectors(mode, {kCoveredVectors, &operands, &stalls});
  codebook_in_flight(500, &stalls);
  require_closed("decoder", {operands.groups(), stalls.groups()});
}

TEST_CASE("coverage: the PE's vectors reach every bin of operands and stalls") {
  pe::PeCoverage operands("pe");
  rtl::StallCoverage stalls("pe", {{"s_axis_a"}, {"s_axis_w"}, {"m_axis"}});
  for (int m = 0; m < formats::kPeModes; ++m)
    pe_vectors(static_cast<formats::PeMode>(m), {kCoveredVectors, &operands, &stalls});
  require_closed("pe", {operands.groups(), stalls.groups()});
}

TEST_CASE("coverage: the smoother's vectors reach every bin of operands and stalls") {
  smoother::SmootherCoverage operands("smoother");
  // The table is written whenever it is offered an entry.
  rtl::StallCoverage stalls("smoother",
                            {{"s_axis_table", rtl::StallCoverage::Waits::none}, {"s_axis_key"}, {"m_axis"}});
  smoother_vectors({8 * kCoveredVectors, &operands, &stalls});
  require_closed("smoother", {operands.groups(), stalls.groups()});
}

TEST_CASE("a reset in flight empties every block and clears its state") {
  Random random(kSeed);
  std::array<Fp16, 32> x;
  x.fill(Fp16{0x7c00});
  const auto dut = test::converter_dut();
  SideBySide check(*dut);
  for (unsigned cycles = 1; cycles < 12; ++cycles) {
    for (int i = 0; i < 8; ++i) check.driver().push(0, converter::row_beat(formats::kBfp8, x.data(), 32));
    for (unsigned i = 0; i < cycles; ++i) check.driver().cycle();
    check.driver().reset();
    REQUIRE(dut->status() == 0);
    for (int i = 0; i < 20; ++i) REQUIRE_FALSE(check.driver().cycle());
    std::uint64_t nonfinite = 0;
    std::array<Fp16, 32> y;
    test::random_fp16(random, y.data(), 32);
    const Beat beat = converter::row_beat(formats::kBfp8, y.data(), 32);
    check.driver().push(0, beat);
    check.expect(converter::golden_beat(beat, &nonfinite), beat);
    check.drain();
    REQUIRE(dut->status() == nonfinite);
  }

  // The PE must not remember that a first pass was done.
  const auto pe_dut = test::pe_dut();
  SideBySide pe_check(*pe_dut);
  for (unsigned cycles = 1; cycles < 16; ++cycles) {
    std::array<std::uint8_t, 37> a, b;
    test::random_group(random, formats::kBfp8, a.data());
    test::random_group(random, formats::kBfp8, b.data());
    const Beat first = pe::first_operand(a.data());
    const Beat second = pe::bfp_operand(formats::PeMode::kM8M8, b.data());
    for (int i = 0; i < 8; ++i) {
      pe_check.driver().push(pe::kFirstOperand, first);
      pe_check.driver().push(pe::kSecondOperand, second);
    }
    for (unsigned i = 0; i < cycles; ++i) pe_check.driver().cycle();
    pe_check.driver().reset();
    for (int i = 0; i < 20; ++i) REQUIRE_FALSE(pe_check.driver().cycle());
    pe_check.driver().push(pe::kFirstOperand, first);
    pe_check.driver().push(pe::kSecondOperand, second);
    pe_check.expect(pe::golden_beat(first, second), second, pe::kSecondOperand);
    pe_check.drain();
  }

  // The decoder is inside a row and inside a codebook.
  const auto decoder_dut = test::decoder_dut();
  SideBySide decoder_check(*decoder_dut);
  for (unsigned cycles = 1; cycles < 40; ++cycles) {
    std::array<std::int8_t, 16> table;
    for (std::int8_t& q : table) q = static_cast<std::int8_t>(random());
    std::array<std::uint8_t, 96> packed;
    for (std::uint8_t& byte : packed) byte = static_cast<std::uint8_t>(random());
    const std::array<std::uint16_t, 3> scales = {7, 8, 9};
    const auto beats = decoder::row_beats(LutDecoderRtlMode::kFourBit, packed.data(), 192, scales.data(), nullptr);
    const auto codebook = decoder::codebook_beats(LutDecoderRtlMode::kFourBit, table.data());
    for (int again = 0; again < 2; ++again) {
      for (const Beat& beat : codebook) decoder_check.driver().push(decoder::kCodebookStream, beat);
      for (const Beat& beat : beats.index) decoder_check.driver().push(decoder::kIndexStream, beat);
      for (const Beat& beat : beats.scale) decoder_check.driver().push(decoder::kScaleStream, beat);
      if (again) break;
      for (unsigned i = 0; i < cycles; ++i) decoder_check.driver().cycle();
      decoder_check.driver().reset();
      for (int i = 0; i < 20; ++i) REQUIRE_FALSE(decoder_check.driver().cycle());
    }
    for (const Beat& beat :
         decoder::golden_row(LutDecoderRtlMode::kFourBit, table.data(), packed.data(), 192, scales.data(), nullptr)) {
      decoder_check.expect(beat, beats.index[0], decoder::kIndexStream);
    }
    decoder_check.drain();
  }

  // The smoother forgets its flags.
  const auto smoother_dut = test::smoother_dut();
  SideBySide smoother_check(*smoother_dut);
  smoother_check.driver().push(smoother::kTableStream, smoother::table_beat(0, 0, true, 1, formats::to_fp16(4.0f)));
  smoother_check.driver().cycle();
  for (int i = 0; i < 3; ++i) {
    smoother_check.driver().push(smoother::kKeyStream, smoother::key_beat(0, 0, x.data(), 32, false));
    smoother_check.driver().cycle();
  }
  smoother_check.driver().reset();
  const Beat key = smoother::key_beat(0, 0, x.data(), 32, true);
  smoother_check.driver().push(smoother::kKeyStream, key);
  smoother_check.expect(key, key, smoother::kKeyStream);
  smoother_check.drain();
}

}  // namespace
}  // namespace harmonia
