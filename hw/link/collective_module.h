// SystemC module of one device's end of a collective.
//
// Models: a device's schedule (schedule.h) over streams, one pair for each peer: sends leave in order, those of a switch through one port,
//   receives are taken in the schedule's order and change the device's values (reduction.h). Times are annotated; there is no
//   process. Does not model: where the values are kept, the time of additions (network.h says the same).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <systemc>
#include <vector>

#include "harmonia/hw/link/link_module.h"
#include "harmonia/hw/link/network.h"
#include "harmonia/hw/link/reduction.h"

namespace harmonia::link {

class CollectiveUnit final : public sc_core::sc_module {
 public:
  /// Sockets from and to each peer, by its number; those of the device itself are null.
  std::vector<std::unique_ptr<bus::StreamSource<>>> isock;
  std::vector<std::unique_ptr<bus::StreamSink<>>> tsock;

  CollectiveUnit(sc_core::sc_module_name name, const Config& config, unsigned own, unsigned devices, Topology topology);

  /// Begins a collective on these values, at the present time. Throws std::logic_error while one is under way.
  void begin(const Request& request, std::vector<float> values);
  bool done() const { return next_ == actions_.size() && sending_ == 0; }
  /// When the last of the device's actions was done; of a done one.
  sc_core::sc_time done_at() const { return now_; }
  const std::vector<float>& values() const { return reducer_->values(); }
  /// Called once for each collective, when it is known when the device is done.
  std::function<void(const sc_core::sc_time& when)> on_done;

 private:
  struct Outgoing {
    unsigned peer;
    bus::PayloadPtr payload;
    sc_core::sc_time offered;
  };
  struct Port {
    std::deque<Outgoing> waiting;
    sc_core::sc_time free;
    bool busy = false;
  };
  Port& port_of(unsigned peer) { return ports_[topology_ == Topology::switched ? 0 : peer]; }
  void progress();
  bool act(const Action& action);
  void send_waiting(Port& port);
  void tell_if_done();

  Config config_;
  unsigned own_, devices_;
  Topology topology_;
  std::vector<Action> actions_;
  std::size_t next_ = 0, sending_ = 0;
  std::optional<Reducer> reducer_;
  Reduction reduction_ = Reduction::fp16;
  sc_core::sc_time now_;
  std::map<unsigned, Port> ports_;
  std::map<unsigned, sc_core::sc_time> arrived_;  // by sender: of the message that waits
  bus::PayloadPool pool_;
  bool in_progress_ = false, again_ = false;
  bool under_way_ = false;
};

}  // namespace harmonia::link
