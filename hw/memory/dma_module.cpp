#include "harmonia/hw/memory/dma_module.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/tlm/attributes.h"
#include "harmonia/tlm/field_check.h"
#include "harmonia/tlm/refusal.h"

namespace harmonia::memory {
namespace {

/// Adds the part of a wait that lies after `cursor` to its cause.
void count_wait(Cycle until, Cycle& cursor, Cycle& cause) {
  if (until <= cursor) return;
  cause += until - cursor;
  cursor = until;
}

}  // namespace

DmaBase::DmaBase(sc_core::sc_module_name name, const DmaConfig& config, DmaDirection direction)
    : sc_core::sc_module(name),
      config_(config),
      direction_(direction),
      period_value_(sc_core::sc_time(static_cast<double>(config.clock_ps), sc_core::SC_PS).value()),
      lookahead_(0),
      wakeup_([this] {
        if (config_.timing == DmaTiming::kLoose)
          woken_.notify();
        else
          run_method();
      }) {
  config::validate(config);
  if (period_value_ == 0) {
    throw config::InputError(std::string(this->name()) + ".clock_ps: " + std::to_string(config.clock_ps) +
                             " ps is below the simulator's time resolution");
  }
  command_tsock.on_request([this](auto& payload, const auto& arrival) { return command(payload, arrival); });
  if (config.timing == DmaTiming::kLoose) {
    lookahead_ = config.quantum_ps / config.clock_ps;
    // A foreign target may wait in b_transport, which only a thread can stand.
    SC_THREAD(run_thread);
  }
}

void DmaBase::run_at(Cycle cycle) {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  const sc_core::sc_time when = std::max(time_of(cycle), now);
  if (event_set_ && event_at_ <= when) return;
  event_set_ = true;
  event_at_ = when;
  wakeup_.at(when);
}

void DmaBase::run_method() {
  event_set_ = false;
  step();
}

void DmaBase::run_thread() {
  for (;;) {
    // The event may have passed while the thread slept inside a target's b_transport.
    while (!event_set_ || event_at_ > sc_core::sc_time_stamp()) wait(woken_);
    // A wakeup that is due now and was not needed would swallow a later one.
    wakeup_.cancel();
    event_set_ = false;
    step();
  }
}

std::optional<sc_core::sc_time> DmaBase::command(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
  if (queue_.size() >= config_.descriptors) {  // END_REQ waits for a place
    waiting_since_ = arrival;
    return std::nullopt;
  }
  if (!enqueue(payload, arrival)) return arrival;
  command_tsock.respond(payload, arrival);
  return std::nullopt;
}

/// True when the command is to be answered now.
bool DmaBase::enqueue(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
  if (const tlm::tlm_response_status answer = bus::answer_to_chunk(payload); answer != tlm::TLM_INCOMPLETE_RESPONSE) {
    payload.set_response_status(answer);
    return true;
  }
  Queued entry;
  std::string why = decode(payload.get_data_ptr(), payload.get_data_length(), &entry.descriptor);
  if (why.empty() && entry.descriptor.direction != direction_) {
    why = direction_ == DmaDirection::kRead ? "direction is 1, expected 0 (a reader)"
                                            : "direction is 0, expected 1 (a writer)";
  }
  if (!why.empty()) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    bus::report_refusal(command_tsock.name(), why);
    last_refusal_ = std::move(why);
    return true;
  }
  entry.from = edge_at_or_after(arrival) + config_.latency_cycles;
  Transfer transfer;
  if (entry.descriptor.respond_when_done) transfer.command = &payload;
  transfer.tag = entry.descriptor.tag;
  transfer.operation = entry.descriptor.operation;
  transfer.bytes = entry.descriptor.bytes();
  transfers_.push(transfer);
  const Cycle from = entry.from;
  queue_.push(entry);
  run_at(from);
  return transfer.command == nullptr;
}

