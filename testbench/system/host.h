// The host in front of the accelerator: a thread that starts steps and waits for them.
//
// Models: one step under way at a time. Does not model: the time a host takes between steps.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <systemc>
#include <utility>
#include <vector>

#include "harmonia/hw/accelerator/sequencer.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::testbench {

class Host : public sc_core::sc_module {
 public:
  /// `body` runs as a thread from time zero; an exception that leaves it stops the simulation and is kept in `failure`. Without
  /// a body steps are asked for from another host's thread.
  Host(sc_core::sc_module_name name, std::function<void(Host&)> body) : sc_module(name), body_(std::move(body)) {
    if (body_) SC_THREAD(run);
    isock.on_response([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
      failed_ = payload.get_response_status() != tlm::TLM_OK_RESPONSE;
      wakeup_.at(when);
    });
  }

  bus::MemoryInitiator<> isock{"isock"};
  std::exception_ptr failure;

  bool finished() const { return finished_; }
  /// Runs one step; called from the body.
  void step(const accelerator::StepWork& work, std::uint32_t layers = 0, std::uint32_t head_columns = 0,
            bool single_linear = false) {
    const std::vector<unsigned char> bytes = accelerator::encode_step(work, layers, head_columns, single_linear);
    bus::PayloadPtr payload =
        pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(bytes.size()), bus::Data::buffer);
    std::memcpy(payload->get_data_ptr(), bytes.data(), bytes.size());
    exchange(std::move(payload), "a step was refused");
  }
  /// Logits of the last step, [sequences that wanted them][vocabulary], the first `count`; functional runs only.
  std::vector<formats::Fp16> logits(std::size_t count) {
    bus::PayloadPtr payload = pool_.make(tlm::TLM_READ_COMMAND, 0, static_cast<unsigned>(2 * count), bus::Data::buffer);
    const bus::PayloadPtr kept = payload;
    exchange(std::move(payload), "logits could not be read");
    std::vector<formats::Fp16> values(count);
    std::memcpy(static_cast<void*>(values.data()), kept->get_data_ptr(), 2 * count);
    return values;
  }

 private:
  SC_HAS_PROCESS(Host);
  void exchange(bus::PayloadPtr payload, const char* what) {
    isock.send(std::move(payload), sc_core::sc_time_stamp());
    sc_core::wait(done_);
    if (failed_) throw std::runtime_error(what);
  }
  void run() {
    try {
      body_(*this);
      finished_ = true;
    } catch (...) {
      failure = std::current_exception();
    }
    sc_core::sc_stop();
  }

  std::function<void(Host&)> body_;
  bus::PayloadPool pool_;
  sc_core::sc_event done_;
  bus::Wakeup wakeup_{[this] { done_.notify(); }};
  bool failed_ = false, finished_ = false;
};

}  // namespace harmonia::testbench
