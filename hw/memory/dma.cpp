#include "harmonia/hw/memory/dma.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "harmonia/tlm/field_check.h"

namespace harmonia::memory {

static_assert(std::is_trivially_copyable_v<DmaDescriptor> && std::is_standard_layout_v<DmaDescriptor>,
              "a descriptor travels as bytes");

std::uint64_t DmaDescriptor::bytes() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < segment_count; ++i) sum += segments[i].bytes();
  return sum;
}

DmaDescriptor& DmaDescriptor::add(const DmaSegment& segment) {
  if (segment_count == kMaxSegments) throw std::length_error("a DMA descriptor holds at most eight segments");
  segments[segment_count++] = segment;
  return *this;
}

namespace {

/// A flag of a descriptor, by its place: it is read as a byte, because any other value than 0 or 1 in a bool would be undefined.
struct Flag {
  const char* name;
  std::size_t at;
};
constexpr Flag kFlags[] = {{"data_valid", offsetof(DmaDescriptor, data_valid)},
                           {"begins_tile", offsetof(DmaDescriptor, begins_tile)},
                           {"ends_tile", offsetof(DmaDescriptor, ends_tile)},
                           {"paced", offsetof(DmaDescriptor, paced)},
                           {"respond_when_done", offsetof(DmaDescriptor, respond_when_done)}};

/// Beyond that neither bytes nor values of a segment can be counted without overflow.
constexpr std::uint64_t kMostSegmentBytes = std::uint64_t{1} << 48;
/// A slower rate keeps a transaction for longer than cycles can be counted. Less than the config of any machine gives.
constexpr float kLeastRate = 1e-3f;
constexpr std::uint64_t kMostElementsOfAByte = 8;  // values of one bit

/// What is wrong with a segment; empty: nothing.
std::string fault_of(const DmaSegment& s) {
  bus::FieldCheck c;
  c.within("row_bytes", s.row_bytes, 1, ~std::uint32_t{0}).within("rows", s.rows, 1, ~std::uint32_t{0});
  c.require(s.bytes() <= kMostSegmentBytes, "rows * row_bytes", s.bytes(), "at most ", kMostSegmentBytes, " bytes");
  c.within("group_bytes", s.group_bytes, 1, ~std::uint32_t{0});
  c.require(s.group_elements <= kMostElementsOfAByte * s.group_bytes, "group_elements", s.group_elements,
            "at most eight values in each of the group's bytes: ", kMostElementsOfAByte * s.group_bytes);
  c.within("traffic", static_cast<std::uint64_t>(s.traffic), 0, bus::traffic_class_count - 1);
  if (!c.good()) return c.fault();
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  const std::uint64_t steps = s.rows - 1;
  c.require(steps == 0 || s.stride_bytes <= kAll / steps, "stride_bytes", s.stride_bytes,
            "rows that do not wrap around the address space");
  if (!c.good()) return c.fault();
  const std::uint64_t span = steps * s.stride_bytes, last = s.row_bytes - 1;
  c.require(span <= kAll - last && s.address <= kAll - span - last, "address", s.address,
            "a segment that does not wrap around the address space");
  return c.fault();
}

}  // namespace