bool DmaBase::next_plan() {
  if (queue_.empty()) return false;
  const Queued entry = queue_.pop();
  plan_ = DmaPlan(entry.descriptor, config_.transaction_bytes);
  plan_from_ = entry.from;
  ++plan_number_;
  plan_active_ = true;
  if (tlm::tlm_generic_payload* waiting = command_tsock.pending()) {
    // It may have been sent ahead of its time.
    const sc_core::sc_time when = std::max(sc_core::sc_time_stamp(), waiting_since_);
    if (enqueue(*waiting, when)) {
      command_tsock.respond(*waiting, when);
    } else {
      command_tsock.accept(when);
    }
  }
  return true;
}

void DmaBase::complete(std::size_t number, Cycle when) {
  transfers_[number - first_transfer_].done = true;
  const Transfer& finished = transfers_[number - first_transfer_];
  ++statistics_.descriptors;
  const sc_core::sc_time time = time_of(when);
  completed.write({finished.tag, finished.operation, finished.bytes, time});
  if (finished.command != nullptr) command_tsock.respond(*finished.command, time);
  while (!transfers_.empty() && transfers_.front().done) {
    transfers_.pop();
    ++first_transfer_;
  }
}

bus::PayloadPtr DmaBase::make_payload(tlm::tlm_command command, const DmaTransaction& transaction, bool data) {
  const DmaDescriptor& descriptor = plan_.descriptor();
  const DmaSegment& segment = descriptor.segments[transaction.segment];
  bus::PayloadPtr payload =
      pool_.make(command, transaction.address, transaction.bytes, data ? bus::Data::buffer : bus::Data::scratch);
  bus::Chunk& chunk = bus::PayloadPool::chunk(payload);
  chunk.traffic = segment.traffic;
  chunk.operation = descriptor.operation;
  chunk.elements = transaction.elements;
  ++statistics_.transactions;
  statistics_.bytes += transaction.bytes;
  statistics_.bytes_by_class[static_cast<std::size_t>(segment.traffic)] += transaction.bytes;
  return payload;
}

void DmaBase::check_answer(const tlm::tlm_generic_payload& payload) {
  if (payload.is_response_ok()) return;
  ++statistics_.errors;
  std::ostringstream text;
  text << name() << ": " << payload.get_response_string() << " for " << (payload.is_read() ? "a read" : "a write")
       << " of " << payload.get_data_length() << " bytes at 0x" << std::hex << payload.get_address();
  SC_REPORT_ERROR("/harmonia/dma/memory", text.str().c_str());
}

// --- reader

DmaReaderBase::DmaReaderBase(sc_core::sc_module_name name, const DmaConfig& config)
    : DmaBase(name, config, DmaDirection::kRead), slots_(config.outstanding) {}

/// How long a transaction that is issued at `start` keeps the issue port. A descriptor with a rate keeps to it over
/// several transactions: one that comes a few cycles late does not make all behind it late.
Cycle DmaReaderBase::issue_cycles(const DmaDescriptor& descriptor, const DmaTransaction& transaction, Cycle start) {
  if (descriptor.bytes_per_cycle <= 0) return config_.issue_cycles;
  constexpr double kCatchUp = 16;
  const auto at = static_cast<double>(start);
  pace_next_ = std::max(pace_next_, at - kCatchUp) +
               static_cast<double>(transaction.bytes) / static_cast<double>(descriptor.bytes_per_cycle);
  return std::max<Cycle>(config_.issue_cycles, pace_next_ <= at ? 0 : static_cast<Cycle>(std::ceil(pace_next_ - at)));
}

