// Our sockets against those of tlm_utils: both directions, both styles, and every manner the base protocol allows.
#include <tlm_utils/peq_with_cb_and_phase.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <systemc>
#include <vector>

#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stream.h"
#include "tests/support/catch.h"
#include "tests/support/foreign_initiator.h"
#include "tests/tlm/models.h"

using namespace harmonia::bus;
using harmonia::test::ForeignInitiator;
using harmonia::test::MemoryModel;
using harmonia::test::ns;
using harmonia::test::TrafficDriver;
using sc_core::sc_time;

namespace {

/// A strictly written AT target on tlm_utils: each transaction takes one of five courses at random.
struct ForeignTarget : sc_core::sc_module {
  SC_HAS_PROCESS(ForeignTarget);
  ForeignTarget(const sc_core::sc_module_name& name, std::uint64_t seed, unsigned courses = 5)
      : sc_core::sc_module(name), random(seed), course_count(courses), store(1 << 20) {
    tsock.register_nb_transport_fw(this, &ForeignTarget::nb_transport_fw);
    SC_METHOD(respond);
    sensitive << next;
    dont_initialize();
  }
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_time& delay) {
    if (phase == tlm::END_RESP) {
      responding = nullptr;
      next.notify(delay + ns(1));
      payload.release();
      return tlm::TLM_COMPLETED;
    }
    ++requests;
    payload.acquire();
    switch (random() % course_count) {
      case 0:  // everything in one call
        harmonia::test::access(payload, store);
        delay += ns(3);
        payload.release();
        return tlm::TLM_COMPLETED;
      case 1:  // accepted in the call, answered later
        phase = tlm::END_REQ;
        delay += ns(2);
        answers.notify(payload, tlm::BEGIN_RESP, delay + ns(5));
        return tlm::TLM_UPDATED;
      case 2:  // four calls
        answers.notify(payload, tlm::END_REQ, delay + ns(3));
        answers.notify(payload, tlm::BEGIN_RESP, delay + ns(static_cast<double>(4 + random() % 20)));
        return tlm::TLM_ACCEPTED;
      case 3:  // END_REQ skipped
        answers.notify(payload, tlm::BEGIN_RESP, delay + ns(7));
        return tlm::TLM_ACCEPTED;
      default:  // response in the return value
        if (responding || !waiting.empty()) {
          answers.notify(payload, tlm::BEGIN_RESP, delay + ns(7));
          return tlm::TLM_ACCEPTED;
        }
        harmonia::test::access(payload, store);
        responding = &payload;
        phase = tlm::BEGIN_RESP;
        delay += ns(4);
        return tlm::TLM_UPDATED;
    }
  }
  void due(tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase) {
    if (phase == tlm::END_REQ) {
      tlm::tlm_phase p = tlm::END_REQ;
      sc_time delay;
      tsock->nb_transport_bw(payload, p, delay);
      return;
    }
    waiting.push_back(&payload);
    respond();
  }
  void respond() {
    if (responding || waiting.empty()) return;
    tlm::tlm_generic_payload& payload = *waiting.front();
    waiting.erase(waiting.begin());
    harmonia::test::access(payload, store);
    responding = &payload;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_time delay = ns(1);
    const tlm::tlm_sync_enum status = tsock->nb_transport_bw(payload, phase, delay);
    if (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP)) {
      responding = nullptr;
      payload.release();
      next.notify(delay);
    }
  }
  tlm_utils::simple_target_socket<ForeignTarget> tsock{"tsock"};
  tlm_utils::peq_with_cb_and_phase<ForeignTarget> answers{this, &ForeignTarget::due};
  std::mt19937_64 random;
  unsigned course_count;
  std::vector<unsigned char> store;
  std::vector<tlm::tlm_generic_payload*> waiting;
  tlm::tlm_generic_payload* responding = nullptr;
  std::uint64_t requests = 0;
  sc_core::sc_event next;
};

/// So many writes of 64 bytes.
ForeignInitiator::Next writes(unsigned count) {
  return [count, i = 0u](PayloadPool& pool, std::mt19937_64&) mutable -> PayloadPtr {
    if (i == count) return {};
    return pool.make(tlm::TLM_WRITE_COMMAND, (i++ % 64) * 64, 64, Data::buffer);
  };
}

/// A loosely timed target on tlm_utils; nb_transport reaches it through the library's own adapter.
struct ForeignLtTarget : sc_core::sc_module {
  explicit ForeignLtTarget(const sc_core::sc_module_name& name) : sc_core::sc_module(name), store(1 << 20) {
    tsock.register_b_transport(this, &ForeignLtTarget::b_transport);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_time& delay) {
    ++requests;
    harmonia::test::access(payload, store);
    delay += ns(5);
    if (requests % 3 == 0) {
      wait(delay);
      delay = sc_core::SC_ZERO_TIME;
    }
  }
  tlm_utils::simple_target_socket<ForeignLtTarget> tsock{"tsock"};
  std::vector<unsigned char> store;
  unsigned requests = 0;
};

