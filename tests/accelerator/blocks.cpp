// Each block alone, between third-party initiators and targets: what comes out, to the byte, and when, to the cycle.
#include <array>
#include <memory>

#include "harmonia/hw/converter/bfp_converter_module.h"
#include "harmonia/hw/decoder/lut_decoder_module.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/memory/operand_buffer_module.h"
#include "harmonia/hw/pe/pe_array_module.h"
#include "harmonia/hw/smoother/outlier_smoother_module.h"
#include "harmonia/hw/vector/vector_unit_module.h"
#include "tests/accelerator/foreign.h"
#include "tests/memory/support.h"
#include "tests/support/catch.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;
using formats::Fp16;

namespace {

std::vector<Fp16> ramp(std::size_t n) {
  std::vector<Fp16> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = formats::to_fp16(0.125 * static_cast<double>(i % 61) - 3.0);
  return x;
}
std::vector<std::uint8_t> bytes_of(const std::vector<Fp16>& x) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(x.data());
  return {p, p + 2 * x.size()};
}
bus::Chunk values(std::size_t n, std::uint32_t operation = 0) {
  bus::Chunk c;
  c.elements = static_cast<std::uint32_t>(n);
  c.operation = operation;
  return c;
}

struct ConverterAlone {
  converter::BfpConverter block;
  ForeignSource commands{"commands"}, input{"input"}, residual{"residual"};
  ForeignSink operands{"operands"}, kv{"kv"}, out{"out"};
  explicit ConverterAlone(const converter::Config& config) : block("converter", config) {
    commands.isock.bind(block.command.tsock);
    input.isock.bind(block.input.tsock);
    residual.isock.bind(block.residual.tsock);
    block.isock_operands.bind(operands.tsock);
    block.isock_kv.bind(kv.tsock);
    block.isock_out.bind(out.tsock);
  }
};

template <class Kind>
Kind chunk(std::uint32_t n, std::uint32_t columns, std::uint32_t first_position = 0) {
  Kind d;
  d.rows = n;
  d.columns = columns;
  if constexpr (!std::is_same_v<Kind, converter::ToOperand>) d.first_position = first_position;
  return d;
}

}  // namespace

// ---- Converter: 4 stages, a group of 32 per cycle and lane, 2 lanes ----

