// The pin-level path: a block as `verilator --sc` makes it, its streams on SystemC signals, driven and read by the
// AXI4-Stream transactors of tlm/, on a clock that runs while there is work. The slow path, for debugging: waves show
// every pin.
//
// Models: the same work as the fast path, in simulated time. Does not model: pieces of work overlapping: a piece ends
// when its last result is out, so that each costs its pipeline once more than on the fast path, and three cycles of the
// transactors' registers.
//
// A block is described by a Pins class: constructed with a name, it creates the block, connects clk and rst_n and its
// streams (Pins::inputs, Pins::output as PinStreamIn and PinStreamOut).
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "harmonia/hw/rtl/instance.h"
#include "harmonia/tlm/axis_transactor.h"
#include "harmonia/tlm/clock.h"

namespace harmonia::rtl {

/// One input stream: beats to a transactor.
class PinInput {
 public:
  virtual ~PinInput() = default;
  virtual void send(const std::vector<Beat>& beats) = 0;
  virtual std::size_t width_bytes() const = 0;
  virtual void clocked(sc_core::sc_signal<bool>& clk, sc_core::sc_signal<bool>& rst_n) = 0;
  virtual void trace(sc_core::sc_trace_file* file) const = 0;
  std::function<void()> taken;
};

template <unsigned BITS, typename DATA = sc_dt::sc_bv<BITS>, typename KEEP = sc_dt::sc_bv<BITS / 8>>
class PinStreamIn final : public PinInput {
 public:
  explicit PinStreamIn(const std::string& name)
      : signals(name), transactor_((name + "_driver").c_str()), source_((name + "_source").c_str()) {
    transactor_.connect(signals);
    source_.bind(transactor_.tsock);
    transactor_.on_user([this] {
      const std::uint32_t user = users_.front();
      users_.pop_front();
      return user;
    });
    transactor_.on_taken([this] {
      if (taken) taken();
    });
  }
  /// A packet ends where a beat says so.
  void send(const std::vector<Beat>& beats) override {
    std::vector<unsigned char> bytes;
    for (std::size_t i = 0; i < beats.size(); ++i) {
      const Beat& beat = beats[i];
      users_.push_back(beat.user);
      std::size_t kept = BITS / 8;
      while (kept > 1 && (beat.keep >> (kept - 1) & 1) == 0) --kept;
      bytes.insert(bytes.end(), beat.data.begin(), beat.data.begin() + static_cast<std::ptrdiff_t>(kept));
      if (!beat.last && i + 1 != beats.size()) continue;
      const bus::PayloadPtr payload =
          pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(bytes.size()), bus::Data::buffer);
      std::memcpy(payload->get_data_ptr(), bytes.data(), bytes.size());
      source_.send(payload, sc_core::sc_time_stamp());
      bytes.clear();
    }
  }
  std::size_t width_bytes() const override { return BITS / 8; }
  void clocked(sc_core::sc_signal<bool>& clk, sc_core::sc_signal<bool>& rst_n) override {
    transactor_.clk(clk);
    transactor_.rst_n(rst_n);
  }
  void trace(sc_core::sc_trace_file* file) const override { signals.trace(file); }

  bus::AxisSignals<BITS, DATA, KEEP> signals;

 private:
  bus::PayloadPool pool_;
  bus::StreamToAxis<BITS, DATA, KEEP> transactor_;
  bus::StreamSource<> source_;
  std::deque<std::uint32_t> users_;
};

/// The output stream: a transactor to beats.
class PinOutput {
 public:
  virtual ~PinOutput() = default;
  virtual void clocked(sc_core::sc_signal<bool>& clk, sc_core::sc_signal<bool>& rst_n) = 0;
  virtual void trace(sc_core::sc_trace_file* file) const = 0;
  std::function<void(const Beat&)> result;
};

template <unsigned BITS, typename DATA = sc_dt::sc_bv<BITS>, typename KEEP = sc_dt::sc_bv<BITS / 8>>
class PinStreamOut final : public PinOutput {
 public:
  /// has_keep: the block drives TKEEP; otherwise every byte counts.
  PinStreamOut(const std::string& name, bool has_keep)
      : signals(name), has_keep_(has_keep), transactor_((name + "_reader").c_str()), sink_((name + "_sink").c_str()) {
    transactor_.connect(signals);
    transactor_.isock.bind(sink_);
    sink_.on_chunk([](tlm::tlm_generic_payload&, const sc_core::sc_time& arrival) {
      return std::optional<sc_core::sc_time>(arrival);
    });
    transactor_.on_beat([this](const DATA& data, const KEEP& keep, std::uint32_t user, bool last) {
      Beat beat;
      beat.keep = has_keep_ ? 0 : keep_of(BITS / 8);
      for (unsigned i = 0; i < BITS / 8; ++i) {
        beat.data[i] = bus::axis::get_byte(data, i);
        if (has_keep_ && bus::axis::get_bit(keep, i)) beat.keep |= std::uint64_t{1} << i;
      }
      beat.user = user;
      beat.last = last;
      result(beat);
    });
  }
  void clocked(sc_core::sc_signal<bool>& clk, sc_core::sc_signal<bool>& rst_n) override {
    transactor_.clk(clk);
    transactor_.rst_n(rst_n);
  }
  void trace(sc_core::sc_trace_file* file) const override { signals.trace(file); }

