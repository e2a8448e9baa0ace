// The RTL of each baseline PE against its golden function: random and directed groups, pauses, rows of several scales.
// 20,000 groups each; 10^6 in `ctest -C long -L silicon`.
#include <Vaccumulated_pe.h>
#include <Valigner.h>
#include <Valigner_m8.h>
#include <Vanda_unit.h>
#include <Vbitmod_pe.h>
#include <Vfigna_m11_pe.h>
#include <Vfigna_m8_pe.h>
#include <Vfigna_pe.h>
#include <Vfp_fp_pe.h>
#include <Vfp_int_pe.h>
#include <Vifpu_pe.h>

#include <cmath>
#include <deque>
#include <functional>

#include "harmonia/hw/baselines/baselines.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "tests/rtl/random.h"
#include "tests/support/catch.h"
#include "tests/support/long.h"

namespace harmonia {
namespace {

using baselines::kLanes;
using formats::Fp16;
using test::Random;

constexpr std::uint64_t kSeed = 20251129;
std::uint64_t groups_wanted() { return test::count(20'000, 1'000'000); }

/// Element i of `width` bits of a wide port.
template <class Wide>
void put(Wide& port, std::size_t i, unsigned width, std::uint64_t value) {
  const std::size_t at = i * width;
  const std::uint64_t mask = ((std::uint64_t{1} << width) - 1) << at % 32;
  const std::uint64_t bits = value << at % 32 & mask;
  port[at / 32] = static_cast<std::uint32_t>((port[at / 32] & ~mask) | bits);
  if (at % 32 + width > 32)
    port[at / 32 + 1] = static_cast<std::uint32_t>((port[at / 32 + 1] & ~(mask >> 32)) | bits >> 32);
}

/// The 19 bits of a scale: an FP32 number without its last 13 fraction bits.
std::uint32_t scale_bits(float scale) { return formats::float_bits(scale) >> 13; }

template <class Dut, class = void>
struct HasScale : std::false_type {};
template <class Dut>
struct HasScale<Dut, std::void_t<decltype(std::declval<Dut>().scale)>> : std::true_type {};

/// Drives one PE: a group is one or more cycles of operands; its place is given when the PE asks for it.
template <class Dut>
class Bench {
 public:
  explicit Bench(Random& random) : random_(random) {
    dut_.rst_n = 0;
    dut_.valid = 0;
    tick();
    tick();
    dut_.rst_n = 1;
  }
  Dut& dut() { return dut_; }
  /// One cycle with operands, after pauses now and then.
  void operands() {
    if (random_() % 16 == 0) {
      dut_.valid = 0;
      for (std::uint64_t pause = 1 + random_() % 12; pause > 0; --pause) tick();
    }
    dut_.valid = 1;
    tick();
    dut_.valid = 0;
  }
  /// The golden value of the group whose operands follow or were just given.
  void expect(float group) {
    if (left_in_scale_ == 0) {
      place_.row_first = left_in_row_ == 0;
      if (place_.row_first) left_in_row_ = HasScale<Dut>::value ? 1 + random_() % 4 : 1;
      --left_in_row_;
      left_in_scale_ = 1 + random_() % 4;
      place_.group_first = true;
      place_.scale = HasScale<Dut>::value ? scale() : 1.0f;
    } else {
      place_.group_first = false;
    }
    place_.group_last = --left_in_scale_ == 0;
    accumulator_.add(group, place_);
    places_.push_back(place_);
    if (place_.group_last) expected_.push_back(accumulator_.sum());
  }
  void drain() {
    for (int i = 0; i < 40; ++i) tick();
    REQUIRE(places_.empty());
    REQUIRE(expected_.empty());
  }
  std::uint64_t compared() const { return compared_; }
  std::uint64_t cycles() const { return cycles_; }
  void tick() {
    dut_.clk = 0;
    dut_.eval();
    place(dut_.partial_valid && !places_.empty());
    dut_.eval();
    dut_.clk = 1;
    dut_.eval();
    ++cycles_;
    if (dut_.rst_n && dut_.done) check();
  }

 private:
  float scale() {
    // FP16 and bf16 scales; of both signs, zero now and then.
    const std::uint64_t r = random_();
    if (r % 64 == 0) return 0.0f;
    const float fraction = 1.0f + static_cast<float>(r >> 8 & 1023) / 1024.0f;
    const float magnitude = fraction * formats::power_of_two(static_cast<int>(r >> 20 & 31) - 20);
    return r >> 30 & 1 ? -magnitude : magnitude;
  }
  void place(bool asked) {
    baselines::Place p;
    if (asked) {
      p = places_.front();
      places_.pop_front();
    }
    dut_.group_first = p.group_first;
    dut_.group_last = p.group_last;
    if constexpr (HasScale<Dut>::value) {
      dut_.row_first = p.row_first;
      dut_.scale = scale_bits(p.scale);
    }
  }
  void check() {
    ++compared_;
    REQUIRE_FALSE(expected_.empty());
    const float expected = expected_.front();
    expected_.pop_front();
    const std::uint32_t actual = dut_.sum;
    const bool equal =
        std::isnan(expected) ? (actual & 0x7fffffffU) > 0x7f800000U : actual == formats::float_bits(expected);
    if (equal) return;
    CAPTURE(compared_, expected, formats::float_bits(expected), actual);
    REQUIRE(equal);
  }

  Random& random_;
  Dut dut_;
  std::deque<baselines::Place> places_;
  std::deque<float> expected_;
  baselines::Place place_;
  baselines::Accumulator accumulator_;
  std::uint64_t left_in_scale_ = 0, left_in_row_ = 0, compared_ = 0, cycles_ = 0;
};

std::array<Fp16, kLanes> activations(Random& random, bool finite) {
  std::array<Fp16, kLanes> x;
  test::random_fp16(random, x.data(), kLanes);
  if (finite)
    for (Fp16& v : x)
      if (!formats::is_finite(v)) v.bits = static_cast<std::uint16_t>(v.bits & 0xbfff);
  return x;
}

/// -limit..limit, or -8..7 for limit 8; a group of one extreme now and then.
std::array<std::int8_t, kLanes> weights(Random& random, int limit) {
  const int high = limit == 8 ? 7 : limit;
  std::array<std::int8_t, kLanes> w;
  const std::uint64_t kind = random() % 16;
  for (auto& v : w) {
    v = static_cast<std::int8_t>(static_cast<int>(random() % static_cast<std::uint64_t>(limit + high + 1)) - limit);
    if (kind == 0) v = static_cast<std::int8_t>(-limit);
    if (kind == 1) v = static_cast<std::int8_t>(high);
  }
  return w;
}

template <class Dut>
void put_aligned(Dut& dut, const baselines::Aligned& a, int bits) {
  dut.exponent = static_cast<std::uint8_t>(a.exponent);
  dut.sign = a.sign;
  for (std::size_t i = 0; i < kLanes; ++i) put(dut.magnitude, i, static_cast<unsigned>(bits), a.magnitude[i]);
}
template <class Dut>
void put_weights(Dut& dut, const std::array<std::int8_t, kLanes>& w, unsigned width) {
  for (std::size_t i = 0; i < kLanes; ++i) put(dut.w, i, width, static_cast<std::uint8_t>(w[i]));
}
template <class Dut>
void put_activations(Dut& dut, const std::array<Fp16, kLanes>& a) {
  for (std::size_t i = 0; i < kLanes; ++i) put(dut.a, i, 16, a[i].bits);
}

template <class Dut>
void figna_vectors(int bits) {
  Random random(kSeed);
  Bench<Dut> bench(random);
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const baselines::Aligned a = baselines::align(activations(random, true).data(), bits);
    const auto w = weights(random, 15);
    put_aligned(bench.dut(), a, bits);
    put_weights(bench.dut(), w, 5);
    bench.expect(baselines::aligned_group(a, bits, w.data()).value());
    bench.operands();
  }
  bench.drain();
  REQUIRE(bench.compared() > groups_wanted() / 4);
}

TEST_CASE("FIGNA's RTL equals its golden function") { figna_vectors<Vfigna_pe>(14); }
TEST_CASE("FIGNA-M11's RTL equals its golden function") { figna_vectors<Vfigna_m11_pe>(11); }
TEST_CASE("FIGNA-M8's RTL equals its golden function") { figna_vectors<Vfigna_m8_pe>(8); }

TEST_CASE("FP-FP's RTL equals its golden function") {
  Random random(kSeed);
  Bench<Vfp_fp_pe> bench(random);
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const auto a = activations(random, random() % 8 != 0), w = activations(random, random() % 8 != 0);
    put_activations(bench.dut(), a);
    for (std::size_t i = 0; i < kLanes; ++i) put(bench.dut().w, i, 16, w[i].bits);
    bench.expect(baselines::fp_fp_group(a.data(), w.data()));
    bench.operands();
  }
  bench.drain();
  REQUIRE(bench.compared() > groups_wanted() / 4);
}

TEST_CASE("FP-INT's RTL equals its golden function") {
  Random random(kSeed);
  Bench<Vfp_int_pe> bench(random);
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const auto a = activations(random, true);
    const auto w = weights(random, 15);
    put_activations(bench.dut(), a);
    put_weights(bench.dut(), w, 5);
    bench.expect(baselines::fp_int_group(a.data(), w.data()));
    bench.operands();
  }
  bench.drain();
}

TEST_CASE("iFPU's RTL equals its golden function") {
  Random random(kSeed);
  Bench<Vifpu_pe> bench(random);
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const baselines::Aligned a = baselines::align(activations(random, true).data(), 14);
    std::array<std::uint8_t, kLanes> codes;
    const std::uint64_t kind = random() % 16;
    for (auto& c : codes) c = static_cast<std::uint8_t>(kind == 0 ? 0 : kind == 1 ? 15 : random() % 16);
    put_aligned(bench.dut(), a, 14);
    for (std::size_t i = 0; i < kLanes; ++i) put(bench.dut().code, i, 4, codes[i]);
    bench.expect(baselines::ifpu_group(a, 14, codes.data()).value());
    bench.operands();
  }
  bench.drain();
}

