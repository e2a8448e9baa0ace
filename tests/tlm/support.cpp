// Pool, timed queue, monitor and bandwidth series.
#include <cstring>
#include <memory>
#include <systemc>
#include <vector>

#include "harmonia/tlm/monitor.h"
#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/stream.h"
#include "harmonia/tlm/timed_queue.h"
#include "tests/support/catch.h"
#include "tests/tlm/models.h"

using namespace harmonia::bus;
using harmonia::test::MemoryModel;
using harmonia::test::ns;
using sc_core::sc_time;

TEST_CASE("payloads come back to their pool with clean attributes and their extension") {
  PayloadPool pool;
  {
    PayloadPtr payload = pool.make(tlm::TLM_WRITE_COMMAND, 16, 100, Data::buffer);
    std::memset(payload->get_data_ptr(), 1, 100);
    PayloadPool::chunk(payload).traffic = TrafficClass::weights;
    payload->set_response_status(tlm::TLM_OK_RESPONSE);
    payload->set_dmi_allowed(true);
    const PayloadPtr second = payload;
    payload.reset();
    REQUIRE(pool.in_flight() == 1);
  }
  REQUIRE(pool.in_flight() == 0);
  const PayloadPtr again = pool.make(tlm::TLM_READ_COMMAND, 32, 5000, Data::scratch);
  REQUIRE(pool.created() == 1);
  REQUIRE(again->get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE);
  REQUIRE_FALSE(again->is_dmi_allowed());
  REQUIRE(again->get_streaming_width() == 5000);
  REQUIRE(chunk_of(*again).traffic == TrafficClass::other);
  REQUIRE_FALSE(chunk_of(*again).data_valid);
  std::memset(again->get_data_ptr(), 0, 5000);
}

TEST_CASE("a deep copy carries the chunk fields") {
  PayloadPool pool;
  const PayloadPtr from = pool.make(tlm::TLM_WRITE_COMMAND, 0, 8, Data::buffer);
  const PayloadPtr to = pool.make(tlm::TLM_WRITE_COMMAND, 0, 8, Data::buffer);
  std::memset(from->get_data_ptr(), 0x5a, 8);
  PayloadPool::chunk(from).elements = 77;
  to->deep_copy_from(*from);  // copy_from of the sticky extension
  REQUIRE(chunk_of(*to).elements == 77);
  REQUIRE(to->get_data_ptr()[7] == 0x5a);
  tlm::tlm_generic_payload bare;  // clone
  unsigned char data[8];
  bare.set_data_ptr(data);
  bare.deep_copy_from(*from);
  REQUIRE(chunk_of(bare).elements == 77);
  PayloadPool::chunk(from).elements = 1;
  REQUIRE(chunk_of(bare).elements == 77);
  bare.free_all_extensions();
}

TEST_CASE("an alias keeps the payload whose bytes it shows") {
  auto pool = std::make_unique<PayloadPool>();
  PayloadPtr whole = pool->make(tlm::TLM_WRITE_COMMAND, 0, 64, Data::buffer);
  PayloadPtr part = pool->alias(*whole, 0x100, 16, 8);
  whole->get_data_ptr()[16] = 42;
  whole.reset();
  REQUIRE(pool->in_flight() == 2);
  REQUIRE(part->get_data_ptr()[0] == 42);
  pool.reset();  // payloads outlive their pool
  REQUIRE(part->get_data_ptr()[0] == 42);
  part.reset();
}

TEST_CASE("the timed queue releases by time and then by age") {
  std::vector<std::pair<int, sc_time>> out;
  std::unique_ptr<TimedQueue<int>> queue;
  queue = std::make_unique<TimedQueue<int>>([&](int& value) {
    out.emplace_back(value, sc_core::sc_time_stamp());
    if (value == 2) queue->push(9, ns(0));  // the past: the next delta cycle
  });
  queue->push(3, ns(20));
  queue->push(1, ns(10));
  queue->push(2, ns(10));
  queue->push(4, ns(20));
  queue->push(0, ns(5));
  sc_core::sc_start();
  const std::vector<std::pair<int, sc_time>> expected = {{0, ns(5)},  {1, ns(10)}, {2, ns(10)},
                                                         {9, ns(10)}, {3, ns(20)}, {4, ns(20)}};
  REQUIRE(out == expected);
}

namespace {

/// What ran, and when.
using Log = std::vector<std::pair<int, sc_time>>;
std::unique_ptr<Wakeup> writes(Log& log, int number) {
  return std::make_unique<Wakeup>([&log, number] { log.emplace_back(number, sc_core::sc_time_stamp()); });
}

}  // namespace

