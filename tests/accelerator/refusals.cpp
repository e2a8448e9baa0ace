// Each block alone, sent one thing whose fields are wrong in turn and then the right one: the wrong one is answered with
// an error response and a report that names the field, and the right one gives what it gives alone.
#include <cmath>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "harmonia/hw/converter/bfp_converter_module.h"
#include "harmonia/hw/decoder/lut_decoder_module.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/memory/buffer_module.h"
#include "harmonia/hw/memory/dma_module.h"
#include "harmonia/hw/memory/operand_buffer_module.h"
#include "harmonia/hw/pe/pe_array_module.h"
#include "harmonia/hw/smoother/outlier_smoother_module.h"
#include "harmonia/hw/vector/vector_unit_module.h"
#include "tests/accelerator/foreign.h"
#include "tests/support/catch.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

std::string reports;
void gather(const sc_core::sc_report& report, const sc_core::sc_actions&) {
  if (report.get_severity() != sc_core::SC_INFO) reports += std::string(report.get_msg()) + "\n";
}

struct Sent {
  std::vector<std::uint8_t> bytes;
  bus::Chunk chunk;
};
template <class D>
Sent command_of(const D& d, std::size_t length = sizeof(D)) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(&d);
  return {{p, p + length}, {}};
}
/// What is sent to each of a block's sockets, in their order: the right things.
using Script = std::vector<std::vector<Sent>>;

/// A block with its sockets: to_sockets binds one source to each, outputs says where results go.
struct Bench {
  std::vector<std::unique_ptr<ForeignSource>> sources;
  std::vector<std::unique_ptr<ForeignSink>> sinks;
  template <class Target>
  void into(Target& target) {
    sources.push_back(std::make_unique<ForeignSource>(("source" + std::to_string(sources.size())).c_str()));
    sources.back()->may_be_refused = true;
    sources.back()->isock.bind(target);
  }
  template <class Initiator>
  void out_of(Initiator& initiator) {
    sinks.push_back(std::make_unique<ForeignSink>(("sink" + std::to_string(sinks.size())).c_str()));
    initiator.bind(sinks.back()->tsock);
  }
};
using Build = std::function<std::shared_ptr<void>(Bench&)>;

/// Refusals, bytes that came out, and a sum over them, of a run in a process of its own.
std::vector<std::uint64_t> run(const Build& build, const Script& script, const std::string& field) {
  return in_child([&] {
    reports.clear();
    sc_core::sc_report_handler::set_handler(gather);
    Bench bench;
    const std::shared_ptr<void> block = build(bench);
    for (std::size_t socket = 0; socket < script.size(); ++socket)
      for (const Sent& s : script[socket]) bench.sources[socket]->send(0, s.bytes, s.chunk);
    sc_core::sc_start();
    std::vector<std::uint64_t> result(3);
    for (const auto& source : bench.sources) result[0] += source->refused;
    for (const auto& sink : bench.sinks)
      for (const ForeignSink::Arrival& a : sink->arrivals) {
        result[1] += a.bytes.size();
        for (const std::uint8_t byte : a.bytes) result[2] = result[2] * 31 + byte;
      }
    INFO(reports);
    if (!field.empty() && reports.find(field) == std::string::npos)
      throw std::runtime_error("no report names " + field + "; there is: " + reports);
    return result;
  });
}

struct Wrong {
  std::size_t socket, item;
  std::string field;
  std::function<void(Sent&)> make;
};

/// Every wrong thing before the right one that it was made from.
void require_refusals(const Build& build, const Script& right, const std::vector<Wrong>& wrongs) {
  const std::vector<std::uint64_t> alone = run(build, right, "");
  REQUIRE(alone[0] == 0);
  REQUIRE(alone[1] > 0);
  for (const Wrong& w : wrongs) {
    CAPTURE(w.socket, w.item, w.field);
    Script script = right;
    std::vector<Sent>& list = script[w.socket];
    Sent bad = list[w.item];
    w.make(bad);
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(w.item), bad);
    const std::vector<std::uint64_t> with = run(build, script, w.field);
    REQUIRE(with[0] == 1);
    REQUIRE(with[1] == alone[1]);
    REQUIRE(with[2] == alone[2]);
  }
}