TEST_CASE("converter: rows of 64 become BFP8, two groups a cycle, after four stages") {
  ConverterAlone c({});
  const std::vector<Fp16> x = ramp(3 * 64);
  c.commands.command(converter::Descriptor{0, chunk<converter::ToOperand>(3, 64)});
  c.input.send(10, bytes_of(x), values(x.size()));
  sc_core::sc_start();
  REQUIRE(c.operands.arrivals.size() == 1);
  REQUIRE(c.operands.arrivals[0].cycle == 10 + 3 + 4);  // 6 groups on 2 lanes
  std::vector<std::uint8_t> expected(3 * 74);
  for (std::size_t r = 0; r < 3; ++r)
    formats::encode_row(formats::kBfp8, x.data() + r * 64, 64, expected.data() + r * 74);
  REQUIRE(c.operands.arrivals[0].bytes == expected);
  REQUIRE(c.block.activity().busy == 3);
}
TEST_CASE("converter: keys leave plane by plane, and later by the cycles that the key path is given") {
  converter::Config config;
  config.k_path_extra_cycles = 3;
  ConverterAlone c(config);
  const std::vector<Fp16> x = ramp(2 * 32);
  auto d = chunk<converter::GroupedKeys>(2, 32, 100);
  d.low = {{101, 0}, {102, 0}};  // only the second token keeps its low plane
  d.out_bytes = 2 * 21 + 16;
  c.commands.command(converter::Descriptor{0, d});
  c.input.send(10, bytes_of(x), values(x.size()));
  sc_core::sc_start();
  REQUIRE(c.kv.arrivals.size() == 1);
  REQUIRE(c.kv.arrivals[0].cycle == 10 + 1 + 4 + 3);
  std::vector<std::uint8_t> a(37), b(37);
  formats::encode_row(formats::kBfp8, x.data(), 32, a.data());
  formats::encode_row(formats::kBfp8, x.data() + 32, 32, b.data());
  std::vector<std::uint8_t> expected(21 + 37);
  std::copy_n(a.begin(), 21, expected.begin());
  std::copy_n(b.begin(), 37, expected.begin() + 21);
  REQUIRE(c.kv.arrivals[0].bytes == expected);
}
TEST_CASE("converter: a value row touches a group of every channel: 64 channels on 2 lanes take 32 cycles") {
  ConverterAlone c({});
  const std::vector<Fp16> x = ramp(64);
  auto d = chunk<converter::GroupedValues>(1, 64);
  d.low.end[0] = 1;
  d.out_bytes = 64 * 37;
  c.commands.command(converter::Descriptor{0, d});
  c.input.send(10, bytes_of(x), values(x.size()));
  sc_core::sc_start();
  REQUIRE(c.kv.arrivals[0].cycle == 10 + 32 + 4);
}
TEST_CASE("converter: the growing group is merged in place as if it had been converted from scratch") {
  ConverterAlone c({});
  const std::vector<Fp16> x = ramp(20 * 2);  // 20 tokens of 2 channels: 13 first, then 7
  auto first = chunk<converter::GroupedValues>(13, 2), second = chunk<converter::GroupedValues>(7, 2, 13);
  first.low.end[0] = second.low.end[0] = 1;
  first.out_bytes = second.out_bytes = second.residual_bytes = 2 * 37;
  c.commands.command(converter::Descriptor{0, first});
  c.commands.command(converter::Descriptor{0, second});
  c.input.send(0, bytes_of({x.begin(), x.begin() + 26}), values(26));
  c.input.send(100, bytes_of({x.begin() + 26, x.end()}), values(14));
  std::vector<std::uint8_t> merged(2 * 37);
  for (std::size_t channel = 0; channel < 2; ++channel) {
    std::vector<std::uint8_t> group(37);
    formats::clear_stored(formats::kBfp8, group.data());
    for (std::size_t t = 0; t < 13; ++t)
      formats::append_stored(formats::kBfp8, x[2 * t + channel], static_cast<int>(t), group.data());
    std::copy_n(group.begin(), 21, merged.begin() + static_cast<std::ptrdiff_t>(21 * channel));
    std::copy_n(group.begin() + 21, 16, merged.begin() + static_cast<std::ptrdiff_t>(42 + 16 * channel));
  }
  c.residual.send(50, merged, values(0));
  sc_core::sc_start();
  REQUIRE(c.kv.arrivals.size() == 2);
  REQUIRE(c.kv.arrivals[0].bytes == merged);
  for (std::size_t channel = 0; channel < 2; ++channel) {
    std::vector<Fp16> column;
    for (std::size_t t = 0; t < 20; ++t) column.push_back(x[2 * t + channel]);
    std::vector<std::uint8_t> scratch(37);
    formats::encode_row(formats::kBfp8, column.data(), column.size(), scratch.data());
    std::vector<std::uint8_t> is(37);
    std::copy_n(c.kv.arrivals[1].bytes.begin() + static_cast<std::ptrdiff_t>(21 * channel), 21, is.begin());
    std::copy_n(c.kv.arrivals[1].bytes.begin() + static_cast<std::ptrdiff_t>(42 + 16 * channel), 16, is.begin() + 21);
    REQUIRE(is == scratch);
  }
}
// 13, 7 and 13 tokens of 2 channels: the first two chunks leave nothing, the third a full group and keeps its last
// token, which a fourth chunk then gives out. A channel's newcomers take a cycle each (2 channels, 2 lanes).
TEST_CASE("converter: a growing group is kept from chunk to chunk and leaves when it is full") {
  ConverterAlone c({});
  const std::vector<Fp16> x = ramp(34 * 2);
  std::uint32_t position = 0;
  const auto send = [&](std::uint64_t cycle, std::uint32_t n, std::uint16_t from, std::uint16_t to, std::uint32_t out) {
    auto d = chunk<converter::GroupedValues>(n, 2, position);
    d.growing_from = from;
    d.growing_to = to;
    d.low.end[0] = 2;
    d.out_bytes = out;
    c.commands.command(converter::Descriptor{0, d});
    const auto first = x.begin() + 2 * position;
    c.input.send(cycle, bytes_of({first, first + 2 * n}), values(2 * n));
    position += n;
  };
  send(0, 13, 0, 3, 0);
  send(100, 7, 3, 3, 0);
  send(200, 13, 3, 1, 2 * 37);
  send(300, 1, 1, 0, 2 * 37);
  sc_core::sc_start();
  const auto stored = [&](std::size_t first, std::size_t count) {
    std::vector<std::uint8_t> out(2 * 37);
    for (std::size_t channel = 0; channel < 2; ++channel) {
      std::vector<Fp16> column;
      for (std::size_t t = first; t < first + count; ++t) column.push_back(x[2 * t + channel]);
      std::vector<std::uint8_t> group(37);
      formats::encode_row(formats::kBfp8, column.data(), column.size(), group.data());
      std::copy_n(group.begin(), 21, out.begin() + static_cast<std::ptrdiff_t>(21 * channel));
      std::copy_n(group.begin() + 21, 16, out.begin() + static_cast<std::ptrdiff_t>(42 + 16 * channel));
    }
    return out;
  };
  REQUIRE(c.kv.arrivals.size() == 2);
  REQUIRE(c.kv.arrivals[0].bytes == stored(0, 32));
  REQUIRE(c.kv.arrivals[0].cycle == 200 + 12 + 1 + 4);  // 12 newcomers, a group that begins, four stages
  REQUIRE(c.kv.arrivals[1].bytes == stored(32, 2));
  REQUIRE(c.kv.arrivals[1].cycle == 300 + 1 + 4);
  REQUIRE(c.block.activity().busy == 1 + 7 + 13 + 1);
}
TEST_CASE("converter: chunks follow each other through the pipeline without a gap when the consumer answers at once") {
  converter::BfpConverter block("converter", {});
  ForeignSource commands("commands"), residual("residual");
  ChunkSender input("input");
  RecordingSink operands("operands", 0), kv("kv", 0), out("out", 0);
  commands.isock.bind(block.command.tsock);
  input.isock.bind(block.input.tsock);
  residual.isock.bind(block.residual.tsock);
  block.isock_operands.bind(operands.tsock);
  block.isock_kv.bind(kv.tsock);
  block.isock_out.bind(out.tsock);
  for (int i = 0; i < 3; ++i) {
    commands.command(converter::Descriptor{0, chunk<converter::ToOperand>(4, 32)});
    input.at(at_cycle(10), bytes_of(ramp(128)), values(128));
  }
  sc_core::sc_start();
  REQUIRE(operands.arrivals.size() == 3);
  for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(cycle_of(operands.arrivals[i].when) == 10 + 2 * (i + 1) + 4);
}