void DmaReaderBase::step() {
  const Cycle limit = horizon();
  stepping_ = true;
  while (!awaiting_accept_ && (plan_active() || next_plan())) {
    Slot& place = slot(issued_);
    const bool reused = issued_ >= slots_.size();
    if (reused && taken_ <= issued_ - slots_.size()) break;  // its answer or acceptance is not known; they run on
    const Cycle answered = reused ? place.ready : 0;
    const Cycle taken = reused ? place.free : 0;
    const Cycle start = std::max({port_free_, plan_from_, memory_free_, answered, taken});
    if (start > limit) {
      run_at(start);
      break;
    }
    Cycle cursor = port_free_;
    count_wait(plan_from_, cursor, statistics_.stall_no_descriptor);
    count_wait(memory_free_, cursor, statistics_.stall_memory);
    count_wait(answered, cursor, statistics_.stall_outstanding);
    count_wait(taken, cursor, statistics_.stall_stream);
    const DmaDescriptor& descriptor = plan_.descriptor();
    const DmaTransaction transaction = plan_.next();
    const Cycle issue = issue_cycles(descriptor, transaction, start);
    statistics_.busy += issue;
    port_free_ = start + issue;
    bus::PayloadPtr payload = make_payload(tlm::TLM_READ_COMMAND, transaction, descriptor.data_valid);
    bus::PayloadPool::chunk(payload).tag = issued_;
    if (transaction.first) offset_ = 0;
    place.payload = payload;
    place.transfer = plan_number_;
    place.offset = offset_;
    place.last = transaction.last;
    place.begins_tile = transaction.first && descriptor.begins_tile;
    place.ends_tile = transaction.last && descriptor.ends_tile;
    place.answered = false;
    offset_ += transaction.bytes;
    ++issued_;
    if (plan_.done()) plan_finished();

    awaiting_accept_ = true;
    if (const auto accepted = send_memory(std::move(payload), time_of(start))) {
      awaiting_accept_ = false;
      memory_free_ = edge_at_or_after(*accepted);
    }
  }
  stepping_ = false;
}

void DmaReaderBase::memory_accepted(const sc_core::sc_time& when) {
  awaiting_accept_ = false;
  memory_free_ = edge_at_or_after(when);
  if (!stepping_) run_at(std::max(memory_free_, port_free_));
}

void DmaReaderBase::memory_answered(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  Slot& place = slot(bus::PayloadPool::chunk(payload).tag);
  place.answered = true;
  place.ready = edge_at_or_after(when) + config_.latency_cycles;
  check_answer(payload);
  deliver();
}

void DmaReaderBase::deliver() {
  if (delivering_) return;
  delivering_ = true;
  while (delivered_ < issued_ && slot(delivered_).answered) {
    Slot& place = slot(delivered_++);
    bus::PayloadPtr chunk = pool_.alias(*place.payload, place.offset, 0, place.payload->get_data_length());
    place.payload.reset();
    chunk->set_command(tlm::TLM_WRITE_COMMAND);
    bus::PayloadPool::chunk(chunk).first_of_tile = place.begins_tile;
    bus::PayloadPool::chunk(chunk).last_of_tile = place.ends_tile;
    if (const auto accepted = send_stream(std::move(chunk), time_of(place.ready))) stream_accepted(*accepted);
  }
  delivering_ = false;
}

void DmaReaderBase::stream_accepted(const sc_core::sc_time& when) {
  const bool all_slots_held = issued_ == taken_ + slots_.size();
  Slot& place = slot(taken_++);
  place.free = edge_at_or_after(when);
  if (place.last) complete(place.transfer, place.free);
  if (all_slots_held && !stepping_) run_at(place.free);
}

// --- writer

DmaWriterBase::DmaWriterBase(sc_core::sc_module_name name, const DmaConfig& config)
    : DmaBase(name, config, DmaDirection::kWrite) {
  for (std::uint32_t i = 0; i < config.outstanding; ++i) free_slots_.push(0);
}

std::optional<sc_core::sc_time> DmaWriterBase::chunk(tlm::tlm_generic_payload& payload,
                                                     const sc_core::sc_time& arrival) {
  if (const tlm::tlm_response_status answer = bus::answer_to_chunk(payload); answer != tlm::TLM_INCOMPLETE_RESPONSE) {
    payload.set_response_status(answer);
    return arrival;
  }
  chunk_ = &payload;
  chunk_done_ = 0;
  chunk_arrival_ = edge_at_or_after(arrival);
  if (!take_chunk()) return std::nullopt;
  return std::max(arrival, time_of(fill_free_));
}

/// What is wrong with the chunk at the stream, none of which was taken; empty: nothing.
std::string DmaWriterBase::chunk_fault() const {
  const std::uint64_t length = chunk_->get_data_length();
  const std::uint64_t left =
      plan_active() || filling_ ? plan_.left_bytes() + (filling_ ? filling_->get_data_length() - filled_bytes_ : 0) : 0;
  bus::FieldCheck c;
  c.require(length <= left, "the data length", length, "at most the ", left, " bytes that its descriptor has left");
  if (filling_)
    c.equal("Chunk::data_valid", bus::chunk_of(*chunk_).data_valid, bus::chunk_of(*filling_).data_valid,
            "what the transaction's other chunks have");
  return c.fault();
}

