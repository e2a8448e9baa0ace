// Any Verilator model (`verilator --cc`) as a StreamDut: bind its ports by name once, and the driver, the stalls, the
// side-by-side check and the SystemC shell work with it.
//
//   rtl::VerilatedDut<Vmy_block> dut("my_block", [](Vmy_block& m, rtl::Ports& p) {
//     p.clock(m.clk, m.rst_n);
//     p.input("s_axis", m.s_axis_tvalid, m.s_axis_tready).data(m.s_axis_tdata, 512).last(m.s_axis_tlast);
//     p.output("m_axis", m.m_axis_tvalid, m.m_axis_tready).data(m.m_axis_tdata, 296).last(m.m_axis_tlast);
//   });
//
// Models: one clock, synchronous active-low reset, up to 16 input streams and one output stream, TDATA up to 512 bits,
// TUSER up to 32, TKEEP up to 64. Does not model: waveforms (the pin path has them). Registers start from random values
// (Verilator's --x-initial unique), so that nothing can rely on an initial state that silicon does not have.
#pragma once

#include <verilated.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "harmonia/hw/rtl/stream.h"

namespace harmonia::rtl {

/// One port of a Verilator model, whatever the width.
class Port {
 public:
  Port() = default;
  Port(CData& signal, unsigned bits) : kind_(1), signal_(&signal), bits_(bits) {}
  Port(SData& signal, unsigned bits) : kind_(2), signal_(&signal), bits_(bits) {}
  Port(IData& signal, unsigned bits) : kind_(4), signal_(&signal), bits_(bits) {}
  Port(QData& signal, unsigned bits) : kind_(8), signal_(&signal), bits_(bits) {}
  template <std::size_t Words>
  Port(VlWide<Words>& signal, unsigned bits) : kind_(0), signal_(signal.data()), bits_(bits) {}

  explicit operator bool() const { return signal_ != nullptr; }
  std::size_t bytes() const { return (bits_ + 7) / 8; }
  std::uint64_t get() const {
    switch (kind_) {
      case 1:
        return *static_cast<const CData*>(signal_);
      case 2:
        return *static_cast<const SData*>(signal_);
      case 4:
        return *static_cast<const IData*>(signal_);
      case 8:
        return *static_cast<const QData*>(signal_);
      default: {
        const auto* words = static_cast<const EData*>(signal_);
        return words[0] | (bits_ > 32 ? static_cast<std::uint64_t>(words[1]) << 32 : 0);
      }
    }
  }
  void set(std::uint64_t value) {
    if (bits_ < 64) value &= (std::uint64_t{1} << bits_) - 1;
    switch (kind_) {
      case 1:
        *static_cast<CData*>(signal_) = static_cast<CData>(value);
        break;
      case 2:
        *static_cast<SData*>(signal_) = static_cast<SData>(value);
        break;
      case 4:
        *static_cast<IData*>(signal_) = static_cast<IData>(value);
        break;
      case 8:
        *static_cast<QData*>(signal_) = static_cast<QData>(value);
        break;
      default: {
        auto* words = static_cast<EData*>(signal_);
        words[0] = static_cast<EData>(value);
        if (bits_ > 32) words[1] = static_cast<EData>(value >> 32);
      }
    }
  }
  void set_bytes(const std::uint8_t* from) {
    if (kind_) return set(word(from, bytes()));
    auto* words = static_cast<EData*>(signal_);
    const unsigned whole = bits_ / 32;
    for (unsigned w = 0; w < whole; ++w) words[w] = static_cast<EData>(word(from + 4 * w, 4));
    if (const unsigned rest = bits_ % 32) {
      words[whole] = static_cast<EData>(word(from + 4 * whole, (rest + 7) / 8) & ((std::uint64_t{1} << rest) - 1));
    }
  }
  void get_bytes(std::uint8_t* to) const {
    const std::size_t n = bytes();
    if (kind_) {
      const std::uint64_t value = get();
      for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<std::uint8_t>(value >> 8 * i);
      return;
    }
    const auto* words = static_cast<const EData*>(signal_);
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<std::uint8_t>(words[i / 4] >> 8 * (i % 4));
  }

 private:
  static std::uint64_t word(const std::uint8_t* from, std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(from[i]) << 8 * i;
    return value;
  }

  int kind_ = 0;
  void* signal_ = nullptr;
  unsigned bits_ = 0;
};

/// The ports of one stream.
class StreamPorts {
 public:
  StreamPorts(const char* stream, CData& valid, CData& ready) : name(stream), tvalid(&valid), tready(&ready) {}
  template <class Signal>
  StreamPorts& data(Signal& signal, unsigned bits) {
    tdata = Port(signal, bits);
    return *this;
  }
  template <class Signal>
  StreamPorts& keep(Signal& signal, unsigned bits) {
    tkeep = Port(signal, bits);
    return *this;
  }
  template <class Signal>
  StreamPorts& user(Signal& signal, unsigned bits) {
    tuser = Port(signal, bits);
    return *this;
  }
  StreamPorts& last(CData& signal) {
    tlast = &signal;
    return *this;
  }

