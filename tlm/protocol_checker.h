// Base-protocol rules, checked on any TLM connection.
//
// Models: nothing; it neither delays nor changes a transaction. Rules are those of IEEE 1666-2011 (11.1, 14, 15.2) as
// named by Rule. A violation goes to the handler; without one it is an SC_REPORT_ERROR("/harmonia/bus/protocol", ...).
// Does not model: extended protocols; ignorable phases pass through.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <systemc>
#include <tlm>
#include <utility>
#include <vector>

namespace harmonia::bus {

enum class Rule {
  phase_on_wrong_path,  ///< BEGIN_REQ and END_RESP go forward, END_REQ and BEGIN_RESP backward
  phase_order,          ///< a phase that does not follow the transaction's last one
  unknown_transaction,  ///< a phase of a transaction that was never begun, or is over: answered twice
  request_exclusion,    ///< BEGIN_REQ while another request has not been accepted
  response_exclusion,   ///< BEGIN_RESP while another response has not been ended
  time_backwards,       ///< a phase earlier than the transaction's last one
  payload_changed,      ///< an attribute differs from what it was at BEGIN_REQ
  payload_reused,       ///< BEGIN_REQ of a payload that is still under way
  request_attributes,   ///< illegal length, pointer, streaming width, byte enables, status or DMI hint in a request
  response_status,      ///< a response without a status
  return_value,         ///< a return value or phase that the base protocol does not allow here
  memory_management,    ///< nb_transport without a memory manager or without a reference
  lost_transaction,     ///< not answered by the end of the simulation
};
const char* name_of(Rule rule);

/// The rules themselves, without sockets.
class ProtocolRules {
 public:
  using Handler = std::function<void(Rule, const std::string&)>;
  explicit ProtocolRules(std::string name) : name_(std::move(name)) {}

  /// Before a call (phase as passed in), then after it (phase and delay as returned).
  void before(bool forward, const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase,
              const sc_core::sc_time& delay);
  void after(bool forward, const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& called,
             const tlm::tlm_phase& phase, tlm::tlm_sync_enum status, const sc_core::sc_time& delay);
  void before_blocking(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay);
  void after_blocking(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& started);
  /// Every transaction must be over.
  void finish();

  void on_violation(Handler handler) { handler_ = std::move(handler); }
  /// An interconnect that rewrites the address of the initiator's own payload is legal; ours do not.
  void set_address_may_change(bool may) { address_may_change_ = may; }
  std::uint64_t violations() const { return violations_; }
  std::uint64_t begun() const { return begun_; }
  std::uint64_t completed() const { return completed_; }
  std::size_t open() const { return open_.size(); }

 private:
  enum class State { requesting, accepted, responding };
  struct Open {
    const tlm::tlm_generic_payload* payload;
    State state;
    sc_core::sc_time last;
    tlm::tlm_command command;
    std::uint64_t address;
    const unsigned char* data;
    unsigned length;
    unsigned streaming_width;
    const unsigned char* byte_enables;
    unsigned byte_enable_length;
  };

  void violate(Rule rule, const tlm::tlm_generic_payload& payload, const char* what);
  Open* find(const tlm::tlm_generic_payload& payload);
  void close(const tlm::tlm_generic_payload& payload);
  void check_request(const tlm::tlm_generic_payload& payload);
  void check_unchanged(const Open& open);
  void check_time(Open& open, const sc_core::sc_time& when);
  void advance(const tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase, const sc_core::sc_time& when);

  std::string name_;
  Handler handler_;
  bool address_may_change_ = false;
  std::vector<Open> open_;
  const tlm::tlm_generic_payload* requesting_ = nullptr;
  const tlm::tlm_generic_payload* responding_ = nullptr;
  std::uint64_t violations_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t completed_ = 0;
};

/// Binds between any initiator and target.
template <unsigned BUSWIDTH = 32>
class ProtocolChecker : public sc_core::sc_module,
                        private tlm::tlm_fw_transport_if<>,
                        private tlm::tlm_bw_transport_if<> {
 public:
  explicit ProtocolChecker(const sc_core::sc_module_name& name) : sc_core::sc_module(name), rules(this->name()) {
    tsock.bind(static_cast<tlm::tlm_fw_transport_if<>&>(*this));
    isock.bind(static_cast<tlm::tlm_bw_transport_if<>&>(*this));
  }

  tlm::tlm_target_socket<BUSWIDTH> tsock{"tsock"};
  tlm::tlm_initiator_socket<BUSWIDTH> isock{"isock"};
  ProtocolRules rules;

 private:
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    const tlm::tlm_phase called = phase;
    rules.before(true, payload, phase, delay);
    const tlm::tlm_sync_enum status = isock->nb_transport_fw(payload, phase, delay);
    rules.after(true, payload, called, phase, status, delay);
    return status;
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override {
    const tlm::tlm_phase called = phase;
    // The initiator may release its reference in the call: ours keeps the payload readable after it.
    if (payload.has_mm()) payload.acquire();
    rules.before(false, payload, phase, delay);
    const tlm::tlm_sync_enum status = tsock->nb_transport_bw(payload, phase, delay);
    rules.after(false, payload, called, phase, status, delay);
    if (payload.has_mm()) payload.release();
    return status;
  }
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
    const sc_core::sc_time started = sc_core::sc_time_stamp() + delay;
    rules.before_blocking(payload, delay);
    isock->b_transport(payload, delay);
    const sc_core::sc_time ended = sc_core::sc_time_stamp() + delay;
    rules.after_blocking(payload, started <= ended ? started : sc_core::sc_max_time());
  }
  unsigned transport_dbg(tlm::tlm_generic_payload& payload) override { return isock->transport_dbg(payload); }
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override {
    return isock->get_direct_mem_ptr(payload, dmi);
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64 start, sc_dt::uint64 end) override {
    tsock->invalidate_direct_mem_ptr(start, end);
  }
};

}  // namespace harmonia::bus