template <class D, class Value>
Wrong field(std::size_t socket, std::size_t item, const char* name, Value D::*member, std::uint64_t value,
            const char* reported = nullptr) {
  return {socket, item, std::string(reported != nullptr ? reported : name) + " is", [member, value](Sent& s) {
            D d;
            std::memcpy(static_cast<void*>(&d), s.bytes.data(), std::min(sizeof d, s.bytes.size()));
            d.*member = static_cast<Value>(value);
            std::memcpy(s.bytes.data(), &d, std::min(sizeof d, s.bytes.size()));
          }};
}
#define WRONG(socket, item, D, member, value) field(socket, item, #member, &D::member, value)

/// A descriptor whose kind is `Kind` with something of it changed.
template <class D, class Kind>
Wrong of_kind(const char* reported, const std::function<void(Kind&)>& change) {
  return {0, 0, reported, [change](Sent& s) {
            D d;
            std::memcpy(static_cast<void*>(&d), s.bytes.data(), sizeof d);
            change(std::get<Kind>(d.kind));
            std::memcpy(s.bytes.data(), &d, sizeof d);
          }};
}
/// A descriptor of no kind: the byte that holds the variant's index is another number.
template <class D>
Wrong of_no_kind() {
  return {0, 0, "kind is 77", [](Sent& s) {
            for (std::uint8_t& byte : s.bytes) {
              const std::uint8_t was = std::exchange(byte, std::uint8_t{77});
              D d;
              std::memcpy(static_cast<void*>(&d), s.bytes.data(), sizeof d);
              if (d.kind.index() == 77) return;
              byte = was;
            }
          }};
}

Wrong shorter(std::size_t socket, std::size_t item) {
  return {socket, item, "length is", [](Sent& s) { s.bytes.resize(s.bytes.size() / 2 - 1); }};
}
Wrong longer(std::size_t socket, std::size_t item) {
  return {socket, item, "data length is", [](Sent& s) { s.bytes.resize(2 * s.bytes.size()); }};
}
Wrong chunk(std::size_t socket, std::size_t item, const char* name, std::function<void(bus::Chunk&)> make) {
  return {socket, item, name, [make](Sent& s) { make(s.chunk); }};
}

/// A block with one input stream beside its descriptors, and one output.
template <class Block, class Config>
Build with_one_input(const char* name) {
  return [name](Bench& bench) {
    auto block = std::make_shared<Block>(name, Config{});
    bench.into(block->command.tsock);
    bench.into(block->input.tsock);
    bench.out_of(block->isock);
    return block;
  };
}

}  // namespace

