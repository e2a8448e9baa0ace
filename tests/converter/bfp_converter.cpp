// The converter's function against hw/formats, and its timing worked by hand. No kernel.
#include "harmonia/hw/converter/bfp_converter.h"

#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::converter;
using formats::Fp16;
using formats::kBfp8;
using Bytes = std::vector<std::uint8_t>;

namespace {

constexpr std::size_t main_bytes = 21, low_bytes = 16;

std::vector<Fp16> ramp(std::size_t n) {
  std::vector<Fp16> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = formats::to_fp16(0.125f * static_cast<float>(i % 61) - 3.0f);
  return x;
}

template <class K>
K chunk(std::uint32_t rows, std::uint32_t columns, std::uint32_t first_position = 0) {
  K d;
  d.rows = rows;
  d.columns = columns;
  if constexpr (std::is_same_v<K, GroupedValues> || std::is_base_of_v<HeadKeys, K>) d.first_position = first_position;
  return d;
}

Bytes converted(const Kind& kind, const std::vector<Fp16>& rows, const Bytes& residual = {}) {
  Bytes out;
  convert({0, kind}, rows.data(), residual.data(), out);
  return out;
}

std::uint64_t cycles(const Config& config, const Kind& kind) { return convert_cycles(config, {0, kind}); }

Bytes bytes_of(const std::vector<Fp16>& x) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(x.data());
  return {p, p + 2 * x.size()};
}

}  // namespace

TEST_CASE("converter function: rows are stored BFP8 rows, one after the other") {
  const std::vector<Fp16> x = ramp(3 * 70);
  Bytes expected(3 * kBfp8.row_bytes(70));
  for (std::size_t r = 0; r < 3; ++r)
    formats::encode_row(kBfp8, x.data() + r * 70, 70, expected.data() + r * kBfp8.row_bytes(70));
  REQUIRE(converted(chunk<ToOperand>(3, 70), x) == expected);
}

TEST_CASE("converter function: it appends, and counts values that are infinite or NaN") {
  std::vector<Fp16> x = ramp(64);
  x[3] = formats::to_fp16(std::numeric_limits<float>::infinity());
  x[40] = formats::to_fp16(std::numeric_limits<float>::quiet_NaN());
  Bytes out(5, 9);
  REQUIRE(convert({0, chunk<ToOperand>(1, 64)}, x.data(), nullptr, out) == 2);
  REQUIRE(out.size() == 5 + kBfp8.row_bytes(64));
  REQUIRE(Bytes(out.begin(), out.begin() + 5) == Bytes(5, 9));
}

TEST_CASE("converter function: what is stored in the cache counts its values that are infinite or NaN, and no others") {
  std::vector<Fp16> x = ramp(4 * 64);
  const auto nonfinite = [&](const Kind& kind) {
    Bytes out;
    return convert({0, kind}, x.data(), nullptr, out);
  };
  const std::vector<Kind> kinds = {chunk<ToOperand>(4, 64), chunk<GroupedKeys>(4, 64, 10),
                                   chunk<GroupedValues>(4, 64, 30)};
  for (const Kind& kind : kinds) REQUIRE(nonfinite(kind) == 0);
  x[7] = formats::to_fp16(-std::numeric_limits<float>::infinity());
  x[130] = x[255] = formats::to_fp16(std::numeric_limits<float>::quiet_NaN());
  for (const Kind& kind : kinds) REQUIRE(nonfinite(kind) == 3);
}

TEST_CASE("converter function: keys leave as main parts of all tokens, then low planes of the tokens that keep them") {
  const std::vector<Fp16> x = ramp(4 * 64);
  auto d = chunk<GroupedKeys>(4, 64, 10);  // positions 10..13, of which 10 and 13 keep a low plane
  d.low.begin[0] = 0, d.low.end[0] = 11;
  d.low.begin[1] = 13, d.low.end[1] = 100;
  Bytes expected, low;
  for (std::size_t r = 0; r < 4; ++r) {
    Bytes row(kBfp8.row_bytes(64));
    formats::encode_row(kBfp8, x.data() + r * 64, 64, row.data());
    for (std::size_t g = 0; g < 2; ++g) {
      const auto group = row.begin() + static_cast<std::ptrdiff_t>(g * kBfp8.group_bytes());
      expected.insert(expected.end(), group, group + main_bytes);
      if (r == 0 || r == 3) low.insert(low.end(), group + main_bytes, group + main_bytes + low_bytes);
    }
  }
  expected.insert(expected.end(), low.begin(), low.end());
  REQUIRE(converted(d, x) == expected);
}