std::string decode(const void* data, std::size_t length, DmaDescriptor* into) {
  constexpr std::size_t kHeader = offsetof(DmaDescriptor, segments);
  if (length < kHeader + sizeof(DmaSegment) || length > sizeof(DmaDescriptor))
    return fmt::format(
        "the descriptor's length is {} bytes, expected those of a header ({}) and one to eight segments ({} each)",
        length, kHeader, sizeof(DmaSegment));
  const auto* bytes = static_cast<const unsigned char*>(data);
  bus::FieldCheck c;
  for (const Flag& flag : kFlags) c.flag(flag.name, bytes[flag.at]);
  if (!c.good()) return c.fault();
  *into = DmaDescriptor{};
  std::memcpy(static_cast<void*>(into), data, length);
  c.within("segment_count", into->segment_count, 1, DmaDescriptor::kMaxSegments);
  if (c.good() && into->encoded_bytes() != length)
    return fmt::format("segment_count is {} in a descriptor of {} bytes, expected exactly the length {}",
                       into->segment_count, length, into->encoded_bytes());
  c.kind("direction", into->direction, DmaDirection::kWrite);
  c.within("transaction_bytes", into->transaction_bytes, 0, kMostTransactionBytes);
  if (!c.good()) return c.fault();
  if (into->bytes_per_cycle != 0 && !(into->bytes_per_cycle >= kLeastRate && std::isfinite(into->bytes_per_cycle)))
    return fmt::format("bytes_per_cycle is {}, expected 0 or a rate of {} or more", into->bytes_per_cycle, kLeastRate);
  for (std::size_t i = 0; i < into->segment_count; ++i)
    if (const std::string fault = fault_of(into->segments[i]); !fault.empty())
      return fmt::format("segments[{}].{}", i, fault);
  return {};
}

DmaPlan::DmaPlan(const DmaDescriptor& descriptor, std::uint32_t default_transaction_bytes)
    : descriptor_(descriptor),
      transaction_bytes_(descriptor.transaction_bytes != 0 ? descriptor.transaction_bytes : default_transaction_bytes),
      left_bytes_(descriptor.bytes()) {
  assert(transaction_bytes_ > 0);
  for (std::size_t i = 0; i < descriptor.segment_count; ++i) {
    cursors_[i].row_address = descriptor.segments[i].address;
    cursors_[i].total = descriptor.segments[i].bytes();
  }
}

std::uint32_t DmaPlan::next_bytes(std::size_t segment) const {
  const Cursor& cursor = cursors_[segment];
  const std::uint64_t address = cursor.row_address + cursor.in_row;
  const std::uint64_t to_boundary = transaction_bytes_ - address % transaction_bytes_;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(to_boundary, descriptor_.segments[segment].row_bytes - cursor.in_row));
}

std::size_t DmaPlan::choose() const {
  const std::size_t last = descriptor_.segment_count - std::size_t{1};
  const bool pace = descriptor_.paced && cursors_[last].issued < cursors_[last].total;
  const std::uint64_t covered = pace ? cursors_[last].issued + next_bytes(last) : 0;
  for (std::size_t i = 0; i < last; ++i) {
    const Cursor& cursor = cursors_[i];
    if (cursor.issued == cursor.total) continue;
    // Share of segment i that was issued < share of the last one after its next transaction, without division.
    if (!pace || static_cast<double>(cursor.issued) * static_cast<double>(cursors_[last].total) <
                     static_cast<double>(covered) * static_cast<double>(cursor.total)) {
      return i;
    }
  }
  return last;
}

DmaTransaction DmaPlan::next() {
  assert(!done());
  const std::size_t chosen = choose();
  const DmaSegment& segment = descriptor_.segments[chosen];
  Cursor& cursor = cursors_[chosen];
  DmaTransaction transaction;
  transaction.address = cursor.row_address + cursor.in_row;
  transaction.bytes = next_bytes(chosen);
  transaction.segment = static_cast<std::uint8_t>(chosen);
  const auto elements_before = [&segment](std::uint64_t bytes) {
    return bytes / segment.group_bytes * segment.group_elements +
           bytes % segment.group_bytes * segment.group_elements / segment.group_bytes;
  };
  transaction.elements =
      static_cast<std::uint32_t>(elements_before(cursor.issued + transaction.bytes) - elements_before(cursor.issued));
  transaction.first = !begun_;
  begun_ = true;
  cursor.issued += transaction.bytes;
  cursor.in_row += transaction.bytes;
  if (cursor.in_row == segment.row_bytes) {
    cursor.in_row = 0;
    cursor.row_address += segment.stride_bytes;
  }
  left_bytes_ -= transaction.bytes;
  transaction.last = done();
  return transaction;
}

}  // namespace harmonia::memory