TEST_CASE("of wakeups that are due at one time the one made first runs first, however they were asked for") {
  Log log;
  std::vector<std::unique_ptr<Wakeup>> wakeups;
  for (int i = 0; i < 8; ++i) wakeups.push_back(writes(log, i));
  Wakeup asks([&] {
    for (const int i : {6, 1, 3}) wakeups[static_cast<std::size_t>(i)]->next_delta();
  });
  for (const int i : {5, 2, 7, 0}) wakeups[static_cast<std::size_t>(i)]->at(ns(10));
  for (const int i : {4, 3}) wakeups[static_cast<std::size_t>(i)]->at(ns(5));
  for (const int i : {6, 4, 1}) wakeups[static_cast<std::size_t>(i)]->at(ns(10));  // of 4 the earlier time holds
  asks.at(ns(20));
  sc_core::sc_start();
  CHECK(log == Log{{3, ns(5)},
                   {4, ns(5)},
                   {0, ns(10)},
                   {1, ns(10)},
                   {2, ns(10)},
                   {5, ns(10)},
                   {6, ns(10)},
                   {7, ns(10)},
                   {1, ns(20)},
                   {3, ns(20)},
                   {6, ns(20)}});
}

TEST_CASE("a wakeup runs once, at the earliest time asked for, and not at all when it is cancelled or gone") {
  Log log;
  const std::unique_ptr<Wakeup> earlier = writes(log, 0), kept = writes(log, 1), cancelled = writes(log, 2),
                                anew = writes(log, 3), now = writes(log, 4);
  std::unique_ptr<Wakeup> gone = writes(log, 5);
  Wakeup again([&] { earlier->at(ns(20)); });
  earlier->at(ns(20));
  earlier->at(ns(10));
  kept->at(ns(10));
  kept->at(ns(20));
  cancelled->at(ns(10));
  cancelled->cancel();
  anew->next_delta();
  anew->cancel();
  anew->at(ns(30));
  now->at(ns(30));
  now->next_delta();
  gone->at(ns(10));
  gone.reset();
  again.at(ns(15));
  sc_core::sc_start();
  CHECK(log == Log{{4, ns(0)}, {0, ns(10)}, {1, ns(10)}, {0, ns(20)}, {3, ns(30)}});
}

TEST_CASE("a monitor publishes one record a transaction and changes nothing") {
  struct Top : sc_core::sc_module {
    explicit Top(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
      isock.bind(monitor.tsock);
      monitor.isock.bind(memory.tsock);
      isock.on_response([this](tlm::tlm_generic_payload&, const sc_time& when) { responses.push_back(when); });
      monitor.transactions.bind(subscriber);
    }
    PayloadPool pool;
    MemoryInitiator<> isock{"isock"};
    Monitor<> monitor{"monitor", 3};
    MemoryModel memory{"memory", {}};
    std::vector<sc_time> responses;
    std::vector<TransactionRecord> records;
    Subscriber<TransactionRecord> subscriber{[this](const TransactionRecord& record) { records.push_back(record); }};
  } top("top");
  sc_core::sc_start(ns(1));
  const PayloadPtr payload = top.pool.make(tlm::TLM_READ_COMMAND, 0x40, 64, Data::buffer);
  PayloadPool::chunk(payload).traffic = TrafficClass::kv_read;
  top.isock.send(payload, ns(3));
  sc_core::sc_start(ns(100));
  REQUIRE(top.responses == std::vector<sc_time>{ns(13)});
  REQUIRE(top.records.size() == 1);
  const TransactionRecord& record = top.records[0];
  REQUIRE(record.channel == 3);
  REQUIRE(record.address == 0x40);
  REQUIRE(record.length_bytes == 64);
  REQUIRE(record.begin == ns(3));
  REQUIRE(record.accepted == ns(3));
  REQUIRE(record.response == ns(13));
  REQUIRE(record.status == tlm::TLM_OK_RESPONSE);
  REQUIRE(record.chunk.traffic == TrafficClass::kv_read);
  REQUIRE(top.monitor.transactions.unbind(top.subscriber));
  top.isock.send(top.pool.make(tlm::TLM_READ_COMMAND, 0x40, 64, Data::buffer), ns(3));
  sc_core::sc_start(ns(100));
  REQUIRE(top.responses.size() == 2);
  REQUIRE(top.records.size() == 1);
}

TEST_CASE("a bandwidth series loses no byte, whatever its resolution") {
  BandwidthSeries series(ns(10), 8);
  TransactionRecord record;
  record.channel = 1;
  record.chunk.traffic = TrafficClass::weights;
  record.length_bytes = 1001;
  record.accepted = ns(5);
  record.response = ns(25);
  series.write(record);
  REQUIRE(series.series(1).size() == 3);
  REQUIRE(series.series(1)[0].bytes[0] == 250);  // a quarter of 20 ns
  REQUIRE(series.series(1)[1].bytes[0] == 500);
  REQUIRE(series.series(1)[2].bytes[0] == 251);
  record.accepted = record.response = ns(500);  // beyond 8 bins of 10 ns: the bins become wider
  record.chunk.traffic = TrafficClass::kv_write;
  series.write(record);
  REQUIRE(series.bin() == ns(80));
  REQUIRE(series.total(TrafficClass::weights) == 1001);
  REQUIRE(series.total(1, TrafficClass::kv_write) == 1001);
  REQUIRE(series.total(0, TrafficClass::kv_write) == 0);
}