TEST_CASE("refusals: the PE array") {
  pe::Descriptor d;
  d.a_operand = 7;
  d.load_a = d.last_a = true;
  d.m = 2;
  d.n = 4;
  d.k = 64;
  pe::IntegerWeights integers;
  integers.block = 64;
  d.b = integers;
  Sent a{std::vector<std::uint8_t>(2 * 74), {}};
  a.chunk.operation = 7;
  Sent b{std::vector<std::uint8_t>(4 * 66, 1), {}};
  b.chunk.elements = 4 * 64;
  b.chunk.header = bus::DecodedRows{0, 4};
  const Build build = [](Bench& bench) {
    auto block = std::make_shared<pe::PeArray>("array", pe::Config{});
    bench.into(block->command.tsock);
    bench.into(block->operand.tsock);
    bench.into(block->weights.tsock);
    bench.into(block->kv.tsock);
    bench.out_of(block->isock);
    return block;
  };
  using D = pe::Descriptor;
  const auto flag = [](const char* name, bool D::*member) {
    return Wrong{0, 0, std::string(name) + " is", [member](Sent& s) {
                   D bad;
                   std::memcpy(static_cast<void*>(&bad), s.bytes.data(), sizeof bad);
                   *reinterpret_cast<unsigned char*>(&(bad.*member)) = 2;
                   std::memcpy(s.bytes.data(), &bad, sizeof bad);
                 }};
  };
  const auto weights = [](const char* name, std::function<void(pe::IntegerWeights&)> make) {
    return Wrong{0, 0, std::string(name) + " is", [make](Sent& s) {
                   D bad;
                   std::memcpy(static_cast<void*>(&bad), s.bytes.data(), sizeof bad);
                   make(std::get<pe::IntegerWeights>(bad.b));
                   std::memcpy(s.bytes.data(), &bad, sizeof bad);
                 }};
  };
  // The byte that tells the kinds of B apart is where two kinds with the same fields differ.
  pe::Descriptor eight = d, sixteen = d;
  eight.b = pe::Bfp8Weights();
  sixteen.b = pe::Fp16Weights();
  const Sent one = command_of(eight), other = command_of(sixteen);
  std::size_t kind = 0;
  while (kind < one.bytes.size() && one.bytes[kind] == other.bytes[kind]) ++kind;
  const Wrong no_kind{0, 0, "b.index() is", [kind](Sent& s) { s.bytes[kind] = 99; }};
  const auto decoded = [](std::uint32_t first, std::uint32_t rows) {
    return [=](bus::Chunk& c) { c.header = bus::DecodedRows{first, rows}; };
  };
  require_refusals(build, {{command_of(d)}, {a}, {b}, {}},
                   {WRONG(0, 0, D, m, 0),
                    WRONG(0, 0, D, n, 0),
                    WRONG(0, 0, D, n, 1 << 30),
                    WRONG(0, 0, D, k, 0),
                    WRONG(0, 0, D, load_a, 0),
                    WRONG(0, 0, D, accumulate, 1),
                    flag("load_a", &D::load_a),
                    flag("last_a", &D::last_a),
                    flag("accumulate", &D::accumulate),
                    flag("emit", &D::emit),
                    weights("IntegerWeights::block", [](pe::IntegerWeights& w) { w.block = 0; }),
                    weights("IntegerWeights::block", [](pe::IntegerWeights& w) { w.block = 33; }),
                    weights("Weights::passes", [](pe::IntegerWeights& w) { w.passes = 0; }),
                    weights("Weights::cycles", [](pe::IntegerWeights& w) { w.cycles = std::uint64_t{1} << 35; }),
                    weights("Weights::replay_cycles", [](pe::IntegerWeights& w) { w.replay_cycles = ~0u; }),
                    weights("Weights::reuse_b", [](pe::IntegerWeights& w) { w.reuse_b = true; }),
                    no_kind,
                    shorter(0, 0),
                    shorter(1, 0),
                    chunk(1, 0, "Chunk::operation is", [](bus::Chunk& c) { c.operation = 8; }),
                    shorter(2, 0),
                    longer(2, 0),
                    chunk(2, 0, "Chunk::elements is", [](bus::Chunk& c) { c.elements = 0; }),
                    chunk(2, 0, "Chunk::elements is", [](bus::Chunk& c) { c.elements = 1000; }),
                    chunk(2, 0, "DecodedRows::rows is", decoded(0, 0)),
                    chunk(2, 0, "DecodedRows::rows is", decoded(0, 5)),
                    chunk(2, 0, "data length is", decoded(0, 3)),
                    chunk(2, 0, "DecodedRows::first_row is", decoded(1, 4))});
}

TEST_CASE("refusals: the decoder") {
  decoder::Descriptor d;
  d.rows = 2;
  d.row_elements = 128;
  d.codebook_size = 16;
  for (int i = 0; i < 16; ++i) d.codebook[i] = static_cast<std::int8_t>(3 * i - 20);
  Sent scales{std::vector<std::uint8_t>(2 * 4, 0x3f), {}}, codes{std::vector<std::uint8_t>(2 * 64, 0xb1), {}};
  scales.chunk.traffic = bus::TrafficClass::scales;
  codes.chunk.traffic = bus::TrafficClass::weights;
  const Build build = with_one_input<decoder::LutDecoder, decoder::Config>("decoder");
  using D = decoder::Descriptor;
  require_refusals(
      build, {{command_of(d, d.encoded_bytes())}, {scales, codes}},
      {WRONG(0, 0, D, rows, 0), WRONG(0, 0, D, row_elements, 0), WRONG(0, 0, D, kind, 77), WRONG(0, 0, D, bits, 0),
       WRONG(0, 0, D, bits, 9), WRONG(0, 0, D, bit_planes, 2), WRONG(0, 0, D, zero_point, 2), WRONG(0, 0, D, block, 33),
       field(0, 0, "codebook_size", &D::codebook_size, 100, "the descriptor's length"), longer(1, 0), longer(1, 1),
       chunk(1, 0, "Chunk::traffic is", [](bus::Chunk& c) { c.traffic = bus::TrafficClass::other; }),
       Wrong{1, 0, "the data length is", [codes](Sent& s) { s = codes; }},
       chunk(1, 1, "Chunk::data_valid is", [](bus::Chunk& c) { c.data_valid = false; })});
}

