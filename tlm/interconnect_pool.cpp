#include "harmonia/tlm/interconnect_pool.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace harmonia::bus::interconnect {

namespace {

/// The more serious of two statuses: an error stays. A target that answers without a status has failed.
tlm::tlm_response_status merged(tlm::tlm_response_status a, tlm::tlm_response_status b) {
  if (a != tlm::TLM_OK_RESPONSE) return a;
  return b == tlm::TLM_INCOMPLETE_RESPONSE ? tlm::TLM_GENERIC_ERROR_RESPONSE : b;
}

/// Gives a split request's piece bytes and byte enables of its own, gathered from those of the request.
void gather(Child& child) {
  const tlm::tlm_generic_payload& parent = *child.request->payload;
  child.set_byte_enable_ptr(nullptr);
  child.set_byte_enable_length(0);
  if (!child.request->data_valid) {
    child.set_data_ptr(scratch_buffer(child.piece.length_bytes));
    return;
  }
  if (child.data.size() < child.piece.length_bytes) child.data.resize(child.piece.length_bytes);
  child.set_data_ptr(child.data.data());
  const std::uint64_t offset = child.request->offset;
  if (parent.is_write()) {
    child.region->interleave.runs(child.piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
      std::memcpy(&child.data[in_piece], child.request->data + in_request, bytes);
    });
  }
  if (const unsigned char* enables = parent.get_byte_enable_ptr()) {
    child.byte_enables.resize(child.piece.length_bytes);
    child.region->interleave.runs(child.piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
      for (unsigned i = 0; i < bytes; ++i)
        child.byte_enables[in_piece + i] = enables[(in_request + i) % parent.get_byte_enable_length()];
    });
    child.set_byte_enable_ptr(child.byte_enables.data());
    child.set_byte_enable_length(child.piece.length_bytes);
  }
}

}  // namespace

ChildPool::~ChildPool() {
  for (Child* child : all_) delete child;
}

Child* ChildPool::take() {
  if (free_.empty()) {
    all_.push_back(new Child);
    free_.reserve(all_.size());
    all_.back()->set_mm(this);
    all_.back()->owner = this;
    free_.push_back(all_.back());
  }
  Child* child = free_.back();
  free_.pop_back();
  child->acquire();
  return child;
}

void ChildPool::free(tlm::tlm_generic_payload* payload) {
  payload->reset();
  free_.push_back(static_cast<Child*>(payload));
  if (orphan_ && free_.size() == all_.size()) delete this;
}

void ChildPool::give_up(Child& child) {
  for (unsigned i = 0; child.extensions != 0; ++i, child.extensions >>= 1)
    if (child.extensions & 1) child.set_extension(i, nullptr);
  child.request = nullptr;
  child.stage = Stage::none;
  child.release();
}

void ChildPool::abandon() {
  for (Child* child : all_)
    if (child->request) give_up(*child);
  if (free_.size() == all_.size())
    delete this;
  else
    orphan_ = true;
}

Request& Transactions::take_request(tlm::tlm_generic_payload& payload, const Region& region) {
  if (requests_free_.empty()) {
    requests_.push_back(std::make_unique<Request>());
    requests_free_.reserve(requests_.size());
    requests_free_.push_back(requests_.back().get());
  }
  Request& request = *requests_free_.back();
  requests_free_.pop_back();
  request = Request{};
  request.payload = &payload;
  request.data = payload.get_data_ptr();
  request.offset = payload.get_address() - region.base;
  request.data_valid = chunk_of(payload).data_valid;
  return request;
}

Child& Transactions::make_child(Request& request, const Region& region, const Interleave::Piece& piece, bool split) {
  const tlm::tlm_generic_payload& parent = *request.payload;
  Child& child = *children_.take();
  child.request = &request;
  child.stage = Stage::waiting;
  child.region = &region;
  child.piece = piece;
  child.split = split;
  child.set_command(parent.get_command());
  child.set_address(piece.local + region.local_base);
  child.set_data_length(piece.length_bytes);
  child.set_streaming_width(split ? piece.length_bytes : parent.get_streaming_width());
  child.set_gp_option(parent.get_gp_option());
  child.set_dmi_allowed(false);
  child.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  const unsigned extensions = std::min(tlm::max_num_extensions(), 64U);
  for (unsigned i = 0; i < extensions; ++i) {
    if (tlm::tlm_extension_base* extension = parent.get_extension(i)) {
      child.set_extension(i, extension);
      child.extensions |= std::uint64_t{1} << i;
    }
  }
  if (!split) {
    child.set_data_ptr(parent.get_data_ptr());
    child.set_byte_enable_ptr(parent.get_byte_enable_ptr());
    child.set_byte_enable_length(parent.get_byte_enable_length());
  } else {
    gather(child);
  }
  return child;
}

void Transactions::collect(Child& child) {
  Request& request = *child.request;
  tlm::tlm_generic_payload& parent = *request.payload;
  request.status = merged(request.status, child.get_response_status());
  if (!child.split) {
    parent.set_dmi_allowed(child.is_dmi_allowed() && child.region->interleave.channels() == 1);
  } else if (child.is_read() && request.data_valid && child.is_response_ok()) {
    const std::uint64_t offset = request.offset;
    const unsigned char* enables = child.get_byte_enable_ptr();
    child.region->interleave.runs(child.piece, offset, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
      for (unsigned i = 0; enables && i < bytes; ++i)
        if (enables[in_piece + i] != TLM_BYTE_DISABLED) request.data[in_request + i] = child.data[in_piece + i];
      if (!enables) std::memcpy(request.data + in_request, &child.data[in_piece], bytes);
    });
  }
  ChildPool::give_up(child);
}

}  // namespace harmonia::bus::interconnect