// ---- Smoother: 4 offsets a head, 64 lanes, 3 stages ----

TEST_CASE("smoother: the first keys of a sequence choose offsets, which all keys after lose too") {
  smoother::OutlierSmoother block("smoother", {});
  ForeignSource commands("commands"), input("input");
  ForeignSink out("out");
  commands.isock.bind(block.command.tsock);
  input.isock.bind(block.input.tsock);
  block.isock.bind(out.tsock);
  std::vector<Fp16> prefill = ramp(16 * 32), decode = ramp(32);
  for (std::size_t t = 0; t < 16; ++t) prefill[t * 32 + 5] = formats::to_fp16(30.0 + 0.01 * static_cast<double>(t));
  decode[5] = formats::to_fp16(31.0);
  commands.command(converter::Descriptor{0, chunk<converter::GroupedKeys>(16, 32)});
  commands.command(converter::Descriptor{0, chunk<converter::GroupedKeys>(1, 32, 16)});
  commands.command(converter::Descriptor{0, chunk<converter::ToOperand>(1, 32)});
  input.send(10, bytes_of(prefill), values(prefill.size()));
  input.send(100, bytes_of(decode), values(32));
  input.send(200, bytes_of(decode), values(32));
  sc_core::sc_start();
  REQUIRE(out.arrivals.size() == 3);
  REQUIRE(out.arrivals[0].cycle == 10 + 2 * 16 * 32 / 64 + 3);  // the statistics pass, then the subtraction
  REQUIRE(out.arrivals[1].cycle == 100 + 1 + 3);
  REQUIRE(out.arrivals[2].cycle == 200);  // what is no key passes
  REQUIRE(out.arrivals[2].bytes == bytes_of(decode));
  REQUIRE(block.smoothed() == 16 * 32 + 32);  // values of keys alone
  const formats::KeyOffsets offsets = formats::choose_offsets(prefill.data(), 16, 32, 32, 4);
  REQUIRE(std::find(offsets.channel.begin(), offsets.channel.begin() + 4, 5) != offsets.channel.begin() + 4);
  formats::subtract_offsets(offsets, decode.data());
  REQUIRE(out.arrivals[1].bytes == bytes_of(decode));
}

