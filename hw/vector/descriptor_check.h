// What is wrong with the vector unit's descriptors, or with results that are sent for them, in words, without SystemC.
//
// Models: the fields that decide how much is read and written. Does not model: who answers; whether rows that an operation
// names were left in the scratch memory by an operation before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "harmonia/hw/vector/descriptor.h"
#include "harmonia/tlm/stream_headers.h"

namespace harmonia::vector {

/// The first field of a descriptor with a table of so many bytes that is wrong; empty: none.
std::string fault_of(const Descriptor& d, std::size_t table_bytes);

/// A chunk of results, as far as it has to fit its descriptor.
struct ResultChunk {
  std::uint64_t operation = 0, elements = 0, bytes = 0;
  std::uint64_t taken = 0;                // results of the operation that came before
  const bus::ResultTile* tile = nullptr;  // null: it has another header, or none
  bool data_valid = true;
};
/// What is wrong with a chunk of results; empty: nothing.
std::string result_fault(const Descriptor& d, const ResultChunk& chunk);

}  // namespace harmonia::vector