TEST_CASE("refusals: the operand buffer") {
  memory::OperandDescriptor d;
  d.operand = 9;
  d.row_bytes = 74;
  d.rows = 4;
  Sent piece{std::vector<std::uint8_t>(4 * 74, 5), {}};
  piece.chunk.operation = 9;
  piece.chunk.header = bus::OperandPiece{4, 0, 1, 0, 74};
  const Build build = [](Bench& bench) {
    auto block = std::make_shared<memory::OperandBuffer>("operands", memory::BufferConfig{});
    bench.into(block->command.tsock);
    bench.into(block->converter.tsock);
    bench.into(block->dma.tsock);
    bench.out_of(block->isock);
    return block;
  };
  using D = memory::OperandDescriptor;
  const auto place = [](bus::OperandPiece p) { return [p](bus::Chunk& c) { c.header = p; }; };
  require_refusals(build, {{command_of(d)}, {piece}, {}},
                   {WRONG(0, 0, D, row_bytes, 0), WRONG(0, 0, D, rows, 0), WRONG(0, 0, D, rows, 1 << 30),
                    WRONG(0, 0, D, from_memory, 2), shorter(0, 0), longer(1, 0),
                    chunk(1, 0, "OperandPiece::rows is", place({0, 0, 1, 0, 74})),
                    chunk(1, 0, "OperandPiece::rows is", place({7, 0, 1, 0, 74})),
                    chunk(1, 0, "OperandPiece::row_begin is", place({4, 4, 1, 0, 74})),
                    chunk(1, 0, "OperandPiece::row_stride is", place({4, 1, 1, 0, 74})),
                    chunk(1, 0, "OperandPiece::row_stride is", place({4, 0, 0, 0, 74})),
                    chunk(1, 0, "OperandPiece::column_bytes is", place({4, 0, 1, 1, 74})),
                    chunk(1, 0, "OperandPiece::row_bytes is", place({4, 0, 1, 0, 75})),
                    chunk(1, 0, "OperandPiece::row_bytes is", place({4, 0, 1, 0, 0}))});
}

