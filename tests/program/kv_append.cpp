// What appending to the KV cache asks of the converter and of memory, by hand. Heads of 64 channels: a token's keys are
// 2 groups, a V group is 64; a group takes 21 bytes and 16 more for its low plane.
#include "tests/program/support.h"
#include "tests/support/catch.h"

using namespace plan_test;
using converter::GroupedKeys;
using converter::GroupedValues;
using converter::MeasuredKeys;
using converter::PlainKeys;
using converter::PlainValues;

namespace {

struct Layer {
  Machine machine;
  StepWork work;
  MemoryMap map;
  StepProgram program;
  Batch batch;

  Layer(const Machine& m, const StepWork& w)
      : machine(m), work(w), map(machine.map(work)), program(machine.shape, map, machine.chip, {}, work) {
    program.embedding();
    batch = program.layer(0);
  }
  template <class Kind>
  std::vector<Kind> cache() const {
    std::vector<Kind> found;
    for (const converter::Descriptor& c : batch.converter)
      if (const auto* kind = std::get_if<Kind>(&c.kind)) found.push_back(*kind);
    return found;
  }
};

std::uint64_t bytes_of(const std::vector<memory::DmaDescriptor>& list) {
  std::uint64_t sum = 0;
  for (const memory::DmaDescriptor& d : list) sum += d.bytes();
  return sum;
}

}  // namespace

TEST_CASE("KV append: one token's keys go out with their low plane, and its values into the growing group") {
  const Layer layer(Machine{}, one_sequence(100, 1));
  const auto keys = layer.cache<GroupedKeys>();
  const auto values = layer.cache<GroupedValues>();
  REQUIRE(keys.size() == 2);  // kv heads
  REQUIRE(keys[0].first_position == 100);
  REQUIRE(keys[0].out_bytes == 2 * (21 + 16));
  REQUIRE(values[0].out_bytes == 64 * (21 + 16));
  REQUIRE(values[0].residual_bytes == 64 * (21 + 16));
  REQUIRE(layer.batch.residual.size() == 2);
  REQUIRE(bytes_of(layer.batch.residual) == 2 * 64 * 37);
  REQUIRE(bytes_of(layer.batch.kv_write) == 2 * (2 * 37 + 64 * 37));
}

TEST_CASE("KV append: at the first token of a group there is no group to read back") {
  const Layer layer(Machine{}, one_sequence(96, 1));
  REQUIRE(layer.batch.residual.empty());
  REQUIRE(layer.cache<GroupedValues>()[0].residual_bytes == 0);
}

TEST_CASE("KV append: of a long prefill only the windows and the growing group get a low plane") {
  Machine machine;
  machine.kv.n_initial = 32;
  machine.kv.n_local = 64;
  const Layer layer(machine, one_sequence(0, 200));
  const auto keys = layer.cache<GroupedKeys>();
  const auto values = layer.cache<GroupedValues>();
  REQUIRE(keys.size() == 2);
  REQUIRE(keys[0].low.begin[0] == 0);
  REQUIRE(keys[0].low.end[0] == 32);
  REQUIRE(keys[0].low.begin[1] == 136);
  REQUIRE(keys[0].low.end[1] == 200);
  REQUIRE(keys[0].out_bytes == 2 * (200 * 21 + 96 * 16));
  // 7 groups, the first wide, and of the local window's those from 128 on.
  REQUIRE(values[0].low.end[0] == 1);
  REQUIRE(values[0].low.begin[1] == 4);
  REQUIRE(values[0].out_bytes == 64 * (7 * 21 + 4 * 16));
}

TEST_CASE("KV append: a plain cache takes rows, and no group grows") {
  Machine machine;
  machine.kv.format = KvFormat::kInt8;
  const Layer layer(machine, one_sequence(100, 5));
  REQUIRE(layer.batch.residual.empty());
  REQUIRE(layer.cache<PlainValues>()[0].row == converter::PlainRow::int8);
  REQUIRE(layer.cache<PlainKeys>().size() == 2);
  REQUIRE(bytes_of(layer.batch.kv_write) == 2 * 2 * 5 * (64 + 2));
}

TEST_CASE("KV append: the converter keeps the group that a strip ends within, where it has room") {
  Machine machine;
  machine.chip = small_chip(24 * 1024);
  machine.chip.operand_bytes = 48 * 296;  // a strip is 48 rows of 296 bytes: the first one ends within a group
  machine.chip.order = LoopOrder::row_first;
  machine.chip.growing_channels = 64;  // of one head
  const Layer layer(machine, one_sequence(0, 90));
  REQUIRE_FALSE(layer.program.resident());
  const auto values = layer.cache<GroupedValues>();
  REQUIRE(values.size() == 4);  // two strips of two heads
  // Head 0: 32 tokens are written, 16 stay; then they are taken up.
  REQUIRE(values[0].growing_to == 1);
  REQUIRE(values[0].out_bytes == 64 * (21 + 16));
  REQUIRE(values[2].growing_from == 1);
  REQUIRE(values[2].residual_bytes == 0);
  // Head 1 goes through memory.
  REQUIRE(values[1].growing_to == 0);
  REQUIRE(values[1].out_bytes == 64 * 2 * (21 + 16));
  REQUIRE(values[3].residual_bytes == 64 * (21 + 16));
  for (const Gate& g : layer.batch.gates)
    if (g.queue == Queue::residual) REQUIRE(g.count <= layer.batch.kv_write.size());
}

TEST_CASE("KV append: keys of a first step that comes in strips are measured before they are stored") {
  Machine machine;
  machine.chip = small_chip(24 * 1024);
  const Layer layer(machine, one_sequence(0, 90));
  REQUIRE_FALSE(layer.program.resident());
  const auto measured = layer.cache<MeasuredKeys>();
  REQUIRE_FALSE(measured.empty());
  for (const MeasuredKeys& keys : measured) REQUIRE(keys.counts);
  for (const GroupedKeys& keys : layer.cache<GroupedKeys>()) REQUIRE(keys.measured);
}
