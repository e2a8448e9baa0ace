// Functional coverage of the back-pressure on a block's AXI streams.
//
// Models: how long each offered beat waits for TREADY, and how long a stream pauses between two beats, for each input and for
//   the output. Does not model: what the beats hold (coverage.h of each block).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::rtl {

class StallCoverage {
 public:
  /// Which beats the block lets wait: any; the first of a transfer of several beats, which is then taken as a whole; none,
  /// so that a beat that waits hits an illegal bin.
  enum class Waits { any, first, none };
  struct StreamName {
    std::string name;
    Waits waits = Waits::any;
  };
  /// `streams`: the inputs, then the output.
  StallCoverage(const std::string& instance, const std::vector<StreamName>& streams) {
    for (const auto& [name, waits] : streams) {
      coverage::Group g("axis.beats", instance + "." + name);
      coverage::Point& wait = g.point("wait", "cycles with TVALID and without TREADY before the beat was taken");
      wait.bin("0", 0);
      if (waits == Waits::none)
        wait.illegal("1 and more", 1, kMost);
      else
        wait.bin("1 and more", 1, kMost);
      g.point("pause", "cycles without TVALID since the beat before").bin("0", 0).bin("1 and more", 1, kMost);
      g.cross("wait x pause", {"wait", "pause"});
      if (waits == Waits::first) g.ignore("wait x pause", {{"wait", "1 and more"}, {"pause", "0"}});
      streams_.push_back({g, 0, 0, false});
    }
  }
  /// One clock cycle of a stream, from its levels before the edge.
  void cycle(std::size_t stream, bool valid, bool ready) {
    Stream& s = streams_[stream];
    if (!valid) {
      ++s.pause;
    } else if (!ready) {
      ++s.wait;
    } else {
      s.group.sample({s.wait, s.began ? coverage::Group::Value(s.pause) : coverage::Group::Value()});
      s.wait = s.pause = 0;
      s.began = true;
    }
  }
  std::vector<coverage::Group> groups() const {
    std::vector<coverage::Group> all;
    for (const Stream& s : streams_) all.push_back(s.group);
    return all;
  }

 private:
  static constexpr std::int64_t kMost = std::int64_t{1} << 62;
  struct Stream {
    coverage::Group group;
    std::int64_t wait, pause;
    bool began;
  };
  std::vector<Stream> streams_;
};

}  // namespace harmonia::rtl
