// Records what monitors publish: a fiber for each socket, transactions and their phases, relations up to the operation of
// the layer and its step.
//
// Models: of each transaction a record of kind `read`, `write` or `chunk`; inside it `request`, from BEGIN_REQ to END_REQ,
//   where the target withheld END_REQ (back-pressure, attribute `stall`), and `response`, from END_REQ to BEGIN_RESP, where
//   either takes time; both related to it ("phase of"). A transaction that names an operation is "part of" a record of the
//   operation, which spans its transactions and is part of its step.
// Does not model: beats, why a unit itself waited (the accounts of units say how long, docs/running.md), the request of an
//   initiator that an interconnect split into those of channels (both are part of the same operation).
//
// Only transactions up to a limit are kept; the others are counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tlm>
#include <vector>

#include "harmonia/tlm/analysis.h"
#include "harmonia/tlm/records/transaction_sink.h"

namespace harmonia::records {

enum class SocketKind : std::uint8_t { memory, stream, command };

class TransactionRecorder {
 public:
  /// `most_transactions` recorded of sockets; phases are not counted.
  explicit TransactionRecorder(std::uint64_t most_transactions = UINT64_MAX);
  ~TransactionRecorder();
  TransactionRecorder(const TransactionRecorder&) = delete;
  TransactionRecorder& operator=(const TransactionRecorder&) = delete;

  const Schema& schema() const { return schema_; }
  /// A file that all that is recorded goes to; made over schema().
  void add(std::unique_ptr<TransactionSink> sink) { sinks_.push_back(std::move(sink)); }
  /// What to bind a monitor's `transactions` port to. It lives as long as the recorder.
  tlm::tlm_analysis_if<bus::TransactionRecord>& socket(const std::string& name, SocketKind kind);

  /// Transactions from now on belong to this step. Operations are numbered anew in each.
  void step_begins(std::uint64_t now_ps);
  /// Writes the step and its operations, whose kinds `name` gives.
  void step_ends(std::uint64_t now_ps, const std::function<const char*(std::uint32_t operation)>& name);

  std::uint64_t recorded() const { return recorded_; }
  std::uint64_t left_out() const { return left_out_; }
  /// Completes the files; operations without the end of a step are of kind `operation`. Throws std::runtime_error when one could not be written.
  void close();

 private:
  class Socket;
  struct Operation {
    Id id = 0;
    std::uint64_t begin_ps = 0, end_ps = 0;
  };
  void write(const Transaction& transaction);
  void relate(Key name, Fiber from_fiber, Id from, Fiber to_fiber, Id to);
  void write_operations(const std::function<const char*(std::uint32_t)>& name, Id step);
  Id operation(std::uint32_t number, std::uint64_t begin_ps, std::uint64_t end_ps);

  Schema schema_;
  std::vector<std::unique_ptr<TransactionSink>> sinks_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::uint64_t most_, recorded_ = 0, left_out_ = 0;
  Id last_id_ = 0;

  Fiber operations_fiber_, steps_fiber_;
  Generator step_;
  std::unordered_map<std::string, Generator> operation_kinds_;
  std::vector<Operation> operations_;  // of the step, by number
  std::uint64_t steps_ = 0, step_begin_ps_ = 0;
};

}  // namespace harmonia::records
