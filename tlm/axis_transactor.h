// Between chunks and pins: AXI4-Stream transactors for pin-level co-simulation.
//
// Models: the TVALID/TREADY/TDATA/TKEEP/TLAST handshake of AMBA AXI4-Stream (ARM IHI 0051A, chapter 2), one packet a
// chunk, TKEEP marking the bytes of the last beat, byte 0 in TDATA[7:0]. Pins are sampled at the rising edge of clk and
// driven after it; rst_n is synchronous and active low. Random gaps on either side with a seed. TUSER, up to 32 bits,
// is whatever a hook says of each beat. Does not model: TSTRB, TID, TDEST: a chunk's side-band fields do not cross the
// pins; AxisToStream asks for them.
//
// DATA is the pin's C++ type: sc_bv<BITS> by default; unsigned integers of at least BITS bits fit what Verilator makes
// of narrow ports.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <systemc>
#include <tlm>
#include <type_traits>
#include <utility>
#include <vector>

#include "harmonia/tlm/payload_pool.h"
#include "harmonia/tlm/stream.h"

namespace harmonia::bus {

namespace axis {

template <typename Pins>
void set_byte(Pins& pins, unsigned index, unsigned char byte) {
  if constexpr (std::is_integral_v<Pins>)
    pins = static_cast<Pins>((pins & ~(Pins{0xff} << (8 * index))) | (static_cast<Pins>(byte) << (8 * index)));
  else
    pins.range(static_cast<int>(8 * index + 7), static_cast<int>(8 * index)) = static_cast<unsigned>(byte);
}
template <typename Pins>
unsigned char get_byte(const Pins& pins, unsigned index) {
  if constexpr (std::is_integral_v<Pins>)
    return static_cast<unsigned char>(pins >> (8 * index));
  else
    return static_cast<unsigned char>(
        pins.range(static_cast<int>(8 * index + 7), static_cast<int>(8 * index)).to_uint());
}
template <typename Pins>
void set_bit(Pins& pins, unsigned index) {
  if constexpr (std::is_same_v<Pins, bool>)
    pins = true;
  else if constexpr (std::is_integral_v<Pins>)
    pins = static_cast<Pins>(pins | (Pins{1} << index));
  else
    pins[static_cast<int>(index)] = true;
}
template <typename Pins>
bool get_bit(const Pins& pins, unsigned index) {
  if constexpr (std::is_integral_v<Pins>)
    return (static_cast<std::uint64_t>(pins) >> index & 1) != 0;
  else
    return pins[static_cast<int>(index)].to_bool();
}

}  // namespace axis

/// The wires of one AXI4-Stream.
template <unsigned BITS, typename DATA = sc_dt::sc_bv<BITS>, typename KEEP = sc_dt::sc_bv<BITS / 8>>
struct AxisSignals {
  static_assert(BITS % 8 == 0 && BITS > 0, "TDATA is a whole number of bytes");
  explicit AxisSignals(const std::string& name)
      : tvalid((name + "_tvalid").c_str()),
        tready((name + "_tready").c_str()),
        tdata((name + "_tdata").c_str()),
        tkeep((name + "_tkeep").c_str()),
        tuser((name + "_tuser").c_str()),
        tlast((name + "_tlast").c_str()) {}
  /// Adds the wires to a wave file under their own names.
  void trace(sc_core::sc_trace_file* file) const {
    sc_core::sc_trace(file, tvalid, tvalid.name());
    sc_core::sc_trace(file, tready, tready.name());
    sc_core::sc_trace(file, tdata, tdata.name());
    sc_core::sc_trace(file, tkeep, tkeep.name());
    sc_core::sc_trace(file, tuser, tuser.name());
    sc_core::sc_trace(file, tlast, tlast.name());
  }
  sc_core::sc_signal<bool> tvalid, tready;
  sc_core::sc_signal<DATA> tdata;
  sc_core::sc_signal<KEEP> tkeep;
  sc_core::sc_signal<std::uint32_t> tuser;
  sc_core::sc_signal<bool> tlast;
};

/// Random gaps: in each cycle the side that may choose stays idle with this probability.
struct AxisStall {
  double probability = 0;
  std::uint64_t seed = 1;
};

/// Chunks in, pins out. Holds up to two chunks, so that packets can follow each other without a gap; a chunk is
/// accepted when a place is free. Data bytes are copied at acceptance.
template <unsigned BITS, typename DATA = sc_dt::sc_bv<BITS>, typename KEEP = sc_dt::sc_bv<BITS / 8>,
          unsigned BUSWIDTH = 32>
class StreamToAxis : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(StreamToAxis);
  explicit StreamToAxis(const sc_core::sc_module_name& name, AxisStall stall = {})
      : sc_core::sc_module(name), stall_(stall), random_(stall.seed) {
    tsock.on_chunk([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
      if (held_ == 2) return std::optional<sc_core::sc_time>();
      take(payload, arrival);
      return std::optional<sc_core::sc_time>(arrival);
    });
    SC_METHOD(clock);
    sensitive << clk.pos();
    dont_initialize();
  }
  void connect(AxisSignals<BITS, DATA, KEEP>& signals) {
    tvalid(signals.tvalid);
    tready(signals.tready);
    tdata(signals.tdata);
    tkeep(signals.tkeep);
    tuser(signals.tuser);
    tlast(signals.tlast);
  }
  /// What TUSER shows with each beat, asked in order; 0 without.
  void on_user(std::function<std::uint32_t()> user) { user_ = std::move(user); }
  /// Called when a beat has been taken.
  void on_taken(std::function<void()> taken) { taken_ = std::move(taken); }
  /// No chunk waits and no beat is on the pins.
  bool idle() const { return held_ == 0; }

