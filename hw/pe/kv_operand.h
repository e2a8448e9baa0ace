// How a tile's B operand from the KV cache reads out of its stream: planes of BFP groups, or plain rows.
//
// Models: the order of bytes on the KV stream (main planes of all units, then low planes of the wide ones). Does not
// model: where that lies in memory (hw/kv_cache/layout.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/int8_row.h"
#include "harmonia/hw/pe/descriptor.h"

namespace harmonia::pe {

using formats::kBfpLowBytes;
using formats::kBfpMainBytes;

/// How many of the units (tokens of K, groups of V) come with a low plane.
inline std::uint64_t wide_units(const GroupedCache& d, std::uint64_t units) {
  const std::uint64_t local = std::max(d.wide_local, d.wide_initial);  // windows that overlap count once
  return std::min<std::uint64_t>(d.wide_initial, units) + (units > local ? units - local : 0);
}

/// Stored groups of one unit (a token of K, a group of V) put together from the planes of the stream.
class Planes {
 public:
  Planes(const GroupedCache& d, const std::uint8_t* stream, std::uint64_t units, std::size_t groups_per_unit)
      : d_(d), main_(stream), low_(stream + units * groups_per_unit * kBfpMainBytes), groups_(groups_per_unit) {}

  bool wide(std::uint64_t unit) const { return unit < d_.wide_initial || unit >= d_.wide_local; }
  /// Writes group g of a unit: a BFP8 group when the unit is wide, otherwise a BFP4 group.
  void group(std::uint64_t unit, std::size_t g, std::uint8_t* out) const {
    std::memcpy(out, main_ + (unit * groups_ + g) * kBfpMainBytes, kBfpMainBytes);
    if (!wide(unit)) return;
    const std::uint64_t rank =
        unit < d_.wide_initial ? unit : d_.wide_initial + (unit - std::max(d_.wide_local, d_.wide_initial));
    std::memcpy(out + kBfpMainBytes, low_ + (rank * groups_ + g) * kBfpLowBytes, kBfpLowBytes);
  }

 private:
  const GroupedCache& d_;
  const std::uint8_t* main_;
  const std::uint8_t* low_;
  std::size_t groups_;
};

/// Bytes of a token's row of `channels` in an FP16 or INT8 cache.
inline std::size_t plain_row_bytes(const PlainCache& cache, std::size_t channels) {
  return cache.int8 ? formats::int8_row_bytes(channels) : 2 * channels;
}

/// One element of an FP16 or INT8 cache row as FP16.
inline formats::Fp16 plain_element(const PlainCache& cache, const std::uint8_t* row, std::size_t i) {
  if (cache.int8) return formats::decode_int8(row, i);
  formats::Fp16 x;
  std::memcpy(static_cast<void*>(&x), row + 2 * i, 2);
  return x;
}

}  // namespace harmonia::pe
