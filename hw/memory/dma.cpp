#include "harmonia/hw/memory/dma.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <type_traits>

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

std::string decode(const void* data, std::size_t length, DmaDescriptor* into) {
  constexpr std::size_t kHeader = offsetof(DmaDescriptor, segments);
  if (length < kHeader + sizeof(DmaSegment) || length > sizeof(DmaDescriptor)) {
    return fmt::format("a DMA descriptor of {} bytes, expected a header of {} and one to eight segments of {}", length,
                       kHeader, sizeof(DmaSegment));
  }
  // Flags are read as bytes first: any other value than 0 or 1 in a bool would be undefined.
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (const std::size_t flag :
       {offsetof(DmaDescriptor, data_valid), offsetof(DmaDescriptor, begins_tile), offsetof(DmaDescriptor, ends_tile),
        offsetof(DmaDescriptor, paced), offsetof(DmaDescriptor, respond_when_done)}) {
    if (bytes[flag] > 1) return "a flag of the DMA descriptor is neither 0 nor 1";
  }
  *into = DmaDescriptor{};
  std::memcpy(static_cast<void*>(into), data, length);
  if (into->segment_count == 0 || into->segment_count > DmaDescriptor::kMaxSegments ||
      into->encoded_bytes() != length) {
    return fmt::format(
        "a DMA descriptor of {} segments in {} bytes, expected one to eight segments and exactly their length",
        into->segment_count, length);
  }
  if (!(into->bytes_per_cycle >= 0) || !std::isfinite(into->bytes_per_cycle)) {
    return "bytes_per_cycle of the DMA descriptor is neither 0 nor a rate";
  }
  if (into->direction != DmaDirection::kRead && into->direction != DmaDirection::kWrite) {
    return "the direction of the DMA descriptor is neither read nor write";
  }
  for (std::size_t i = 0; i < into->segment_count; ++i) {
    const DmaSegment& segment = into->segments[i];
    const std::string where = fmt::format("segment {} of the DMA descriptor: ", i);
    if (segment.row_bytes == 0 || segment.rows == 0) return where + "it is empty";
    if (segment.group_bytes == 0) return where + "group_bytes is 0";
    if (static_cast<std::size_t>(segment.traffic) >= bus::traffic_class_count) return where + "unknown traffic class";
    constexpr std::uint64_t kAll = ~std::uint64_t{0};
    const std::uint64_t steps = segment.rows - 1;
    if (steps != 0 && segment.stride_bytes > kAll / steps) return where + "it wraps around the address space";
    const std::uint64_t span = steps * segment.stride_bytes;
    if (span > kAll - (segment.row_bytes - 1) || segment.address > kAll - span - (segment.row_bytes - 1)) {
      return where + "it wraps around the address space";
    }
  }
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