TEST_CASE("smoother: what passes and stands at the output holds a key back until it is taken, and no longer") {
  smoother::OutlierSmoother block("smoother", {});
  ForeignSource commands("commands");
  ChunkSender input("input");
  LateSink out("out", [] { return 40u; });
  commands.isock.bind(block.command.tsock);
  input.isock.bind(block.input.tsock);
  block.isock.bind(out.tsock);
  const std::vector<Fp16> row = ramp(32);
  const converter::Descriptor passes{0, chunk<converter::ToOperand>(1, 32)};
  for (int i = 0; i < 2; ++i) commands.command(passes);
  commands.command(converter::Descriptor{0, chunk<converter::GroupedKeys>(1, 32, 16)});
  commands.command(passes);
  for (std::uint64_t cycle : {10, 11, 12, 13}) input.at(at_cycle(cycle), bytes_of(row), values(32));
  sc_core::sc_start();
  REQUIRE(out.arrivals.size() == 4);
  REQUIRE(cycle_of(out.arrivals[0].when) == 10);
  REQUIRE(cycle_of(out.arrivals[1].when) == 50);
  REQUIRE(cycle_of(out.arrivals[2].when) == 90 + 1 + 3);  // a cycle on the lanes, three stages
  REQUIRE(cycle_of(out.arrivals[3].when) == 94 + 40);
  REQUIRE(block.activity().busy == 1);
  REQUIRE(block.activity().waiting[static_cast<std::size_t>(bus::Wait::output)] == 4 * 40);
}

TEST_CASE("smoother: keys that come in strips are measured first, and all lose the offsets of the whole") {
  smoother::OutlierSmoother block("smoother", {});
  ForeignSource commands("commands"), input("input");
  ForeignSink out("out");
  commands.isock.bind(block.command.tsock);
  input.isock.bind(block.input.tsock);
  block.isock.bind(out.tsock);
  std::vector<Fp16> keys = ramp(16 * 32);
  // Channel 7 is displaced in the second strip only.
  for (std::size_t t = 8; t < 16; ++t) keys[t * 32 + 7] = formats::to_fp16(30.0 + 0.01 * static_cast<double>(t));
  const std::vector<std::uint8_t> bytes = bytes_of(keys);
  const auto strip = [&](std::size_t i) {
    const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(i * bytes.size() / 2);
    return std::vector<std::uint8_t>(at, at + static_cast<std::ptrdiff_t>(bytes.size() / 2));
  };
  for (std::uint32_t i = 0; i < 2; ++i)
    commands.command(converter::Descriptor{0, chunk<converter::MeasuredKeys>(8, 32, 8 * i)});
  for (std::uint32_t i = 0; i < 2; ++i) {
    auto d = chunk<converter::GroupedKeys>(8, 32, 8 * i);
    d.measured = true;
    commands.command(converter::Descriptor{0, d});
  }
  for (std::uint64_t i = 0; i < 4; ++i) input.send(100 * (i + 1), strip(i % 2), values(8 * 32));
  sc_core::sc_start();
  const formats::KeyOffsets offsets = formats::choose_offsets(keys.data(), 16, 32, 32, 4);
  for (std::size_t t = 0; t < 16; ++t) formats::subtract_offsets(offsets, keys.data() + t * 32);
  REQUIRE(out.arrivals.size() == 2);
  REQUIRE(out.arrivals[0].cycle == 300 + 8 * 32 / 64 + 3);
  std::vector<std::uint8_t> is = out.arrivals[0].bytes;
  is.insert(is.end(), out.arrivals[1].bytes.begin(), out.arrivals[1].bytes.end());
  REQUIRE(is == bytes_of(keys));
  REQUIRE(block.activity().busy == 4 * 8 * 32 / 64);
}

// ---- Decoder: `rate` weights a cycle, 3 stages, reload of 2^n cycles when the tensor changes ----

