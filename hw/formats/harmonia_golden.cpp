#include "harmonia/hw/formats/harmonia_golden.h"

#include <new>
#include <stdexcept>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/formats/weights/weight_format.h"

namespace {

using namespace harmonia::formats;

Fp16* fp16_out(std::uint16_t* words) { return reinterpret_cast<Fp16*>(words); }

template <typename... Pointer>
bool any_null(const Pointer*... pointers) {
  return (... || (pointers == nullptr));
}

// More elements than any buffer can have would overflow the byte counts below.
bool too_long(std::uint64_t n) { return n > (std::uint64_t{1} << 48); }

// A format and the check of stored rows in it.
struct Stored {
  BfpFormat format;

  Stored(std::int32_t group_size, std::int32_t mantissa_bits, std::int32_t rounding = 0)
      : format{group_size, mantissa_bits, static_cast<Rounding>(rounding), 8} {}
  bool known() const { return format.valid(); }
  bool fits(std::uint64_t n, std::uint64_t bytes) const { return !too_long(n) && bytes >= format.row_bytes(n); }
  // Encoders write exponents 1..31; others have no value.
  std::int32_t check(const std::uint8_t* row, std::uint64_t n) const {
    for (std::size_t g = 0; g < format.groups(n); ++g) {
      const std::uint8_t e = row[g * format.group_bytes()];
      if (e < 1 || e > 31) return HARMONIA_BAD_VALUE;
    }
    return HARMONIA_OK;
  }
};

std::int32_t deliver(float value, float* sum, std::uint16_t* fp16) {
  *sum = value;
  if (fp16 != nullptr) *fp16 = to_fp16(value).bits;
  return HARMONIA_OK;
}

bool within(const std::int16_t* w, std::uint64_t n, int limit) {
  for (std::uint64_t i = 0; i < n; ++i) {
    if (w[i] < -limit || w[i] > limit) return false;
  }
  return true;
}

bool codebook_entry(std::int32_t q) { return q >= -127 && q <= 127; }

std::uint64_t pieces(std::uint64_t n, std::uint64_t size) { return n / size + (n % size != 0 ? 1 : 0); }

}  // namespace

const char* harmonia_error_text(std::int32_t code) {
  switch (code) {
    case HARMONIA_OK:
      return "HARMONIA_OK: done";
    case HARMONIA_NULL_POINTER:
      return "HARMONIA_NULL_POINTER: a pointer that is needed is null";
    case HARMONIA_BAD_LENGTH:
      return "HARMONIA_BAD_LENGTH: a buffer is too small, or a length does not divide or is out of range";
    case HARMONIA_BAD_FORMAT:
      return "HARMONIA_BAD_FORMAT: no such group size, mantissa width, rounding or index width";
    case HARMONIA_BAD_VALUE:
      return "HARMONIA_BAD_VALUE: an element is outside what its format can hold";
    case HARMONIA_FAILED:
      return "HARMONIA_FAILED: out of memory";
    default:
      return "unknown code";
  }
}

std::int32_t harmonia_fp16_to_fp32(const std::uint16_t* in, std::uint64_t n, float* out) {
  if (any_null(in, out)) return HARMONIA_NULL_POINTER;
  if (too_long(n)) return HARMONIA_BAD_LENGTH;
  to_float(as_fp16(in), n, out);
  return HARMONIA_OK;
}

std::int32_t harmonia_fp32_to_fp16(const float* in, std::uint64_t n, std::uint16_t* out) {
  if (any_null(in, out)) return HARMONIA_NULL_POINTER;
  if (too_long(n)) return HARMONIA_BAD_LENGTH;
  to_fp16(in, n, fp16_out(out));
  return HARMONIA_OK;
}

std::int32_t harmonia_bf16_to_fp32(const std::uint16_t* in, std::uint64_t n, float* out) {
  if (any_null(in, out)) return HARMONIA_NULL_POINTER;
  if (too_long(n)) return HARMONIA_BAD_LENGTH;
  to_float(as_bf16(in), n, out);
  return HARMONIA_OK;
}