  StreamSink<BUSWIDTH> tsock{"tsock"};
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> rst_n{"rst_n"};
  sc_core::sc_out<bool> tvalid{"tvalid"};
  sc_core::sc_in<bool> tready{"tready"};
  sc_core::sc_out<DATA> tdata{"tdata"};
  sc_core::sc_out<KEEP> tkeep{"tkeep"};
  sc_core::sc_out<std::uint32_t> tuser{"tuser"};
  sc_core::sc_out<bool> tlast{"tlast"};

 private:
  static constexpr std::size_t beat_bytes = BITS / 8;
  struct Slot {
    std::vector<unsigned char> bytes;
    sc_core::sc_time ready;
  };

  void take(const tlm::tlm_generic_payload& payload, const sc_core::sc_time& ready) {
    Slot& slot = slots_[(first_ + held_++) % 2];
    slot.ready = ready;
    slot.bytes.assign(payload.get_data_ptr(), payload.get_data_ptr() + payload.get_data_length());
  }
  void clock() {
    if (!rst_n.read()) {
      offset_ = 0;  // a packet cut by reset starts again from its first beat
      valid_ = false;
      tvalid.write(false);
      return;
    }
    if (valid_ && tready.read()) {
      valid_ = false;
      if (taken_) taken_();
      offset_ += beat_bytes;
      if (offset_ >= slots_[first_].bytes.size()) {
        offset_ = 0;
        first_ = 1 - first_;
        --held_;
        if (const tlm::tlm_generic_payload* waiting = tsock.pending()) {
          take(*waiting, sc_core::sc_time_stamp());
          tsock.accept(sc_core::sc_time_stamp());
        }
      }
    }
    if (!valid_ && held_ != 0 && slots_[first_].ready <= sc_core::sc_time_stamp() && !stalls()) {
      const std::vector<unsigned char>& bytes = slots_[first_].bytes;
      const std::size_t left = bytes.size() - offset_;
      DATA data{};
      KEEP keep{};
      for (unsigned i = 0; i < beat_bytes && i < left; ++i) {
        axis::set_byte(data, i, bytes[offset_ + i]);
        axis::set_bit(keep, i);
      }
      tdata.write(data);
      tkeep.write(keep);
      tuser.write(user_ ? user_() : 0);
      tlast.write(left <= beat_bytes);
      valid_ = true;
    }
    tvalid.write(valid_);
  }
  bool stalls() {
    return stall_.probability > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < stall_.probability;
  }

  AxisStall stall_;
  std::mt19937_64 random_;
  std::function<std::uint32_t()> user_;
  std::function<void()> taken_;
  Slot slots_[2];
  unsigned first_ = 0;
  unsigned held_ = 0;
  std::size_t offset_ = 0;
  bool valid_ = false;  // what tvalid shows after this edge
};

/// Pins in, chunks out: one chunk a packet, sent at the edge that takes its last beat. TREADY falls while the far side
/// has not taken the previous chunk.
template <unsigned BITS, typename DATA = sc_dt::sc_bv<BITS>, typename KEEP = sc_dt::sc_bv<BITS / 8>,
          unsigned BUSWIDTH = 32>
