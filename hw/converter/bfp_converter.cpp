#include "harmonia/hw/converter/bfp_converter.h"

#include <algorithm>
#include <cstring>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/int8_row.h"
#include "harmonia/tlm/field_check.h"

namespace harmonia::converter {

using formats::Fp16;
using formats::kBfp8;
using formats::kBfpGroup;

namespace {

constexpr std::size_t main_bytes = formats::kBfpMainBytes, low_bytes = formats::kBfpLowBytes;

std::size_t convert_rows(const GroupedValues& d, const Fp16* rows, const std::uint8_t* residual,
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
    if (!d.low.contains(first_group + g)) continue;
    for (std::uint32_t c = 0; c < d.columns; ++c) {
      const std::uint8_t* group = stored.data() + (std::size_t{g} * d.columns + c) * size;
      out.insert(out.end(), group + main_bytes, group + size);
    }
  }
  return nonfinite;
}

/// BFP8 rows, one after the other.
std::size_t encode_rows(const Rows& d, const Fp16* rows, std::vector<std::uint8_t>& out) {
  const std::size_t row_bytes = kBfp8.row_bytes(d.columns), begin = out.size();
  out.resize(begin + d.rows * row_bytes);
  std::size_t nonfinite = 0;
  for (std::uint32_t r = 0; r < d.rows; ++r)
    nonfinite +=
        formats::encode_row(kBfp8, rows + std::size_t{r} * d.columns, d.columns, out.data() + begin + r * row_bytes);
  return nonfinite;
}

std::size_t pass_rows(const Rows& d, const Fp16* rows, std::vector<std::uint8_t>& out) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(rows);
  out.insert(out.end(), bytes, bytes + 2ull * d.rows * d.columns);
  return 0;
}

std::size_t convert_rows(const Rows& d, const formats::OperandFormat& format, const Fp16* rows,
                         std::vector<std::uint8_t>& out) {
  return format.bfp() ? encode_rows(d, rows, out) : pass_rows(d, rows, out);
}

std::size_t convert_rows(const Rows& d, PlainRow row, const Fp16* rows, std::vector<std::uint8_t>& out) {
  if (row == PlainRow::fp16) return pass_rows(d, rows, out);
  const std::size_t bytes = formats::int8_row_bytes(d.columns), begin = out.size();
  out.resize(begin + d.rows * bytes);
  std::size_t nonfinite = 0;
  for (std::uint32_t r = 0; r < d.rows; ++r)
    nonfinite += formats::encode_int8_row(rows + std::size_t{r} * d.columns, d.columns, out.data() + begin + r * bytes);
  return nonfinite;
}

std::size_t convert_rows(const GroupedKeys& d, const Fp16* rows, std::vector<std::uint8_t>& out) {
  std::vector<std::uint8_t> stored;
  const std::size_t nonfinite = encode_rows(d, rows, stored);
  const std::size_t size = kBfp8.group_bytes(), groups = kBfp8.groups(d.columns);
  for (std::size_t i = 0; i < d.rows * groups; ++i)
    out.insert(out.end(), stored.data() + i * size, stored.data() + i * size + main_bytes);
  for (std::uint32_t r = 0; r < d.rows; ++r) {
    if (!d.low.contains(d.first_position + r)) continue;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::uint8_t* group = stored.data() + (r * groups + g) * size;
      out.insert(out.end(), group + main_bytes, group + size);
    }
  }
  return nonfinite;
}

std::uint64_t groups_along(const Rows& d) { return std::uint64_t{d.rows} * formats::bfp_groups(d.columns); }

/// One lane takes one V column of a group's tokens at a time: a token touches a group of every channel. A group that has been
/// stored before is read, grown and written once for every newcomer.
std::uint64_t groups_touched(const GroupedValues& d) {
  const std::uint64_t pieces = formats::bfp_groups(d.first_position + d.rows) - d.first_position / kBfpGroup;
  const std::uint64_t newcomers = std::min(d.rows, kBfpGroup - d.first_position % kBfpGroup);
  return std::uint64_t{d.columns} * (d.grows() ? pieces - 1 + newcomers : pieces);
}

