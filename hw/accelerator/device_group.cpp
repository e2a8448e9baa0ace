#include "harmonia/hw/accelerator/device_group.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace harmonia::accelerator {

DeviceGroup::DeviceGroup(sc_core::sc_module_name name, const DeviceGroupConfig& config,
                         std::vector<Accelerator*> devices, const Connect& connect)
    : sc_module(name),
      config_(config),
      devices_(std::move(devices)),
      vocabulary_(static_cast<std::uint64_t>(devices_.front()->shape().vocab_size)) {
  const auto count = static_cast<unsigned>(devices_.size());
  const auto join = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& pair) {
    if (connect)
      connect(from, to, pair);
    else
      from.bind(to);
  };
  tsock.on_request([this](auto& payload, const sc_core::sc_time& arrival) { return request(payload, arrival); });
  for (unsigned d = 0; d < count; ++d) {
    const std::string number = std::to_string(d);
    isock_.push_back(std::make_unique<bus::MemoryInitiator<>>(("isock" + number).c_str()));
    isock_[d]->on_response(
        [this, d](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { answered(d, payload, when); });
    isock_[d]->bind(devices_[d]->command());
    units_.push_back(
        std::make_unique<link::CollectiveUnit>(("unit" + number).c_str(), config.link, d, count, config.topology));
    devices_[d]->sequencer.all_reduce = [this, d](std::uint64_t values, const Sequencer::Done& done) {
      all_reduce(d, values, done);
    };
  }
  for (unsigned from = 0; from < count; ++from)
    for (unsigned to = 0; to < count; ++to) {
      if (from == to) continue;
      const std::string pair = "link_" + std::to_string(from) + "_" + std::to_string(to);
      links_.push_back(std::make_unique<link::Link>(pair.c_str(), config.link, link::share_of(config.topology, count)));
      join(*units_[from]->isock[to], links_.back()->tsock, "unit" + std::to_string(from) + "_to_" + pair);
      join(links_.back()->isock, *units_[to]->tsock[from], pair + "_to_unit" + std::to_string(to));
    }
}

std::uint64_t DeviceGroup::payload_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& l : links_) sum += l->timing().payload_bytes();
  return sum;
}

std::uint64_t DeviceGroup::wire_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& l : links_) sum += l->timing().wire_bytes();
  return sum;
}

std::optional<sc_core::sc_time> DeviceGroup::request(tlm::tlm_generic_payload& payload,
                                                     const sc_core::sc_time& arrival) {
  if (asked_) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    tsock.respond(payload, arrival);
    return std::nullopt;
  }
  asked_ = bus::PayloadPtr(payload);
  unanswered_ = devices_.size();
  last_answer_ = arrival;
  if (payload.get_command() != tlm::TLM_READ_COMMAND) {
    send_step(payload, arrival);
  } else if (!ask_for_logits(payload, arrival)) {
    asked_.reset();
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    tsock.respond(payload, arrival);
  }
  return asked_ ? std::optional(arrival) : std::nullopt;
}

/// False: not whole rows from the first on.
bool DeviceGroup::ask_for_logits(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
  const std::uint64_t row = 2 * vocabulary_ * devices_.size(), bytes = payload.get_data_length();
  if (payload.get_address() != 0 || bytes % row != 0) return false;
  for (const auto& isock : isock_)
    isock->send(pool_.make(tlm::TLM_READ_COMMAND, 0, static_cast<unsigned>(bytes / devices_.size()), bus::Data::buffer),
                arrival);
  return true;
}

/// The step for all devices, each with the tokens of its part of the vocabulary. What is no step goes on as it is.
void DeviceGroup::send_step(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
  const unsigned length = payload.get_data_length();
  StepHeader header;
  if (length >= sizeof header) std::memcpy(&header, payload.get_data_ptr(), sizeof header);
  const std::uint64_t tokens_at = sizeof header + std::uint64_t{header.sequences} * sizeof(SequenceStep);
  const std::uint64_t tokens = length == tokens_at + std::uint64_t{header.tokens} * 4 ? header.tokens : 0;
  for (std::size_t d = 0; d < isock_.size(); ++d) {
    bus::PayloadPtr step = pool_.make(payload.get_command(), payload.get_address(), length, bus::Data::buffer);
    std::memcpy(step->get_data_ptr(), payload.get_data_ptr(), length);
    for (std::uint64_t t = 0; t < tokens; ++t) {
      unsigned char* at = step->get_data_ptr() + tokens_at + 4 * t;
      std::uint32_t token = 0;
      std::memcpy(&token, at, sizeof token);
      token = token / vocabulary_ == d ? static_cast<std::uint32_t>(token % vocabulary_) : kAbsentToken;
      std::memcpy(at, &token, sizeof token);
    }
    isock_[d]->send(std::move(step), arrival);
  }
}

void DeviceGroup::answered(std::size_t device, const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  if (payload.get_response_status() != tlm::TLM_OK_RESPONSE)
    asked_->set_response_status(payload.get_response_status());
  else if (payload.get_command() == tlm::TLM_READ_COMMAND) {
    const std::uint64_t part = 2 * vocabulary_, row = part * devices_.size();
    for (std::uint64_t r = 0; r < payload.get_data_length() / part; ++r)
      std::memcpy(asked_->get_data_ptr() + r * row + device * part, payload.get_data_ptr() + r * part, part);
  }
  last_answer_ = std::max(last_answer_, when);
  if (--unanswered_ > 0) return;
  const bus::PayloadPtr done = std::move(asked_);
  asked_.reset();
  tsock.respond(*done, last_answer_);
}

void DeviceGroup::all_reduce(std::size_t device, std::uint64_t values, const Sequencer::Done& done) {
  link::Request request;
  request.topology = config_.topology;
  request.reduction = config_.reduction;
  request.devices = static_cast<unsigned>(devices_.size());
  request.elements = values;
  request.algorithm = config_.algorithm(values);
  std::vector<float> own(values);
  link::CollectiveUnit& unit = *units_[device];
  vector::VectorUnit& vector_unit = devices_[device]->vector_unit;
  if (config_.functional) formats::to_float(vector_unit.part().data(), values, own.data());
  unit.on_done = [this, &unit, &vector_unit, done](const sc_core::sc_time& when) {
    if (config_.functional) {
      std::vector<formats::Fp16> sum;
      sum.reserve(unit.values().size());
      for (const float x : unit.values()) sum.push_back(formats::to_fp16(x));
      vector_unit.put_sum(sum);
    }
    done(when);
  };
  unit.begin(request, std::move(own));
}

}  // namespace harmonia::accelerator
