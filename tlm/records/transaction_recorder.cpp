#include "harmonia/tlm/records/transaction_recorder.h"

#include <algorithm>
#include <array>

#include "harmonia/tlm/recorder.h"

namespace harmonia::records {
namespace {

const char* name_of(tlm::tlm_response_status status) {
  switch (status) {
    case tlm::TLM_OK_RESPONSE:
      return "ok";
    case tlm::TLM_INCOMPLETE_RESPONSE:
      return "incomplete";
    case tlm::TLM_ADDRESS_ERROR_RESPONSE:
      return "address error";
    case tlm::TLM_COMMAND_ERROR_RESPONSE:
      return "command error";
    case tlm::TLM_BURST_ERROR_RESPONSE:
      return "burst error";
    case tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE:
      return "byte enable error";
    default:
      return "generic error";
  }
}

const char* name_of(SocketKind kind) {
  switch (kind) {
    case SocketKind::memory:
      return "memory";
    case SocketKind::stream:
      return "stream";
    default:
      return "command";
  }
}

}  // namespace

/// The fiber of one socket.
class TransactionRecorder::Socket : public tlm::tlm_analysis_if<bus::TransactionRecord> {
 public:
  Socket(TransactionRecorder& recorder, const std::string& name, SocketKind kind)
      : recorder_(recorder), memory_(kind == SocketKind::memory) {
    Schema& s = recorder.schema_;
    fiber_ = s.fiber(name, records::name_of(kind));
    read_ = memory_ ? s.generator(fiber_, "read") : 0;
    write_ = s.generator(fiber_, memory_ ? "write" : kind == SocketKind::stream ? "chunk" : "command");
    request_ = s.generator(fiber_, "request");
    response_ = s.generator(fiber_, "response");
    address_ = s.key("address");
    bytes_ = s.key("bytes");
    class_ = s.key("class");
    status_ = s.key("status");
    operation_ = s.key("operation");
    elements_ = s.key("elements");
    part_of_ = s.key("part of");
    phase_of_ = s.key("phase of");
    stall_ = {s.key("stall"), true, s.key("back-pressure")};
    for (std::size_t c = 0; c < classes_.size(); ++c)
      classes_[c] = s.key(bus::name_of(static_cast<bus::TrafficClass>(c)));
    for (std::size_t r = 0; r < statuses_.size(); ++r)
      statuses_[r] = s.key(records::name_of(static_cast<tlm::tlm_response_status>(1 - static_cast<int>(r))));
  }

  void write(const bus::TransactionRecord& record) override {
    if (recorder_.recorded_ == recorder_.most_) {
      ++recorder_.left_out_;
      return;
    }
    ++recorder_.recorded_;
    const std::uint64_t begin = bus::picoseconds(record.begin), accepted = bus::picoseconds(record.accepted),
                        end = std::max(bus::picoseconds(record.response), begin);
    const Id id = ++recorder_.last_id_;
    std::array<Attribute, 6> attributes;
    std::size_t count = 0;
    const auto put = [&](Key name, std::uint64_t value) { attributes[count++] = {name, false, value}; };
    if (memory_) put(address_, record.address);
    put(bytes_, record.length_bytes);
    attributes[count++] = {class_, true, classes_[static_cast<std::size_t>(record.chunk.traffic)]};
    attributes[count++] = {status_, true, statuses_[static_cast<std::size_t>(1 - static_cast<int>(record.status))]};
    if (record.chunk.operation != 0) put(operation_, record.chunk.operation);
    if (record.chunk.elements != 0) put(elements_, record.chunk.elements);
    recorder_.write({id, memory_ && record.command == tlm::TLM_READ_COMMAND ? read_ : write_, begin, end,
                     attributes.data(), count});
    if (accepted > begin) phase(request_, begin, std::min(accepted, end), id, &stall_, 1);
    if (accepted > begin && end > accepted) phase(response_, accepted, end, id, nullptr, 0);
    if (record.chunk.operation != 0)
      recorder_.relate(part_of_, fiber_, id, recorder_.operations_fiber_,
                       recorder_.operation(record.chunk.operation, begin, end));
  }