namespace {
struct DecoderAlone {
  decoder::LutDecoder block;
  ForeignSource commands{"commands"}, input{"input"};
  ForeignSink out{"out"};
  explicit DecoderAlone(const decoder::Config& config) : block("decoder", config) {
    commands.isock.bind(block.command.tsock);
    input.isock.bind(block.input.tsock);
    block.isock.bind(out.tsock);
  }
  /// One row of 512 weights: scales, then codes, both at the cycle.
  void tile(std::uint64_t cycle, int bits, std::uint32_t tensor) {
    decoder::Descriptor d;
    d.tensor = tensor;
    d.rows = 1;
    d.row_elements = 512;
    d.bits = static_cast<std::uint8_t>(bits);
    d.codebook_size = static_cast<std::uint16_t>(1 << bits);
    for (int i = 0; i < d.codebook_size; ++i) d.codebook[i] = static_cast<std::int8_t>(3 * i - 20);
    commands.command(d, d.encoded_bytes());
    bus::Chunk c;
    c.traffic = bus::TrafficClass::scales;
    input.send(cycle, std::vector<std::uint8_t>(16, 0x3f), c);
    c.traffic = bus::TrafficClass::weights;
    input.send(cycle, std::vector<std::uint8_t>(64 * static_cast<std::size_t>(bits), 0xb1), c);
  }
};
}  // namespace

TEST_CASE("decoder: rate, pipeline and codebook reload, which a second tile of the tensor does not pay") {
  const int bits = 2;
  decoder::Config config;
  config.weights_per_cycle = 128.0;
  DecoderAlone d(config);
  d.tile(100, bits, 1);
  d.tile(200, bits, 1);
  d.tile(300, bits, 2);
  sc_core::sc_start();
  REQUIRE(d.out.arrivals.size() == 3);
  REQUIRE(d.out.arrivals[0].cycle == 100 + 4 + 512 / 128 + 3);
  REQUIRE(d.out.arrivals[1].cycle == 200 + 512 / 128 + 3);
  REQUIRE(d.out.arrivals[2].cycle == 300 + 4 + 512 / 128 + 3);
  REQUIRE(d.out.arrivals[0].chunk.elements == 512);
  // 0xb1 is codes 2 3 0 1 over and over, then 8 scales of 0x3f3f.
  const std::vector<std::uint8_t>& row = d.out.arrivals[0].bytes;
  REQUIRE(row.size() == 512 + 16);
  for (std::size_t i = 0; i < 512; ++i)
    REQUIRE(static_cast<std::int8_t>(row[i]) == 3 * std::array<int, 4>{2, 3, 0, 1}[i % 4] - 20);
  for (std::size_t i = 512; i < 528; ++i) REQUIRE(row[i] == 0x3f);
}
TEST_CASE("decoder: reload takes 2^n cycles for every width") {
  const std::array<int, 4> widths = {1, 2, 4, 8};
  DecoderAlone d({});
  for (std::size_t i = 0; i < widths.size(); ++i) d.tile(1000 * (i + 1), widths[i], static_cast<std::uint32_t>(i + 1));
  sc_core::sc_start();
  for (std::size_t i = 0; i < widths.size(); ++i)
    REQUIRE(d.out.arrivals[i].cycle == 1000 * (i + 1) + (1ull << widths[i]) + 1 + 3);  // 512 weights at 1024 a cycle
}
TEST_CASE("decoder: a rate that is no divisor of a chunk loses nothing over a stream of chunks") {
  decoder::Config config;
  config.weights_per_cycle = 409.6;
  config.reload_cycles_per_entry = 0;
  decoder::LutDecoder block("decoder", config);
  ForeignSource commands("commands");
  ChunkSender input("input");
  RecordingSink out("out", 0);
  commands.isock.bind(block.command.tsock);
  input.isock.bind(block.input.tsock);
  block.isock.bind(out.tsock);
  // 40 tiles of one row of 512 four-bit weights without scales.
  decoder::Descriptor d;
  d.rows = 1;
  d.row_elements = 512;
  d.bits = 4;
  d.block = 0;
  bus::Chunk c;
  c.traffic = bus::TrafficClass::weights;
  c.data_valid = false;
  for (int i = 0; i < 40; ++i) {
    commands.command(d, d.encoded_bytes());
    input.at(at_cycle(10), std::vector<std::uint8_t>(256), c);
  }
  sc_core::sc_start();
  REQUIRE(out.arrivals.size() == 40);
  REQUIRE(cycle_of(out.arrivals.back().when) == 10 + 50 + 3);  // 40 * 512 / 409.6 = 50
}

// ---- PE array: 16 x 8 elements of 32 lanes, 7 stages ----

