// Descriptors of a batch: who gives room back, what waits for which write.
#include "tests/program/support.h"
#include "tests/support/catch.h"

using namespace plan_test;

TEST_CASE("Batch: an operand's room comes back with the last tile before another is loaded") {
  Batch b;
  for (const int load : {1, 0, 0, 1, 0}) {
    pe::Descriptor d;
    d.load_a = load != 0;
    b.pe.push_back(d);
  }
  mark_last_uses(b);
  std::vector<int> last;
  for (const pe::Descriptor& d : b.pe) last.push_back(d.last_a);
  REQUIRE(last == std::vector<int>{0, 0, 1, 0, 1});
  mark_last_uses(b, true);
  REQUIRE_FALSE(b.pe.back().last_a);
}

TEST_CASE("Batch: a read of spilled rows waits for the last write of what it reads, and for no later one") {
  SpillPlace place;
  place.base = 4096;
  place.blocks = 2;
  place.block_row_bytes = place.last_row_bytes = 256;
  place.rows = 8;
  BatchBuilder out(false, 8);
  out.write_rows(place, 0, {0, 4}, 256, 1);  // write 1
  out.write_rows(place, 1, {0, 4}, 256, 1);  // write 2
  out.write_rows(place, 0, {4, 4}, 256, 1);  // write 3
  out.read_rows(Queue::vector_read, place, 0, 1, {0, 4}, 256, 2);
  out.read_rows(Queue::vector_read, place, 0, 2, {0, 4}, 256, 2);
  out.read_rows(Queue::vector_read, place, 0, 1, {3, 2}, 256, 2);
  const Batch b = out.take();
  REQUIRE(b.gates.size() == 3);
  REQUIRE(b.gates[0].count == 1);
  REQUIRE(b.gates[1].count == 2);
  REQUIRE(b.gates[2].count == 3);
  REQUIRE(b.gates[2].item == 2);
  REQUIRE(b.gates[2].on == Queue::out_write);
}

TEST_CASE("Batch: what this step has not written is not waited for") {
  SpillPlace place;
  place.blocks = 1;
  place.block_row_bytes = place.last_row_bytes = 64;
  place.rows = 4;
  BatchBuilder out(false, 4);
  out.read_rows(Queue::vector_read, place, 0, 1, {0, 4}, 64, 1);
  REQUIRE(out.take().gates.empty());
}

TEST_CASE("Batch: reads of the cache wait for all of the layer's writes before them") {
  const Machine machine;
  const StepWork work = one_sequence(40, 3);
  const MemoryMap map = machine.map(work);
  StepProgram program(machine.shape, map, machine.chip, {}, work);
  program.embedding();
  const Batch b = program.layer(0);
  REQUIRE(b.kv_read.size() > 0);
  bool found = false;
  for (const Gate& g : b.gates)
    if (g.queue == Queue::kv_read) {
      found = true;
      REQUIRE(g.item == 0);
      REQUIRE(g.on == Queue::kv_write);
      REQUIRE(g.count == b.kv_write.size());
    }
  REQUIRE(found);
}

TEST_CASE("Batch: a tile of more pieces than a descriptor holds begins and ends once") {
  BatchBuilder out(false, 1);
  KvPieces pieces;
  for (std::uint64_t i = 0; i < 10; ++i) pieces.main.push_back({4096 * i, 21});
  pieces.low.push_back({1 << 20, 16});
  out.move_kv(Queue::kv_read, pieces, true, 7);
  const Batch b = out.take();
  REQUIRE(b.kv_read.size() == 2);
  REQUIRE(b.kv_read[0].begins_tile);
  REQUIRE_FALSE(b.kv_read[0].ends_tile);
  REQUIRE_FALSE(b.kv_read[1].begins_tile);
  REQUIRE(b.kv_read[1].ends_tile);
  REQUIRE(b.kv_read[0].bytes() + b.kv_read[1].bytes() == 10 * 21 + 16);
}
