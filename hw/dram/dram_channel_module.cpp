#include "harmonia/hw/dram/dram_channel_module.h"

#include <algorithm>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/tlm/attributes.h"

namespace harmonia::dram {
namespace {

// The engine returns the tag, and the payload is kept alive until it is answered.
std::uint64_t tag_of(tlm::tlm_generic_payload& payload) {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&payload));
}
tlm::tlm_generic_payload& payload_of(std::uint64_t tag) {
  return *reinterpret_cast<tlm::tlm_generic_payload*>(static_cast<std::uintptr_t>(tag));
}
Op op_of(const tlm::tlm_generic_payload& payload) { return payload.is_read() ? Op::kRead : Op::kWrite; }

memory::ByteEnable enables_of(const tlm::tlm_generic_payload& payload) {
  return {payload.get_byte_enable_ptr(), payload.get_byte_enable_length()};
}

}  // namespace

DramChannelBase::DramChannelBase(sc_core::sc_module_name name, const Config& config, Contents contents)
    : sc_core::sc_module(name),
      engine_(config),
      capacity_bytes_(config.capacity_bytes()),
      burst_shift_(__builtin_ctz(static_cast<unsigned>(config.burst_bytes()))),
      tail_(std::min(config[Param::CL], config[Param::CWL]) + config.burst_cycles() + config.backend_cycles),
      ps_value_(sc_core::sc_time(1, sc_core::SC_PS).value()),
      wakeup_([this] { wake(); }) {
  if (ps_value_ == 0) {
    throw config::InputError(std::string(this->name()) + ": times in ps cannot be told in a time resolution of " +
                             sc_core::sc_get_time_resolution().to_string());
  }
  if (contents == Contents::kStored) storage_ = std::make_unique<memory::Storage>(capacity_bytes_);
}

DramChannelBase::~DramChannelBase() = default;

void DramChannelBase::end_of_elaboration() {
  if (commands.bound()) engine_.add_observer(this);
}

bool DramChannelBase::refuse(tlm::tlm_generic_payload& payload) const {
  const std::uint64_t length = payload.get_data_length();
  const tlm::tlm_response_status answer = bus::answer_to_attributes(payload);
  if (answer != tlm::TLM_INCOMPLETE_RESPONSE) {
    payload.set_response_status(answer);
    return true;
  }
  if (payload.get_address() >= capacity_bytes_ || length > capacity_bytes_ - payload.get_address()) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return true;
  }
  if (payload.get_streaming_width() < length) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return true;
  }
  return false;
}

std::uint64_t DramChannelBase::pin_bytes_of(const tlm::tlm_generic_payload& payload) const {
  const std::uint64_t first = payload.get_address(), last = first + payload.get_data_length() - 1;
  return ((last >> burst_shift_) - (first >> burst_shift_) + 1) << burst_shift_;
}

void DramChannelBase::answered(const tlm::tlm_generic_payload& payload) {
  ++counts_.responses;
  counts_.answered_pin_bytes[static_cast<std::size_t>(bus::chunk_of(payload).traffic)] += pin_bytes_of(payload);
}

void DramChannelBase::take(tlm::tlm_generic_payload& payload, Cycle at) {
  const std::uint64_t address = payload.get_address();
  const std::uint32_t length = payload.get_data_length();
  const bus::Chunk& chunk = bus::chunk_of(payload);
  const auto traffic = static_cast<std::size_t>(chunk.traffic);
  counts_.request_bytes[traffic] += length;
  counts_.pin_bytes[traffic] += pin_bytes_of(payload);
  ++counts_.requests;
  if (storage_ && chunk.data_valid) {
    if (payload.is_read()) {
      storage_->read(address, payload.get_data_ptr(), length, enables_of(payload));
    } else {
      storage_->write(address, payload.get_data_ptr(), length, enables_of(payload));
    }
    payload.set_dmi_allowed(true);
  }
  now_ = at;
  engine_.push({address, length, op_of(payload), tag_of(payload)}, at);
}

std::optional<sc_core::sc_time> DramChannelBase::request(tlm::tlm_generic_payload& payload,
                                                         const sc_core::sc_time& arrival) {
  const Cycle at = std::max(edge_at_or_after(arrival), now_);
  if (refuse(payload)) {
    ++counts_.errors;
    ++counts_.responses;
    respond(payload, time_of(at + 1));  // within the call: an early completion
    return std::nullopt;
  }
  if (!engine_.can_accept(op_of(payload))) {
    // Room may have come since the engine was last told the time.
    engine_.advance(at);
    now_ = at;
  }
  std::optional<sc_core::sc_time> accepted;
  if (engine_.can_accept(op_of(payload))) {
    take(payload, at);
    accepted = time_of(at + 1);
  } else {
    waiting_ = &payload;
    waiting_since_ = at;
  }
  schedule();
  return accepted;
}

