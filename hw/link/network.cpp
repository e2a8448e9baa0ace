#include "harmonia/hw/link/network.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <stdexcept>

namespace harmonia::link {
namespace {

/// All devices' schedules over all links. Times follow from the order of each device's actions alone, so that devices may be
/// advanced in any order.
class Network {
 public:
  Network(const Config& config, const Request& request)
      : config_(config),
        request_(request),
        bytes_(element_bytes(request.reduction)),
        schedule_(make_schedule(request.collective, request.algorithm, request.devices, request.elements,
                                message_elements(config, request.reduction))),
        devices_(request.devices) {
    for (Device& d : devices_) d.now = start_of(config, request);
  }

  Cost run() {
    for (bool progress = true; progress;) {
      progress = false;
      for (unsigned r = 0; r < devices_.size(); ++r) progress = advance(r) || progress;
    }
    Cost cost;
    for (unsigned r = 0; r < devices_.size(); ++r) {
      if (devices_[r].done != schedule_[r].size() || any_waits(r))
        throw std::logic_error("the devices of a collective wait for each other");
      cost.time = std::max(cost.time, devices_[r].now);
    }
    for (const auto& [pair, link] : links_) {
      cost.payload_bytes += link.timing.payload_bytes();
      cost.wire_bytes += link.timing.wire_bytes();
    }
    return cost;
  }

 private:
  struct Outgoing {
    unsigned peer;
    std::uint64_t bytes;
    Ps offered;
  };
  struct Port {
    std::deque<Outgoing> waiting;
    Ps free = 0;
  };
  struct Device {
    Ps now = 0;
    std::size_t done = 0;
    std::map<unsigned, Port> ports;  // of a switch one, otherwise one for each peer
  };
  struct Wire {
    LinkTiming timing;
    std::deque<Ps> arrivals;
  };

  Wire& link(unsigned from, unsigned to) {
    const auto found = links_.find({from, to});
    if (found != links_.end()) return found->second;
    const double share = share_of(request_.topology, request_.devices);
    return links_.emplace(std::make_pair(from, to), Wire{LinkTiming(config_, share), {}}).first->second;
  }
  bool any_waits(unsigned r) const {
    const auto& ports = devices_[r].ports;
    return std::any_of(ports.begin(), ports.end(), [](const auto& p) { return !p.second.waiting.empty(); });
  }

  bool send_waiting(unsigned r) {
    bool progress = false;
    for (auto& [number, port] : devices_[r].ports)
      while (!port.waiting.empty()) {
        const Outgoing& o = port.waiting.front();
        Wire& wire = link(r, o.peer);
        const auto sent = wire.timing.send(std::max(o.offered, port.free), o.bytes);
        if (!sent) break;
        port.free = sent->left;
        wire.arrivals.push_back(sent->arrival);
        port.waiting.pop_front();
        progress = true;
      }
    return progress;
  }

  bool advance(unsigned r) {
    Device& d = devices_[r];
    bool progress = send_waiting(r);
    for (; d.done < schedule_[r].size(); ++d.done, progress = true) {
      const Action& action = schedule_[r][d.done];
      if (action.kind == Action::Kind::add_kept) continue;
      if (action.kind == Action::Kind::send) {
        const unsigned port = request_.topology == Topology::switched ? 0 : action.peer;
        d.ports[port].waiting.push_back({action.peer, action.piece.count * bytes_, d.now});
        send_waiting(r);
        continue;
      }
      Wire& wire = link(action.peer, r);
      if (wire.arrivals.empty()) break;
      d.now = std::max(d.now, wire.arrivals.front());
      wire.arrivals.pop_front();
      wire.timing.consumed(d.now);
    }
    return progress;
  }

  const Config& config_;
  const Request& request_;
  std::uint64_t bytes_;
  Schedule schedule_;
  std::vector<Device> devices_;
  std::map<std::pair<unsigned, unsigned>, Wire> links_;
};

}  // namespace

double share_of(Topology topology, unsigned devices) {
  if (topology == Topology::full) return 1.0 / static_cast<double>(devices - 1);
  return topology == Topology::shared ? 1.0 / static_cast<double>(devices) : 1.0;
}

std::uint64_t message_elements(const Config& config, Reduction reduction) {
  const std::uint64_t most = std::min(config.message_bytes, config.buffer_bytes) / element_bytes(reduction);
  if (most == 0)
    throw std::invalid_argument("message_bytes is " + std::to_string(config.message_bytes) +
                                ", expected room for one value of " + std::to_string(element_bytes(reduction)) +
                                " bytes");
  return most;
}

Ps start_of(const Config& config, const Request& request) {
  const bool by_hand = request.algorithm == Algorithm::ring || request.algorithm == Algorithm::tree;
  const bool agrees = by_hand && request.elements * element_bytes(request.reduction) > config.eager_bytes;
  return static_cast<Ps>(std::llround(1e6 * (config.collective_us + (agrees ? config.rendezvous_us : 0))));
}

Cost cost_of(const Config& config, const Request& request) {
  const std::string why = refusal(request.collective, request.algorithm, request.topology, request.devices);
  if (!why.empty()) throw std::invalid_argument(why);
  return Network(config, request).run();
}

Algorithm fastest(const Config& config, Request request) {
  Algorithm best = Algorithm::ring;
  request.algorithm = best;
  Ps least = cost_of(config, request).time;
  for (const Algorithm a : {Algorithm::direct, Algorithm::direct_two_step, Algorithm::tree}) {
    request.algorithm = a;
    if (!refusal(request.collective, a, request.topology, request.devices).empty()) continue;
    const Ps time = cost_of(config, request).time;
    if (time >= least) continue;
    least = time;
    best = a;
  }
  return best;
}

}  // namespace harmonia::link