std::uint64_t plain_bytes(const Rows& d, PlainRow row) {
  return d.rows * (row == PlainRow::int8 ? formats::int8_row_bytes(d.columns) : 2ull * d.columns);
}
/// Main parts of `units`, low planes of those that keep them, of so many groups each.
std::uint64_t plane_bytes(const LowPlanes& low, std::uint64_t first, std::uint64_t units, std::uint64_t groups) {
  const auto among = [&](std::uint64_t begin, std::uint64_t end) {
    begin = std::max(begin, first);
    end = std::min(end, first + units);
    return end > begin ? end - begin : 0;
  };
  const std::uint64_t wide = among(low.begin[0], low.end[0]) + among(low.begin[1], low.end[1]) -
                             among(std::max(low.begin[0], low.begin[1]), std::min(low.end[0], low.end[1]));
  return groups * (units * main_bytes + wide * low_bytes);
}

/// FP16 words, or groups of a design of the array: BFP8, or 64 values of a sign and a mantissa of up to 15 bits (Anda).
void check_format(const formats::OperandFormat& format, bus::FieldCheck& c) {
  const auto bfp8 = formats::OperandFormat::bfp8();
  c.require(format.group == 0 || format.group == bfp8.group || format.group == formats::OperandFormat::anda(1).group,
            "OperandFormat::group", format.group, "0, 32 or 64 values");
  const bool anda = format.group > bfp8.group;
  const std::uint64_t least = !format.bfp() ? 0 : anda ? formats::OperandFormat::anda(1).group_bytes : bfp8.group_bytes;
  c.within("OperandFormat::group_bytes", format.group_bytes, least,
           anda ? formats::OperandFormat::anda(15).group_bytes : least);
}
void check_kind(const ToMemory& k, bus::FieldCheck& c) { check_format(k.format, c); }
void check_kind(const ToOperand& k, bus::FieldCheck& c) {
  check_format(k.format, c);
  if (k.row_bytes == 0) return;
  c.within("row_stride", k.row_stride, 1, 1 << 24).within("row_begin", k.row_begin, 0, 1 << 24);
  c.require(k.column_bytes + k.format.row_bytes(k.columns) <= k.row_bytes, "column_bytes", k.column_bytes,
            "a piece inside the operand's row of ", k.row_bytes, " bytes");
}
void check_kind(const MeasuredKeys&, bus::FieldCheck&) {}
void check_kind(const PlainKeys& k, bus::FieldCheck& c) { c.kind("PlainKeys::row", k.row, PlainRow::int8); }
void check_kind(const PlainValues& k, bus::FieldCheck& c) { c.kind("PlainValues::row", k.row, PlainRow::int8); }
void check_kind(const GroupedKeys& k, bus::FieldCheck& c) {
  c.equal("out_bytes", k.out_bytes, plane_bytes(k.low, k.first_position, k.rows, kBfp8.groups(k.columns)),
          "what the keys become");
}
void check_kind(const GroupedValues& k, bus::FieldCheck& c) {
  const std::uint64_t whole = growing_bytes(k.columns), first = k.first_position / kBfpGroup;
  const std::uint64_t units = formats::bfp_groups(k.first_position + k.rows) - first;
  c.require(k.residual_bytes == 0 || k.residual_bytes == whole, "residual_bytes", k.residual_bytes, "0 or ", whole,
            ", a growing group of the columns");
  c.require(k.residual_bytes == 0 || k.growing_from == 0, "growing_from", k.growing_from, "0 beside residual_bytes");
  c.require(k.growing_to == 0 || k.low.contains(static_cast<std::uint32_t>(first + units - 1)), "growing_to",
            k.growing_to, "0 unless the last group keeps its low plane");
  if (c.good())
    c.equal("out_bytes", k.out_bytes, plane_bytes(k.low, first, units, k.columns) - (k.growing_to != 0 ? whole : 0),
            "what the values become");
}
std::uint64_t bytes_of(const Rows& d, const formats::OperandFormat& format) {
  return d.rows * format.row_bytes(d.columns);
}

}  // namespace