struct ForeignLtInitiator : sc_core::sc_module {
  SC_HAS_PROCESS(ForeignLtInitiator);
  ForeignLtInitiator(const sc_core::sc_module_name& name, unsigned count_) : sc_core::sc_module(name), count(count_) {
    SC_THREAD(run);
  }
  void run() {
    for (unsigned i = 0; i < count; ++i) {
      tlm::tlm_generic_payload payload;  // no memory manager: legal for b_transport
      unsigned char data[64] = {};
      payload.set_write();
      payload.set_address(64 * (i % 16));
      payload.set_data_ptr(data);
      payload.set_data_length(64);
      payload.set_streaming_width(64);
      sc_time delay = ns(1);
      isock->b_transport(payload, delay);
      if (!payload.is_response_ok()) ++errors;
      wait(delay);
      ends.push_back(sc_core::sc_time_stamp());
    }
  }
  tlm_utils::simple_initiator_socket<ForeignLtInitiator> isock{"isock"};
  unsigned count;
  unsigned errors = 0;
  std::vector<sc_time> ends;
};

template <typename Initiator, typename Target>
void connect(Initiator& isock, ProtocolChecker<>& checker, Target& tsock) {
  isock.bind(checker.tsock);
  checker.isock.bind(tsock);
}

void require_clean(ProtocolChecker<>& checker, std::uint64_t transactions) {
  checker.rules.finish();
  REQUIRE(checker.rules.begun() == transactions);
  REQUIRE(checker.rules.completed() == transactions);
}

struct SourceTop : sc_core::sc_module {
  explicit SourceTop(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    isock.on_accepted([this](tlm::tlm_generic_payload&, const sc_time& when) { accepts.push_back(when); });
  }
  void offer(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      const auto when = isock.send(pool.make(tlm::TLM_WRITE_COMMAND, 0, 64, Data::buffer), sc_core::sc_time_stamp());
      if (when) accepts.push_back(*when);
    }
  }
  StreamSource<> isock{"isock"};
  PayloadPool pool;
  std::vector<sc_time> accepts;
};

struct SinkTop : sc_core::sc_module {
  SinkTop(const sc_core::sc_module_name& name, std::uint64_t seed) : sc_core::sc_module(name), random(seed) {
    tsock.on_chunk([this](tlm::tlm_generic_payload&, const sc_time& arrival) -> std::optional<sc_time> {
      ++chunks;
      const sc_time when = arrival + ns(static_cast<double>(random() % 10));
      if (random() % 2) return when;
      later.push(0, when);
      return std::nullopt;
    });
  }
  StreamSink<> tsock{"tsock"};
  std::mt19937_64 random;
  unsigned chunks = 0;
  TimedQueue<int> later{[this](int&) { tsock.accept(sc_core::sc_time_stamp()); }};
};

}  // namespace

TEST_CASE("memory initiator against a foreign AT target of every manner") {
  TrafficDriver::Config traffic;
  traffic.transactions = 20000;
  traffic.seed = 11;
  TrafficDriver driver("driver", traffic);
  ForeignTarget target("target", 12);
  ProtocolChecker<> checker("checker");
  connect(driver.isock, checker, target.tsock);
  driver.start();
  sc_core::sc_start();
  REQUIRE(driver.done());
  REQUIRE(driver.mismatches == 0);
  REQUIRE(driver.pool.in_flight() == 0);
  require_clean(checker, 20000);
}

TEST_CASE("memory initiator against the AT-to-LT adapter of tlm_utils") {
  TrafficDriver::Config traffic;
  traffic.transactions = 2000;
  traffic.byte_enables = true;
  TrafficDriver driver("driver", traffic);
  ForeignLtTarget target("target");
  ProtocolChecker<> checker("checker");
  connect(driver.isock, checker, target.tsock);
  driver.start();
  sc_core::sc_start();
  REQUIRE(driver.done());
  REQUIRE(driver.mismatches == 0);
  require_clean(checker, 2000);
}

TEST_CASE("stream source against a foreign AT target of every manner") {
  SourceTop source("source");
  ForeignTarget target("target", 5);
  ProtocolChecker<> checker("checker");
  connect(source.isock, checker, target.tsock);
  sc_core::sc_start(ns(1));
  source.offer(2000);
  sc_core::sc_start();
  REQUIRE(target.requests == 2000);
  REQUIRE(source.accepts.size() == 2000);
  REQUIRE(std::is_sorted(source.accepts.begin(), source.accepts.end()));
  REQUIRE(source.isock.idle());
  REQUIRE(source.pool.in_flight() == 0);
  require_clean(checker, 2000);
}

