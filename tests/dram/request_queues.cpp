// The request queues and bank states alone: candidates and hits of a bank, conflicts, and the order of accesses to the
// same bursts.
#include "harmonia/hw/dram/engine/request_queues.h"

#include "tests/dram/waiting.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

TEST_CASE("Request queues: the oldest of a bank is its candidate, the oldest in the open row its hit") {
  Waiting w(configured("ddr4_3200.bgi"));
  const std::uint32_t first = w.add(Op::kRead, 2, 7), second = w.add(Op::kRead, 2, 8), third = w.add(Op::kRead, 2, 8);
  CHECK(w.queues.of(0, 2).candidate == first);
  CHECK(w.queues.of(0, 2).hit == kNone);
  CHECK(w.queues.pending(0, 0) == 0b100);
  CHECK(w.queues.hits(0, 0) == 0);

  w.open(2, 8);
  CHECK(w.queues.of(0, 2).hit == second);
  CHECK(w.queues.hits(0, 0) == 0b100);
  CHECK(w.queues.older_conflicts(0, 0) == 0b100);  // the first wants row 7

  CHECK_FALSE(w.queues.remove(second));
  CHECK(w.queues.of(0, 2).hit == third);
  w.close(2);
  CHECK(w.queues.of(0, 2).hit == kNone);
  CHECK(w.queues.hits(0, 0) == 0);
  CHECK(w.queues.older_conflicts(0, 0) == 0);
}

TEST_CASE("Request queues: a conflict stops hits from its cap on") {
  Waiting w(configured("ddr4_3200.bgi", {{"fairness_cap_cycles", "500"}}));
  w.open(2, 8);
  w.add(Op::kRead, 2, 7, 1, 40);
  w.add(Op::kRead, 2, 8, 1, 60);
  CHECK(w.queues.of(0, 2).capped_from == 40 + 500);
  Waiting never(configured("ddr4_3200.bgi", {{"fairness_cap_cycles", "0"}}));
  never.open(2, 8);
  never.add(Op::kRead, 2, 7, 1, 40);
  never.add(Op::kRead, 2, 8, 1, 60);
  CHECK(never.queues.of(0, 2).capped_from == kNever);
}

TEST_CASE("Request queues: bursts are counted, and a queue is as long as the configuration says") {
  Waiting w(configured("ddr4_3200.bgi", {{"queue_entries", "24"}}));
  CHECK(w.queues.capacity() == 24);
  w.add(Op::kRead, 0, 1, 3);
  w.add(Op::kWrite, 1, 1, 5);
  CHECK(w.queues.waiting(0) == 3);
  CHECK(w.queues.waiting(1) == 5);
  w.queues.issued(1, 0, 2);
  CHECK(w.queues.waiting(1) == 3);
  CHECK(w.queues.peak(1) == 5);
}

TEST_CASE("Request queues: an access waits for an older one of the other kind to the same burst") {
  Waiting w(configured("ddr4_3200.bgi"));
  const std::uint64_t burst = 0x40;
  const std::uint32_t write = w.add_burst(Op::kWrite, 3, 1, burst);
  const std::uint32_t read = w.add_burst(Op::kRead, 3, 1, burst);
  const std::uint32_t other = w.add_burst(Op::kRead, 3, 1, burst + 1);
  CHECK(w.queues.run(read).blocked);
  CHECK_FALSE(w.queues.run(other).blocked);
  CHECK(w.queues.blocked(0, 0) == 1);
  CHECK(w.queues.of(0, 3).candidate == other);
  CHECK(w.queues.remove(write));  // others may go now
  CHECK_FALSE(w.queues.run(read).blocked);
  CHECK(w.queues.of(0, 3).candidate == read);
}

TEST_CASE("Request queues: the oldest and the newest write") {
  Waiting w(configured("ddr4_3200.bgi"));
  CHECK(w.queues.oldest_write(0) == kNever);
  const std::uint32_t first = w.add(Op::kWrite, 0, 1, 1, 100);
  w.add(Op::kWrite, 1, 1, 1, 140);
  CHECK(w.queues.oldest_write(0) == 100);
  CHECK(w.queues.newest_write(0) == 140);
  w.queues.remove(first);
  CHECK(w.queues.oldest_write(0) == 140);
}

TEST_CASE("Bank states: a row and for whom it was opened") {
  Waiting w(configured("ddr4_3200.bgi"));
  const std::uint32_t run = w.add(Op::kRead, 5, 9);
  w.banks.activate(5, 9, 100, run, 0);
  CHECK(w.banks.open_row(5) == 9);
  CHECK(w.banks.open(0) == 0b100000);
  CHECK(w.banks.unused(0) == 0b100000);
  CHECK(w.banks.opened_for(0, 0) == 0b100000);
  CHECK(w.banks.opened_for(0, 1) == 0);
  CHECK(w.banks.opened_for_run(5) == run);
  w.banks.use(5, 130);
  CHECK(w.banks.unused(0) == 0);
  CHECK(w.banks.last_use(5) == 130);
  w.banks.release(5);
  CHECK(w.banks.opened_for(0, 0) == 0);
  CHECK(w.banks.open_row(5) == 9);
  w.banks.precharge(5, true);
  CHECK(w.banks.open_row(5) == -1);
  CHECK(w.banks.open(0) == 0);
  CHECK(w.banks.closed_by_conflict(5));

  w.banks.activate(5, 9, 200, run, 0);  // closed before it is used
  w.banks.precharge(5, false);
  CHECK(w.banks.unused(0) == 0);
  CHECK(w.banks.opened_for(0, 0) == 0);
  CHECK_FALSE(w.banks.closed_by_conflict(5));
}
