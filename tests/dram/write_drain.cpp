// The write drain alone: when a pseudo channel turns from reads to writes and back.
#include "harmonia/hw/dram/engine/write_drain.h"

#include "tests/dram/waiting.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

/// A drain over queues that the test fills. Watermarks 8 and 3 of a queue of 16; a write waits 1000 cycles at most, or
/// 100 after the newest.
struct Drained : Waiting {
  explicit Drained(const Config& c) : Waiting(c), drain(c, organisation, queues, banks, statistics) {}
  Drained()
      : Drained(configured("ddr4_3200.bgi", {{"queue_entries", "16"},
                                             {"write_high_watermark", "8"},
                                             {"write_low_watermark", "3"},
                                             {"write_max_wait_cycles", "1000"},
                                             {"write_idle_cycles", "100"}})) {}
  Statistics statistics;
  WriteDrain drain;

  void add_many(Op op, int count) {
    for (int i = 0; i < count; ++i) add(op, i % 16, 1);
  }
  /// The oldest runs of the kind are served.
  void serve(int op, int count) {
    drain.columns_issued(0, op, count);
    queues.issued(op, 0, count);
    for (int bank = 0; count > 0; bank = (bank + 1) % 16)
      if (const std::uint32_t run = queues.of(op, bank).candidate; run != kNone) {
        queues.remove(run);
        --count;
      }
  }
};

}  // namespace

TEST_CASE("Write drain: writes go at once when no read waits") {
  Drained w;
  CHECK_FALSE(w.drain.update(0, 0));
  w.add_many(Op::kWrite, 1);
  CHECK(w.drain.update(0, 0));
  CHECK(w.drain.row_op(0) == 1);
  CHECK(w.drain.column_op(0) == 1);
  CHECK(w.statistics.write_batches == 1);
  w.serve(1, 1);
  CHECK(w.drain.update(0, 0));
  CHECK(w.drain.row_op(0) == 0);
}

TEST_CASE("Write drain: beside reads a batch begins at the high watermark and ends at the low one") {
  Drained w;
  w.add_many(Op::kRead, 10);
  w.add_many(Op::kWrite, 7);
  w.serve(0, 5);  // as many reads as a batch of writes is long
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 0);
  w.add_many(Op::kWrite, 1);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 1);
  w.serve(1, 4);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 1);  // 4 wait
  w.serve(1, 1);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 0);  // 3 wait
}

TEST_CASE("Write drain: a new batch lets as many reads go first as the last one was long") {
  Drained w;
  w.add_many(Op::kRead, 10);
  w.add_many(Op::kWrite, 8);
  w.serve(0, 4);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 0);
  w.serve(0, 1);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 1);
}

TEST_CASE("Write drain: a batch is no longer than the queue") {
  Drained w;
  w.add_many(Op::kWrite, 16);
  w.drain.update(0, 0);
  REQUIRE(w.drain.row_op(0) == 1);
  w.add_many(Op::kRead, 1);
  for (int i = 0; i < 15; ++i) {  // for each write served another comes
    w.serve(1, 1);
    w.add_many(Op::kWrite, 1);
    w.drain.update(0, 0);
    REQUIRE(w.drain.row_op(0) == 1);
  }
  w.serve(1, 1);
  w.add_many(Op::kWrite, 1);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 0);
}

TEST_CASE("Write drain: a write does not wait for ever") {
  Drained w;
  w.add_many(Op::kRead, 4);
  w.add(Op::kWrite, 0, 1, 1, 200);
  CHECK(w.drain.due(0) == 200 + 100);  // no other came
  w.drain.update(0, 299);
  CHECK(w.drain.row_op(0) == 0);
  for (Cycle t = 290; t < 1200; t += 90) w.add(Op::kWrite, 0, 1, 0, t);
  CHECK(w.drain.due(0) == 200 + 1000);  // the oldest
  w.drain.update(0, 1199);
  CHECK(w.drain.row_op(0) == 0);
  w.drain.update(0, 1200);
  CHECK(w.drain.row_op(0) == 1);
}

TEST_CASE("Write drain: a read that waits for a write calls for it") {
  Drained w;
  w.add_burst(Op::kWrite, 0, 1, 5);
  w.add_burst(Op::kRead, 0, 1, 5);
  w.add_burst(Op::kRead, 1, 1, 600);
  REQUIRE(w.queues.blocked(0, 0) == 1);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 1);
}

TEST_CASE("Write drain: column commands turn when the rows opened for the old kind are used") {
  Drained w;
  const std::uint32_t read = w.add(Op::kRead, 4, 1);
  w.banks.activate(4, 1, 0, read, 0);
  w.queues.row_opened(4);
  w.add_many(Op::kWrite, 8);
  w.drain.columns_issued(0, 0, 5);
  w.drain.update(0, 0);
  CHECK(w.drain.row_op(0) == 1);
  CHECK(w.drain.column_op(0) == 0);  // the read is still to come
  w.banks.release(4);
  CHECK(w.drain.update(0, 0));
  CHECK(w.drain.column_op(0) == 1);
}

TEST_CASE("Write drain: turns of the data bus are counted") {
  Drained w;
  w.drain.columns_issued(0, 0, 3);
  w.drain.columns_issued(0, 1, 2);
  w.drain.columns_issued(0, 1, 1);
  w.drain.columns_issued(0, 0, 1);
  CHECK(w.statistics.turnarounds == 2);
}
