// What is wrong with the vector unit's descriptors, or with results that are sent for them, in words, without SystemC.
//
// Models: every field that chooses, counts or places, held against the rows of the step that the setup before it declared. Does not
//   model: who answers; numbers that values are multiplied by; whether rows that an operation names were left in the scratch
//   memory by an operation before (VectorUnit looks at that when the operation's turn has come).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/vector/descriptor.h"
#include "harmonia/tlm/stream_headers.h"

namespace harmonia::vector {

/// What a setup says of the step that follows it.
struct StepShape {
  std::uint64_t rows = 0, width = 0;  // of the residual stream
  std::uint64_t logit_rows = 0;       // rows that go on to the output head
  std::uint64_t frequencies = 0;      // in the table for the RoPE
};
/// Of a setup that has no fault, and its table.
StepShape shape_of(const Setup& setup, const std::vector<unsigned char>& table);

/// The first field of a descriptor, or of the table behind it, that is wrong in a step; empty: none.
std::string fault_of(const Descriptor& d, const std::vector<unsigned char>& table, const StepShape& step);

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