std::size_t convert(const Descriptor& d, const Fp16* rows, const std::uint8_t* residual,
                    std::vector<std::uint8_t>& out) {
  return std::visit(bus::Overloaded{[&](const ToOperand& k) { return convert_rows(k, k.format, rows, out); },
                                    [&](const ToMemory& k) { return convert_rows(k, k.format, rows, out); },
                                    [&](const MeasuredKeys&) { return std::size_t{0}; },  // they do not come so far
                                    [&](const GroupedKeys& k) { return convert_rows(k, rows, out); },
                                    [&](const PlainKeys& k) { return convert_rows(k, k.row, rows, out); },
                                    [&](const GroupedValues& k) { return convert_rows(k, rows, residual, out); },
                                    [&](const PlainValues& k) { return convert_rows(k, k.row, rows, out); }},
                    d.kind);
}

std::uint64_t out_bytes(const Descriptor& d) {
  return std::visit(bus::Overloaded{[](const ToOperand& k) { return bytes_of(k, k.format); },
                                    [](const ToMemory& k) { return bytes_of(k, k.format); },
                                    [](const MeasuredKeys&) { return std::uint64_t{0}; },
                                    [](const GroupedKeys& k) { return std::uint64_t{k.out_bytes}; },
                                    [](const PlainKeys& k) { return plain_bytes(k, k.row); },
                                    [](const GroupedValues& k) { return std::uint64_t{k.out_bytes}; },
                                    [](const PlainValues& k) { return plain_bytes(k, k.row); }},
                    d.kind);
}

std::uint64_t growing_bytes(std::uint64_t columns) { return columns * (main_bytes + low_bytes); }

std::string shape_fault(const Descriptor& d) {
  bus::FieldCheck c;
  const Rows& rows = d.rows();
  c.within("rows", rows.rows, 1, 1 << 24).within("columns", rows.columns, 1, 1 << 24);
  c.require(std::uint64_t{rows.rows} * rows.columns <= bus::max_chunk_values, "rows", rows.rows,
            "rows * columns of one chunk to be 2^29 at most");
  if (const HeadKeys* keys = d.keys()) c.within("first_position", keys->first_position, 0, 1u << 31);
  if (const auto* stored = bus::as<StoredKeys>(d.kind)) c.flag("StoredKeys::measured", stored->measured);
  if (const auto* measured = std::get_if<MeasuredKeys>(&d.kind)) c.flag("MeasuredKeys::counts", measured->counts);
  if (const auto* values = std::get_if<GroupedValues>(&d.kind))
    c.within("first_position", values->first_position, 0, 1u << 31);
  return c.fault();
}

std::string fault_of(const Descriptor& d) {
  std::string shape = shape_fault(d);
  if (!shape.empty()) return shape;
  bus::FieldCheck c;
  std::visit([&c](const auto& kind) { check_kind(kind, c); }, d.kind);
  return c.fault();
}

std::string chunk_fault(const Descriptor& d, std::uint64_t bytes, std::uint64_t elements) {
  const std::uint64_t values = std::uint64_t{d.rows().rows} * d.rows().columns;
  bus::FieldCheck c;
  c.equal("the data length", bytes, 2 * values, "FP16 values of the descriptor's rows and columns");
  c.equal("Chunk::elements", elements, values, "rows * columns of the descriptor");
  return c.fault();
}

std::uint64_t convert_cycles(const Config& config, const Descriptor& d) {
  const std::uint64_t groups = std::visit(bus::Overloaded{[](const GroupedValues& k) { return groups_touched(k); },
                                                          [](const Rows& k) { return groups_along(k); }},
                                          d.kind);
  return (groups + config.lanes - 1) / config.lanes;
}

std::vector<std::uint8_t> take_growing(const GroupedValues& d, std::vector<std::uint8_t>& bytes) {
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
  return static_cast<std::uint64_t>(config.stages + (d.keys() != nullptr ? config.k_path_extra_cycles : 0));
}

}  // namespace harmonia::converter