namespace {

using Dma = memory::DmaDescriptor;

/// A DMA descriptor with something of it changed.
Wrong of_dma(const char* reported, std::function<void(Dma&)> change) {
  return {0, 0, reported, [change](Sent& s) {
            Dma d;
            std::memcpy(static_cast<void*>(&d), s.bytes.data(), s.bytes.size());
            change(d);
            std::memcpy(s.bytes.data(), &d, s.bytes.size());
          }};
}
Wrong of_segment(const char* reported, std::function<void(memory::DmaSegment&)> change) {
  return of_dma(reported, [change](Dma& d) { change(d.segments[1]); });
}
Wrong flag_of_dma(const char* reported, std::size_t at) {
  return {0, 0, reported, [at](Sent& s) { s.bytes[at] = 2; }};
}
/// What is wrong for engines of both directions.
std::vector<Wrong> wrong_dma() {
  using S = memory::DmaSegment;
  return {of_dma("segment_count is 0", [](Dma& d) { d.segment_count = 0; }),
          of_dma("segment_count is 9", [](Dma& d) { d.segment_count = 9; }),
          of_dma("segment_count is 1", [](Dma& d) { d.segment_count = 1; }),
          of_dma("direction is 2", [](Dma& d) { d.direction = static_cast<memory::DmaDirection>(2); }),
          of_dma("transaction_bytes is", [](Dma& d) { d.transaction_bytes = ~0u; }),
          of_dma("bytes_per_cycle is 1e-30", [](Dma& d) { d.bytes_per_cycle = 1e-30f; }),
          of_dma("bytes_per_cycle is -1", [](Dma& d) { d.bytes_per_cycle = -1; }),
          of_dma("bytes_per_cycle is inf", [](Dma& d) { d.bytes_per_cycle = HUGE_VALF; }),
          flag_of_dma("data_valid is 2", offsetof(Dma, data_valid)),
          flag_of_dma("begins_tile is 2", offsetof(Dma, begins_tile)),
          flag_of_dma("ends_tile is 2", offsetof(Dma, ends_tile)),
          flag_of_dma("paced is 2", offsetof(Dma, paced)),
          flag_of_dma("respond_when_done is 2", offsetof(Dma, respond_when_done)),
          of_segment("segments[1].row_bytes is 0", [](S& s) { s.row_bytes = 0; }),
          of_segment("segments[1].rows is 0", [](S& s) { s.rows = 0; }),
          of_segment("segments[1].rows * row_bytes is", [](S& s) { s.rows = s.row_bytes = ~0u; }),
          of_segment("segments[1].group_bytes is 0", [](S& s) { s.group_bytes = 0; }),
          of_segment("segments[1].group_elements is 9", [](S& s) { s.group_elements = 9; }),
          of_segment("segments[1].traffic is 99", [](S& s) { s.traffic = static_cast<bus::TrafficClass>(99); }),
          of_segment("segments[1].stride_bytes is",
                     [](S& s) {
                       s.rows = 3;
                       s.stride_bytes = ~std::uint64_t{0};
                     }),
          of_segment("segments[1].address is", [](S& s) { s.address = ~std::uint64_t{0}; }),
          shorter(0, 0),
          {0, 0, "segment_count is 2 in a descriptor of", [](Sent& s) { s.bytes.resize(s.bytes.size() + 1); }}};
}

Dma two_segments(memory::DmaDirection direction) {
  Dma d;
  d.direction = direction;
  d.transaction_bytes = 64;
  d.add({4096, 0, 96}).add({8192, 0, 32});
  return d;
}

}  // namespace

TEST_CASE("refusals: the DMA reader") {
  const Build build = [](Bench& bench) {
    auto block = std::make_shared<memory::DmaReader<>>("reader", memory::DmaConfig{});
    bench.into(block->command_tsock);
    bench.out_of(block->memory_isock);
    bench.out_of(block->stream_isock);
    return block;
  };
  std::vector<Wrong> wrongs = wrong_dma();
  wrongs.push_back(of_dma("direction is 1, expected 0", [](Dma& d) { d.direction = memory::DmaDirection::kWrite; }));
  const Dma d = two_segments(memory::DmaDirection::kRead);
  require_refusals(build, {{command_of(d, d.encoded_bytes())}}, wrongs);
}

TEST_CASE("refusals: the DMA writer") {
  const Build build = [](Bench& bench) {
    auto block = std::make_shared<memory::DmaWriter<>>("writer", memory::DmaConfig{});
    bench.into(block->command_tsock);
    bench.into(block->stream_tsock);
    bench.out_of(block->memory_isock);
    return block;
  };
  std::vector<Wrong> wrongs = wrong_dma();
  wrongs.push_back(of_dma("direction is 0, expected 1", [](Dma& d) { d.direction = memory::DmaDirection::kRead; }));
  wrongs.push_back(longer(1, 1));
  wrongs.push_back(chunk(1, 1, "Chunk::data_valid is 0, expected 1", [](bus::Chunk& c) { c.data_valid = false; }));
  const Dma d = two_segments(memory::DmaDirection::kWrite);
  // The second chunk begins inside a transaction.
  require_refusals(build,
                   {{command_of(d, d.encoded_bytes())},
                    {{std::vector<std::uint8_t>(40, 5), {}}, {std::vector<std::uint8_t>(88, 9), {}}}},
                   wrongs);
}

