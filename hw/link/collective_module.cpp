#include "harmonia/hw/link/collective_module.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "harmonia/tlm/attributes.h"

namespace harmonia::link {

CollectiveUnit::CollectiveUnit(sc_core::sc_module_name name, const Config& config, unsigned own, unsigned devices,
                               Topology topology)
    : sc_module(name),
      isock(devices),
      tsock(devices),
      config_(config),
      own_(own),
      devices_(devices),
      topology_(topology) {
  for (unsigned peer = 0; peer < devices; ++peer) {
    if (peer == own) continue;
    isock[peer] = std::make_unique<bus::StreamSource<>>(("isock" + std::to_string(peer)).c_str());
    tsock[peer] = std::make_unique<bus::StreamSink<>>(("tsock" + std::to_string(peer)).c_str());
    isock[peer]->on_accepted([this, peer](auto&, const sc_core::sc_time& when) {
      Port& port = port_of(peer);
      port.busy = false;
      port.free = when;
      --sending_;
      send_waiting(port);
      tell_if_done();
    });
    tsock[peer]->on_chunk([this, peer](tlm::tlm_generic_payload& payload,
                                       const sc_core::sc_time& arrival) -> std::optional<sc_core::sc_time> {
      if (const auto answer = bus::answer_to_chunk(payload); answer != tlm::TLM_INCOMPLETE_RESPONSE) {
        payload.set_response_status(answer);
        return arrival;
      }
      arrived_[peer] = arrival;
      progress();
      return std::nullopt;
    });
  }
}

void CollectiveUnit::begin(const Request& request, std::vector<float> values) {
  if (!done()) throw std::logic_error(std::string(name()) + " has a collective under way");
  actions_ = make_schedule(request.collective, request.algorithm, devices_, request.elements,
                           message_elements(config_, request.reduction))
                 .at(own_);
  next_ = 0;
  reduction_ = request.reduction;
  reducer_.emplace(request.reduction, own_, devices_, std::move(values));
  under_way_ = true;
  now_ = sc_core::sc_time_stamp() + sc_core::sc_time(static_cast<double>(start_of(config_, request)), sc_core::SC_PS);
  progress();
}

void CollectiveUnit::progress() {
  again_ = true;
  if (in_progress_) return;
  in_progress_ = true;
  while (again_) {
    again_ = false;
    while (next_ < actions_.size() && act(actions_[next_])) ++next_;
  }
  in_progress_ = false;
  tell_if_done();
}

void CollectiveUnit::tell_if_done() {
  if (!under_way_ || in_progress_ || !done()) return;
  under_way_ = false;
  if (on_done) on_done(std::max(now_, sc_core::sc_time_stamp()));
}

/// False: a receive whose message has not arrived.
bool CollectiveUnit::act(const Action& action) {
  if (action.kind == Action::Kind::add_kept) {
    reducer_->apply(action, nullptr);
    return true;
  }
  if (action.kind == Action::Kind::send) {
    const std::vector<unsigned char> bytes = reducer_->encoded(action.piece);
    bus::PayloadPtr payload = pool_.make(tlm::TLM_WRITE_COMMAND, action.piece.begin * element_bytes(reduction_),
                                         static_cast<unsigned>(bytes.size()), bus::Data::buffer);
    std::memcpy(payload->get_data_ptr(), bytes.data(), bytes.size());
    Port& port = port_of(action.peer);
    port.waiting.push_back({action.peer, std::move(payload), now_});
    ++sending_;
    send_waiting(port);
    return true;
  }
  const auto at = arrived_.find(action.peer);
  if (at == arrived_.end()) return false;
  tlm::tlm_generic_payload* payload = tsock[action.peer]->pending();
  now_ = std::max(now_, at->second);
  arrived_.erase(at);
  reducer_->apply(action, payload->get_data_ptr());
  tsock[action.peer]->accept(now_);
  return true;
}

void CollectiveUnit::send_waiting(Port& port) {
  while (!port.busy && !port.waiting.empty()) {
    Outgoing next = std::move(port.waiting.front());
    port.waiting.pop_front();
    port.busy = true;
    const auto accepted = isock[next.peer]->send(std::move(next.payload), std::max(next.offered, port.free));
    if (!accepted) return;
    port.busy = false;
    port.free = *accepted;
    --sending_;
  }
}

}  // namespace harmonia::link
