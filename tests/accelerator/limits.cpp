// What a machine refuses before it runs, and the loop orders' bytes: no kernel needed.
#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/program/step_program.h"
#include "harmonia/testbench/system/capacity.h"
#include "harmonia/testbench/system/machine.h"
#include "tests/support/catch.h"
#include "tests/support/small_scenario.h"

using namespace harmonia;
using accelerator::Ema;
using accelerator::external_access;
using accelerator::LoopOrder;

// C[100 x 300], rows of A of 50 bytes, of B of 20 bytes; 30 rows of A or 80 of B fit.
TEST_CASE("external access: row-first reads A once and B for each strip of A") {
  const Ema e = external_access(100, 300, 50, 20, 2, 30, 80, false, LoopOrder::row_first);
  REQUIRE(e.a_bytes == 100 * 50);
  REQUIRE(e.strips == 4);
  REQUIRE(e.b_bytes == 4 * 300 * 20);
  REQUIRE(e.c_bytes == 200);
}
TEST_CASE("external access: column-first reads B once and A for each strip of B") {
  const Ema e = external_access(100, 300, 50, 20, 0, 30, 80, false, LoopOrder::column_first);
  REQUIRE(e.b_bytes == 300 * 20);
  REQUIRE(e.strips == 4);
  REQUIRE(e.a_bytes == 4 * 100 * 50);
}
TEST_CASE("external access: the order that moves fewer bytes is taken") {
  // Row-first 5000 + 24000, column-first 20000 + 6000.
  REQUIRE(external_access(100, 300, 50, 20, 0, 30, 80, false, LoopOrder::fewest_bytes).column_first);
  // With room for 50 rows of A: row-first 5000 + 12000.
  REQUIRE_FALSE(external_access(100, 300, 50, 20, 0, 50, 80, false, LoopOrder::fewest_bytes).column_first);
}
TEST_CASE("external access: what fits whole is read once in either order") {
  for (const LoopOrder order : {LoopOrder::row_first, LoopOrder::fewest_bytes}) {
    const Ema e = external_access(10, 300, 50, 20, 0, 30, 80, false, order);
    REQUIRE(e.a_bytes + e.b_bytes == 10 * 50 + 300 * 20);
  }
  REQUIRE(external_access(10, 300, 50, 20, 0, 10, 80, true, LoopOrder::fewest_bytes).a_bytes == 0);
}

namespace {
std::string refusal(const testbench::Scenario& s, std::uint64_t cached = 100, std::uint64_t tokens = 1) {
  try {
    const testbench::Capacity capacity = testbench::fixed_capacity(s.workload);
    const auto map = accelerator::MemoryMap::build(testbench::map_request(s, capacity));
    accelerator::StepWork work;
    work.sequences.push_back({0, cached, tokens, true});
    accelerator::StepProgram program(s.model, map, accelerator::on_chip(s.accelerator),
                                     testbench::machine_options(s).program, work);
    program.layer(0);
    program.head();
  } catch (const config::InputError& e) {
    return e.what();
  }
  return {};
}
}  // namespace

TEST_CASE("limits: the small machine runs") { REQUIRE(refusal(test::small_scenario()) == ""); }
TEST_CASE("limits: a block of weights that no buffer holds names the key and both sizes") {
  testbench::Scenario s = test::small_scenario();
  s.accelerator.weight_buffer.capacity_bytes = 256;
  REQUIRE(refusal(s) == "");  // a row of 512 weights comes in parts
  s.accelerator.weight_buffer.capacity_bytes = 32;
  REQUIRE_THAT(refusal(s), ContainsSubstring("accelerator.weight_buffer.capacity_bytes") &&
                               ContainsSubstring("cannot hold one tile") && ContainsSubstring("64 weights"));
}
TEST_CASE("limits: an activation buffer too small for one row") {
  testbench::Scenario s = test::small_scenario();
  s.accelerator.activation_buffer.capacity_bytes = 1024;
  REQUIRE_THAT(refusal(s), ContainsSubstring("accelerator.activation_buffer.capacity_bytes"));
}
TEST_CASE("limits: a KV cache that overflows") {
  REQUIRE_THAT(refusal(test::small_scenario(), 200), ContainsSubstring("overflows") && ContainsSubstring("201"));
}
TEST_CASE("limits: a model that does not fit the memory says what takes how much") {
  testbench::Scenario s = test::small_scenario();
  s.accelerator.dram.channels = 1;
  s.workload.batch = 4096;
  s.workload.context = 100000;
  REQUIRE_THAT(refusal(s), ContainsSubstring("does not fit the DRAM") && ContainsSubstring("kv_cache"));
}
TEST_CASE("limits: a codebook that the array has no mode for") {
  testbench::Scenario s = test::small_scenario();
  s.weights.codebook = "bf16";
  REQUIRE_THAT(refusal(s), ContainsSubstring("weights.codebook"));
}
namespace {
bool meet(const memory::DmaDescriptor& a, const memory::DmaDescriptor& b) {
  for (std::size_t i = 0; i < a.segment_count; ++i)
    for (std::size_t j = 0; j < b.segment_count; ++j)
      for (std::uint32_t r = 0; r < a.segments[i].rows; ++r)
        for (std::uint32_t q = 0; q < b.segments[j].rows; ++q) {
          const std::uint64_t x = a.segments[i].address + r * a.segments[i].stride_bytes,
                              y = b.segments[j].address + q * b.segments[j].stride_bytes;
          if (x < y + b.segments[j].row_bytes && y < x + a.segments[i].row_bytes) return true;
        }
  return false;
}
}  // namespace