TEST_CASE("Anda's RTL equals its golden function") {
  Random random(kSeed);
  Bench<Vanda_unit> bench(random);
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const int bits = 4 + static_cast<int>(random() % 10);
    const baselines::Aligned a = baselines::align(activations(random, true).data(), bits);
    const auto w = weights(random, 15);
    bench.expect(baselines::aligned_group(a, bits, w.data()).value());
    put_weights(bench.dut(), w, 5);
    bench.dut().sign = a.sign;
    bench.dut().exponent = static_cast<std::uint16_t>(a.exponent - 14 - bits) & 0x3ffU;
    for (int bit = bits - 1; bit >= 0; --bit) {
      std::uint32_t plane = 0;
      for (std::size_t i = 0; i < kLanes; ++i) plane |= (a.magnitude[i] >> bit & 1U) << i;
      bench.dut().plane = plane;
      bench.dut().plane_first = bit == bits - 1;
      bench.dut().plane_last = bit == 0;
      bench.operands();
    }
  }
  bench.drain();
}

TEST_CASE("the PE after BitMoD equals its golden function") {
  Random random(kSeed);
  Bench<Vbitmod_pe> bench(random);
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const auto a = activations(random, true);
    const auto w = weights(random, 8);
    put_activations(bench.dut(), a);
    put_weights(bench.dut(), w, 4);
    bench.expect(baselines::aligned_group(baselines::align(a.data(), 14), 14, w.data()).value());
    for (int digit = 0; digit < 2; ++digit) {
      bench.dut().digit = static_cast<std::uint8_t>(digit);
      bench.operands();
    }
  }
  bench.drain();
}

