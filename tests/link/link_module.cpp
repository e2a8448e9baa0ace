// The link and the collective as SystemC modules: against the sockets of tlm_utils, against the timing without the kernel, and under
// random stalls. SystemC elaborates once in a process: each case builds all of its machines before it runs.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <memory>
#include <random>
#include <string>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/hw/link/collective_module.h"
#include "harmonia/tlm/stall.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::link;
using sc_core::sc_time;

namespace {

sc_time ns(double x) { return {x, sc_core::SC_NS}; }

/// 1 GB/s is 1 ns a byte; no headers, latency 5 ns, room for two messages of 16 bytes.
Config plain() {
  Config c;
  c.bandwidth_gb_per_s = 1;
  c.latency_ns = 5;
  c.payload_bytes = 8;
  c.header_bytes = 0;
  c.message_bytes = 16;
  c.buffer_bytes = 32;
  return c;
}

struct Sender : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<Sender> socket{"socket"};
  std::vector<tlm::tlm_response_status> answers;
  std::vector<sc_time> returned;

  SC_HAS_PROCESS(Sender);
  explicit Sender(sc_core::sc_module_name name) : sc_module(name) { SC_THREAD(run); }
  void run() {
    for (unsigned i = 0; i < 4; ++i) {
      tlm::tlm_generic_payload payload;
      unsigned char data[16];
      for (unsigned char& byte : data) byte = static_cast<unsigned char>(i);
      payload.set_write();
      payload.set_address(64 * i);
      payload.set_data_ptr(data);
      payload.set_data_length(sizeof data);
      payload.set_streaming_width(sizeof data);
      sc_time delay;
      socket->b_transport(payload, delay);
      wait(delay);
      answers.push_back(payload.get_response_status());
      returned.push_back(sc_core::sc_time_stamp());
    }
  }
};

struct Receiver : sc_core::sc_module {
  tlm_utils::simple_target_socket<Receiver> socket{"socket"};
  std::vector<unsigned> values;
  std::vector<std::uint64_t> addresses;
  std::vector<sc_time> times;

  explicit Receiver(sc_core::sc_module_name name) : sc_module(name) {
    socket.register_b_transport(this, &Receiver::take);
  }
  void take(tlm::tlm_generic_payload& payload, sc_time& delay) {
    values.push_back(payload.get_data_ptr()[payload.get_data_length() - 1]);
    addresses.push_back(payload.get_address());
    times.push_back(sc_core::sc_time_stamp() + delay);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
};

/// Devices with a link for each pair, and, when asked for, stalls behind and before each link.
struct Machine {
  std::vector<std::unique_ptr<CollectiveUnit>> units;
  std::vector<std::unique_ptr<Link>> links;
  std::vector<std::unique_ptr<bus::StallInjector<>>> stalls;

  Machine(const std::string& name, const Config& config, unsigned devices, Topology topology,
          std::uint64_t stall_seed) {
    for (unsigned r = 0; r < devices; ++r)
      units.push_back(
          std::make_unique<CollectiveUnit>((name + "_unit" + std::to_string(r)).c_str(), config, r, devices, topology));
    for (unsigned from = 0; from < devices; ++from)
      for (unsigned to = 0; to < devices; ++to) {
        if (from == to) continue;
        const std::string pair = name + "_" + std::to_string(from) + "_" + std::to_string(to);
        links.push_back(std::make_unique<Link>(pair.c_str(), config, share_of(topology, devices)));
        join(*units[from]->isock[to], links.back()->tsock, pair + "_before", stall_seed);
        join(links.back()->isock, *units[to]->tsock[from], pair + "_behind", stall_seed);
      }
  }
  template <class From, class To>
  void join(From& from, To& to, const std::string& name, std::uint64_t seed) {
    if (seed == 0) {
      from.bind(to);
      return;
    }
    bus::StallConfig config;
    config.seed = seed + stalls.size();
    config.keep_response_order = true;
    stalls.push_back(std::make_unique<bus::StallInjector<>>(name.c_str(), config));
    from.bind(stalls.back()->tsock);
    stalls.back()->isock.bind(to);
  }
};

std::vector<std::vector<float>> values_of(unsigned devices, std::size_t elements, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> values(devices, std::vector<float>(elements));
  for (auto& own : values)
    for (float& x : own) x = normal(random);
  return values;
}

struct Trial {
  Config config;
  Request request;
  std::vector<std::vector<float>> values;
  std::unique_ptr<Machine> machine;
};

/// Random shapes of every algorithm and topology.
std::vector<Trial> trials(unsigned count, bool stalled) {
  std::mt19937_64 random(stalled ? 7 : 8);
  const auto draw = [&](std::uint64_t low, std::uint64_t high) { return low + random() % (high - low + 1); };
  std::vector<Trial> all;
  while (all.size() < count) {
    Trial t;
    t.config = plain();
    t.config.buffer_bytes = draw(4, 200);
    t.config.message_bytes = draw(4, t.config.buffer_bytes);
    t.config.header_bytes = draw(0, 4);
    t.config.latency_ns = static_cast<double>(draw(0, 40));
    t.request.devices = static_cast<unsigned>(draw(2, 5));
    t.request.algorithm = static_cast<Algorithm>(draw(0, 3));
    t.request.topology = static_cast<Topology>(draw(0, 2));
    t.request.collective = static_cast<Collective>(draw(0, 2));
    t.request.reduction = static_cast<Reduction>(draw(0, 1));
    t.request.elements = draw(1, 90);
    if (!refusal(t.request.collective, t.request.algorithm, t.request.topology, t.request.devices).empty()) continue;
    t.values = values_of(t.request.devices, t.request.elements, all.size());
    t.machine = std::make_unique<Machine>("machine" + std::to_string(all.size()), t.config, t.request.devices,
                                          t.request.topology, stalled ? 1000 * (all.size() + 1) : 0);
    all.push_back(std::move(t));
  }
  for (Trial& t : all)
    for (unsigned r = 0; r < t.request.devices; ++r) t.machine->units[r]->begin(t.request, t.values[r]);
  sc_core::sc_start();
  return all;
}

void require_golden_values(const Trial& t) {
  const auto golden = reduce(make_schedule(t.request.collective, t.request.algorithm, t.request.devices,
                                           t.request.elements, message_elements(t.config, t.request.reduction)),
                             t.request.reduction, t.values);
  for (unsigned r = 0; r < t.request.devices; ++r) {
    REQUIRE(t.machine->units[r]->done());
    REQUIRE(t.machine->units[r]->values() == golden[r]);
  }
}

}  // namespace