TEST_CASE("refusals: the stream buffer") {
  Sent begin{std::vector<std::uint8_t>(256, 5), {}}, end{std::vector<std::uint8_t>(200, 9), {}};
  begin.chunk.first_of_tile = end.chunk.last_of_tile = true;
  const auto build = [](memory::BufferMode mode) -> Build {
    return [mode](Bench& bench) {
      memory::StreamBufferConfig config;
      config.capacity_bytes = 1024;
      config.mode = mode;
      auto block = std::make_shared<memory::StreamBuffer<>>("buffer", config);
      bench.into(block->tsock);
      bench.out_of(block->isock);
      return block;
    };
  };
  const auto larger = [](std::size_t bytes) { return [bytes](Sent& s) { s.bytes.resize(bytes); }; };
  const Wrong traffic =
      chunk(0, 1, "Chunk::traffic is 99", [](bus::Chunk& c) { c.traffic = static_cast<bus::TrafficClass>(99); });
  require_refusals(
      build(memory::BufferMode::kTiles), {{begin, end}},
      {{0, 0, "the data length is 513, expected at most the 512", larger(513)},
       {0, 1, "the data length is 257, expected at most the 256", larger(257)},
       chunk(0, 0, "Chunk::first_of_tile is 0, expected 1", [](bus::Chunk& c) { c.first_of_tile = false; }),
       chunk(0, 1, "Chunk::first_of_tile is 1, expected 0", [](bus::Chunk& c) { c.first_of_tile = true; }),
       traffic});
  require_refusals(build(memory::BufferMode::kStreaming), {{begin, end}},
                   {{0, 0, "the data length is 1025, expected at most the 1024", larger(1025)}, traffic});
}

TEST_CASE("refusals: the converter") {
  using D = converter::Descriptor;
  converter::GroupedValues values;
  values.rows = 8;
  values.columns = 4;
  values.first_position = 24;
  values.low = {{0, 0}, {1, 0}};
  values.residual_bytes = 4 * 37;
  values.out_bytes = 4 * 37;
  Sent growing{std::vector<std::uint8_t>(4 * 37), {}}, rows{std::vector<std::uint8_t>(2 * 8 * 4, 0x3c), {}};
  rows.chunk.elements = 8 * 4;
  const Build build = [](Bench& bench) {
    auto block = std::make_shared<converter::BfpConverter>("converter", converter::Config{});
    bench.into(block->command.tsock);
    bench.into(block->input.tsock);
    bench.into(block->residual.tsock);
    bench.out_of(block->isock_operands);
    bench.out_of(block->isock_kv);
    bench.out_of(block->isock_out);
    return block;
  };
  using V = converter::GroupedValues;
  require_refusals(
      build, {{command_of(D{0, values})}, {rows}, {growing}},
      {shorter(0, 0), longer(1, 0), longer(2, 0),
       chunk(1, 0, "Chunk::elements is", [](bus::Chunk& c) { c.elements = 31; }),
       of_kind<D, V>("rows is", [](V& v) { v.rows = 0; }), of_kind<D, V>("columns is", [](V& v) { v.columns = 0; }),
       of_kind<D, V>("rows is", [](V& v) { v.rows = v.columns = 1 << 24; }),
       of_kind<D, V>("first_position is", [](V& v) { v.first_position = ~0u; }),
       of_kind<D, V>("residual_bytes is", [](V& v) { v.residual_bytes = 5; }),
       of_kind<D, V>("growing_from is", [](V& v) { v.growing_from = 1; }),
       of_kind<D, V>("growing_to is", [](V& v) { v.growing_to = 1, v.low = {}; }),
       of_kind<D, V>("out_bytes is", [](V& v) { v.out_bytes = 1; }), of_no_kind<D>()});

  converter::ToOperand operand;
  operand.rows = 2;
  operand.columns = 32;
  operand.row_bytes = 74;
  Sent two{std::vector<std::uint8_t>(2 * 2 * 32, 0x3c), {}};
  two.chunk.elements = 2 * 32;
  using O = converter::ToOperand;
  require_refusals(build, {{command_of(D{1, operand})}, {two}, {}},
                   {longer(1, 0), of_kind<D, O>("column_bytes is", [](O& o) { o.column_bytes = 38; }),
                    of_kind<D, O>("row_stride is", [](O& o) { o.row_stride = 0; }),
                    of_kind<D, O>("OperandFormat::group is", [](O& o) { o.format.group = 33; }),
                    of_kind<D, O>("OperandFormat::group_bytes is", [](O& o) { o.format.group_bytes = 38; }),
                    of_kind<D, O>("OperandFormat::group_bytes is", [](O& o) { o.format.group = 0; })});
}