TEST_CASE("converter function: values are groups of 32 tokens of a channel; a chunk may end one and begin the next") {
  const std::uint32_t columns = 40;
  const std::vector<Fp16> x = ramp(5 * columns);
  auto d = chunk<GroupedValues>(5, columns, 30);  // positions 30, 31 | 32, 33, 34
  d.low.begin[0] = 1, d.low.end[0] = 2;           // the second group keeps its low plane
  Bytes stored(2 * columns * kBfp8.group_bytes());
  for (std::size_t i = 0; i < 2 * columns; ++i) formats::clear_stored(kBfp8, stored.data() + i * kBfp8.group_bytes());
  for (std::uint32_t r = 0; r < 5; ++r) {
    const std::uint32_t position = 30 + r;
    formats::append_row(kBfp8, x.data() + r * columns, columns, static_cast<int>(position % 32),
                        stored.data() + (position / 32 - 0) * columns * kBfp8.group_bytes());
  }
  Bytes expected;
  for (std::size_t i = 0; i < 2 * columns; ++i) {
    const auto group = stored.begin() + static_cast<std::ptrdiff_t>(i * kBfp8.group_bytes());
    expected.insert(expected.end(), group, group + main_bytes);
  }
  for (std::size_t i = columns; i < 2 * columns; ++i) {
    const auto group = stored.begin() + static_cast<std::ptrdiff_t>(i * kBfp8.group_bytes());
    expected.insert(expected.end(), group + main_bytes, group + main_bytes + low_bytes);
  }
  REQUIRE(converted(d, x) == expected);
}

TEST_CASE("converter function: a group that grows by chunks is the group of all its tokens at once") {
  const std::uint32_t columns = 40;
  const std::vector<Fp16> x = ramp(9 * columns);
  GroupedValues whole = chunk<GroupedValues>(9, columns), first = chunk<GroupedValues>(4, columns),
                second = chunk<GroupedValues>(5, columns, 4);
  for (GroupedValues* d : {&whole, &first, &second}) d->low.end[0] = 1;
  second.residual_bytes = static_cast<std::uint32_t>(columns * (main_bytes + low_bytes));
  const Bytes grown = converted(first, {x.begin(), x.begin() + 4 * columns});
  REQUIRE(grown.size() == second.residual_bytes);
  REQUIRE(converted(second, {x.begin() + 4 * columns, x.end()}, grown) == converted(whole, x));
}

TEST_CASE("converter function: a group that is not full is taken out as its next chunk wants it back") {
  const std::uint32_t columns = 40;
  const std::vector<Fp16> x = ramp(6 * columns);
  auto d = chunk<GroupedValues>(6, columns, 30);
  d.low.end[0] = 2;
  d.growing_to = 1;
  Bytes out = converted(d, x);
  const Bytes growing = take_growing(d, out);
  // What is left is the first group; what was taken are tokens 32..35 alone.
  auto full = chunk<GroupedValues>(2, columns, 30), rest = chunk<GroupedValues>(4, columns, 32);
  full.low.end[0] = 1;
  rest.low.end[0] = 2;
  REQUIRE(out == converted(full, {x.begin(), x.begin() + 2 * columns}));
  REQUIRE(growing == converted(rest, {x.begin() + 2 * columns, x.end()}));
}

TEST_CASE("converter function: FP16 words pass, to memory and to a plain cache") {
  const std::vector<Fp16> x = ramp(2 * 48);
  REQUIRE(converted(chunk<ToMemory>(2, 48), x) == bytes_of(x));
  REQUIRE(converted(chunk<PlainValues>(2, 48), x) == bytes_of(x));
}