/// Moves what can be moved of the chunk at the stream into slots; true when all of it was, or when it was refused.
bool DmaWriterBase::take_chunk() {
  const unsigned length = chunk_->get_data_length();
  const bool valid = bus::chunk_of(*chunk_).data_valid;
  while (chunk_done_ < length) {
    if (!filling_) {
      if (!plan_active()) {
        if (!next_plan()) return false;
        progress_.push({});
      }
    }
    if (chunk_done_ == 0) {
      const std::string fault = chunk_fault();
      if (!fault.empty()) {
        chunk_->set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
        bus::report_refusal(stream_name(), fault);
        break;
      }
    }
    count_wait(chunk_arrival_, fill_free_, statistics_.stall_stream);
    count_wait(plan_from_, fill_free_, statistics_.stall_no_descriptor);
    if (!filling_) {
      if (free_slots_.empty()) return false;
      count_wait(free_slots_.pop(), fill_free_, statistics_.stall_outstanding);
      const DmaTransaction transaction = plan_.next();
      filling_ = make_payload(tlm::TLM_WRITE_COMMAND, transaction, valid);
      bus::PayloadPool::chunk(filling_).tag = plan_number_;
      filled_bytes_ = 0;
      ++progress(plan_number_).unanswered;
    }
    const unsigned room = filling_->get_data_length() - filled_bytes_;
    const unsigned bytes = std::min(length - chunk_done_, room);
    if (valid) std::memcpy(filling_->get_data_ptr() + filled_bytes_, chunk_->get_data_ptr() + chunk_done_, bytes);
    const Cycle duration = (bytes + config_.stream_bytes_per_cycle - 1) / config_.stream_bytes_per_cycle;
    statistics_.busy += duration;
    fill_free_ += duration;
    chunk_done_ += bytes;
    filled_bytes_ += bytes;
    if (bytes < room) continue;
    if (plan_.done()) {
      progress(plan_number_).all_sent = true;
      plan_finished();
    }
    filled_.push({std::move(filling_), fill_free_ + config_.latency_cycles});
    filling_.reset();
    issue();
  }
  chunk_ = nullptr;
  return true;
}

void DmaWriterBase::issue() {
  // Loosely timed, the answer of every write is known at once: nothing needs to wait for simulated time.
  const Cycle limit = config_.timing == DmaTiming::kLoose ? ~Cycle{0} : horizon();
  while (!filled_.empty() && !awaiting_accept_) {
    const Cycle start = std::max(filled_.front().ready, issue_free_);
    if (start > limit) {
      run_at(start);
      return;
    }
    Filled next = filled_.pop();
    issue_free_ = start + config_.issue_cycles;
    awaiting_accept_ = true;
    if (const auto accepted = send_memory(std::move(next.payload), time_of(start))) {
      awaiting_accept_ = false;
      issue_free_ = std::max(issue_free_, edge_at_or_after(*accepted));
    }
  }
}

void DmaWriterBase::memory_accepted(const sc_core::sc_time& when) {
  awaiting_accept_ = false;
  issue_free_ = std::max(issue_free_, edge_at_or_after(when));
  if (!filled_.empty()) run_at(issue_free_);
}

void DmaWriterBase::memory_answered(tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  const Cycle answered = edge_at_or_after(when);
  Progress& transfer = progress(bus::PayloadPool::chunk(payload).tag);
  --transfer.unanswered;
  transfer.last_answer = std::max(transfer.last_answer, answered);
  free_slots_.push(answered);
  check_answer(payload);
  while (!progress_.empty() && progress_.front().all_sent && progress_.front().unanswered == 0) {
    const Cycle done = progress_.pop().last_answer;
    complete(first_progress_++, done);
  }
  if (chunk_ != nullptr && style() == bus::Style::approximately_timed) run_at(0);
}

void DmaWriterBase::step() {
  if (chunk_ != nullptr && take_chunk()) accept_chunk(time_of(fill_free_));
  issue();
}

}  // namespace harmonia::memory
