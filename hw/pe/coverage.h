// Functional coverage of a processing element, from what it is given.
//
// Models: one group of 32 in each mode, by the exponent of the first operand, what the second one holds and what comes out.
// Does not model: accumulation across groups, streams and their stalls (rtl::StallCoverage).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/formats/pe.h"
#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::pe {

class PeCoverage {
 public:
  explicit PeCoverage(const std::string& instance);
  /// a: a stored BFP8 group; partial: the group's integer result.
  void sample(formats::PeMode mode, const std::uint8_t* a, std::int32_t partial);
  std::vector<coverage::Group> groups() const { return {dots_}; }

 private:
  coverage::Group dots_;
  int last_mode_ = -1;
};

}  // namespace harmonia::pe
