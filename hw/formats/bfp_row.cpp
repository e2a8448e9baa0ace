// Stored rows: the scalar loops over groups, and the choice between them and the vectorised paths.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/simd.h"

namespace harmonia::formats {
namespace {

std::size_t encode_row_scalar(const BfpFormat& format, const Fp16* x, std::size_t n, std::uint8_t* out) {
  const auto g = static_cast<std::size_t>(format.group_size);
  std::size_t nonfinite = 0;
  BfpGroup group;
  for (std::size_t i = 0; i < n; i += g, out += format.group_bytes()) {
    nonfinite += static_cast<std::size_t>(encode(format, x + i, static_cast<int>(std::min(g, n - i)), &group));
    pack(format, group, out);
  }
  return nonfinite;
}

template <typename Value>
void decode_row_scalar(const BfpFormat& format, const std::uint8_t* in, std::size_t n, Value* out) {
  const auto g = static_cast<std::size_t>(format.group_size);
  BfpGroup group;
  for (std::size_t i = 0; i < n; i += g, in += format.group_bytes()) {
    unpack(format, in, &group);
    for (std::size_t k = 0; k < std::min(g, n - i); ++k) {
      const float value = decode(format, group, static_cast<int>(k));
      if constexpr (std::is_same_v<Value, float>) {
        out[i + k] = value;
      } else {
        out[i + k] = to_fp16(value);
      }
    }
  }
}

}  // namespace

std::size_t encode_row(const BfpFormat& format, const Fp16* x, std::size_t n, std::uint8_t* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vector_format(format) && use_avx2()) return avx2::encode_row(format, x, n, out);
#endif
  return encode_row_scalar(format, x, n, out);
}

void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, float* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vector_format(format) && use_avx2()) return avx2::decode_row(format, in, n, out);
#endif
  decode_row_scalar(format, in, n, out);
}

void decode_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, Fp16* out) noexcept {
#if HARMONIA_FORMATS_AVX2
  if (vector_format(format) && use_avx2()) return avx2::decode_row(format, in, n, out);
#endif
  decode_row_scalar(format, in, n, out);
}

void demote_row(const BfpFormat& from, const BfpFormat& to, const std::uint8_t* in, std::size_t groups,
                std::uint8_t* out) noexcept {
  // The kept planes are the first bytes of a group; forward moves make in == out safe.
  for (std::size_t g = 0; g < groups; ++g, in += from.group_bytes(), out += to.group_bytes()) {
    std::memmove(out, in, to.group_bytes());
  }
}

void clear_stored(const BfpFormat& format, std::uint8_t* group) noexcept {
  std::memset(group, 0, format.group_bytes());
  group[0] = 1;
}

int append_stored(const BfpFormat& format, Fp16 x, int count, std::uint8_t* group) noexcept {
  const Fp16Parts p = split(x);
  if (is_finite(x) && format.rounding == Rounding::kTruncate && group[0] != 0 &&
      (p.significand == 0 || p.exponent <= group[0])) {
    // The shared exponent stays: only this element's bits are written.
    const auto i = static_cast<std::size_t>(count);
    const int shift = group[0] - p.exponent + 11 - format.mantissa_bits;
    const int planes = format.planes();
    const unsigned m = (shift > 11 ? 0u : static_cast<unsigned>(p.significand) >> shift)
                       << (4 * planes - format.mantissa_bits);
    const unsigned sign_bit = 1u << (i % 8);
    group[1 + i / 8] =
        static_cast<std::uint8_t>(p.negative ? group[1 + i / 8] | sign_bit : group[1 + i / 8] & ~sign_bit);
    for (int k = 0; k < planes; ++k) {
      std::uint8_t& byte = group[1 + format.sign_bytes() + static_cast<std::size_t>(k) * format.plane_bytes() + i / 2];
      const unsigned nibble = (m >> (4 * (planes - 1 - k))) & 15u;
      byte = static_cast<std::uint8_t>((byte & (i % 2 == 0 ? 0xf0u : 0x0fu)) | (nibble << (4 * (i % 2))));
    }
    return 0;
  }
  BfpGroup g;
  unpack(format, group, &g);
  const int nonfinite = append(format, x, count, &g);
  pack(format, g, group);
  return nonfinite;
}

std::size_t append_row(const BfpFormat& format, const Fp16* x, std::size_t channels, int count,
                       std::uint8_t* groups) noexcept {
  std::size_t nonfinite = 0;
  for (std::size_t c = 0; c < channels; ++c) {
    nonfinite += static_cast<std::size_t>(append_stored(format, x[c], count, groups + c * format.group_bytes()));
  }
  return nonfinite;
}

void compact_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, std::uint8_t* out) noexcept {
  const std::size_t groups = format.groups(n);
  const auto bits = static_cast<std::size_t>(format.exponent_bits);
  const std::size_t exponent_bytes = (groups * bits + 7) / 8;
  std::memset(out, 0, exponent_bytes);
  std::uint8_t* body = out + exponent_bytes;
  for (std::size_t g = 0; g < groups; ++g, in += format.group_bytes(), body += format.group_bytes() - 1) {
    const std::size_t at = g * bits;
    const unsigned shifted = static_cast<unsigned>(in[0] & ((1u << bits) - 1)) << (at % 8);
    out[at / 8] = static_cast<std::uint8_t>(out[at / 8] | (shifted & 255u));
    if (at % 8 + bits > 8) out[at / 8 + 1] = static_cast<std::uint8_t>(shifted >> 8);
    std::memcpy(body, in + 1, format.group_bytes() - 1);
  }
}

void expand_row(const BfpFormat& format, const std::uint8_t* in, std::size_t n, std::uint8_t* out) noexcept {
  const std::size_t groups = format.groups(n);
  const auto bits = static_cast<std::size_t>(format.exponent_bits);
  const std::uint8_t* body = in + (groups * bits + 7) / 8;
  for (std::size_t g = 0; g < groups; ++g, out += format.group_bytes(), body += format.group_bytes() - 1) {
    const std::size_t at = g * bits;
    unsigned window = in[at / 8];
    if (at % 8 + bits > 8) window |= static_cast<unsigned>(in[at / 8 + 1]) << 8;
    out[0] = static_cast<std::uint8_t>((window >> (at % 8)) & ((1u << bits) - 1));
    std::memcpy(out + 1, body, format.group_bytes() - 1);
  }
}

}  // namespace harmonia::formats
