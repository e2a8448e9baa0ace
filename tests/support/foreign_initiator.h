// An AT initiator on tlm_utils, written from the standard alone: what our targets must work with.
//
// Models: a base-protocol initiator of every manner. Delays are annotated on requests at random; a request is taken as
// over at END_REQ, BEGIN_RESP or completion, whichever comes first; a response is ended by TLM_COMPLETED, by END_RESP
// on the return path or by END_RESP later, at random. Up to `most` transactions are under way. Does not model: loosely
// timed calls, debug transport, DMI.
#pragma once

#include <tlm_utils/peq_with_cb_and_phase.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <functional>
#include <random>
#include <systemc>
#include <tlm>
#include <utility>

#include "harmonia/tlm/payload_pool.h"

namespace harmonia::test {

struct ForeignInitiator : sc_core::sc_module {
  /// Gives the next transaction from the pool; null ends the run.
  using Next = std::function<bus::PayloadPtr(bus::PayloadPool&, std::mt19937_64&)>;

  SC_HAS_PROCESS(ForeignInitiator);
  ForeignInitiator(const sc_core::sc_module_name& name, std::uint64_t seed, unsigned most, Next next)
      : sc_core::sc_module(name), most_(most), next_(std::move(next)), random_(seed) {
    isock.register_nb_transport_bw(this, &ForeignInitiator::nb_transport_bw);
    SC_THREAD(run);
  }

  tlm_utils::simple_initiator_socket<ForeignInitiator> isock{"isock"};
  bus::PayloadPool pool;
  /// Sees every answered transaction before it goes back to the pool.
  std::function<void(tlm::tlm_generic_payload&)> on_answer;
  std::uint64_t answers = 0, errors = 0;
  std::uint64_t stray = 0;  // calls with a phase that has no place

 private:
  sc_core::sc_time some_ns(unsigned below) {
    return sc_core::sc_time(static_cast<double>(random_() % below), sc_core::SC_NS);
  }

  void run() {
    while (const bus::PayloadPtr payload = next_(pool, random_)) send(*payload);
  }
  void send(tlm::tlm_generic_payload& payload) {
    while (under_way_ == most_) wait(answered_);
    payload.acquire();
    ++under_way_;
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time delay = some_ns(3);
    requesting_ = &payload;
    const tlm::tlm_sync_enum status = isock->nb_transport_fw(payload, phase, delay);
    if (status == tlm::TLM_COMPLETED) {
      wait(delay);
      finish(payload);
    } else if (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP) {
      wait(delay);
      end(payload);
    } else if (status == tlm::TLM_UPDATED) {
      wait(delay);
    } else {
      while (requesting_ == &payload) wait(accepted_);
    }
    requesting_ = nullptr;
  }
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    if (requesting_ == &payload) {
      requesting_ = nullptr;
      accepted_.notify(delay);
    }
    if (phase == tlm::END_REQ) return tlm::TLM_ACCEPTED;
    if (phase != tlm::BEGIN_RESP) ++stray;
    switch (random_() % 3) {
      case 0:
        finish(payload);
        return tlm::TLM_COMPLETED;
      case 1:
        phase = tlm::END_RESP;
        delay += sc_core::sc_time(2, sc_core::SC_NS);
        finish(payload);
        return tlm::TLM_UPDATED;
      default:
        ends_.notify(payload, tlm::END_RESP, delay + some_ns(30));
        return tlm::TLM_ACCEPTED;
    }
  }
  void due(tlm::tlm_generic_payload& payload, const tlm::tlm_phase&) { end(payload); }
  void end(tlm::tlm_generic_payload& payload) {
    tlm::tlm_phase phase = tlm::END_RESP;
    sc_core::sc_time delay;
    isock->nb_transport_fw(payload, phase, delay);
    finish(payload);
  }
  void finish(tlm::tlm_generic_payload& payload) {
    ++answers;
    if (!payload.is_response_ok()) ++errors;
    if (on_answer) on_answer(payload);
    payload.release();
    --under_way_;
    answered_.notify(sc_core::SC_ZERO_TIME);
  }

  unsigned most_;
  Next next_;
  std::mt19937_64 random_;
  unsigned under_way_ = 0;
  tlm::tlm_generic_payload* requesting_ = nullptr;
  sc_core::sc_event accepted_, answered_;
  tlm_utils::peq_with_cb_and_phase<ForeignInitiator> ends_{this, &ForeignInitiator::due};
};

}  // namespace harmonia::test
