// A matrix-vector product small enough to work out on paper, through the modules of the weight path: DMA engine, weight
// buffer, decoder, PE array. The memory behind is the simplest that can be reckoned with.
#include <memory>
#include <optional>

#include "harmonia/hw/decoder/lut_decoder_module.h"
#include "harmonia/hw/memory/buffer_module.h"
#include "harmonia/hw/memory/dma_module.h"
#include "harmonia/hw/pe/pe_array_module.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/timed_queue.h"
#include "tests/accelerator/foreign.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

/// A pipe: one request a cycle goes in, 64 bytes a cycle come out in order, each answer 20 cycles after its last byte.
class Pipe : public sc_core::sc_module {
 public:
  bus::MemoryTarget<> tsock{"tsock"};
  std::uint64_t bytes = 0;

  explicit Pipe(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    tsock.on_request([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
      const std::uint64_t length = payload.get_data_length();
      free_ = std::max(free_, cycle_of(arrival)) + length / 64;
      bytes += length;
      answers_.push(&payload, at_cycle(free_ + 20));
      return std::optional<sc_core::sc_time>(arrival + at_cycle(1));
    });
  }

 private:
  std::uint64_t free_ = 0;
  bus::TimedQueue<tlm::tlm_generic_payload*> answers_{
      [this](tlm::tlm_generic_payload*& p) { tsock.respond(*p, sc_core::sc_time_stamp()); }};
};

struct Case {
  int bits = 4;
  std::uint32_t rows = 16;  // of a tile
  std::uint32_t k = 512;
  std::uint32_t tiles = 8;
  std::uint8_t passes = 2;
  double decoder_rate = 1024;
  int pe_cols = 8;
  bool spread_idle_rows = true;
};

struct Result {
  std::uint64_t end;  // cycle at which the last result stands at the array's output
  std::uint64_t bytes;
  bus::Activity decoder, pe;
};

Result run(const Case& c) {
  Pipe pipe("pipe");
  memory::DmaConfig dma_config;  // 16 outstanding, 4 KiB transactions, 4 cycles from command and answer to output
  memory::DmaReader<> dma("dma", dma_config);
  memory::StreamBuffer<> buffer("buffer", memory::StreamBufferConfig{});  // two halves, 128 bytes a cycle, 2 cycles
  decoder::Config decoder_config;                                         // 3 cycles, reload one cycle an entry
  decoder_config.weights_per_cycle = c.decoder_rate;
  decoder::LutDecoder decoder("decoder", decoder_config);
  pe::Config pe_config;  // 16 rows, 7 cycles
  pe_config.cols = c.pe_cols;
  pe_config.spread_idle_rows = c.spread_idle_rows;
  pe::PeArray array("array", pe_config);
  ForeignSource dma_commands("dma_commands"), decoder_commands("decoder_commands"), pe_commands("pe_commands"),
      operand("operand"), nothing("nothing");
  ForeignSink results("results");
  dma_commands.isock.bind(dma.command_tsock);
  decoder_commands.isock.bind(decoder.command.tsock);
  pe_commands.isock.bind(array.command.tsock);
  operand.isock.bind(array.operand.tsock);
  nothing.isock.bind(array.kv.tsock);
  dma.memory_isock.bind(pipe.tsock);
  dma.stream_isock.bind(buffer.tsock);
  buffer.isock.bind(decoder.input.tsock);
  decoder.isock.bind(array.weights.tsock);
  array.isock.bind(results.tsock);

  bus::Chunk a;
  a.operation = 7;  // number of the operand
  a.data_valid = false;
  operand.send(0, std::vector<std::uint8_t>(c.k / 32 * 37), a);
  const std::uint32_t codes = c.rows * c.k * static_cast<std::uint32_t>(c.bits) / 8, scales = c.rows * c.k / 64 * 2;
  for (std::uint32_t i = 0; i < c.tiles; ++i) {
    memory::DmaDescriptor d;
    d.data_valid = false;
    d.paced = true;
    memory::DmaSegment s;
    s.address = 1 << 24 | std::uint64_t{i} * scales;
    s.row_bytes = scales;
    s.traffic = bus::TrafficClass::scales;
    d.add(s);
    s.address = std::uint64_t{i} * codes;
    s.row_bytes = codes;
    s.traffic = bus::TrafficClass::weights;
    d.add(s);
    dma_commands.command(d, d.encoded_bytes());

    decoder::Descriptor e;
    e.tensor = 1;
    e.rows = c.rows;
    e.row_elements = c.k;
    e.bits = static_cast<std::uint8_t>(c.bits);
    decoder_commands.command(e, e.encoded_bytes());

    pe::Descriptor p;
    p.a_operand = 7;
    p.load_a = i == 0;
    p.m = 1;
    p.n = c.rows;
    p.k = c.k;
    pe::CodebookWeights b;
    b.passes = c.passes;
    p.b = b;
    pe_commands.command(p);
  }
  sc_core::sc_start();
  REQUIRE(results.arrivals.size() == c.tiles);
  return {results.arrivals.back().cycle, pipe.bytes, decoder.activity(), array.activity()};
}

}  // namespace

