// Functional coverage of the FP16-to-BFP converter, from what it is given.
//
// Models: groups of a row by mantissa, exponent spread, largest element, signs and what truncation takes; a value that joins
//   a growing group by its place and by its exponent against the group's.
// Does not model: streams and their stalls (rtl::StallCoverage), rows that pass unchanged.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::converter {

class ConverterCoverage {
 public:
  explicit ConverterCoverage(const std::string& instance);
  /// A group of at most 32 values; the rest counts as zeros.
  void sample_row(const formats::BfpFormat& format, const formats::Fp16* x, std::size_t count);
  /// A value that goes to place 0..31 of a stored BFP8 group.
  void sample_growth(formats::Fp16 x, int place, const std::uint8_t* stored);
  std::vector<coverage::Group> groups() const { return {rows_, growth_}; }

 private:
  coverage::Group rows_, growth_;
};

}  // namespace harmonia::converter
