// Operands for the RTL tests: every random source is an engine with a printed seed; the extremes are mixed in.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

#include "harmonia/hw/formats/bfp.h"

namespace harmonia::test {

using Random = std::mt19937_64;

/// FP16 values of several kinds, so that every group size of exponent spread, subnormals, zeros and nonfinite values
/// occur, each kind for a whole group at a time.
inline void random_fp16(Random& random, formats::Fp16* x, std::size_t n) {
  const std::uint64_t kind = random() % 8;
  const int base = static_cast<int>(random() % 30) + 1;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t r = random();
    std::uint16_t bits = static_cast<std::uint16_t>(r);
    switch (kind) {
      case 0:
        break;  // any bit pattern at all
      case 1:
        bits &= 0x83ff;
        break;  // subnormals
      case 2:
        bits = r >> 16 & 3 ? 0 : bits & 0x8000;
        break;  // zeros of both signs
      case 3:
        bits = static_cast<std::uint16_t>((bits & 0x8000) | 0x7bff);
        break;  // all maximum
      case 4:
        if ((r >> 16 & 7) == 0)
          bits = static_cast<std::uint16_t>(r >> 19 & 1 ? (bits & 0x8000) | 0x7c00 : bits | 0x7c00);
        else
          bits &= 0xbfff;
        break;    // some nonfinite
      default: {  // near one exponent, as activations are
        const int e = std::min(30, std::max(0, base - static_cast<int>(r >> 16 & 15)));
        bits = static_cast<std::uint16_t>((bits & 0x83ff) | e << 10);
      }
    }
    x[i].bits = bits;
  }
}

/// A stored group as an encoder writes it, or (one in eight) any planes under any exponent of 1..30.
inline void random_group(Random& random, const formats::BfpFormat& format, std::uint8_t* out) {
  if (random() % 8 == 0) {
    out[0] = static_cast<std::uint8_t>(1 + random() % 30);
    for (std::size_t i = 1; i < format.group_bytes(); ++i) out[i] = static_cast<std::uint8_t>(random());
    return;
  }
  std::array<formats::Fp16, formats::kMaxGroupSize> x;
  random_fp16(random, x.data(), static_cast<std::size_t>(format.group_size));
  formats::encode_row(format, x.data(), static_cast<std::size_t>(format.group_size), out);
}

/// A stored group whose elements have the largest magnitude and one sign.
inline void largest_group(Random& random, const formats::BfpFormat& format, std::uint8_t* out) {
  const std::uint64_t r = random();
  out[0] = static_cast<std::uint8_t>(1 + (r >> 1) % 30);
  std::fill(out + 1, out + 1 + format.sign_bytes(), static_cast<std::uint8_t>(r & 1 ? 0xff : 0));
  std::fill(out + 1 + format.sign_bytes(), out + format.group_bytes(), std::uint8_t{0xff});
}

}  // namespace harmonia::test