namespace {
struct ArrayAlone {
  pe::PeArray block;
  ForeignSource commands{"commands"}, operand{"operand"}, weights{"weights"}, kv{"kv"};
  ForeignSink out{"out"};
  explicit ArrayAlone(const pe::Config& config) : block("array", config) {
    commands.isock.bind(block.command.tsock);
    operand.isock.bind(block.operand.tsock);
    weights.isock.bind(block.weights.tsock);
    kv.isock.bind(block.kv.tsock);
    block.isock.bind(out.tsock);
  }
  /// m tokens against n rows of k = 64 INT4 weights that are all 1 with scale 1, at a cycle.
  void tile(std::uint64_t cycle, std::uint32_t m, std::uint32_t n, int passes) {
    pe::Descriptor d;
    d.a_operand = ++number_;
    d.load_a = d.last_a = true;
    d.m = m;
    d.n = n;
    d.k = 64;
    pe::IntegerWeights ones_of_int4;
    ones_of_int4.passes = static_cast<std::uint8_t>(passes);
    d.b = ones_of_int4;
    commands.command(d);
    std::vector<std::uint8_t> a(m * 74);
    std::vector<Fp16> ones(64, formats::to_fp16(1.0));
    for (std::uint32_t t = 0; t < m; ++t) formats::encode_row(formats::kBfp8, ones.data(), 64, a.data() + t * 74);
    operand.send(0, a, values(0, number_));
    std::vector<std::uint8_t> row(66, 1);
    const Fp16 one = formats::to_fp16(1.0);
    std::memcpy(row.data() + 64, &one, 2);
    std::vector<std::uint8_t> b;
    for (std::uint32_t r = 0; r < n; ++r) b.insert(b.end(), row.begin(), row.end());
    bus::Chunk c = values(n * 64);
    c.header = bus::DecodedRows{0, n};
    weights.send(cycle, b, c);
  }

 private:
  std::uint32_t number_ = 0;
};
}  // namespace

TEST_CASE("array: 128 rows for one token are one round: 2 groups, one pass 2 cycles, two passes 4, 7 stages") {
  ArrayAlone a({});
  a.tile(100, 1, 128, 1);
  a.tile(200, 1, 128, 2);
  sc_core::sc_start();
  REQUIRE(a.out.arrivals.size() == 2);
  REQUIRE(a.out.arrivals[0].cycle == 100 + 2 + 7);
  REQUIRE(a.out.arrivals[1].cycle == 200 + 4 + 7);
  for (int i = 0; i < 128; ++i) {
    Fp16 y;
    std::memcpy(static_cast<void*>(&y), a.out.arrivals[0].bytes.data() + 2 * i, 2);
    REQUIRE(formats::to_float(y) == 64.0f);
  }
  REQUIRE(a.block.macs() == 2 * 128 * 64);
  REQUIRE(a.block.slots() == 128 * 2 * (1 + 2));
}
TEST_CASE("array: an operand is given back when the last tile that uses it has ended") {
  ArrayAlone a({});
  a.tile(100, 1, 128, 1);
  a.tile(200, 1, 128, 2);
  sc_core::sc_start();
  REQUIRE(a.operand.taken == std::vector<std::uint64_t>{102, 204});
}
TEST_CASE("array: without idle rows at work one token uses 8 of 128 elements") {
  pe::Config config;
  config.spread_idle_rows = false;
  ArrayAlone a(config);
  a.tile(100, 1, 128, 1);
  sc_core::sc_start();
  REQUIRE(a.out.arrivals[0].cycle == 100 + 16 * 2 + 7);
}
TEST_CASE("array: 5 tokens leave room for 3 columns an element row; 20 tokens take two rounds") {
  ArrayAlone a({});
  a.tile(1000, 5, 120, 1);  // 8 * floor(16 / 5) = 24 columns a round, 5 rounds
  a.tile(2000, 20, 64, 1);  // 8 rounds of 8 columns, twice
  sc_core::sc_start();
  REQUIRE(a.out.arrivals[0].cycle == 1000 + 5 * 2 + 7);
  REQUIRE(a.out.arrivals[1].cycle == 2000 + 8 * 2 * 2 + 7);
}

// ---- Vector unit: 64 lanes, 8 stages ----