class AxisToStream : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(AxisToStream);
  explicit AxisToStream(const sc_core::sc_module_name& name, AxisStall stall = {})
      : sc_core::sc_module(name), stall_(stall), random_(stall.seed) {
    SC_METHOD(clock);
    sensitive << clk.pos();
    dont_initialize();
  }
  void connect(AxisSignals<BITS, DATA, KEEP>& signals) {
    tvalid(signals.tvalid);
    tready(signals.tready);
    tdata(signals.tdata);
    tkeep(signals.tkeep);
    tuser(signals.tuser);
    tlast(signals.tlast);
  }
  /// Fills in the side-band fields of each chunk (fields to set, packet length in bytes), in order of the packets.
  void on_packet(std::function<void(Chunk&, std::size_t)> describe) { describe_ = std::move(describe); }
  /// Called with TDATA, TKEEP, TUSER and TLAST of every beat that is taken, before its packet leaves.
  void on_beat(std::function<void(const DATA&, const KEEP&, std::uint32_t, bool)> beat) { beat_ = std::move(beat); }

  StreamSource<BUSWIDTH> isock{"isock"};
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> rst_n{"rst_n"};
  sc_core::sc_in<bool> tvalid{"tvalid"};
  sc_core::sc_out<bool> tready{"tready"};
  sc_core::sc_in<DATA> tdata{"tdata"};
  sc_core::sc_in<KEEP> tkeep{"tkeep"};
  sc_core::sc_in<std::uint32_t> tuser{"tuser"};
  sc_core::sc_in<bool> tlast{"tlast"};

 private:
  void clock() {
    if (!rst_n.read()) {
      bytes_.clear();
      ready_ = false;
      tready.write(false);
      return;
    }
    if (ready_ && tvalid.read()) {
      const DATA& data = tdata.read();
      const KEEP& keep = tkeep.read();
      for (unsigned i = 0; i < BITS / 8; ++i)
        if (axis::get_bit(keep, i)) bytes_.push_back(axis::get_byte(data, i));
      if (beat_) beat_(data, keep, tuser.read(), tlast.read());
      if (tlast.read()) finish();
    }
    ready_ = !isock.blocked() && isock.queued() == 0 && isock.free_at() <= sc_core::sc_time_stamp() && !stalls();
    tready.write(ready_);
  }
  void finish() {
    if (bytes_.empty()) return;  // a packet of null bytes only carries nothing
    const PayloadPtr payload =
        pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(bytes_.size()), Data::buffer);
    std::memcpy(payload->get_data_ptr(), bytes_.data(), bytes_.size());
    if (describe_) describe_(PayloadPool::chunk(payload), bytes_.size());
    bytes_.clear();
    isock.send(payload, sc_core::sc_time_stamp());
  }
  bool stalls() {
    return stall_.probability > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < stall_.probability;
  }

  AxisStall stall_;
  std::mt19937_64 random_;
  PayloadPool pool_;
  std::function<void(Chunk&, std::size_t)> describe_;
  std::function<void(const DATA&, const KEEP&, std::uint32_t, bool)> beat_;
  std::vector<unsigned char> bytes_;
  bool ready_ = false;  // what tready shows after this edge
};

/// Pin rules: TVALID once high stays high, and TDATA, TKEEP, TLAST stay as they are, until TREADY takes the beat (ARM
/// IHI 0051A, 2.2.1). A violation is counted and, unless a handler is set, an SC_REPORT_ERROR("/harmonia/bus/axis",
/// ...).
template <unsigned BITS, typename DATA = sc_dt::sc_bv<BITS>, typename KEEP = sc_dt::sc_bv<BITS / 8>>
class AxisChecker : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(AxisChecker);
  AxisChecker(const sc_core::sc_module_name& name, const AxisSignals<BITS, DATA, KEEP>& signals)
      : sc_core::sc_module(name), signals_(signals) {
    SC_METHOD(clock);
    sensitive << clk.pos();
    dont_initialize();
  }
  void on_violation(std::function<void(const std::string&)> handler) { handler_ = std::move(handler); }
  std::uint64_t violations() const { return violations_; }
  std::uint64_t beats() const { return beats_; }
  std::uint64_t cycles() const { return cycles_; }

  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> rst_n{"rst_n"};

 private:
  void clock() {
    if (!rst_n.read()) {
      waiting_ = false;
      return;
    }
    ++cycles_;
    if (waiting_ && !signals_.tvalid.read()) violate("TVALID fell before the beat was taken");
    if (waiting_ && signals_.tvalid.read() &&
        (!(signals_.tdata.read() == data_) || !(signals_.tkeep.read() == keep_) || signals_.tuser.read() != user_ ||
         signals_.tlast.read() != last_))
      violate("the beat changed before it was taken");
    waiting_ = signals_.tvalid.read() && !signals_.tready.read();
    if (signals_.tvalid.read() && signals_.tready.read()) ++beats_;
    data_ = signals_.tdata.read();
    keep_ = signals_.tkeep.read();
    user_ = signals_.tuser.read();
    last_ = signals_.tlast.read();
  }
  void violate(const char* what) {
    ++violations_;
    const std::string text = std::string(name()) + ": " + what;
    if (handler_)
      handler_(text);
    else
      SC_REPORT_ERROR("/harmonia/bus/axis", text.c_str());
  }

  const AxisSignals<BITS, DATA, KEEP>& signals_;
  std::function<void(const std::string&)> handler_;
  bool waiting_ = false;
  DATA data_{};
  KEEP keep_{};
  std::uint32_t user_ = 0;
  bool last_ = false;
  std::uint64_t violations_ = 0;
  std::uint64_t beats_ = 0;
  std::uint64_t cycles_ = 0;
};

}  // namespace harmonia::bus