TEST_CASE("refusals: the smoother") {
  using D = converter::Descriptor;
  converter::PlainKeys keys;
  keys.rows = 2;
  keys.columns = 32;
  Sent rows{std::vector<std::uint8_t>(2 * 2 * 32, 0x3c), {}};
  rows.chunk.elements = 2 * 32;
  const Build build = with_one_input<smoother::OutlierSmoother, smoother::Config>("smoother");
  using K = converter::PlainKeys;
  require_refusals(
      build, {{command_of(D{0, keys})}, {rows}},
      {shorter(0, 0), longer(1, 0), chunk(1, 0, "Chunk::elements is", [](bus::Chunk& c) { c.elements = 0; }),
       of_kind<D, K>("rows is", [](K& k) { k.rows = 0; }),
       of_kind<D, K>("columns is", [](K& k) { k.columns = 1 << 25; }),
       of_kind<D, K>("StoredKeys::measured is 2",
                     [](K& k) { std::memset(static_cast<void*>(&k.measured), 2, sizeof k.measured); }),
       of_no_kind<D>()});

  // Offsets that follow from keys measured before: those must have been measured, of the same head.
  converter::MeasuredKeys first, second;
  first.rows = second.rows = 2;
  first.columns = second.columns = 32;
  second.first_position = 2;
  keys.measured = true;
  const auto at = [](std::size_t item, Wrong w) {
    w.item = item;
    return w;
  };
  using M = converter::MeasuredKeys;
  const char* never = "measured is 1, expected 0 (no keys of this head";
  require_refusals(
      build, {{command_of(D{0, first}), command_of(D{0, second}), command_of(D{0, keys})}, {rows, rows, rows}},
      {at(0, of_kind<D, M>("first_position is 2, expected 0", [](M& k) { k.first_position = 2; })),
       at(1, of_kind<D, M>("first_position is 2, expected 0", [](M& k) { k.head = 1; })),
       at(1, of_kind<D, M>("first_position is 2, expected 0", [](M& k) { k.columns = 64; })),
       at(2, of_kind<D, K>(never, [](K& k) { k.head = 1; })), at(2, of_kind<D, K>(never, [](K& k) { k.slot = 7; })),
       at(2, of_kind<D, K>(never, [](K& k) { k.columns = 64; }))});

  // Keys of a head have the channels of its first ones, which its offsets belong to.
  converter::PlainKeys next = keys;
  keys.measured = next.measured = false;
  next.first_position = 2;
  require_refusals(build, {{command_of(D{0, keys}), command_of(D{0, next})}, {rows, rows}},
                   {at(1, of_kind<D, K>("columns is 64, expected 32", [](K& k) { k.columns = 64; }))});
}

