// A transparent probe for any TLM connection.
//
// Models: nothing; it neither delays nor changes a transaction. With no subscriber it only forwards the call.
// Does not model: beats. One record per transaction is published when its response is known.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <systemc>
#include <tlm>
#include <vector>

#include "harmonia/tlm/analysis.h"

namespace harmonia::bus {

/// Puts records together from phases. Used by Monitor; plain enough to be fed by a test.
class TransactionTracker {
 public:
  TransactionTracker(AnalysisPort<TransactionRecord>& port, unsigned channel) : port_(port), channel_(channel) {}
  void begin(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);
  void accepted(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);
  void responded(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);
  std::size_t open() const { return open_.size(); }

 private:
  struct Open {
    const tlm::tlm_generic_payload* payload;
    bool accepted;
    TransactionRecord record;
  };
  Open* find(const tlm::tlm_generic_payload& payload);

  AnalysisPort<TransactionRecord>& port_;
  unsigned channel_;
  std::vector<Open> open_;
};

template <unsigned BUSWIDTH = 32>
class Monitor : public sc_core::sc_module, private tlm::tlm_fw_transport_if<>, private tlm::tlm_bw_transport_if<> {
 public:
  /// `channel` is copied into every record.
  explicit Monitor(const sc_core::sc_module_name& name, unsigned channel = 0)
      : sc_core::sc_module(name), tracker_(transactions, channel) {
    tsock.bind(static_cast<tlm::tlm_fw_transport_if<>&>(*this));
    isock.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
  }

  tlm::tlm_target_socket<BUSWIDTH> tsock{"tsock"};
  tlm::tlm_initiator_socket<BUSWIDTH> isock{"isock"};
  AnalysisPort<TransactionRecord> transactions{"transactions"};

 private:
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    if (!transactions.bound()) return isock->nb_transport_fw(payload, phase, delay);
    const bool request = phase == tlm::BEGIN_REQ;
    if (request) tracker_.begin(payload, sc_core::sc_time_stamp() + delay);
    const tlm::tlm_sync_enum status = isock->nb_transport_fw(payload, phase, delay);
    const sc_core::sc_time when = sc_core::sc_time_stamp() + delay;
    if (request && (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP)))
      tracker_.responded(payload, when);
    else if (request && status == tlm::TLM_UPDATED && phase == tlm::END_REQ)
      tracker_.accepted(payload, when);
    return status;
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    if (transactions.bound()) {
      const sc_core::sc_time when = sc_core::sc_time_stamp() + delay;
      if (phase == tlm::END_REQ) tracker_.accepted(payload, when);
      if (phase == tlm::BEGIN_RESP) tracker_.responded(payload, when);
    }
    return tsock->nb_transport_bw(payload, phase, delay);
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    if (!transactions.bound()) return isock->b_transport(payload, delay);
    tracker_.begin(payload, sc_core::sc_time_stamp() + delay);
    isock->b_transport(payload, delay);
    tracker_.responded(payload, sc_core::sc_time_stamp() + delay);
  }
  unsigned transport_dbg(tlm::tlm_generic_payload& payload) override { return isock->transport_dbg(payload); }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override {
    return isock->get_direct_mem_ptr(payload, dmi);
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override {
    tsock->invalidate_direct_mem_ptr(start, end);
  }

  TransactionTracker tracker_;
};

/// Bytes per traffic class and channel in consecutive bins of time; subscribe it to any number of monitors.
class BandwidthSeries : public tlm::tlm_analysis_if<TransactionRecord> {
 public:
  /// bin > 0. Memory grows with simulated time / bin; when `max_bins` is reached neighbours are merged and the bin
  /// doubles.
  explicit BandwidthSeries(const sc_core::sc_time& bin, std::size_t max_bins = 4096);
  /// A transaction's bytes are spread evenly from its acceptance to its response.
  void write(const TransactionRecord& record) override;

  struct Bin {
    std::array<std::uint64_t, traffic_class_count> bytes{};
  };
  const sc_core::sc_time& bin() const { return bin_; }
  unsigned channels() const { return static_cast<unsigned>(series_.size()); }
  /// Bins of one channel from time 0; trailing bins without traffic may be missing.
  const std::vector<Bin>& series(unsigned channel) const { return series_.at(channel); }
  std::uint64_t total(unsigned channel, TrafficClass traffic) const;
  std::uint64_t total(TrafficClass traffic) const;

 private:
  void add(unsigned channel, std::size_t index, TrafficClass traffic, std::uint64_t bytes);
  void coarsen();

  sc_core::sc_time bin_;
  std::size_t max_bins_;
  std::vector<std::vector<Bin>> series_;
};

}  // namespace harmonia::bus