TEST_CASE("vector unit: RMSNorm of an embedded row: two passes over it, 8 stages") {
  vector::VectorUnit block("vector", {});
  ForeignSource commands("commands"), result("result"), operand("operand");
  ForeignSink out("out"), host("host");
  commands.isock.bind(block.command.tsock);
  result.isock.bind(block.result.tsock);
  operand.isock.bind(block.operand.tsock);
  block.isock.bind(out.tsock);
  block.isock_host.bind(host.tsock);
  const vector::Descriptor setup{0, vector::Setup{1, 1, 256}};
  std::vector<std::uint8_t> table(sizeof setup + sizeof(vector::SequenceRows));
  const vector::SequenceRows sequence{0, 1, 0, 0, 1, 0};
  std::memcpy(table.data(), &setup, sizeof setup);
  std::memcpy(table.data() + sizeof setup, &sequence, sizeof sequence);
  commands.send(0, table);
  vector::Embed embed;
  embed.rows = 1;
  embed.columns = 256;
  commands.command(vector::Descriptor{0, embed});
  vector::Norm norm;
  norm.rows = 1;
  norm.columns = 256;
  norm.gains = true;
  norm.epsilon = 1e-5f;
  commands.command(vector::Descriptor{0, norm});
  const std::vector<Fp16> x = ramp(256), gamma(256, formats::to_fp16(1.0));
  operand.send(10, bytes_of(x), values(256));
  operand.send(20, bytes_of(gamma), values(256));
  sc_core::sc_start();
  REQUIRE(out.arrivals.size() == 1);
  REQUIRE(out.arrivals[0].cycle == 20 + 2 * 256 / 64 + 8);
  std::vector<Fp16> expected(256);
  const std::vector<float> ones(256, 1.0f);
  vector::rms_norm(x.data(), ones.data(), 256, 1e-5f, expected.data());
  REQUIRE(out.arrivals[0].bytes == bytes_of(expected));
  REQUIRE(block.activity().busy == 4 + 8);  // the embedding's row, then the norm
}
TEST_CASE("vector unit: softmax of a head: maximum as scores arrive, exponential and division after") {
  vector::VectorUnit block("vector", {});
  ForeignSource commands("commands"), result("result"), operand("operand");
  ForeignSink out("out"), host("host");
  commands.isock.bind(block.command.tsock);
  result.isock.bind(block.result.tsock);
  operand.isock.bind(block.operand.tsock);
  block.isock.bind(out.tsock);
  block.isock_host.bind(host.tsock);
  vector::Softmax d;
  d.rows = 2;
  d.columns = 128;
  d.group = 2;
  d.head_dim = 64;
  d.visible = 100;
  commands.command(vector::Descriptor{3, d});
  const std::vector<Fp16> scores = ramp(256);
  bus::Chunk c = values(256, 3);
  c.header = bus::ResultTile{0, 128};
  result.send(10, bytes_of(scores), c);
  sc_core::sc_start();
  REQUIRE(out.arrivals[0].cycle == 10 + 256 / 64 + 2 * 256 / 64 + 8);
  std::vector<Fp16> expected(256);
  for (std::size_t r = 0; r < 2; ++r)
    vector::softmax(scores.data() + 128 * r, 100, vector::attention_scale(64), expected.data() + 128 * r);
  REQUIRE(out.arrivals[0].bytes == bytes_of(expected));
}

// ---- Activation buffer, operand side: half of the banks read, 2 cycles ----

TEST_CASE("operand buffer: hands an operand over when it is complete, 128 bytes a cycle") {
  memory::OperandBuffer block("operands", {});
  ForeignSource commands("commands"), converter("converter"), dma("dma");
  ForeignSink out("out");
  commands.isock.bind(block.command.tsock);
  converter.isock.bind(block.converter.tsock);
  dma.isock.bind(block.dma.tsock);
  block.isock.bind(out.tsock);
  memory::OperandDescriptor d;
  d.operand = 9;
  d.row_bytes = 74;
  d.rows = 4;
  commands.command(d);
  // Columns 32..63 of all rows first, then 0..31.
  bus::Chunk c = values(128, 9);
  c.header = bus::OperandPiece{4, 0, 1, 37, 74};
  converter.send(10, std::vector<std::uint8_t>(4 * 37, 2), c);
  c.header = bus::OperandPiece{4, 0, 1, 0, 74};
  converter.send(50, std::vector<std::uint8_t>(4 * 37, 1), c);
  sc_core::sc_start();
  REQUIRE(out.arrivals.size() == 1);
  REQUIRE(out.arrivals[0].cycle == 50 + 3 + 2);  // 296 bytes
  for (std::size_t i = 0; i < 4 * 74; ++i) REQUIRE(out.arrivals[0].bytes[i] == (i % 74 < 37 ? 1 : 2));
}

