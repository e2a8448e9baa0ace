#include "harmonia/tlm/stream.h"

#include <systemc>

#include "tests/support/catch.h"

using harmonia::bus::Data;
using harmonia::bus::PayloadPool;
using harmonia::bus::PayloadPtr;
using harmonia::bus::StreamSink;
using harmonia::bus::StreamSource;
using sc_core::sc_time;

namespace {
sc_time ns(double value) { return sc_time(value, sc_core::SC_NS); }

struct Pair : sc_core::sc_module {
  explicit Pair(const sc_core::sc_module_name& name) : sc_core::sc_module(name) { isock.bind(tsock); }
  StreamSource<> isock{"isock"};
  StreamSink<> tsock{"tsock"};
};
}  // namespace

TEST_CASE("a sink that knows its accept times takes chunks without an event") {
  Pair pair("pair");
  StreamSource<>& isock = pair.isock;
  StreamSink<>& tsock = pair.tsock;
  PayloadPool pool;
  sc_time free_at;
  tsock.on_chunk([&](tlm::tlm_generic_payload&, const sc_time& arrival) -> std::optional<sc_time> {
    const sc_time accept = std::max(arrival, free_at);
    free_at = accept + ns(3);
    return accept;
  });
  sc_core::sc_start(ns(10));
  // The server takes 3 ns a chunk: offered at 10, 11, 20 ns, they are taken at 10, 13, 20 ns.
  REQUIRE(isock.send(pool.make(tlm::TLM_WRITE_COMMAND, 0, 64, Data::scratch), ns(10)) == ns(10));
  REQUIRE(isock.send(pool.make(tlm::TLM_WRITE_COMMAND, 0, 64, Data::scratch), ns(11)) == ns(13));
  REQUIRE(isock.send(pool.make(tlm::TLM_WRITE_COMMAND, 0, 64, Data::scratch), ns(20)) == ns(20));
  REQUIRE(pool.in_flight() == 0);
  REQUIRE(pool.created() == 1);
}

TEST_CASE("a sink that does not know holds one chunk while the others wait at the source") {
  Pair pair("pair");
  StreamSource<>& isock = pair.isock;
  StreamSink<>& tsock = pair.tsock;
  PayloadPool pool;
  std::vector<sc_time> arrivals, accepts;
  tsock.on_chunk([&](tlm::tlm_generic_payload&, const sc_time& arrival) {
    arrivals.push_back(arrival);
    return std::optional<sc_time>();
  });
  isock.on_accepted([&](tlm::tlm_generic_payload&, const sc_time& when) { accepts.push_back(when); });
  sc_core::sc_start(ns(5));
  for (int i = 0; i < 3; ++i)
    REQUIRE_FALSE(isock.send(pool.make(tlm::TLM_WRITE_COMMAND, 0, 64, Data::scratch), ns(5)).has_value());
  REQUIRE(arrivals.size() == 1);
  REQUIRE(isock.blocked());
  tsock.accept(ns(8));  // known 3 ns ahead
  sc_core::sc_start(ns(1));
  REQUIRE(arrivals == std::vector<sc_time>{ns(5), ns(8)});
  sc_core::sc_start(ns(14));
  tsock.accept(ns(1));  // the past counts as now
  sc_core::sc_start(ns(1));
  tsock.accept(ns(21));
  sc_core::sc_start(ns(1));
  REQUIRE(arrivals == std::vector<sc_time>{ns(5), ns(8), ns(20)});
  REQUIRE(accepts == std::vector<sc_time>{ns(8), ns(20), ns(21)});
  REQUIRE(isock.idle());
  REQUIRE(pool.in_flight() == 0);
}