TEST_CASE("refusals: the vector unit") {
  using D = vector::Descriptor;
  vector::SiluMultiply gate_up;
  gate_up.rows = 2;
  gate_up.columns = 32;
  gate_up.column_begin = 64;
  Sent tile{std::vector<std::uint8_t>(2 * 2 * 32, 0x3c), {}};
  tile.chunk.operation = 3;
  tile.chunk.elements = 2 * 32;
  tile.chunk.header = bus::ResultTile{64, 32};
  const Build build = [](Bench& bench) {
    auto block = std::make_shared<vector::VectorUnit>("vector_unit", vector::Config{});
    bench.into(block->command.tsock);
    bench.into(block->result.tsock);
    bench.into(block->operand.tsock);
    bench.out_of(block->isock);
    bench.out_of(block->isock_host);
    return block;
  };
  using V = vector::SiluMultiply;
  const auto header = [](bus::ResultTile t) { return [t](bus::Chunk& c) { c.header = t; }; };
  require_refusals(
      build, {{command_of(D{3, gate_up})}, {tile, tile}, {}},
      {shorter(0, 0), longer(1, 0), of_no_kind<D>(), of_kind<D, V>("rows is", [](V& v) { v.rows = 0; }),
       of_kind<D, V>("columns is", [](V& v) { v.columns = 0; }),
       of_kind<D, V>("row_begin is", [](V& v) { v.row_begin = ~0u; }),
       chunk(1, 0, "Chunk::operation is", [](bus::Chunk& c) { c.operation = 4; }),
       chunk(1, 0, "Chunk::elements is", [](bus::Chunk& c) { c.elements = 63; }),
       chunk(1, 0, "header is not a ResultTile", [](bus::Chunk& c) { c.header = {}; }),
       chunk(1, 0, "ResultTile::columns is", header({64, 33})), chunk(1, 0, "ResultTile::columns is", header({64, 0})),
       chunk(1, 0, "ResultTile::column_begin is", header({63, 32})),
       chunk(1, 0, "ResultTile::column_begin is", header({65, 32}))});
}

TEST_CASE("refusals: the vector unit drops an operation whose rows nobody left in its scratch memory, and says which") {
  using D = vector::Descriptor;
  const auto of = [](auto kind) {
    kind.rows = 1;
    kind.columns = 32;
    return kind;
  };
  const auto results = [](std::uint32_t operation) {
    Sent tile{std::vector<std::uint8_t>(2 * 32, 0x3c), {}};
    tile.chunk.operation = operation;
    tile.chunk.elements = 32;
    tile.chunk.header = bus::ResultTile{0, 32};
    return tile;
  };
  const D setup{0, vector::Setup{1, 1, 32}};
  Sent begin = command_of(setup);
  const vector::SequenceRows sequence{0, 1, 0, 0, 1, 0};
  const auto* row = reinterpret_cast<const std::uint8_t*>(&sequence);
  begin.bytes.insert(begin.bytes.end(), row, row + sizeof sequence);

  vector::PassValues normed = of(vector::PassValues{});
  normed.head_dim = 32;
  normed.norm = true;
  vector::AddScaled shared = of(vector::AddScaled{});
  shared.expert = vector::AddScaled::shared;
  vector::Embed received = of(vector::Embed{});
  received.received = true;
  vector::AccumulateAttention attention = of(vector::AccumulateAttention{});
  attention.width = 32;
  for (const auto& [kind, takes, why] : std::vector<std::tuple<vector::Kind, bool, const char*>>{
           {of(vector::Norm{}), false, "no gains came before it"},
           {of(vector::AddResidual{}), true, "rows of the residual stream are not there"},
           {of(vector::AddNormed{}), false, "no branch was kept"},
           {normed, true, "no gains came before it"},
           {of(vector::OnlineSoftmax{}), true, "no block of its rows came before it"},
           {attention, true, "no block's softmax came before it"},
           {shared, true, "no scale of its rows came before it"},
           {received, false, "no such rows were received"}}) {
    CAPTURE(why, kind.index());
    // Scores that pass on make the run one with data.
    Script script = {{begin, command_of(D{1, of(vector::PassScores{})}), command_of(D{2, kind})}, {results(1)}, {}};
    if (takes) script[1].push_back(results(2));
    const Build build = [](Bench& bench) {
      auto block = std::make_shared<vector::VectorUnit>("vector_unit", vector::Config{});
      bench.into(block->command.tsock);
      bench.into(block->result.tsock);
      bench.into(block->operand.tsock);
      bench.out_of(block->isock);
      bench.out_of(block->isock_host);
      return block;
    };
    const std::vector<std::uint64_t> is = run(build, script, std::string("an operation is dropped: ") + why);
    REQUIRE(is[0] == 0);
    REQUIRE(is[1] == 64);  // the scores alone
  }
}
