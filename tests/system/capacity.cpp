// What a workload asks of the memory, and where the regions of it lie: no kernel needed.
#include "harmonia/testbench/system/capacity.h"

#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/testbench/system/machine.h"
#include "tests/support/catch.h"
#include "tests/support/small_scenario.h"

using namespace harmonia;

TEST_CASE("map: every region begins at its alignment and nothing overlaps") {
  testbench::Scenario s = test::small_scenario();
  s.accelerator.address_map.region_alignment_bytes = 1 << 16;
  s.accelerator.address_map.tensor_alignment_bytes = 256;
  const auto map = accelerator::MemoryMap::build(testbench::map_request(s, testbench::fixed_capacity(s.workload)));
  std::uint64_t end = 0;
  for (const accelerator::Region& r : map.regions) {
    REQUIRE(r.base % (1 << 16) == 0);
    REQUIRE(r.base >= end);
    end = r.base + r.bytes;
  }
  for (const auto tensor : accelerator::layer_graph(s.model).layer_matrices()) {
    const accelerator::TensorPlace& t = map.matrix(tensor, 0);
    REQUIRE(t.index % 256 == 0);
    REQUIRE(t.scale % 256 == 0);
  }
  REQUIRE_THAT(testbench::address_map_text(s, testbench::fixed_capacity(s.workload)),
               ContainsSubstring("kv_cache") && ContainsSubstring("interleaved every 256"));
}

TEST_CASE("capacity: a cache holds the context and what a decode appends, a step the tokens of a prompt's chunk") {
  testbench::WorkloadConfig w;
  w.batch = 3;
  w.context = 100;
  w.tokens = 7;
  w.phase = testbench::Phase::decode;
  CHECK(testbench::fixed_capacity(w).slots == 3);
  CHECK(testbench::fixed_capacity(w).tokens_per_slot == 107);
  CHECK(testbench::fixed_capacity(w).max_step_tokens == 3);
  w.phase = testbench::Phase::prefill;
  CHECK(testbench::fixed_capacity(w).tokens_per_slot == 100);
  w.prefill_chunk_tokens = 0;
  CHECK(testbench::fixed_capacity(w).max_step_tokens == 300);
  w.prefill_chunk_tokens = 32;
  CHECK(testbench::fixed_capacity(w).max_step_tokens == 96);
}