TEST_CASE("operand buffer: what is read ahead leaves room for what is missing of the operands before it") {
  const auto taken_at = [](std::uint64_t capacity) {
    const std::vector<std::uint64_t> cycles = in_child([capacity] {
      memory::BufferConfig config;
      config.capacity_bytes = 2 * capacity;  // half of it holds operands
      memory::OperandBuffer block("operands", config);
      ForeignSource commands("commands"), converter("converter"), dma("dma");
      ForeignSink out("out");
      commands.isock.bind(block.command.tsock);
      converter.isock.bind(block.converter.tsock);
      dma.isock.bind(block.dma.tsock);
      block.isock.bind(out.tsock);
      memory::OperandDescriptor first, second;
      first.operand = 1;
      first.row_bytes = 200;
      first.rows = second.rows = 1;
      second.operand = 2;
      second.row_bytes = 100;
      second.from_memory = 1;
      commands.command(first);
      commands.command(second);
      dma.send(10, std::vector<std::uint8_t>(100), values(100, 2));
      bus::Chunk c = values(200, 1);
      c.header = bus::OperandPiece{1, 0, 1, 0, 200};
      converter.send(50, std::vector<std::uint8_t>(200), c);
      sc_core::sc_start();
      return std::vector<std::uint64_t>{dma.taken.at(0)};
    });
    return cycles[0];
  };
  REQUIRE(taken_at(300) == 10);
  REQUIRE(taken_at(299) == 50 + 2 + 2);  // given back as soon as it was read out: 200 bytes, 128 a cycle, 2 cycles
}

TEST_CASE("operand buffer: rows that nobody reads any more give back their room") {
  // What comes from memory does not fit beside the rows that stay for a later descriptor.
  const auto taken_at = [](bool read_before, bool released) {
    const std::vector<std::uint64_t> cycles = in_child([=] {
      memory::BufferConfig config;
      config.capacity_bytes = 600;  // half of it holds operands
      memory::OperandBuffer block("operands", config);
      ForeignSource commands("commands"), converter("converter"), dma("dma");
      ForeignSink out("out");
      commands.isock.bind(block.command.tsock);
      converter.isock.bind(block.converter.tsock);
      dma.isock.bind(block.dma.tsock);
      block.isock.bind(out.tsock);
      memory::OperandDescriptor rows, release, next;
      rows.operand = 2;
      rows.row_bytes = release.row_bytes = 100;
      rows.rows = rows.source_rows = release.source_rows = 2;
      rows.source = release.source = 1;
      rows.keeps_source = 1;
      release.operand = 3;
      next.operand = 4;
      next.row_bytes = 200;
      next.rows = 1;
      next.from_memory = 1;
      if (read_before) commands.command(rows);
      if (released) commands.command(release);
      commands.command(next);
      bus::Chunk c = values(200, 1);
      c.header = bus::OperandPiece{2, 0, 1, 0, 100};
      converter.send(50, std::vector<std::uint8_t>(200), c);
      dma.send(51, std::vector<std::uint8_t>(200), values(200, 4));
      sc_core::sc_start();
      std::vector<std::uint64_t> out_of_it = dma.taken;
      out_of_it.push_back(out.arrivals.size());
      return out_of_it;
    });
    return cycles;
  };
  CHECK(taken_at(false, true) == std::vector<std::uint64_t>{51, 1});
  // With the room of the operand before them, which the array gives back: 200 bytes, 128 a cycle, 2 cycles.
  CHECK(taken_at(true, true) == std::vector<std::uint64_t>{50 + 2 + 2, 2});
  CHECK(taken_at(true, false) == std::vector<std::uint64_t>{1});
}

// ---- Accounts ----

TEST_CASE("accounts: busy and waiting cycles of a block add up to the cycle in which it last worked") {
  decoder::Config config;
  config.weights_per_cycle = 100.0;
  DecoderAlone d(config);
  for (std::uint32_t i = 0; i < 10; ++i) d.tile(37 * i, 4, 1 + i / 3);
  sc_core::sc_start();
  REQUIRE(d.block.activity().accounted() == d.block.free_at());
}
