// An RTL block seen as valid/ready streams and clocked cycle by cycle, whichever simulator runs it: the fast path of
// co-simulation. Above it a driver with random stalls, and a side-by-side check against expected results.
// Source: AMBA 4 AXI4-Stream protocol specification, sections 2.2 (handshake) and 2.4 (byte qualifiers).
//
// Models: TVALID, TREADY, TDATA, TKEEP, TUSER, TLAST of any number of input streams and one output stream, on one clock
// with a synchronous active-low reset. Does not model: TID, TDEST, TSTRB, several clocks, delays within a cycle.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "harmonia/hw/rtl/stall_coverage.h"

namespace harmonia::rtl {

/// One transfer. `data` counts up to the stream's width, byte 0 in TDATA[7:0]; `keep` has bit i for byte i.
struct Beat {
  static constexpr std::size_t kMaxBytes = 64;
  std::array<std::uint8_t, kMaxBytes> data{};
  std::uint64_t keep = ~std::uint64_t{0};
  std::uint32_t user = 0;
  bool last = false;

  friend bool operator==(const Beat& a, const Beat& b) {
    return a.data == b.data && a.keep == b.keep && a.user == b.user && a.last == b.last;
  }
};

/// The low `bytes` bits of a keep mask.
constexpr std::uint64_t keep_of(std::size_t bytes) {
  return bytes >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bytes) - 1;
}

/// What a simulated block offers to its driver. A cycle is: drive the inputs, settle(), look at ready() and valid(),
/// clock(). Outputs that a block lacks read as a default Beat has them, with keep covering the width of the data.
class StreamDut {
 public:
  virtual ~StreamDut() = default;
  virtual const char* name() const = 0;
  virtual std::size_t inputs() const = 0;
  virtual const char* input_name(std::size_t input) const = 0;
  virtual std::size_t input_bytes(std::size_t input) const = 0;
  virtual std::size_t output_bytes() const = 0;
  virtual void set_reset(bool active) = 0;
  /// beat = nullptr takes TVALID low. The beat is copied.
  virtual void drive(std::size_t input, const Beat* beat) = 0;
  virtual void drive_ready(bool ready) = 0;
  /// Combinational evaluation, clock low.
  virtual void settle() = 0;
  virtual bool ready(std::size_t input) const = 0;
  virtual bool valid() const = 0;
  /// A status register of the block, or 0: the nonfinite counter of the converter.
  virtual std::uint64_t status() const { return 0; }
  virtual void result(Beat& beat) const = 0;
  /// Rising edge.
  virtual void clock() = 0;
};

/// Holds reset for `cycles` clock edges with every stream idle, then releases it for one edge more: no beat may be offered there.
void reset(StreamDut& dut, unsigned cycles = 2);

/// How often a stream pauses, in 1/1024: before offering the next beat, and in taking a result.
struct Stalls {
  std::uint32_t input = 0;
  std::uint32_t output = 0;
  std::uint64_t seed = 1;
};

/// Thrown at the first violation or difference. what() is a complete message.
class Difference : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Moves beats through a block. Checks the handshake on the way: a result once offered may neither vanish nor change
/// before it is taken (Difference otherwise).
class StreamDriver {
 public:
  explicit StreamDriver(StreamDut& dut, const Stalls& stalls = {});

  StreamDut& dut() { return dut_; }
  const StreamDut& dut() const { return dut_; }
  void set_stalls(const Stalls& stalls);
  /// What samples every cycle from now on (inputs, then the output); null: nothing does. Must outlive the driver.
  void set_coverage(StallCoverage* coverage) { coverage_ = coverage; }
  /// Queues a beat. Beats of one stream keep their order; between streams the block's own rules hold.
  void push(std::size_t input, const Beat& beat);
  /// Beats of a stream that the block has not accepted yet.
  std::size_t pending(std::size_t input) const { return streams_[input].count; }
  /// One clock cycle. True when a result was taken, which is then in last_result().
  bool cycle();
  const Beat& last_result() const { return result_; }
  /// Runs until `results` results were taken, each handed to `on_result`. Throws Difference when nothing moves for
  /// `patience` cycles.
  void run(std::size_t results, const std::function<void(const Beat&)>& on_result, std::uint64_t patience = 10000);
  /// Drops queued beats and holds the block in reset for two cycles.
  void reset();

  std::uint64_t cycles() const { return cycles_; }
  std::uint64_t accepted(std::size_t input) const { return streams_[input].accepted; }
  /// Cycle in which the last result was taken.
  std::uint64_t last_result_cycle() const { return last_result_cycle_; }

 private:
  struct Stream {
    std::vector<Beat> ring;
    std::size_t head = 0;
    std::size_t count = 0;
    std::uint64_t accepted = 0;
    bool offered = false;
  };
  bool chance(std::uint32_t of_1024);

  StreamDut& dut_;
  std::vector<Stream> streams_;
  Stalls stalls_;
  std::minstd_rand random_;
  Beat result_;
  Beat held_;
  bool holding_ = false;
  bool ready_ = false;
  std::uint64_t cycles_ = 0;
  std::uint64_t last_result_cycle_ = 0;
  StallCoverage* coverage_ = nullptr;
};

/// Model and RTL in lock step: every transaction is pushed together with the result that the model gives for it, and
/// the first result of the RTL that differs ends the run with a Difference which names the block, the transaction with
/// its input, expected and actual bytes, the bytes that differ, and the cycle.
class SideBySide {
 public:
  explicit SideBySide(StreamDut& dut, const Stalls& stalls = {}) : driver_(dut, stalls) {}

  StreamDriver& driver() { return driver_; }
  const StreamDriver& driver() const { return driver_; }
  /// `input`, a beat of stream `stream`, is kept for the message only; push the beats themselves through driver().
  void expect(const Beat& expected, const Beat& input, std::size_t stream = 0, std::string what = {});
  /// Runs until no expected result is outstanding.
  void drain();
  /// Compares one result with the oldest expected one.
  void check(const Beat& actual);
  std::uint64_t compared() const { return compared_; }

 private:
  struct Expected {
    Beat beat;
    Beat input;
    std::size_t stream;
    std::string what;
  };
  StreamDriver driver_;
  std::deque<Expected> expected_;
  std::uint64_t compared_ = 0;
};

/// "0a 1b .." of the first `bytes` bytes.
std::string hex(const Beat& beat, std::size_t bytes);

}  // namespace harmonia::rtl
