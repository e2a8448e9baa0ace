// Blocking and debug transport through the interconnect, and direct memory access.
#include <algorithm>

#include "harmonia/tlm/interconnect_impl.h"

namespace harmonia::bus {

using interconnect::from_now;
using sc_core::sc_time;

void InterconnectCore::Impl::invalidate(Downstream& port, std::uint64_t start, std::uint64_t end) {
  for (const Region& region : map_.regions()) {
    if (region.interleave.channels() != 1 || region.first_target != port.index_) continue;
    const std::uint64_t last = region.local_base + (region.size_bytes - 1);
    if (end < region.local_base || start > last) continue;
    const std::uint64_t from = std::max(start, region.local_base) - region.local_base + region.base;
    const std::uint64_t to = std::min(end, last) - region.local_base + region.base;
    for (auto& upstream : upstream_) upstream->backward().invalidate_direct_mem_ptr(from, to);
  }
}

void InterconnectCore::Impl::blocking(tlm::tlm_generic_payload& payload, sc_time& delay) {
  ++statistics_.requests;
  const Region* region = decode(payload);
  if (!region) {
    delay += request_latency_ + response_latency_;
    ++statistics_.responses;
    return;
  }
  const std::uint64_t address = payload.get_address();
  const std::uint64_t offset = address - region->base;
  const unsigned length = payload.get_data_length();
  delay += request_latency_;
  if (region->interleave.whole(offset, length)) {
    const Interleave::Location at = region->interleave.locate(offset);
    Downstream& port = *downstream_[region->first_target + at.channel];
    statistics_.bytes_per_target[port.index_] += length;
    payload.set_address(at.local + region->local_base);
    port.forward().b_transport(payload, delay);
    payload.set_address(address);
    if (region->interleave.channels() != 1) payload.set_dmi_allowed(false);
  } else {
    // The pieces run side by side: each starts at the same time, the last to end ends the request.
    ++statistics_.split_requests;
    Request& request = transactions_.take_request(payload, *region);
    const sc_time start = sc_core::sc_time_stamp() + delay;
    sc_time end = start;
    region->interleave.split(offset, length, [&](const Interleave::Piece& piece) {
      Child& child = make_child(request, *region, piece, true);
      sc_time piece_delay = from_now(start);
      downstream_[region->first_target + piece.channel]->forward().b_transport(child, piece_delay);
      end = std::max(end, sc_core::sc_time_stamp() + piece_delay);
      transactions_.collect(child);
    });
    payload.set_response_status(request.status);
    payload.set_dmi_allowed(false);
    transactions_.give_back(request);
    delay = from_now(end);
  }
  delay += response_latency_;
  ++statistics_.responses;
}

unsigned InterconnectCore::Impl::debug(tlm::tlm_generic_payload& payload) {
  const bool nothing = payload.get_data_length() == 0 || payload.get_data_ptr() == nullptr;
  const Region* region = nothing ? nullptr : map_.find(payload.get_address(), payload.get_data_length());
  if (!region) return 0;
  const std::uint64_t address = payload.get_address();
  const std::uint64_t offset = address - region->base;
  const unsigned length = payload.get_data_length();
  unsigned char* const data = payload.get_data_ptr();
  unsigned moved = 0;
  region->interleave.split(offset, length, [&](const Interleave::Piece& piece) {
    region->interleave.runs(piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
      payload.set_address(piece.local + in_piece + region->local_base);
      payload.set_data_ptr(data + in_request);
      payload.set_data_length(bytes);
      moved += downstream_[region->first_target + piece.channel]->forward().transport_dbg(payload);
    });
  });
  payload.set_address(address);
  payload.set_data_ptr(data);
  payload.set_data_length(length);
  return moved;
}

bool InterconnectCore::Impl::direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  const std::uint64_t address = payload.get_address();
  const Region* region = map_.find(address, 1);
  if (!region) {  // no memory: the refusal holds for this address only
    dmi.init();
    dmi.set_start_address(address);
    dmi.set_end_address(address);
    return false;
  }
  const std::uint64_t region_end = region->base + (region->size_bytes - 1);
  if (region->interleave.channels() != 1) {  // no pointer can describe interleaved memory
    dmi.init();
    dmi.set_start_address(region->base);
    dmi.set_end_address(region_end);
    return false;
  }
  payload.set_address(address - region->base + region->local_base);
  const bool granted = downstream_[region->first_target]->forward().get_direct_mem_ptr(payload, dmi);
  payload.set_address(address);
  // Back into the initiator's addresses, and no further than the region.
  const std::uint64_t last_local = region->local_base + (region->size_bytes - 1);
  const std::uint64_t from = std::max<std::uint64_t>(dmi.get_start_address(), region->local_base);
  const std::uint64_t to = std::min<std::uint64_t>(dmi.get_end_address(), last_local);
  if (granted) {
    dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (from - dmi.get_start_address()));
    dmi.set_read_latency(dmi.get_read_latency() + request_latency_ + response_latency_);
    dmi.set_write_latency(dmi.get_write_latency() + request_latency_ + response_latency_);
  }
  dmi.set_start_address(from - region->local_base + region->base);
  dmi.set_end_address(to - region->local_base + region->base);
  return granted;
}

}  // namespace harmonia::bus
