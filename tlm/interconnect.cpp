#include "harmonia/tlm/interconnect.h"

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "harmonia/tlm/interconnect_impl.h"

namespace harmonia::bus {
namespace {

sc_core::sc_time cycle(const InterconnectConfig& config) {
  return sc_core::sc_time(static_cast<double>(config.clock_ps), sc_core::SC_PS);
}

}  // namespace

InterconnectCore::Impl::Impl(AddressMap map, InterconnectConfig config, std::vector<BackwardPort*> upstream,
                             std::vector<ForwardPort*> downstream)
    : map_(std::move(map)),
      request_latency_(cycle(config) * config.latency_cycles()),
      response_latency_(cycle(config) * config.latency_cycles()),
      issue_interval_(cycle(config) * config.issue_cycles),
      queue_requests_(config.queue_requests),
      wakeup_([this] { pump(); }) {
  if (map_.targets() > downstream.size())
    throw std::invalid_argument(
        fmt::format("the address map names target {}, there are {} targets", map_.targets() - 1, downstream.size()));
  for (unsigned i = 0; i < upstream.size(); ++i)
    upstream_.push_back(std::make_unique<Upstream>(*this, *upstream[i], i));
  for (unsigned j = 0; j < downstream.size(); ++j)
    downstream_.push_back(std::make_unique<Downstream>(*this, *downstream[j], j, upstream.size()));
  statistics_.bytes_per_target.resize(downstream.size());
  statistics_.requests_per_target.resize(downstream.size());
  statistics_.one_at_a_time_per_target.resize(downstream.size());
  statistics_.waited_per_initiator.resize(upstream.size());
}

const Region* InterconnectCore::Impl::decode(tlm::tlm_generic_payload& payload) {
  const tlm::tlm_response_status answer = answer_to_attributes(payload);
  payload.set_response_status(answer);
  if (answer != tlm::TLM_INCOMPLETE_RESPONSE) return nullptr;
  const unsigned length = payload.get_data_length();
  const Region* region = map_.find(payload.get_address(), length);
  if (!region) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    ++statistics_.address_errors;
    return nullptr;
  }
  // A request that wraps within its streaming width has no contiguous pieces.
  const bool streams = payload.get_streaming_width() < length;
  if (streams && !region->interleave.whole(payload.get_address() - region->base, length)) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return nullptr;
  }
  return region;
}

InterconnectCore::InterconnectCore(AddressMap map, InterconnectConfig config, std::vector<BackwardPort*> upstream,
                                   std::vector<ForwardPort*> downstream)
    : impl_(std::make_unique<Impl>(std::move(map), config, std::move(upstream), std::move(downstream))) {}
InterconnectCore::~InterconnectCore() = default;
tlm::tlm_fw_transport_if<>& InterconnectCore::upstream_interface(std::size_t initiator) {
  return *impl_->upstream_.at(initiator);
}
tlm::tlm_bw_transport_if<>& InterconnectCore::downstream_interface(std::size_t target) {
  return *impl_->downstream_.at(target);
}
const InterconnectStatistics& InterconnectCore::statistics() const { return impl_->statistics_; }
const AddressMap& InterconnectCore::map() const { return impl_->map_; }

}  // namespace harmonia::bus
