#include "harmonia/hw/pe/pe_array.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/pe/kv_operand.h"

namespace harmonia::pe {
namespace {

using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;
using formats::kBfpGroup;

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// Units that take a pass more: low planes are a second nibble for a BFP array, nothing for one of FP16 operands.
std::uint64_t second_passes(const Descriptor& d, std::uint64_t units) {
  return d.bfp_a == 0 ? 0 : wide_units(d, units);
}

}  // namespace

std::uint64_t tile_elements(const Descriptor& d) {
  switch (d.operand) {
    case Operand::keys:
      return std::uint64_t{kBfpGroup} * d.groups() * (d.n + wide_units(d, d.n));
    case Operand::values:
      return std::uint64_t{kBfpGroup} * d.n * (d.groups() + wide_units(d, d.groups()));
    case Operand::keys_plain:
    case Operand::values_plain:
      return d.b_bytes;
    default:
      return std::uint64_t{d.n} * d.k;
  }
}

std::uint64_t tile_slots(const Descriptor& d) {
  if (d.operand == Operand::values)
    return std::uint64_t{d.m} * d.n * (std::uint64_t{d.groups()} * d.passes + second_passes(d, d.groups()));
  const std::uint64_t wide = d.operand == Operand::keys ? second_passes(d, d.n) : 0;
  return std::uint64_t{d.m} * d.groups() * (std::uint64_t{d.n} * d.passes + wide);
}

std::uint64_t tile_cycles(const Config& c, const Descriptor& d) {
  const std::uint64_t rows_used = std::min<std::uint64_t>(d.m, c.rows);
  const std::uint64_t columns = static_cast<std::uint64_t>(c.cols) * (c.spread_idle_rows ? c.rows / rows_used : 1);
  const std::uint64_t repeats = ceil_div(d.m, c.rows);
  std::uint64_t operations = 0;
  if (d.operand == Operand::values)
    operations = ceil_div(d.n, columns) * (std::uint64_t{d.groups()} * d.passes + second_passes(d, d.groups()));
  else if (d.operand == Operand::keys)
    operations = (ceil_div(d.n, columns) * d.passes + ceil_div(second_passes(d, d.n), columns)) * d.groups();
  else
    operations = ceil_div(d.n, columns) * d.groups() * d.passes;
  const bool attention = d.operand == Operand::values || d.operand == Operand::keys ||
                         d.operand == Operand::keys_plain || d.operand == Operand::values_plain;
  const double each = attention ? c.attention_cycles_per_group : c.linear_cycles_per_group();
  return static_cast<std::uint64_t>(std::ceil(static_cast<double>(operations * repeats) * each));
}

void multiply(const Descriptor& d, const std::uint8_t* a, const std::uint8_t* b, std::vector<float>& sums, Fp16* out) {
  const std::size_t m = d.m, n = d.n, k = d.k;
  const bool bfp = d.operand != Operand::fp16 && d.bfp_a != 0;
  const std::size_t a_row = bfp ? kBfp8.row_bytes(k) : 2 * k;
  if (!d.accumulate) sums.assign(m * n, 0.0f);
  auto store = [&](std::size_t t, std::size_t r, float value) {
    sums[t * n + r] = value;
    if (d.emit) out[t * n + r] = formats::to_fp16(value);
  };
  // A plain FP16 array: row t of A from element `first` on, times decoded values.
  std::vector<Fp16> x(bfp ? 0 : k);
  auto plain_dot = [&](std::size_t t, std::size_t first, const Fp16* w, std::size_t count, float sum) {
    std::memcpy(static_cast<void*>(x.data()), a + t * a_row + 2 * first, 2 * count);
    return formats::dot_fp16(x.data(), w, count, sum);
  };

  switch (d.operand) {
    case Operand::codebook:
    case Operand::integer: {
      const std::size_t blocks = ceil_div(k, d.block), row = k + 2 * blocks;
      std::vector<std::uint16_t> words(blocks);
      for (std::size_t r = 0; r < n; ++r) {
        const auto* values = reinterpret_cast<const std::int8_t*>(b + r * row);
        std::memcpy(words.data(), b + r * row + k, 2 * blocks);
        for (std::size_t t = 0; t < m; ++t) {
          if (d.operand == Operand::codebook) {
            std::vector<formats::Bf16> scales(blocks);
            std::memcpy(static_cast<void*>(scales.data()), words.data(), 2 * blocks);
            store(t, r, formats::dot_codebook(kBfp8, a + t * a_row, values, scales.data(), d.codebook_scale, k));
          } else {
            std::vector<Fp16> scales(blocks);
            std::memcpy(static_cast<void*>(scales.data()), words.data(), 2 * blocks);
            store(t, r, formats::dot_int(kBfp8, a + t * a_row, values, scales.data(), k, d.block));
          }
        }
      }
      return;
    }
    case Operand::bfp8:
      for (std::size_t r = 0; r < n; ++r)
        for (std::size_t t = 0; t < m; ++t)
          store(t, r, formats::dot_bfp(kBfp8, a + t * a_row, kBfp8, b + r * kBfp8.row_bytes(k), k, sums[t * n + r]));
      return;
    case Operand::fp16: {
      std::vector<Fp16> w(k);
      for (std::size_t r = 0; r < n; ++r) {
        std::memcpy(static_cast<void*>(w.data()), b + r * 2 * k, 2 * k);
        for (std::size_t t = 0; t < m; ++t) store(t, r, plain_dot(t, 0, w.data(), k, sums[t * n + r]));
      }
      return;
    }
    case Operand::keys: {
      const std::size_t groups = d.groups();
      const Planes planes(d, b, n, groups);
      std::vector<std::uint8_t> row(kBfp8.row_bytes(k));
      std::vector<Fp16> key(k);
      for (std::size_t token = 0; token < n; ++token) {
        const auto& format = planes.wide(token) ? kBfp8 : kBfp4;
        for (std::size_t g = 0; g < groups; ++g) planes.group(token, g, row.data() + g * format.group_bytes());
        if (!bfp) formats::decode_row(format, row.data(), k, key.data());
        for (std::size_t t = 0; t < m; ++t)
          store(t, token,
                bfp ? formats::dot_bfp(kBfp8, a + t * a_row, format, row.data(), k)
                    : plain_dot(t, 0, key.data(), k, 0.0f));
      }
      return;
    }
    case Operand::values: {
      const std::size_t groups = d.groups();
      const Planes planes(d, b, groups, n);
      std::vector<std::uint8_t> one(kBfp8.group_bytes());
      std::array<Fp16, kBfpGroup> values;
      for (std::size_t g = 0; g < groups; ++g) {
        const auto& format = planes.wide(g) ? kBfp8 : kBfp4;
        for (std::size_t channel = 0; channel < n; ++channel) {
          planes.group(g, channel, one.data());
          if (!bfp) formats::decode_row(format, one.data(), kBfpGroup, values.data());
          for (std::size_t t = 0; t < m; ++t) {
            const float sum = sums[t * n + channel];
            store(t, channel,
                  bfp ? formats::dot_bfp(kBfp8, a + t * a_row + g * kBfp8.group_bytes(), format, one.data(), kBfpGroup,
                                         sum)
                      : plain_dot(t, kBfpGroup * g, values.data(), std::min<std::size_t>(kBfpGroup, k - kBfpGroup * g),
                                  sum));
          }
        }
      }
      return;
    }
    case Operand::keys_plain: {
      const std::size_t row = d.bits == 8 ? formats::int8_row_bytes(k) : 2 * k;
      std::vector<Fp16> key(k);
      std::vector<std::uint8_t> key_bfp(kBfp8.row_bytes(k));
      for (std::size_t token = 0; token < n; ++token) {
        for (std::size_t i = 0; i < k; ++i) key[i] = plain_element(d, b + token * row, i);
        if (bfp) formats::encode_row(kBfp8, key.data(), k, key_bfp.data());
        for (std::size_t t = 0; t < m; ++t)
          store(t, token,
                bfp ? formats::dot_bfp(kBfp8, a + t * a_row, kBfp8, key_bfp.data(), k)
                    : plain_dot(t, 0, key.data(), k, 0.0f));
      }
      return;
    }
    case Operand::values_plain: {
      const std::size_t row = d.bits == 8 ? formats::int8_row_bytes(n) : 2 * n;
      std::vector<Fp16> column(k);
      std::vector<std::uint8_t> column_bfp(kBfp8.row_bytes(k));
      for (std::size_t channel = 0; channel < n; ++channel) {
        for (std::size_t token = 0; token < k; ++token) column[token] = plain_element(d, b + token * row, channel);
        if (bfp) formats::encode_row(kBfp8, column.data(), k, column_bfp.data());
        for (std::size_t t = 0; t < m; ++t)
          store(t, channel,
                bfp ? formats::dot_bfp(kBfp8, a + t * a_row, kBfp8, column_bfp.data(), k)
                    : plain_dot(t, 0, column.data(), k, 0.0f));
      }
      return;
    }
  }
}

}  // namespace harmonia::pe