TEST_CASE("link: point to point between sockets of tlm_utils") {
  Sender sender("sender");
  Link link("link", plain());
  Receiver receiver("receiver");
  sender.socket.bind(link.tsock);
  link.isock.bind(receiver.socket);
  sc_core::sc_start();
  CHECK(receiver.values == std::vector<unsigned>{0, 1, 2, 3});
  CHECK(receiver.addresses == std::vector<std::uint64_t>{0, 64, 128, 192});
  for (const auto answer : sender.answers) CHECK(answer == tlm::TLM_OK_RESPONSE);
  REQUIRE(receiver.times.size() == 4);
  // 16 ns on the wires and 5 ns of latency; a blocking sender begins the next when the first is done.
  CHECK(receiver.times[0] == ns(21));
  for (std::size_t i = 1; i < 4; ++i) CHECK(receiver.times[i] >= receiver.times[i - 1] + ns(16));
  CHECK(link.timing().payload_bytes() == 64);
}

TEST_CASE("link: a message larger than the receiver's buffer is refused by name") {
  struct Source : sc_core::sc_module {
    bus::StreamSource<> socket{"socket"};
    explicit Source(sc_core::sc_module_name name) : sc_module(name) {}
  } module("source");
  bus::StreamSource<>& source = module.socket;
  Link link("link", plain());
  Receiver receiver("receiver");
  source.bind(link.tsock);
  link.isock.bind(receiver.socket);
  tlm::tlm_response_status answer = tlm::TLM_OK_RESPONSE;
  source.on_response(
      [&](tlm::tlm_generic_payload& payload, const sc_time&) { answer = payload.get_response_status(); });
  sc_core::sc_report_handler::set_actions("/harmonia/bus/refused", sc_core::SC_DO_NOTHING);
  source.send(bus::PayloadPool::shared().make(tlm::TLM_WRITE_COMMAND, 0, 33, bus::Data::scratch),
              sc_core::SC_ZERO_TIME);
  sc_core::sc_start();
  CHECK(answer == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(link.refused() == 1);
  CHECK(receiver.values.empty());
}

TEST_CASE("collective: modules give golden values at the time of the timing without the kernel") {
  for (const Trial& t : trials(120, false)) {
    require_golden_values(t);
    sc_time last;
    for (const auto& unit : t.machine->units) last = std::max(last, unit->done_at());
    const Cost cost = cost_of(t.config, t.request);
    INFO(config::name_of(algorithm_names(), t.request.algorithm)
         << " of " << t.request.devices << " devices, topology "
         << config::name_of(topology_names(), t.request.topology));
    REQUIRE(last == sc_time(static_cast<double>(cost.time), sc_core::SC_PS));
    std::uint64_t bytes = 0;
    for (const auto& link : t.machine->links) bytes += link->timing().payload_bytes();
    REQUIRE(bytes == cost.payload_bytes);
  }
}

TEST_CASE("collective: random stalls on every link change no value, and nothing deadlocks") {
  std::uint64_t stalls = 0;
  for (const Trial& t : trials(100, true)) {
    require_golden_values(t);
    for (const auto& link : t.machine->links) REQUIRE(link->timing().most_buffered_bytes() <= t.config.buffer_bytes);
    for (const auto& stall : t.machine->stalls) stalls += stall->stalls();
  }
  CHECK(stalls > 1000);
}