TEST_CASE("loosely timed stream source against the LT-to-AT adapter of tlm_utils") {
  struct Top : SourceTop {
    SC_HAS_PROCESS(Top);
    explicit Top(const sc_core::sc_module_name& name) : SourceTop(name) {
      isock.set_style(Style::loosely_timed);
      SC_THREAD(run);
    }
    void run() { offer(200); }
  };
  Top source("source");
  // Courses 0 to 2: the library's own adapter does not know a response in the return value of BEGIN_REQ in every
  // release.
  ForeignTarget target("target", 5, 3);
  ProtocolChecker<> checker("checker");
  connect(source.isock, checker, target.tsock);
  sc_core::sc_start();
  REQUIRE(source.accepts.size() == 200);
  REQUIRE(std::is_sorted(source.accepts.begin(), source.accepts.end()));
  require_clean(checker, 200);
}

TEST_CASE("a foreign AT initiator of every manner against a stream sink") {
  ForeignInitiator initiator("initiator", 21, 5000, writes(5000));
  SinkTop sink("sink", 22);
  ProtocolChecker<> checker("checker");
  connect(initiator.isock, checker, sink.tsock);
  sc_core::sc_start();
  REQUIRE(sink.chunks == 5000);
  REQUIRE(initiator.answers == 5000);
  REQUIRE(initiator.errors == 0);
  REQUIRE(initiator.stray == 0);
  REQUIRE(initiator.pool.in_flight() == 0);
  require_clean(checker, 5000);
}

TEST_CASE("a foreign AT initiator of every manner against a memory target") {
  ForeignInitiator initiator("initiator", 31, 5000, writes(5000));
  MemoryModel::Config config;
  config.jitter = ns(20);
  config.depth = 3;
  MemoryModel memory("memory", config);
  ProtocolChecker<> checker("checker");
  connect(initiator.isock, checker, memory.tsock);
  sc_core::sc_start();
  REQUIRE(initiator.answers == 5000);
  REQUIRE(initiator.errors == 0);
  REQUIRE(initiator.stray == 0);
  REQUIRE(initiator.pool.in_flight() == 0);
  require_clean(checker, 5000);
}

TEST_CASE("a foreign LT initiator against a stream sink that answers at once or later") {
  ForeignLtInitiator initiator("initiator", 4);
  struct Sink : sc_core::sc_module {
    explicit Sink(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
      tsock.on_chunk([this](tlm::tlm_generic_payload&, const sc_time& arrival) -> std::optional<sc_time> {
        if (++chunks % 2) return arrival + ns(2);
        later.push(0, arrival + ns(10));
        return std::nullopt;
      });
    }
    StreamSink<> tsock{"tsock"};
    unsigned chunks = 0;
    TimedQueue<int> later{[this](int&) { tsock.accept(sc_core::sc_time_stamp()); }};
  } sink("sink");
  ProtocolChecker<> checker("checker");
  connect(initiator.isock, checker, sink.tsock);
  sc_core::sc_start();
  // Each chunk is offered 1 ns after the one before has been taken; it is taken 2 ns or 10 ns later.
  REQUIRE(initiator.ends == std::vector<sc_time>{ns(3), ns(14), ns(17), ns(28)});
  REQUIRE(initiator.errors == 0);
  require_clean(checker, 4);
}

TEST_CASE("a foreign LT initiator against a memory target without an LT short cut") {
  ForeignLtInitiator initiator("initiator", 50);
  MemoryModel memory("memory", {});
  memory.tsock.on_blocking(nullptr);
  ProtocolChecker<> checker("checker");
  connect(initiator.isock, checker, memory.tsock);
  sc_core::sc_start();
  REQUIRE(initiator.errors == 0);
  for (unsigned i = 0; i < 50; ++i) REQUIRE(initiator.ends[i] == ns(11 * (i + 1)));  // 1 ns + 10 ns each
  require_clean(checker, 50);
}

TEST_CASE("two LT initiators share one memory target") {
  ForeignLtInitiator a("a", 20), b("b", 20);
  MemoryModel::Config config;
  config.depth = 1;
  MemoryModel memory("memory", config);
  memory.tsock.on_blocking(nullptr);
  struct Merge : sc_core::sc_module {  // two sockets, one memory: forwards the calls
    explicit Merge(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
      t0.register_b_transport(this, &Merge::b_transport);
      t1.register_b_transport(this, &Merge::b_transport);
    }
    void b_transport(tlm::tlm_generic_payload& payload, sc_time& delay) { isock->b_transport(payload, delay); }
    tlm_utils::simple_target_socket<Merge> t0{"t0"}, t1{"t1"};
    tlm_utils::simple_initiator_socket<Merge> isock{"isock"};
  } merge("merge");
  a.isock.bind(merge.t0);
  b.isock.bind(merge.t1);
  merge.isock.bind(memory.tsock);
  sc_core::sc_start();
  REQUIRE(a.ends.size() == 20);
  REQUIRE(b.ends.size() == 20);
  REQUIRE(memory.answers == 40);
  REQUIRE(std::max(a.ends.back(), b.ends.back()) >= ns(400));  // one at a time, 10 ns each
}