// What is read back waits for the write that brought it, and for no younger one: scores of a strip that are read must
// not wait for those of the strip behind, nor a residual block for the block before it.
TEST_CASE("gates: a read of spilled activations waits for a write of what it reads") {
  for (const auto attention : {accelerator::AttentionScores::fused, accelerator::AttentionScores::unfused})
    for (const LoopOrder order : {LoopOrder::row_first, LoopOrder::column_first}) {
      testbench::Scenario s = test::small_scenario();
      s.accelerator.activation_buffer.capacity_bytes = 16 * 1024;
      s.accelerator.sequencer.attention = attention;
      s.accelerator.sequencer.order = order;
      const auto map = accelerator::MemoryMap::build(testbench::map_request(s, testbench::fixed_capacity(s.workload)));
      accelerator::StepWork work;
      work.sequences.push_back({0, 0, 100, true});
      accelerator::StepProgram program(s.model, map, accelerator::on_chip(s.accelerator),
                                       testbench::machine_options(s).program, work);
      REQUIRE_FALSE(program.resident());
      std::vector<memory::DmaDescriptor> written;
      std::size_t gates = 0;
      for (const accelerator::Batch& b : {program.embedding(), program.layer(0)}) {
        written.insert(written.end(), b.out_write.begin(), b.out_write.end());
        for (const accelerator::Gate& g : b.gates) {
          if (g.on != accelerator::Queue::out_write) continue;
          const auto& reads = g.queue == accelerator::Queue::vector_read ? b.vector_read : b.operand_read;
          REQUIRE(g.count <= written.size());
          REQUIRE(meet(reads.at(g.item), written[g.count - 1]));
          ++gates;
        }
      }
      REQUIRE(gates > 100);
    }
}

// A baseline's operands: groups of 64 of a sign and M bits with an exponent in a byte; attention stays FP16.
TEST_CASE("operands: Anda stores as many bits as its mantissa has, and queries in FP16") {
  for (const int m : {4, 8, 13}) {
    testbench::Scenario s = test::small_scenario();
    s.accelerator.pe.kind = accelerator::PeKind::anda;
    s.accelerator.pe.mantissa_bits = m;
    const accelerator::OnChip chip = accelerator::on_chip(s.accelerator);
    REQUIRE(chip.linear_operand.row_bytes(64) == static_cast<std::uint64_t>(1 + 64 * (m + 1) / 8));
    REQUIRE(chip.linear_operand.row_bytes(65) == 2 * chip.linear_operand.row_bytes(64));
    REQUIRE(chip.attention_operand.row_bytes(64) == 128);
    s.accelerator.activation_buffer.capacity_bytes = 16 * 1024;
    REQUIRE(refusal(s, 0, 100) == "");
    const auto map = accelerator::MemoryMap::build(testbench::map_request(s, testbench::fixed_capacity(s.workload)));
    REQUIRE(map.normed.block_row_bytes == chip.linear_operand.row_bytes(128));
    REQUIRE(map.widths.front().query.block_row_bytes == 2 * 64);
    s.fidelity.data = testbench::DataMode::functional;
    REQUIRE_THAT(refusal(s), ContainsSubstring("fidelity.data"));
  }
}