// 128 rows of 512 four-bit weights in 8 tiles of 16 rows. A tile is 256 bytes of scales, then 4096 bytes of codes: 4 +
// 64 = 68 cycles of the pipe; 8192 weights are 8 cycles of the decoder at 1024 a cycle; 16 groups in two passes are 32
// cycles of the array, whose 16 x 8 elements all work on one token: 16 columns are one round of 128.
//
//   cycle            tile i
//   4                the engine issues its first request (a command takes 4 cycles)
//   8 + 68 i         last scale leaves the pipe      (4 + 68 i + 4)
//   72 + 68 i        last code leaves the pipe       (4 + 68 (i + 1))
//   96 + 68 i        codes at the engine's output    (20 cycles of latency, 4 of the engine)
//   128 + 68 i       written: the tile is complete   (4096 / 128 = 32 cycles)
//   132 + 68 i       scales at the buffer's output   (256 / 128 = 2 cycles, 2 of latency)
//   164 + 68 i       codes at the buffer's output    (2 + 32 cycles, 2 of latency)
//   175 + 68 i       decoded                         (8 cycles, 3 of pipeline; tile 0 has 16 of reload before)
//   207 + 68 i       multiplied                      (32 cycles)
//   214 + 68 i       at the array's output           (7 of pipeline)
TEST_CASE("gemv: bound by the memory") {
  const Result r = run({});
  REQUIRE(r.end == 214 + 68 * 7);
  REQUIRE(r.bytes == 8 * (4096 + 256));
  REQUIRE(r.decoder.busy == 8 * 8);
  REQUIRE(r.decoder.waiting[static_cast<std::size_t>(bus::Wait::reload)] == 16);
  REQUIRE(r.decoder.waiting[static_cast<std::size_t>(bus::Wait::output)] == 0);
  REQUIRE(r.pe.busy == 8 * 32);
  // The array waits for its first weights until 191 (175 + reload), then 68 - 32 cycles a tile but for the first,
  // which came 16 later: 68 * 7 + 175 - 191 - 7 * 32 in all.
  REQUIRE(r.pe.waiting[static_cast<std::size_t>(bus::Wait::input)] == 191 + (175 + 68 * 7 - 191 - 7 * 32));
}

// The same at 64 weights a cycle: a tile takes 128 cycles of the decoder. Its first codes come at 164; 16 cycles of
// reload and 8 tiles later, 3 of pipeline, 32 of the array for the last tile, 7 of pipeline.
TEST_CASE("gemv: bound by the decoder") {
  Case c;
  c.decoder_rate = 64;
  const Result r = run(c);
  REQUIRE(r.end == 164 + 16 + 8 * 128 + 3 + 32 + 7);
  REQUIRE(r.decoder.busy == 8 * 128);
  REQUIRE(r.decoder.waiting[static_cast<std::size_t>(bus::Wait::input)] == 164);
}

// The same with 4 columns whose idle rows take no further output channels: 4 rounds of 4 columns, 16 groups, 2 passes =
// 128 cycles a tile. The first weights come at 164 + 16 + 8 + 3 = 191.
TEST_CASE("gemv: bound by the array") {
  Case c;
  c.pe_cols = 4;
  c.spread_idle_rows = false;
  const Result r = run(c);
  REQUIRE(r.end == 191 + 8 * 128 + 7);
  REQUIRE(r.pe.busy == 8 * 128);
  REQUIRE(r.pe.waiting[static_cast<std::size_t>(bus::Wait::input)] == 191);
}

// In one pass (M8B1, M8L5, M8W4) the array takes half of that; with idle rows at work 4 columns become 64.
TEST_CASE("gemv: one pass and idle rows at work") {
  Case c;
  c.pe_cols = 4;
  c.passes = 1;
  const Result r = run(c);
  REQUIRE(r.pe.busy == 8 * 16);
  REQUIRE(r.end == 214 + 68 * 7 - 16);
}

// A 64 B/cycle stream at 1.25 bits carries 409.6 weights a cycle. 128 decoder lanes use 128 / 409.6 = 31 % of it.
namespace {
double bandwidth_use_at_1_25_bits(double lanes) {
  Case c;
  c.bits = 1;
  c.rows = 64;
  c.passes = 1;
  c.tiles = 60;
  c.decoder_rate = lanes;
  const Result r = run(c);
  return static_cast<double>(r.bytes) / (64.0 * static_cast<double>(r.end));
}
}  // namespace
TEST_CASE("gemv: 128 decoder lanes use 31 % of a 64 B/cycle stream at 1.25 bits") {
  REQUIRE(bandwidth_use_at_1_25_bits(128) == Approx(0.3125).epsilon(0.02));
}
TEST_CASE("gemv: 1024 decoder lanes use all of a 64 B/cycle stream at 1.25 bits") {
  REQUIRE(bandwidth_use_at_1_25_bits(1024) > 0.95);
}