 private:
  void phase(Generator kind, std::uint64_t begin, std::uint64_t end, Id of, const Attribute* attributes,
             std::size_t n) {
    const Id id = ++recorder_.last_id_;
    recorder_.write({id, kind, begin, end, attributes, n});
    recorder_.relate(phase_of_, fiber_, id, fiber_, of);
  }

  TransactionRecorder& recorder_;
  bool memory_;
  Fiber fiber_;
  Generator read_, write_, request_, response_;
  Key address_, bytes_, class_, status_, operation_, elements_, part_of_, phase_of_;
  Attribute stall_;
  std::array<Key, bus::traffic_class_count> classes_;
  std::array<Key, 7> statuses_;  // TLM_OK_RESPONSE (1) down to TLM_BYTE_ENABLE_ERROR_RESPONSE (-5)
};

TransactionRecorder::TransactionRecorder(std::uint64_t most_transactions)
    : most_(most_transactions),
      operations_fiber_(schema_.fiber("operations", "layer")),
      steps_fiber_(schema_.fiber("steps", "layer")),
      step_(schema_.generator(steps_fiber_, "step")) {}

TransactionRecorder::~TransactionRecorder() = default;

tlm::tlm_analysis_if<bus::TransactionRecord>& TransactionRecorder::socket(const std::string& name, SocketKind kind) {
  sockets_.push_back(std::make_unique<Socket>(*this, name, kind));
  return *sockets_.back();
}

void TransactionRecorder::write(const Transaction& transaction) {
  for (const auto& sink : sinks_) sink->write(transaction);
}

void TransactionRecorder::relate(Key name, Fiber from_fiber, Id from, Fiber to_fiber, Id to) {
  for (const auto& sink : sinks_) sink->write(Relation{name, from_fiber, from, to_fiber, to});
}

Id TransactionRecorder::operation(std::uint32_t number, std::uint64_t begin_ps, std::uint64_t end_ps) {
  if (number >= operations_.size()) operations_.resize(number + std::size_t{1});
  Operation& o = operations_[number];
  if (o.id == 0) o = {++last_id_, begin_ps, end_ps};
  o.begin_ps = std::min(o.begin_ps, begin_ps);
  o.end_ps = std::max(o.end_ps, end_ps);
  return o.id;
}

void TransactionRecorder::step_begins(std::uint64_t now_ps) { step_begin_ps_ = now_ps; }

void TransactionRecorder::step_ends(std::uint64_t now_ps, const std::function<const char*(std::uint32_t)>& name) {
  const Id step = ++last_id_;
  const Attribute number = {schema_.key("step"), false, steps_++};
  write({step, step_, step_begin_ps_, now_ps, &number, 1});
  write_operations(name, step);
}

void TransactionRecorder::write_operations(const std::function<const char*(std::uint32_t)>& name, Id step) {
  const Key part_of = schema_.key("part of"), numbered = schema_.key("operation");
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const Operation& o = operations_[i];
    if (o.id == 0) continue;
    const std::string kind = name(static_cast<std::uint32_t>(i));
    auto known = operation_kinds_.find(kind);
    if (known == operation_kinds_.end())
      known = operation_kinds_.emplace(kind, schema_.generator(operations_fiber_, kind)).first;
    const Attribute attribute = {numbered, false, i};
    write({o.id, known->second, o.begin_ps, o.end_ps, &attribute, 1});
    if (step != 0) relate(part_of, operations_fiber_, o.id, steps_fiber_, step);
  }
  operations_.clear();
}

void TransactionRecorder::close() {
  write_operations([](std::uint32_t) { return "operation"; }, 0);
  for (const auto& sink : sinks_) sink->close();
}

}  // namespace harmonia::records