std::int32_t harmonia_fp32_to_bf16(const float* in, std::uint64_t n, std::uint16_t* out) {
  if (any_null(in, out)) return HARMONIA_NULL_POINTER;
  if (too_long(n)) return HARMONIA_BAD_LENGTH;
  to_bf16(in, n, reinterpret_cast<Bf16*>(out));
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_row_bytes(std::int32_t group_size, std::int32_t mantissa_bits, std::uint64_t n,
                                    std::uint64_t* bytes) {
  const Stored row(group_size, mantissa_bits);
  if (any_null(bytes)) return HARMONIA_NULL_POINTER;
  if (!row.known()) return HARMONIA_BAD_FORMAT;
  if (too_long(n)) return HARMONIA_BAD_LENGTH;
  *bytes = row.format.row_bytes(n);
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_encode(std::int32_t group_size, std::int32_t mantissa_bits, std::int32_t rounding,
                                 const std::uint16_t* x, std::uint64_t n, std::uint8_t* stored,
                                 std::uint64_t stored_bytes, std::uint64_t* nonfinite) {
  if (rounding != 0 && rounding != 1) return HARMONIA_BAD_FORMAT;
  const Stored row(group_size, mantissa_bits, rounding);
  if (any_null(x, stored)) return HARMONIA_NULL_POINTER;
  if (!row.known()) return HARMONIA_BAD_FORMAT;
  if (!row.fits(n, stored_bytes)) return HARMONIA_BAD_LENGTH;
  const std::size_t counted = encode_row(row.format, as_fp16(x), n, stored);
  if (nonfinite != nullptr) *nonfinite = counted;
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_decode_fp16(std::int32_t group_size, std::int32_t mantissa_bits, const std::uint8_t* stored,
                                      std::uint64_t stored_bytes, std::uint64_t n, std::uint16_t* x) {
  const Stored row(group_size, mantissa_bits);
  if (any_null(stored, x)) return HARMONIA_NULL_POINTER;
  if (!row.known()) return HARMONIA_BAD_FORMAT;
  if (!row.fits(n, stored_bytes)) return HARMONIA_BAD_LENGTH;
  if (const std::int32_t code = row.check(stored, n)) return code;
  decode_row(row.format, stored, n, fp16_out(x));
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_decode_fp32(std::int32_t group_size, std::int32_t mantissa_bits, const std::uint8_t* stored,
                                      std::uint64_t stored_bytes, std::uint64_t n, float* x) {
  const Stored row(group_size, mantissa_bits);
  if (any_null(stored, x)) return HARMONIA_NULL_POINTER;
  if (!row.known()) return HARMONIA_BAD_FORMAT;
  if (!row.fits(n, stored_bytes)) return HARMONIA_BAD_LENGTH;
  if (const std::int32_t code = row.check(stored, n)) return code;
  decode_row(row.format, stored, n, x);
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_pack(std::int32_t group_size, std::int32_t mantissa_bits, std::int32_t exponent,
                               const std::uint8_t* negative, const std::uint16_t* magnitude, std::uint8_t* stored,
                               std::uint64_t stored_bytes) {
  const Stored row(group_size, mantissa_bits);
  if (any_null(negative, stored, magnitude)) return HARMONIA_NULL_POINTER;
  if (!row.known()) return HARMONIA_BAD_FORMAT;
  if (stored_bytes < row.format.group_bytes()) return HARMONIA_BAD_LENGTH;
  if (exponent < 1 || exponent > 31) return HARMONIA_BAD_VALUE;
  BfpGroup group;
  group.exponent = exponent;
  for (std::size_t i = 0; i < static_cast<std::size_t>(group_size); ++i) {
    if (negative[i] > 1 || (magnitude[i] >> mantissa_bits) != 0) return HARMONIA_BAD_VALUE;
    group.negative[i] = negative[i] != 0;
    group.magnitude[i] = magnitude[i];
  }
  pack(row.format, group, stored);
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_unpack(std::int32_t group_size, std::int32_t mantissa_bits, const std::uint8_t* stored,
                                 std::uint64_t stored_bytes, std::int32_t* exponent, std::uint8_t* negative,
                                 std::uint16_t* magnitude) {
  const Stored row(group_size, mantissa_bits);
  if (any_null(stored, negative, exponent, magnitude)) return HARMONIA_NULL_POINTER;
  if (!row.known()) return HARMONIA_BAD_FORMAT;
  if (stored_bytes < row.format.group_bytes()) return HARMONIA_BAD_LENGTH;
  if (const std::int32_t code = row.check(stored, 1)) return code;
  BfpGroup group;
  unpack(row.format, stored, &group);
  *exponent = group.exponent;
  for (std::size_t i = 0; i < static_cast<std::size_t>(group_size); ++i) {
    negative[i] = group.negative[i] ? 1 : 0;
    magnitude[i] = group.magnitude[i];
  }
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_demote_8_to_4(std::int32_t group_size, const std::uint8_t* in, std::uint64_t in_bytes,
                                        std::uint64_t groups, std::uint8_t* out, std::uint64_t out_bytes) {
  const Stored from(group_size, 8);
  const Stored to(group_size, 4);
  if (any_null(in, out)) return HARMONIA_NULL_POINTER;
  if (!from.known()) return HARMONIA_BAD_FORMAT;
  if (too_long(groups) || in_bytes < groups * from.format.group_bytes() ||
      out_bytes < groups * to.format.group_bytes()) {
    return HARMONIA_BAD_LENGTH;
  }
  demote_row(from.format, to.format, in, groups, out);
  return HARMONIA_OK;
}

std::int32_t harmonia_bfp_append(std::int32_t group_size, std::int32_t mantissa_bits, std::uint16_t x,
                                 std::int32_t count, std::uint8_t* stored, std::uint64_t stored_bytes) {
  const Stored row(group_size, mantissa_bits);
  if (any_null(stored)) return HARMONIA_NULL_POINTER;
  if (!row.known()) return HARMONIA_BAD_FORMAT;
  if (count < 0 || count >= group_size || stored_bytes < row.format.group_bytes()) return HARMONIA_BAD_LENGTH;
  if (const std::int32_t code = row.check(stored, 1)) return code;
  append_stored(row.format, Fp16{x}, count, stored);
  return HARMONIA_OK;
}

std::int32_t harmonia_pe_partial_bfp(std::int32_t group_size, std::int32_t a_bits, const std::uint8_t* a,
                                     std::uint64_t a_bytes, std::int32_t b_bits, const std::uint8_t* b,
                                     std::uint64_t b_bytes, std::int32_t* partial) {
  const Stored fa(group_size, a_bits);
  const Stored fb(group_size, b_bits);
  if (any_null(a, b, partial)) return HARMONIA_NULL_POINTER;
  if (!fa.known() || !fb.known()) return HARMONIA_BAD_FORMAT;
  if (!fa.fits(1, a_bytes) || !fb.fits(1, b_bytes)) return HARMONIA_BAD_LENGTH;
  *partial = partial_bfp(fa.format, a, fb.format, b);
  return HARMONIA_OK;
}

std::int32_t harmonia_pe_partial_int(std::int32_t group_size, std::int32_t a_bits, const std::uint8_t* a,
                                     std::uint64_t a_bytes, const std::int16_t* w, std::int32_t* partial) {
  const Stored fa(group_size, a_bits);
  if (any_null(a, w, partial)) return HARMONIA_NULL_POINTER;
  if (!fa.known()) return HARMONIA_BAD_FORMAT;
  if (!fa.fits(1, a_bytes)) return HARMONIA_BAD_LENGTH;
  if (!within(w, static_cast<std::uint64_t>(group_size), 511)) return HARMONIA_BAD_VALUE;
  *partial = partial_int(fa.format, a, w);
  return HARMONIA_OK;
}

std::int32_t harmonia_pe_partial_1bit(std::int32_t group_size, std::int32_t a_bits, const std::uint8_t* a,
                                      std::uint64_t a_bytes, const std::uint8_t* codes, std::uint64_t codes_bytes,
                                      std::int32_t q0, std::int32_t q1, std::int32_t* partial) {
  const Stored fa(group_size, a_bits);
  if (any_null(a, codes, partial)) return HARMONIA_NULL_POINTER;
  if (!fa.known()) return HARMONIA_BAD_FORMAT;
  if (!fa.fits(1, a_bytes) || codes_bytes < static_cast<std::uint64_t>(group_size) / 8) return HARMONIA_BAD_LENGTH;
  if (!codebook_entry(q0) || !codebook_entry(q1)) return HARMONIA_BAD_VALUE;
  *partial = partial_1bit(add_subtract(fa.format, a, codes), q0, q1);
  return HARMONIA_OK;
}

std::int32_t harmonia_pe_dot_bfp(std::int32_t group_size, std::int32_t a_bits, const std::uint8_t* a,
                                 std::uint64_t a_bytes, std::int32_t b_bits, const std::uint8_t* b,
                                 std::uint64_t b_bytes, std::uint64_t n, float* sum, std::uint16_t* fp16) {
  const Stored fa(group_size, a_bits);
  const Stored fb(group_size, b_bits);
  if (any_null(a, b, sum)) return HARMONIA_NULL_POINTER;
  if (!fa.known() || !fb.known()) return HARMONIA_BAD_FORMAT;
  if (n == 0 || !fa.fits(n, a_bytes) || !fb.fits(n, b_bytes)) return HARMONIA_BAD_LENGTH;
  if (const std::int32_t code = fa.check(a, n)) return code;
  if (const std::int32_t code = fb.check(b, n)) return code;
  return deliver(dot_bfp(fa.format, a, fb.format, b, n), sum, fp16);
}

std::int32_t harmonia_pe_dot_int(std::int32_t group_size, std::int32_t a_bits, const std::uint8_t* a,
                                 std::uint64_t a_bytes, const std::int16_t* w, const std::uint16_t* scales,
                                 std::uint64_t n_scales, std::uint64_t scale_group, std::uint64_t n, float* sum,
                                 std::uint16_t* fp16) {
  const Stored fa(group_size, a_bits);
  if (any_null(a, w, scales, sum)) return HARMONIA_NULL_POINTER;
  if (!fa.known()) return HARMONIA_BAD_FORMAT;
  if (n == 0 || !fa.fits(n, a_bytes) || scale_group == 0 || too_long(scale_group) ||
      scale_group % static_cast<std::uint64_t>(group_size) != 0 || n_scales < pieces(n, scale_group)) {
    return HARMONIA_BAD_LENGTH;
  }
  if (const std::int32_t code = fa.check(a, n)) return code;
  if (!within(w, n, 511)) return HARMONIA_BAD_VALUE;
  return deliver(dot_int(fa.format, a, w, as_fp16(scales), n, scale_group), sum, fp16);
}

std::int32_t harmonia_pe_dot_codebook(std::int32_t group_size, std::int32_t a_bits, const std::uint8_t* a,
                                      std::uint64_t a_bytes, const std::int8_t* q, const std::uint16_t* block_scales,
                                      std::uint64_t n_scales, float codebook_scale, std::uint64_t n, float* sum,
                                      std::uint16_t* fp16) {
  const Stored fa(group_size, a_bits);
  if (any_null(a, q, block_scales, sum)) return HARMONIA_NULL_POINTER;
  if (!fa.known() || group_size > static_cast<std::int32_t>(kCodebookBlock)) return HARMONIA_BAD_FORMAT;
  if (n == 0 || !fa.fits(n, a_bytes) || n_scales < pieces(n, kCodebookBlock)) return HARMONIA_BAD_LENGTH;
  if (const std::int32_t code = fa.check(a, n)) return code;
  return deliver(dot_codebook(fa.format, a, q, as_bf16(block_scales), codebook_scale, n), sum, fp16);
}

std::int32_t harmonia_pe_dot_1bit(std::int32_t group_size, std::int32_t a_bits, const std::uint8_t* a,
                                  std::uint64_t a_bytes, const std::uint8_t* codes, std::uint64_t codes_bytes,
                                  std::int32_t q0, std::int32_t q1, const std::uint16_t* block_scales,
                                  std::uint64_t n_scales, float codebook_scale, std::uint64_t n, float* sum,
                                  std::uint16_t* fp16) {
  const Stored fa(group_size, a_bits);
  if (any_null(a, codes, block_scales, sum)) return HARMONIA_NULL_POINTER;
  if (!fa.known() || group_size > static_cast<std::int32_t>(kCodebookBlock)) return HARMONIA_BAD_FORMAT;
  if (n == 0 || !fa.fits(n, a_bytes) || codes_bytes < pieces(n, 8) || n_scales < pieces(n, kCodebookBlock)) {
    return HARMONIA_BAD_LENGTH;
  }
  if (!codebook_entry(q0) || !codebook_entry(q1)) return HARMONIA_BAD_VALUE;
  if (const std::int32_t code = fa.check(a, n)) return code;
  return deliver(dot_codebook_1bit(fa.format, a, codes, q0, q1, as_bf16(block_scales), codebook_scale, n), sum, fp16);
}

std::int32_t harmonia_pe_dot_fp16(const std::uint16_t* a, const std::uint16_t* b, std::uint64_t n, float* sum,
                                  std::uint16_t* fp16) {
  if (any_null(a, b, sum)) return HARMONIA_NULL_POINTER;
  if (n == 0 || too_long(n)) return HARMONIA_BAD_LENGTH;
  return deliver(dot_fp16(as_fp16(a), as_fp16(b), n), sum, fp16);
}

std::int32_t harmonia_smoothing_subtract(const std::uint16_t* channels, const std::uint16_t* offsets,
                                         std::uint64_t count, std::uint16_t* key, std::uint64_t head_dim) {
  if (any_null(channels, offsets, key)) return HARMONIA_NULL_POINTER;
  if (count > kMaxOffsets) return HARMONIA_BAD_LENGTH;
  KeyOffsets table;
  table.count = count;
  for (std::size_t i = 0; i < count; ++i) {
    if (channels[i] >= head_dim) return HARMONIA_BAD_VALUE;
    table.channel[i] = channels[i];
    table.offset[i] = Fp16{offsets[i]};
  }
  subtract_offsets(table, fp16_out(key));
  return HARMONIA_OK;
}

std::int32_t harmonia_kmeans_row_size(std::int32_t bits, std::uint64_t cols, std::uint64_t* packed_bytes,
                                      std::uint64_t* n_scales) {
  if (any_null(packed_bytes, n_scales)) return HARMONIA_NULL_POINTER;
  if (!kmeans_format(bits)) return HARMONIA_BAD_FORMAT;
  if (too_long(cols)) return HARMONIA_BAD_LENGTH;
  *packed_bytes = kmeans_row_bytes(cols, bits);
  *n_scales = kmeans_blocks(cols);
  return HARMONIA_OK;
}

std::int32_t harmonia_kmeans_decode_bf16(std::int32_t bits, const float* centroids, const std::uint8_t* packed,
                                         std::uint64_t packed_bytes, const std::uint16_t* scales,
                                         std::uint64_t n_scales, std::uint64_t cols, std::uint16_t* w) {
  if (any_null(centroids, packed, scales, w)) return HARMONIA_NULL_POINTER;
  if (!kmeans_format(bits)) return HARMONIA_BAD_FORMAT;
  if (too_long(cols) || packed_bytes < kmeans_row_bytes(cols, bits) || n_scales < kmeans_blocks(cols)) {
    return HARMONIA_BAD_LENGTH;
  }
  try {
    const Codebook codebook = make_codebook(std::vector<float>(centroids, centroids + (std::size_t{1} << bits)));
    kmeans_decode_row_bf16(codebook, packed, as_bf16(scales), cols, reinterpret_cast<Bf16*>(w));
  } catch (const std::invalid_argument&) {
    return HARMONIA_BAD_VALUE;
  } catch (const std::bad_alloc&) {
    return HARMONIA_FAILED;
  }
  return HARMONIA_OK;
}

std::int32_t harmonia_kmeans_decode_int8(std::int32_t bits, const std::int8_t* table, const std::uint8_t* packed,
                                         std::uint64_t packed_bytes, std::uint64_t cols, std::int8_t* q) {
  if (any_null(table, q, packed)) return HARMONIA_NULL_POINTER;
  if (!kmeans_format(bits)) return HARMONIA_BAD_FORMAT;
  if (too_long(cols) || packed_bytes < kmeans_row_bytes(cols, bits)) return HARMONIA_BAD_LENGTH;
  kmeans_decode_row_int8(table, bits, packed, cols, q);
  return HARMONIA_OK;
}