  const char* name;
  CData* tvalid;
  CData* tready;
  Port tdata, tkeep, tuser;
  CData* tlast = nullptr;
};

/// Filled in by the binding function of a VerilatedDut.
class Ports {
 public:
  void clock(CData& clk_port, CData& rst_n_port) {
    clk = &clk_port;
    rst_n = &rst_n_port;
  }
  StreamPorts& input(const char* name, CData& tvalid, CData& tready) {
    inputs.push_back(std::make_unique<StreamPorts>(name, tvalid, tready));
    return *inputs.back();
  }
  StreamPorts& output(const char* name, CData& tvalid, CData& tready) {
    out = std::make_unique<StreamPorts>(name, tvalid, tready);
    return *out;
  }
  template <class Signal>
  void status(Signal& signal) {
    status_register = Port(signal, 8 * sizeof(Signal));
  }

  CData* clk = nullptr;
  CData* rst_n = nullptr;
  Port status_register;
  std::vector<std::unique_ptr<StreamPorts>> inputs;
  std::unique_ptr<StreamPorts> out;
};

/// One model in a simulation context of its own.
template <class Model>
class VerilatedDut : public StreamDut {
 public:
  /// `bind(Model&, Ports&)` names the ports. Throws std::invalid_argument when clock, output or a width is missing or
  /// too large.
  template <class Bind>
  VerilatedDut(const char* name, Bind bind) : name_(name) {
    context_->randReset(2);
    context_->randSeed(1);
    model_ = std::make_unique<Model>(context_.get(), name);
    bind(*model_, ports_);
    if (!ports_.clk || !ports_.rst_n || !ports_.out || ports_.inputs.empty() || ports_.inputs.size() > 16) {
      throw std::invalid_argument(std::string(name) + ": bind clock and reset, 1 to 16 inputs and the output");
    }
    for (const auto& stream : ports_.inputs) check(*stream);
    check(*ports_.out);
    rtl::reset(*this);
  }
  ~VerilatedDut() override { model_->final(); }

  Model& model() { return *model_; }

  const char* name() const override { return name_; }
  std::size_t inputs() const override { return ports_.inputs.size(); }
  const char* input_name(std::size_t input) const override { return ports_.inputs[input]->name; }
  std::size_t input_bytes(std::size_t input) const override { return ports_.inputs[input]->tdata.bytes(); }
  std::size_t output_bytes() const override { return ports_.out->tdata.bytes(); }
  void set_reset(bool active) override { *ports_.rst_n = !active; }
  void drive(std::size_t input, const Beat* beat) override {
    StreamPorts& stream = *ports_.inputs[input];
    *stream.tvalid = beat != nullptr;
    if (!beat) return;
    stream.tdata.set_bytes(beat->data.data());
    if (stream.tkeep) stream.tkeep.set(beat->keep);
    if (stream.tuser) stream.tuser.set(beat->user);
    if (stream.tlast) *stream.tlast = beat->last;
  }
  void drive_ready(bool ready) override { *ports_.out->tready = ready; }
  void settle() override {
    *ports_.clk = 0;
    model_->eval();
  }
  bool ready(std::size_t input) const override { return *ports_.inputs[input]->tready; }
  bool valid() const override { return *ports_.out->tvalid; }
  std::uint64_t status() const override { return ports_.status_register ? ports_.status_register.get() : 0; }
  void result(Beat& beat) const override {
    const StreamPorts& stream = *ports_.out;
    stream.tdata.get_bytes(beat.data.data());
    beat.keep = stream.tkeep ? stream.tkeep.get() : keep_of(stream.tdata.bytes());
    beat.user = stream.tuser ? static_cast<std::uint32_t>(stream.tuser.get()) : 0;
    beat.last = stream.tlast && *stream.tlast;
  }
  void clock() override {
    *ports_.clk = 1;
    model_->eval();
  }

 private:
  void check(const StreamPorts& stream) const {
    if (!stream.tdata || stream.tdata.bytes() > Beat::kMaxBytes || stream.tkeep.bytes() > 8 ||
        stream.tuser.bytes() > 4) {
      throw std::invalid_argument(std::string(name_) + "." + stream.name +
                                  ": expected tdata of at most 512 bits, tkeep of 64, tuser of 32");
    }
  }

  const char* name_;
  std::unique_ptr<VerilatedContext> context_ = std::make_unique<VerilatedContext>();
  std::unique_ptr<Model> model_;
  Ports ports_;
};

}  // namespace harmonia::rtl
