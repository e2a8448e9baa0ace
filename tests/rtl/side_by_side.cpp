// The side-by-side check finds what it is for: RTL with one bit flipped in one lane, a broken handshake, a block that
// hangs. And the floating-point adder of the smoother and of the area reference against the processor's.
#include <Vfp16_mac.h>
#include <Vfp_add_probe.h>
#include <Vmutant_converter.h>
#include <Vmutant_decoder.h>
#include <Vmutant_handshake.h>
#include <Vmutant_pe.h>
#include <Vmutant_smoother.h>

#include <cmath>
#include <cstring>
#include <string>

#include "harmonia/hw/converter/bfp_converter_ports.h"
#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/decoder/lut_decoder_ports.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"
#include "harmonia/hw/pe/pe_ports.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "harmonia/hw/smoother/outlier_smoother_ports.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"
#include "tests/rtl/random.h"
#include "tests/support/catch.h"

namespace harmonia {
namespace {

using formats::Fp16;

template <class Action>
std::string difference_of(Action action) {
  try {
    action();
  } catch (const rtl::Difference& difference) {
    return difference.what();
  }
  return "no difference was found";
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST_CASE("a flipped bit in the converter is named") {
  converter::BfpConverterRtl rtl(std::make_unique<rtl::VerilatedDut<Vmutant_converter>>(
                                     "mutant", converter::bind_bfp_converter<Vmutant_converter>),
                                 true);
  std::vector<Fp16> x(64, formats::to_fp16(1.0f));
  std::vector<std::uint8_t> out(74);
  const std::string text = difference_of([&] { rtl.encode_row(formats::kBfp8, x.data(), 64, out.data()); });
  CAPTURE(text);
  // Lane 5, bit 6 of the magnitude: the high nibble of byte 1 + 4 + 5/2, which becomes 0xc8 for 0x88.
  REQUIRE(has(text, "mutant: RTL and model differ in transaction 0 at cycle 4\n"));
  REQUIRE(has(text, "differs  byte 7"));
  REQUIRE(has(text, "expected 0f 00 00 00 00 88 88 88"));
  REQUIRE(has(text, "actual   0f 00 00 00 00 88 88 c8"));
  REQUIRE(has(text, "input    00 3c 00 3c"));
}

TEST_CASE("a flipped bit in the decoder is named") {
  decoder::LutDecoderRtl rtl(
      std::make_unique<rtl::VerilatedDut<Vmutant_decoder>>("mutant", decoder::bind_lut_decoder<Vmutant_decoder>), true);
  const std::array<std::int8_t, 4> table = {-127, -30, 31, 127};
  const std::vector<std::uint8_t> packed(16);
  const std::uint16_t scale = 0x3f80;
  std::array<std::int8_t, 64> codes;
  rtl.load(2, table.data());
  const std::string text = difference_of([&] { rtl.decode_row(packed.data(), 64, &scale, nullptr, codes.data()); });
  CAPTURE(text);
  REQUIRE(has(text, "differs  byte 22"));
}

TEST_CASE("a flipped bit in the PE is named") {
  pe::PeRtl rtl(std::make_unique<rtl::VerilatedDut<Vmutant_pe>>("mutant", pe::bind_pe<Vmutant_pe>), true);
  std::array<std::uint8_t, 37> a{};
  a[0] = 15;
  const std::array<std::int8_t, 32> w{};
  pe::PeResult result;
  const std::string text =
      difference_of([&] { rtl.partials_int(formats::PeMode::kM8W4, a.data(), w.data(), 1, &result); });
  CAPTURE(text);
  REQUIRE(has(text, "expected 00 00 00 00 f9 ff"));
  REQUIRE(has(text, "actual   04 00 00 00 f9 ff"));
  REQUIRE(has(text, "first operand 0f 00"));
}

TEST_CASE("a flipped bit in the smoother is named") {
  smoother::OutlierSmootherRtl rtl(std::make_unique<rtl::VerilatedDut<Vmutant_smoother>>(
                                       "mutant", smoother::bind_outlier_smoother<Vmutant_smoother>),
                                   true);
  std::vector<Fp16> key(64);
  const std::string text = difference_of([&] { rtl.subtract_offsets(0, key.data(), 64); });
  CAPTURE(text);
  REQUIRE(has(text, "differs  byte 18"));
}

TEST_CASE("a result that changes before it is taken is reported") {
  rtl::VerilatedDut<Vmutant_handshake> dut("mutant", pe::bind_pe<Vmutant_handshake>);
  rtl::StreamDriver driver(dut, {0, 512, 3});
  test::Random random(1);
  for (int i = 0; i < 100; ++i) {
    std::array<std::uint8_t, 37> a;
    std::array<std::int8_t, 32> w;
    test::random_group(random, formats::kBfp8, a.data());
    for (std::int8_t& v : w) v = static_cast<std::int8_t>(random() % 16);
    driver.push(pe::kFirstOperand, pe::first_operand(a.data()));
    driver.push(pe::kSecondOperand, pe::integer_operand(formats::PeMode::kM8W4, w.data()));
  }
  const std::string text = difference_of([&] { driver.run(100, [](const rtl::Beat&) {}); });
  CAPTURE(text);
  REQUIRE(has(text, "the result on m_axis changed before it was taken"));
}

TEST_CASE("a block that gives no result is reported, with what waits") {
  const auto dut = pe::make_pe_rtl();
  rtl::StreamDriver driver(*dut);
  const std::array<std::uint8_t, 37> a{};
  driver.push(pe::kFirstOperand, pe::first_operand(a.data()));
  const std::string text = difference_of([&] {
    driver.run(
        1, [](const rtl::Beat&) {}, 50);
  });
  CAPTURE(text);
  REQUIRE(has(text, "no result for 50 cycles, 1 still expected; waiting to be accepted: s_axis_a 1 s_axis_w 0"));
}

TEST_CASE("a result that nothing was sent for is reported") {
  const auto dut = pe::make_pe_rtl();
  rtl::SideBySide check(*dut);
  const std::string text = difference_of([&] { check.check(rtl::Beat()); });
  REQUIRE(has(text, "a result that nothing was sent for"));
}

TEST_CASE("floating-point adder RTL equals the processor's, FP16 and FP32") {
  constexpr std::uint64_t kSeed = 7;
  CAPTURE(kSeed);
  Vfp_add_probe adder;
  test::Random random(kSeed);
  for (int i = 0; i < 1'000'000; ++i) {
    std::array<Fp16, 2> x;
    test::random_fp16(random, x.data(), 2);
    // FP32 operands close in exponent, far apart, subnormal, and huge.
    const std::uint64_t r = random();
    std::uint32_t a = static_cast<std::uint32_t>(r), b = static_cast<std::uint32_t>(r >> 32);
    switch (i % 5) {
      case 0:
        b = (b & 0x807fffffU) | (((a >> 23 & 255) + (random() % 7)) & 255) << 23;
        break;
      case 1:
        a &= 0x80ffffffU;
        b &= 0x80ffffffU;
        break;
      case 2:
        a |= 0x7f000000U;
        b |= 0x7e000000U;
        break;
      case 3:
        b = a ^ 0x80000000U ^ (1U << random() % 24);
        break;
      default:
        break;
    }
    adder.a16 = x[0].bits;
    adder.b16 = x[1].bits;
    adder.a32 = a;
    adder.b32 = b;
    adder.eval();
    const Fp16 negated{static_cast<std::uint16_t>(x[1].bits ^ 0x8000)};
    const float sum = formats::float_from_bits(a) + formats::float_from_bits(b);
    const std::uint32_t expected = std::isnan(sum) ? 0x7fc00000U : formats::float_bits(sum);
    if (adder.sum16 != formats::subtract(x[0], negated).bits || adder.sum32 != expected) {
      CAPTURE(x[0].bits, x[1].bits, adder.sum16, a, b, adder.sum32, expected);
      REQUIRE(adder.sum16 == formats::subtract(x[0], negated).bits);
      REQUIRE(adder.sum32 == expected);
    }
  }
}

TEST_CASE("FP16 multiply-accumulate, the reference of areas, equals the golden dot product") {
  constexpr std::uint64_t kSeed = 11;
  CAPTURE(kSeed);
  Vfp16_mac mac;
  test::Random random(kSeed);
  const auto clock = [&] {
    mac.clk = 0;
    mac.eval();
    mac.clk = 1;
    mac.eval();
  };
  mac.rst_n = 0;
  clock();
  mac.rst_n = 1;
  for (int n = 0; n < 20000; ++n) {
    std::array<Fp16, 8> a, b;
    test::random_fp16(random, a.data(), 8);
    test::random_fp16(random, b.data(), 8);
    for (std::size_t i = 0; i < 8; ++i) {
      mac.valid = 1;
      mac.first = i == 0;
      mac.a = a[i].bits;
      mac.b = b[i].bits;
      clock();
    }
    mac.valid = 0;
    clock();
    clock();
    const float expected = formats::dot_fp16(a.data(), b.data(), 8, 0.0f);
    if (std::isnan(expected)) {
      REQUIRE((mac.sum & 0x7fffffffU) > 0x7f800000U);
    } else if (mac.sum != formats::float_bits(expected)) {
      CAPTURE(n, expected, mac.sum, formats::float_bits(expected));
      REQUIRE(mac.sum == formats::float_bits(expected));
    }
  }
}

}  // namespace
}  // namespace harmonia
