#include "harmonia/hw/converter/bfp_converter.h"

#include <algorithm>
#include <cstring>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/int8_row.h"

namespace harmonia::converter {

using formats::Fp16;
using formats::kBfp8;
using formats::kBfpGroup;

namespace {

constexpr std::size_t main_bytes = formats::kBfpMainBytes, low_bytes = formats::kBfpLowBytes;

bool keeps_low(const Descriptor& d, std::uint32_t unit) {
  return (unit >= d.low_begin[0] && unit < d.low_end[0]) || (unit >= d.low_begin[1] && unit < d.low_end[1]);
}

std::size_t convert_values(const Descriptor& d, const Fp16* rows, const std::uint8_t* residual,
                           std::vector<std::uint8_t>& out) {
  const std::uint32_t first_group = d.first_position / kBfpGroup, end = d.first_position + d.rows;
  const std::uint32_t groups = static_cast<std::uint32_t>(formats::bfp_groups(end)) - first_group;
  const std::size_t size = kBfp8.group_bytes();
  std::vector<std::uint8_t> stored(std::size_t{groups} * d.columns * size);
  std::size_t nonfinite = 0;
  for (std::uint32_t g = 0; g < groups; ++g)
    for (std::uint32_t c = 0; c < d.columns; ++c) {
      std::uint8_t* group = stored.data() + (std::size_t{g} * d.columns + c) * size;
      if (g == 0 && d.grows()) {
        std::memcpy(group, residual + c * main_bytes, main_bytes);
        std::memcpy(group + main_bytes, residual + d.columns * main_bytes + c * low_bytes, low_bytes);
      } else {
        formats::clear_stored(kBfp8, group);
      }
    }
  for (std::uint32_t r = 0; r < d.rows; ++r) {
    const std::uint32_t position = d.first_position + r;
    nonfinite +=
        formats::append_row(kBfp8, rows + std::size_t{r} * d.columns, d.columns, static_cast<int>(position % kBfpGroup),
                            stored.data() + std::size_t{position / kBfpGroup - first_group} * d.columns * size);
  }
  for (std::size_t i = 0; i < std::size_t{groups} * d.columns; ++i)
    out.insert(out.end(), stored.data() + i * size, stored.data() + i * size + main_bytes);
  for (std::uint32_t g = 0; g < groups; ++g) {
    if (!keeps_low(d, first_group + g)) continue;
    for (std::uint32_t c = 0; c < d.columns; ++c) {
      const std::uint8_t* group = stored.data() + (std::size_t{g} * d.columns + c) * size;
      out.insert(out.end(), group + main_bytes, group + size);
    }
  }
  return nonfinite;
}

}  // namespace

std::size_t convert(const Descriptor& d, const Fp16* rows, const std::uint8_t* residual,
                    std::vector<std::uint8_t>& out) {
  const bool plain_cache = (d.path == Path::key || d.path == Path::value) && d.grouped == 0;
  if (plain_cache && d.bits == 8) {
    const std::size_t row = formats::int8_row_bytes(d.columns), begin = out.size();
    out.resize(begin + d.rows * row);
    std::size_t nonfinite = 0;
    for (std::uint32_t r = 0; r < d.rows; ++r)
      nonfinite += formats::encode_int8_row(rows + std::size_t{r} * d.columns, d.columns, out.data() + begin + r * row);
    return nonfinite;
  }
  if (plain_cache || d.path == Path::pass) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(rows);
    out.insert(out.end(), bytes, bytes + 2ull * d.rows * d.columns);
    return 0;
  }
  if (d.path == Path::value) return convert_values(d, rows, residual, out);

  const std::size_t row_bytes = kBfp8.row_bytes(d.columns), groups = kBfp8.groups(d.columns);
  std::vector<std::uint8_t> stored(d.rows * row_bytes);
  std::size_t nonfinite = 0;
  for (std::uint32_t r = 0; r < d.rows; ++r)
    nonfinite +=
        formats::encode_row(kBfp8, rows + std::size_t{r} * d.columns, d.columns, stored.data() + r * row_bytes);
  if (d.path == Path::row) {
    out.insert(out.end(), stored.begin(), stored.end());
    return nonfinite;
  }
  const std::size_t size = kBfp8.group_bytes();
  for (std::size_t i = 0; i < d.rows * groups; ++i)
    out.insert(out.end(), stored.data() + i * size, stored.data() + i * size + main_bytes);
  for (std::uint32_t r = 0; r < d.rows; ++r) {
    if (!keeps_low(d, d.first_position + r)) continue;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::uint8_t* group = stored.data() + r * row_bytes + g * size;
      out.insert(out.end(), group + main_bytes, group + size);
    }
  }
  return nonfinite;
}

std::uint64_t convert_cycles(const Config& config, const Descriptor& d) {
  std::uint64_t groups = std::uint64_t{d.rows} * formats::bfp_groups(d.columns);
  // One lane takes one V column of a group's tokens at a time: a token touches a group of every channel. A group that
  // has been stored before is read, grown and written once for every newcomer.
  if (d.path == Path::value && d.grouped != 0) {
    const std::uint64_t pieces = formats::bfp_groups(d.first_position + d.rows) - d.first_position / kBfpGroup;
    const std::uint64_t newcomers = std::min(d.rows, kBfpGroup - d.first_position % kBfpGroup);
    groups = std::uint64_t{d.columns} * (d.grows() ? pieces - 1 + newcomers : pieces);
  }
  return (groups + config.lanes - 1) / config.lanes;
}

std::vector<std::uint8_t> take_growing(const Descriptor& d, std::vector<std::uint8_t>& bytes) {
  const std::uint64_t groups = formats::bfp_groups(d.first_position + d.rows) - d.first_position / kBfpGroup;
  const std::ptrdiff_t main = std::ptrdiff_t{d.columns} * main_bytes, low = std::ptrdiff_t{d.columns} * low_bytes;
  const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(groups - 1) * main;
  std::vector<std::uint8_t> growing(from, from + main);
  growing.insert(growing.end(), bytes.end() - low, bytes.end());
  bytes.erase(bytes.end() - low, bytes.end());
  bytes.erase(from, from + main);
  return growing;
}

std::uint64_t latency_cycles(const Config& config, const Descriptor& d) {
  return static_cast<std::uint64_t>(config.stages + (d.path == Path::key ? config.k_path_extra_cycles : 0));
}

}  // namespace harmonia::converter