  bus::AxisSignals<BITS, DATA, KEEP> signals;

 private:
  bool has_keep_;
  bus::AxisToStream<BITS, DATA, KEEP> transactor_;
  bus::StreamSink<> sink_;
};

template <class Pins>
class PinInstance final : public sc_core::sc_module, public Instance {
 public:
  SC_HAS_PROCESS(PinInstance);
  /// vcd: wave file without its suffix; empty: none.
  PinInstance(const sc_core::sc_module_name& name, double clock_mhz, const std::string& vcd)
      : sc_core::sc_module(name), clock_(clock_mhz), pins_(clk_, rst_n_) {
    for (const auto& input : pins_.inputs) input->clocked(clk_, rst_n_);
    pins_.output->clocked(clk_, rst_n_);
    for (std::size_t i = 0; i < pins_.inputs.size(); ++i)
      pins_.inputs[i]->taken = [this, i] {
        outcome_.accept_ends[i] = outcome_.begin + (edges_ - first_edge_);
        --to_accept_;
      };
    pins_.output->result = [this](const Beat& beat) { outcome_.results.push_back(beat); };
    if (!vcd.empty()) {
      file_ = sc_core::sc_create_vcd_trace_file(vcd.c_str());
      sc_core::sc_trace(file_, clk_, "clk");
      sc_core::sc_trace(file_, rst_n_, "rst_n");
      for (const auto& input : pins_.inputs) input->trace(file_);
      pins_.output->trace(file_);
    }
    SC_METHOD(toggle);
    sensitive << toggle_;
  }
  ~PinInstance() override {
    if (file_ != nullptr) sc_core::sc_close_vcd_trace_file(file_);
  }

  void run(StreamJob&& job, bus::Cycle start, Done done) override {
    job_ = std::move(job);
    done_ = std::move(done);
    outcome_ = StreamOutcome();
    outcome_.begin = outcome_.result_end = start;
    outcome_.accept_ends.assign(job_.inputs.size(), start);
    to_accept_ = 0;
    for (const auto& beats : job_.inputs) to_accept_ += beats.size();
    sent_ = false;
    working_ = true;
    const sc_core::sc_time now = sc_core::sc_time_stamp(), at = clock_.time(std::max(start, clock_.cycle(now)));
    if (edges_ >= kResetEdges || !started_) toggle_.notify(at - now);
  }

 private:
  static constexpr std::uint64_t kResetEdges = 3;
  static constexpr std::uint64_t kPatience = 10000;

  /// Half a cycle: the clock runs for reset, then while there is work.
  void toggle() {
    started_ = true;
    const sc_core::sc_time half = clock_.time(1) / 2;
    if (clk_.read()) {
      clk_.write(false);
      rst_n_.write(edges_ >= kResetEdges);
      if (edges_ >= kResetEdges && working_ && sent_ && to_accept_ == 0 && outcome_.results.size() == job_.results) {
        finish();
        if (!working_) return;
      }
      if (edges_ < kResetEdges || working_) toggle_.notify(half);
      return;
    }
    if (edges_ >= kResetEdges && !working_) return;
    if (edges_ >= kResetEdges && !sent_) {
      sent_ = true;
      first_edge_ = edges_;
      for (std::size_t i = 0; i < job_.inputs.size(); ++i)
        if (!job_.inputs[i].empty()) pins_.inputs[i]->send(job_.inputs[i]);
    }
    if (sent_ && edges_ - first_edge_ > kPatience + 4 * job_.results)
      throw Difference(job_.what + ": nothing has come out of the pins for " + std::to_string(kPatience) + " cycles");
    ++edges_;
    clk_.write(true);
    toggle_.notify(half);
  }
  void finish() {
    outcome_.result_end = outcome_.begin + (edges_ - first_edge_);
    outcome_.status = pins_.status();
    working_ = false;
    StreamOutcome outcome = std::move(outcome_);
    const Done done = std::move(done_);
    done(std::move(outcome));
  }

  bus::Clock clock_;
  sc_core::sc_signal<bool> clk_{"clk"}, rst_n_{"rst_n"};
  Pins pins_;
  sc_core::sc_event toggle_;
  sc_core::sc_trace_file* file_ = nullptr;
  StreamJob job_;
  Done done_;
  StreamOutcome outcome_;
  std::size_t to_accept_ = 0;
  std::uint64_t edges_ = 0, first_edge_ = 0;
  bool started_ = false, working_ = false, sent_ = false;
};

}  // namespace harmonia::rtl