TEST_CASE("this project's PE with the common accumulator equals its golden function") {
  Random random(kSeed);
  Bench<Vaccumulated_pe> bench(random);
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const auto mode = static_cast<formats::PeMode>(random() % 6);
    std::array<std::uint8_t, 37> stored, second;
    test::random_group(random, formats::kBfp8, stored.data());
    const rtl::Beat a = pe::first_operand(stored.data());
    rtl::Beat w;
    if (mode == formats::PeMode::kM8M4 || mode == formats::PeMode::kM8M8) {
      test::random_group(random, mode == formats::PeMode::kM8M4 ? formats::kBfp4 : formats::kBfp8, second.data());
      w = pe::bfp_operand(mode, second.data());
    } else if (mode == formats::PeMode::kM8B1) {
      std::array<std::uint8_t, 4> codes;
      for (auto& c : codes) c = static_cast<std::uint8_t>(random());
      w = pe::one_bit_operand(codes.data(), static_cast<int>(random() % 256) - 128,
                              static_cast<int>(random() % 256) - 128);
    } else {
      w = pe::integer_operand(mode, weights(random, mode == formats::PeMode::kM8L8 ? 127 : 15).data());
    }
    const pe::PeResult result = pe::result_of(pe::golden_beat(a, w));
    bench.expect(static_cast<float>(result.partial) * formats::power_of_two(result.exponent));
    for (std::size_t i = 0; i < 37; ++i) {
      put(bench.dut().a, i, 8, a.data[i]);
      put(bench.dut().w, i, 8, w.data[i]);
    }
    bench.dut().user = w.user;
    // A group of two passes keeps the next one waiting.
    bench.dut().valid = 1;
    bench.dut().clk = 0;
    bench.dut().eval();
    while (!bench.dut().ready) bench.tick();
    bench.operands();
  }
  bench.drain();
}

