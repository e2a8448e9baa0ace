#include "harmonia/hw/rtl/stream.h"

#include <algorithm>
#include <sstream>

namespace harmonia::rtl {

void reset(StreamDut& dut, unsigned cycles) {
  dut.set_reset(true);
  for (std::size_t i = 0; i < dut.inputs(); ++i) dut.drive(i, nullptr);
  dut.drive_ready(false);
  for (unsigned i = 0; i < cycles; ++i) {
    dut.settle();
    dut.clock();
  }
  dut.set_reset(false);
  // TVALID may rise at an edge after one that saw ARESETn high, not before (AMBA 4 AXI4-Stream, 2.7.2).
  dut.settle();
  dut.clock();
}

std::string hex(const Beat& beat, std::size_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < std::min(bytes, Beat::kMaxBytes); ++i) {
    if (i) text += ' ';
    text += kDigits[beat.data[i] >> 4];
    text += kDigits[beat.data[i] & 15];
  }
  return text;
}

StreamDriver::StreamDriver(StreamDut& dut, const Stalls& stalls)
    : dut_(dut), streams_(dut.inputs()), stalls_(stalls), random_(static_cast<std::uint32_t>(stalls.seed)) {
  for (Stream& stream : streams_) stream.ring.resize(16);
  reset();
}

void StreamDriver::set_stalls(const Stalls& stalls) {
  stalls_ = stalls;
  random_.seed(static_cast<std::uint32_t>(stalls.seed));
}

void StreamDriver::reset() {
  for (Stream& stream : streams_) {
    stream.head = stream.count = 0;
    stream.offered = false;
  }
  holding_ = ready_ = false;
  rtl::reset(dut_);
}

void StreamDriver::push(std::size_t input, const Beat& beat) {
  Stream& stream = streams_[input];
  if (stream.count == stream.ring.size()) {
    std::rotate(stream.ring.begin(), stream.ring.begin() + static_cast<std::ptrdiff_t>(stream.head), stream.ring.end());
    stream.head = 0;
    stream.ring.resize(2 * stream.ring.size());
  }
  std::size_t at = stream.head + stream.count;
  if (at >= stream.ring.size()) at -= stream.ring.size();
  stream.ring[at] = beat;
  ++stream.count;
}

bool StreamDriver::chance(std::uint32_t of_1024) { return of_1024 && (random_() >> 8 & 1023) < of_1024; }

bool StreamDriver::cycle() {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    // An offered beat stays until it is accepted, as the protocol demands.
    if (stream.offered || stream.count == 0 || chance(stalls_.input)) continue;
    stream.offered = true;
    dut_.drive(i, &stream.ring[stream.head]);
  }
  const bool ready = !chance(stalls_.output);
  if (ready != ready_) {
    ready_ = ready;
    dut_.drive_ready(ready);
  }
  dut_.settle();

  const bool valid = dut_.valid();
  const bool taken = valid && ready;
  if (valid) dut_.result(result_);
  if (holding_ && (!valid || !(result_ == held_))) {
    std::ostringstream text;
    text << dut_.name() << ": cycle " << cycles_ << ": the result on m_axis "
         << (valid ? "changed" : "vanished (tvalid fell)") << " before it was taken\n  offered  "
         << hex(held_, dut_.output_bytes());
    if (valid) text << "\n  now      " << hex(result_, dut_.output_bytes());
    throw Difference(text.str());
  }
  holding_ = valid && !ready;
  if (holding_) held_ = result_;
  if (taken) last_result_cycle_ = cycles_;

  // Who is accepted is decided by the levels before the edge; TVALID may only fall after it.
  std::uint32_t accepted = 0;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (streams_[i].offered && dut_.ready(i)) accepted |= 1U << i;
  }
  if (coverage_ != nullptr) {
    for (std::size_t i = 0; i < streams_.size(); ++i) coverage_->cycle(i, streams_[i].offered, accepted >> i & 1);
    coverage_->cycle(streams_.size(), valid, ready);
  }
  dut_.clock();
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (!(accepted >> i & 1)) continue;
    Stream& stream = streams_[i];
    stream.head = stream.head + 1 == stream.ring.size() ? 0 : stream.head + 1;
    --stream.count;
    ++stream.accepted;
    if (stream.count && !chance(stalls_.input)) {
      dut_.drive(i, &stream.ring[stream.head]);
    } else {
      stream.offered = false;
      dut_.drive(i, nullptr);
    }
  }
  ++cycles_;
  return taken;
}

void StreamDriver::run(std::size_t results, const std::function<void(const Beat&)>& on_result, std::uint64_t patience) {
  std::uint64_t idle = 0;
  while (results) {
    if (cycle()) {
      on_result(result_);
      --results;
      idle = 0;
    } else if (++idle > patience) {
      std::ostringstream text;
      text << dut_.name() << ": cycle " << cycles_ << ": no result for " << patience << " cycles, " << results
           << " still expected; waiting to be accepted:";
      for (std::size_t i = 0; i < streams_.size(); ++i) text << ' ' << dut_.input_name(i) << ' ' << streams_[i].count;
      throw Difference(text.str());
    }
  }
}

void SideBySide::expect(const Beat& expected, const Beat& input, std::size_t stream, std::string what) {
  expected_.push_back({expected, input, stream, std::move(what)});
}

void SideBySide::drain() {
  driver_.run(expected_.size(), [this](const Beat& actual) { check(actual); });
}

void SideBySide::check(const Beat& actual) {
  if (expected_.empty()) {
    throw Difference(std::string(driver_.dut().name()) + ": cycle " + std::to_string(driver_.last_result_cycle()) +
                     ": a result that nothing was sent for: " + hex(actual, driver_.dut().output_bytes()));
  }
  const Expected& expected = expected_.front();
  if (!(actual == expected.beat)) {
    const StreamDut& dut = driver_.dut();
    const std::size_t bytes = dut.output_bytes();
    std::ostringstream text;
    text << dut.name() << ": RTL and model differ in transaction " << compared_;
    if (!expected.what.empty()) text << " (" << expected.what << ')';
    text << " at cycle " << driver_.last_result_cycle() << "\n  input    "
         << hex(expected.input, dut.input_bytes(expected.stream)) << " on " << dut.input_name(expected.stream)
         << ", tuser " << expected.input.user << "\n  expected " << hex(expected.beat, bytes) << "\n  actual   "
         << hex(actual, bytes) << "\n  differs ";
    for (std::size_t i = 0; i < bytes; ++i) {
      if (actual.data[i] != expected.beat.data[i]) text << " byte " << i;
    }
    if (actual.keep != expected.beat.keep) {
      text << " tkeep " << std::hex << actual.keep << " for " << expected.beat.keep << std::dec;
    }
    if (actual.user != expected.beat.user) text << " tuser " << actual.user << " for " << expected.beat.user;
    if (actual.last != expected.beat.last) text << " tlast " << actual.last << " for " << expected.beat.last;
    throw Difference(text.str());
  }
  expected_.pop_front();
  ++compared_;
}

}  // namespace harmonia::rtl
