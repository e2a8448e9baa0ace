// Functional coverage of the outlier smoother, from what it is given.
//
// Models: smoothed channels of a head, offsets and keys by class, and what the subtraction makes of them.
// Does not model: how offsets are chosen, streams and their stalls (rtl::StallCoverage).
#pragma once

#include <string>
#include <vector>

#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::smoother {

class SmootherCoverage {
 public:
  explicit SmootherCoverage(const std::string& instance);
  /// A key of one head before its offsets are subtracted.
  void sample(const formats::KeyOffsets& offsets, const formats::Fp16* key);
  std::vector<coverage::Group> groups() const { return {heads_, channels_}; }

 private:
  coverage::Group heads_, channels_;
};

}  // namespace harmonia::smoother
