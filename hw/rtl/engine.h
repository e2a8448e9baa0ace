// What the four block classes share: a simulated block and a driver that optionally checks every result against the
// model.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "harmonia/hw/rtl/stream.h"

namespace harmonia::rtl {

/// Owns a block and drives it. With compare(), every result must have been announced by expect(), and the first that
/// differs throws Difference.
class Engine {
 public:
  Engine(std::unique_ptr<StreamDut> dut, bool compare, const Stalls& stalls)
      : dut_(std::move(dut)), side_by_side_(*dut_, stalls), compare_(compare) {}

  StreamDriver& driver() { return side_by_side_.driver(); }
  const StreamDriver& driver() const { return side_by_side_.driver(); }
  bool compare() const { return compare_; }
  void expect(const Beat& expected, const Beat& input, std::size_t stream = 0, std::string what = {}) {
    side_by_side_.expect(expected, input, stream, std::move(what));
  }
  /// Takes `results` results in order; checked first when comparing.
  template <class OnResult>
  void take(std::size_t results, OnResult on_result) {
    driver().run(results, [&](const Beat& beat) {
      if (compare_) side_by_side_.check(beat);
      on_result(beat);
    });
  }

 private:
  std::unique_ptr<StreamDut> dut_;
  SideBySide side_by_side_;
  bool compare_;
};

/// Transactions that are queued before results are taken: enough to keep a pipeline full, small enough for the cache.
inline constexpr std::size_t kBatch = 256;

}  // namespace harmonia::rtl
