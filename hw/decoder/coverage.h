// Functional coverage of the K-means look-up-table decoder, from what it is given.
//
// Models: lengths of rows, block scales, codes of a block, entries of a codebook, zero-points.
// Does not model: streams and their stalls (rtl::StallCoverage); a codebook that comes while a row is in flight is a
//   matter of streams too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::decoder {

class DecoderCoverage {
 public:
  explicit DecoderCoverage(const std::string& instance);
  /// 2^bits entries, bits 1, 2 or 4.
  void sample_codebook(int bits, const std::int8_t* entries);
  /// A row of `columns` codes, packed from the low bits of each byte up, with one BF16 scale for each 64 of them.
  /// zero_points: null where the format has none.
  void sample_row(int bits, const std::uint8_t* codes, std::size_t columns, const std::uint16_t* scales,
                  const std::uint8_t* zero_points);
  std::vector<coverage::Group> groups() const { return {codebooks_, rows_, blocks_}; }

 private:
  coverage::Group codebooks_, rows_, blocks_;
};

}  // namespace harmonia::decoder
