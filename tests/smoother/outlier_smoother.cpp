// The smoother's function against hw/formats, and its timing worked by hand. No kernel.
#include "harmonia/hw/smoother/outlier_smoother.h"

#include <stdexcept>
#include <vector>

#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::smoother;
using converter::MeasuredKeys;
using formats::Fp16;
using formats::KeyOffsets;

namespace {

template <class Kind = converter::GroupedKeys>
Kind keys(std::uint32_t rows, std::uint32_t columns, std::uint32_t first_position = 0) {
  Kind d;
  d.rows = rows;
  d.columns = columns;
  d.first_position = first_position;
  return d;
}
/// Keys whose offsets were measured before.
converter::GroupedKeys measured(std::uint32_t rows, std::uint32_t columns, std::uint32_t first_position = 0) {
  converter::GroupedKeys d = keys(rows, columns, first_position);
  d.measured = true;
  return d;
}

/// Keys of which channels 5 and 9 stand far from zero.
std::vector<Fp16> displaced(std::size_t rows, std::size_t columns, float shift) {
  std::vector<Fp16> x(rows * columns);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float small = 0.25f * static_cast<float>(i % 7) - 0.75f;
    const std::size_t channel = i % columns;
    x[i] = formats::to_fp16(channel == 5 || channel == 9 ? shift + small : small);
  }
  return x;
}

bool equal(const KeyOffsets& a, const KeyOffsets& b) {
  if (a.count != b.count) return false;
  for (std::size_t i = 0; i < a.count; ++i)
    if (a.channel[i] != b.channel[i] || formats::to_float(a.offset[i]) != formats::to_float(b.offset[i])) return false;
  return true;
}

}  // namespace

TEST_CASE("smoother function: the first keys of a sequence choose its offsets, later ones do not change them") {
  OffsetTable table(2);
  const std::vector<Fp16> first = displaced(6, 32, 8), later = displaced(3, 32, -20);
  const KeyOffsets chosen = table.offsets(keys(6, 32), first.data());
  REQUIRE(chosen.count == 2);
  REQUIRE(chosen.channel[0] == 5);
  REQUIRE(chosen.channel[1] == 9);
  REQUIRE(equal(chosen, formats::choose_offsets(first.data(), 6, 32, 32, 2)));
  REQUIRE(equal(table.offsets(keys(3, 32, 6), later.data()), chosen));
  // A sequence that begins in the slot chooses anew.
  REQUIRE(equal(table.offsets(keys(3, 32), later.data()), formats::choose_offsets(later.data(), 3, 32, 32, 2)));
}

TEST_CASE("smoother function: every slot, layer and kv head has offsets of its own") {
  OffsetTable table(2);
  const std::vector<Fp16> x = displaced(4, 32, 8);
  const KeyOffsets chosen = table.offsets(keys(4, 32), x.data());
  for (int place = 0; place < 3; ++place) {
    converter::GroupedKeys other = keys(1, 32, 4);
    (place == 0 ? other.slot : place == 1 ? other.layer : other.head) = 1;
    REQUIRE(table.offsets(other, x.data()).count == 0);
  }
  REQUIRE(equal(table.offsets(keys(1, 32, 4), x.data()), chosen));
}

TEST_CASE("smoother function: offsets of keys that were measured strip by strip are those of all strips together") {
  OffsetTable table(3);
  const std::vector<Fp16> a = displaced(5, 32, 8), b = displaced(7, 32, 2);
  std::vector<Fp16> all = a;
  all.insert(all.end(), b.begin(), b.end());
  table.measure(keys<MeasuredKeys>(5, 32, 0), a.data());
  table.measure(keys<MeasuredKeys>(7, 32, 5), b.data());
  REQUIRE(equal(table.offsets(measured(5, 32), a.data()), formats::choose_offsets(all.data(), 12, 32, 32, 3)));
  // They serve one sequence; another one has to measure its own.
  REQUIRE_THROWS_AS(table.offsets(measured(5, 32), a.data()), std::logic_error);
}

TEST_CASE("smoother function: measuring begins anew with the first position of a sequence") {
  OffsetTable table(3);
  const std::vector<Fp16> left = displaced(9, 32, 20), own = displaced(4, 32, 3);
  table.measure(keys<MeasuredKeys>(9, 32, 0), left.data());
  table.measure(keys<MeasuredKeys>(4, 32, 0), own.data());
  REQUIRE(equal(table.offsets(measured(4, 32), own.data()), formats::choose_offsets(own.data(), 4, 32, 32, 3)));
}

TEST_CASE("smoother timing: a pass takes a cycle for every `lanes` channels, in pieces of 32 channels a key") {
  Config config;
  config.lanes = 64;
  REQUIRE(pass_cycles(config, keys(1, 64)) == 1);
  REQUIRE(pass_cycles(config, keys(1, 32)) == 1);
  REQUIRE(pass_cycles(config, keys(5, 70)) == 8);  // 5 x 96 channels
  config.lanes = 32;
  REQUIRE(pass_cycles(config, keys(5, 70)) == 15);
}

TEST_CASE("smoother timing: keys that choose take a pass for their statistics, others only the subtraction") {
  Config config;
  config.lanes = 64;
  REQUIRE(smoothing_cycles(config, keys(8, 64)) == 16);
  REQUIRE(smoothing_cycles(config, keys(8, 64, 8)) == 8);
  REQUIRE(smoothing_cycles(config, measured(8, 64)) == 8);
}

TEST_CASE("smoother timing: what is no key, and with online offsets off every chunk, passes") {
  Config config;
  const converter::Descriptor stored{0, keys(1, 64)};
  REQUIRE(smoothed_keys(config, stored) != nullptr);
  REQUIRE(smoothed_keys(config, stored)->columns == 64);
  REQUIRE(smoothed_keys(config, {0, keys<converter::PlainKeys>(1, 64)}) != nullptr);
  REQUIRE(smoothed_keys(config, {0, keys<converter::GroupedValues>(1, 64)}) == nullptr);
  config.online = false;
  REQUIRE(smoothed_keys(config, stored) == nullptr);
}
