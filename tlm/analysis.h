// Analysis ports that know whether anyone listens, and the records that travel on them.
//
// Models nothing: a block publishes what happened, recorders, statistics and scoreboards subscribe. Publishing on a
// port without a subscriber costs one test.
#pragma once

#include <cstdint>
#include <functional>
#include <systemc>
#include <tlm>
#include <utility>

#include "harmonia/tlm/chunk.h"

namespace harmonia::bus {

template <typename T>
class AnalysisPort : public tlm::tlm_analysis_port<T> {
 public:
  explicit AnalysisPort(const char* name) : tlm::tlm_analysis_port<T>(name) {}
  void bind(tlm::tlm_analysis_if<T>& subscriber) override {
    ++subscribers_;
    tlm::tlm_analysis_port<T>::bind(subscriber);
  }
  bool unbind(tlm::tlm_analysis_if<T>& subscriber) override {
    const bool was_bound = tlm::tlm_analysis_port<T>::unbind(subscriber);
    if (was_bound) --subscribers_;
    return was_bound;
  }
  bool bound() const { return subscribers_ != 0; }

 private:
  unsigned subscribers_ = 0;
};

/// Subscriber made of a function.
template <typename T>
class Subscriber : public tlm::tlm_analysis_if<T> {
 public:
  explicit Subscriber(std::function<void(const T&)> action) : action_(std::move(action)) {}
  void write(const T& record) override { action_(record); }

 private:
  std::function<void(const T&)> action_;
};

/// One finished transaction as seen on one connection. Times are absolute and may lie ahead of the time of publication.
struct TransactionRecord {
  unsigned channel = 0;  ///< number of the monitor
  tlm::tlm_command command = tlm::TLM_IGNORE_COMMAND;
  tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
  std::uint64_t address = 0;  ///< at the request
  unsigned length_bytes = 0;
  sc_core::sc_time begin;     ///< BEGIN_REQ
  sc_core::sc_time accepted;  ///< END_REQ, or what implied it
  sc_core::sc_time response;  ///< BEGIN_RESP, or completion
  Chunk chunk;
};

/// A stretch of time in which a unit was in one state, for time lines; names must be string literals or outlive the
/// run.
struct ActivityRecord {
  const char* unit = "";      ///< one track per unit
  const char* activity = "";  ///< what it did, or why it waited
  sc_core::sc_time begin;
  sc_core::sc_time end;
  std::uint32_t operation = 0;
};

/// A sampled quantity, for counter tracks.
struct CounterRecord {
  const char* counter = "";
  sc_core::sc_time when;
  double value = 0;
};

}  // namespace harmonia::bus