void DramChannelBase::wake() {
  wake_at_ = kNever;
  const Cycle at = edge_at_or_after(sc_core::sc_time_stamp());
  if (at > now_) {
    now_ = at;
    engine_.advance(at);
  }
  deliver_and_accept(now_);
}

void DramChannelBase::deliver_and_accept(Cycle at) {
  deliver();
  if (waiting_ != nullptr && at >= waiting_since_ && engine_.can_accept(op_of(*waiting_))) {
    tlm::tlm_generic_payload& payload = *waiting_;
    waiting_ = nullptr;
    counts_.back_pressure += time_of(at) - time_of(waiting_since_);
    take(payload, at);
    deliver();
    accept_pending(time_of(at + 1));
  }
  schedule();
}

void DramChannelBase::deliver() {
  if (delivering_) return;
  delivering_ = true;
  // An initiator may send its next request from within the response, so the list can grow underneath.
  std::vector<Completion>& completions = engine_.completions();
  for (std::size_t i = 0; i < completions.size(); ++i) {
    const Completion completion = completions[i];
    answered(payload_of(completion.tag));
    respond(payload_of(completion.tag), time_of(completion.done));
  }
  completions.clear();
  delivering_ = false;
}

void DramChannelBase::schedule() {
  Cycle due = engine_.next_wake(waiting_ != nullptr);
  for (const Completion& completion : engine_.completions()) due = std::min(due, completion.done);
  if (due >= wake_at_ || due >= kNever) return;
  wake_at_ = due;
  wakeup_.at(time_of(due));
}

void DramChannelBase::blocking(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  const Cycle arrival = edge_at_or_after(now + delay);
  if (refuse(payload)) {
    ++counts_.errors;
    ++counts_.responses;
    delay = time_of(arrival + 1) - now;
    return;
  }
  Cycle at = std::max(arrival, now_);
  while (!engine_.can_accept(op_of(payload))) {
    at = std::max(at + 1, engine_.next_wake() - tail_);
    engine_.advance(at);
  }
  if (at > arrival) ++counts_.late;
  take(payload, at);
  std::vector<Completion>& completions = engine_.completions();
  const auto mine = [&] {
    return std::find_if(completions.begin(), completions.end(),
                        [&](const Completion& completion) { return completion.tag == tag_of(payload); });
  };
  auto found = mine();
  while (found == completions.end()) {
    // No unknown completion is done before next_wake(), so no column command that decides one comes before this.
    now_ = std::max(now_ + 1, engine_.next_wake(false) - tail_);
    engine_.advance(now_);
    found = mine();
  }
  delay = time_of(found->done) - now;
  completions.erase(found);
  answered(payload);
  schedule();
}

unsigned DramChannelBase::debug(tlm::tlm_generic_payload& payload) {
  const std::uint64_t address = payload.get_address();
  if (!storage_ || address >= capacity_bytes_) return 0;
  const std::uint64_t length = std::min<std::uint64_t>(payload.get_data_length(), capacity_bytes_ - address);
  if (payload.is_read()) {
    storage_->read(address, payload.get_data_ptr(), length);
  } else if (payload.is_write()) {
    storage_->write(address, payload.get_data_ptr(), length);
  } else {
    return 0;
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  return static_cast<unsigned>(length);
}

bool DramChannelBase::direct(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  dmi.init();
  const std::uint64_t address = payload.get_address();
  if (!storage_ || address >= capacity_bytes_) {
    dmi.set_start_address(storage_ ? capacity_bytes_ : 0);
    dmi.set_end_address(~sc_dt::uint64{0});
    return false;
  }
  dmi.set_dmi_ptr(storage_->page(address));
  dmi.set_start_address(memory::Storage::page_begin(address));
  dmi.set_end_address(storage_->page_end(address));
  dmi.allow_read_write();
  dmi.set_read_latency(time_of(config()[Param::CL] + config().burst_cycles()));
  dmi.set_write_latency(time_of(config()[Param::CWL] + config().burst_cycles()));
  return true;
}

const Statistics& DramChannelBase::statistics() {
  now_ = std::max(now_, edge_at_or_after(sc_core::sc_time_stamp()));
  engine_.finish(now_);
  schedule();
  return engine_.statistics();
}

sc_core::sc_time DramChannelBase::latency_percentile(Op op, double p) {
  return time_of(statistics().latency[static_cast<std::size_t>(op)].percentile(p));
}

}  // namespace harmonia::dram