template <class Dut>
void aligner_vectors(int bits) {
  Random random(kSeed);
  Dut dut;
  std::deque<baselines::Aligned> expected;
  std::uint64_t compared = 0;
  const auto tick = [&] {
    dut.clk = 0;
    dut.eval();
    dut.clk = 1;
    dut.eval();
    if (!dut.rst_n || !dut.aligned_valid) return;
    REQUIRE_FALSE(expected.empty());
    const baselines::Aligned a = expected.front();
    expected.pop_front();
    ++compared;
    bool equal = dut.exponent == a.exponent && dut.sign == a.sign;
    for (std::size_t i = 0; i < kLanes; ++i) {
      std::uint64_t word = dut.magnitude[i * static_cast<std::size_t>(bits) / 32];
      const std::size_t at = i * static_cast<std::size_t>(bits) % 32;
      if (at + static_cast<std::size_t>(bits) > 32)
        word |= std::uint64_t{dut.magnitude[i * static_cast<std::size_t>(bits) / 32 + 1]} << 32;
      equal = equal && (word >> at & ((1U << bits) - 1)) == a.magnitude[i];
    }
    REQUIRE(equal);
  };
  dut.rst_n = 0;
  dut.valid = 0;
  tick();
  dut.rst_n = 1;
  for (std::uint64_t n = groups_wanted(); n > 0; --n) {
    const auto a = activations(random, true);
    put_activations(dut, a);
    dut.valid = random() % 8 != 0;
    if (dut.valid) expected.push_back(baselines::align(a.data(), bits));
    tick();
  }
  dut.valid = 0;
  for (int i = 0; i < 4; ++i) tick();
  REQUIRE(expected.empty());
  REQUIRE(compared > groups_wanted() / 2);
}

TEST_CASE("the aligner of 14 bits equals its golden function") { aligner_vectors<Valigner>(14); }
TEST_CASE("the aligner of 8 bits equals its golden function") { aligner_vectors<Valigner_m8>(8); }

/// Cycles from the edge that takes the last operands of a group to the one that brings its sum, that one counted.
template <class Dut>
int stages() {
  Random random(kSeed);
  Bench<Dut> bench(random);
  Dut& dut = bench.dut();
  dut.valid = 1;
  bench.tick();
  dut.valid = 0;
  int count = 1;
  // A place is given at each cycle: the only group is first and last.
  for (; !dut.done && count < 40; ++count) {
    dut.clk = 0;
    dut.group_first = dut.group_last = 1;
    if constexpr (HasScale<Dut>::value) dut.row_first = 1;
    dut.eval();
    dut.clk = 1;
    dut.eval();
  }
  return count;
}

TEST_CASE("the PEs have the stages that their files state") {
  REQUIRE(stages<Vfp_fp_pe>() == 8);
  REQUIRE(stages<Vfp_int_pe>() == 10);
  REQUIRE(stages<Vfigna_pe>() == 9);
  REQUIRE(stages<Vifpu_pe>() == 9);
  REQUIRE(stages<Vaccumulated_pe>() == 11);
}

}  // namespace
}  // namespace harmonia