TEST_CASE("converter function: a row of an INT8 cache is an FP16 scale, largest / 127, and the codes") {
  std::vector<Fp16> x;
  for (float value : {127.0f, -127.0f, 1.0f, -3.0f, 0.0f, 63.5f}) x.push_back(formats::to_fp16(value));
  auto d = chunk<PlainKeys>(1, 6);
  d.row = PlainRow::int8;
  const Bytes out = converted(d, x);
  const Fp16 one = formats::to_fp16(1.0f);
  REQUIRE(out.size() == 8);
  REQUIRE(std::memcmp(out.data(), &one, 2) == 0);
  const std::vector<int> codes = {127, -127, 1, -3, 0, 64};  // a half goes to the even code
  for (std::size_t i = 0; i < 6; ++i) REQUIRE(static_cast<std::int8_t>(out[2 + i]) == codes[i]);
}

TEST_CASE("converter timing: rows and keys take a group a cycle and lane, an unfinished group a whole one") {
  Config config;
  config.lanes = 2;
  REQUIRE(cycles(config, chunk<ToOperand>(1, 32)) == 1);
  REQUIRE(cycles(config, chunk<ToOperand>(1, 64)) == 1);
  REQUIRE(cycles(config, chunk<ToOperand>(3, 70)) == 5);  // 9 groups
  REQUIRE(cycles(config, chunk<GroupedKeys>(3, 70)) == 5);
  config.lanes = 4;
  REQUIRE(cycles(config, chunk<ToOperand>(3, 70)) == 3);
}

TEST_CASE("converter timing: values touch a group of every channel, a stored one once for each newcomer") {
  Config config;
  config.lanes = 2;
  REQUIRE(cycles(config, chunk<GroupedValues>(4, 64, 0)) == 32);       // one new group of 64 channels
  REQUIRE(cycles(config, chunk<GroupedValues>(4, 64, 30)) == 2 * 32);  // 30, 31 | 32, 33
  auto grown = chunk<GroupedValues>(4, 64, 5);
  grown.residual_bytes = 1;
  REQUIRE(cycles(config, grown) == 4 * 32);  // four newcomers into the stored group
  grown.first_position = 30;
  REQUIRE(cycles(config, grown) == (2 + 1) * 32);  // two newcomers, then a new group
  grown.residual_bytes = 0;
  grown.growing_from = 3;  // kept in the block: the same work
  REQUIRE(cycles(config, grown) == (2 + 1) * 32);
  REQUIRE(cycles(config, chunk<PlainValues>(4, 64)) == 4);  // token by token: 8 groups
}

TEST_CASE("converter timing: the pipeline's stages, and what the key path takes beyond them") {
  Config config;
  config.stages = 4;
  config.k_path_extra_cycles = 3;
  REQUIRE(latency_cycles(config, {0, chunk<ToOperand>(1, 32)}) == 4);
  REQUIRE(latency_cycles(config, {0, chunk<GroupedValues>(1, 32)}) == 4);
  REQUIRE(latency_cycles(config, {0, chunk<GroupedKeys>(1, 32)}) == 7);
}

TEST_CASE("converter function: what leaves is what conversion makes of a chunk") {
  const std::vector<Fp16> x = ramp(3 * 70);
  PlainKeys int8 = chunk<PlainKeys>(3, 70);
  int8.row = PlainRow::int8;
  ToMemory groups = chunk<ToMemory>(3, 70);
  groups.format = formats::OperandFormat::bfp8();
  for (const Kind& kind : {Kind{chunk<ToOperand>(3, 70)}, Kind{groups}, Kind{chunk<ToMemory>(3, 70)}, Kind{int8},
                           Kind{chunk<PlainKeys>(3, 70)}, Kind{chunk<PlainValues>(3, 70)}})
    REQUIRE(out_bytes({0, kind}) == converted(kind, x).size());
  REQUIRE(out_bytes({0, chunk<MeasuredKeys>(3, 70)}) == 0);
}
