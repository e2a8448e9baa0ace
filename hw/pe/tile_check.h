// What is wrong with a tile's descriptor, or with what is sent for it, in words, without SystemC.
//
// Models: the fields that a tile needs to be right, and the bytes of its operands. Does not model: who answers.
#pragma once

#include <cstdint>
#include <string>

#include "harmonia/hw/pe/config.h"
#include "harmonia/hw/pe/descriptor.h"
#include "harmonia/tlm/stream_headers.h"

namespace harmonia::pe {

/// The first field of a descriptor that is wrong; empty: none. `before`: the tile before it, null for the first.
std::string fault_of(const Descriptor& d, const Descriptor* before);

/// Bytes of A and of B that a tile needs on an array of this design; what multiply() reads where it has the design's values.
std::uint64_t tile_a_bytes(const Config& config, const Descriptor& d);
std::uint64_t tile_b_bytes(const Descriptor& d);

/// What a tile's input so far and one chunk more are.
struct TileInput {
  std::uint64_t elements = 0, bytes = 0;  // taken before, B's own bytes only
  std::uint32_t rows = 0;                 // decoded rows taken before
};
/// What is wrong with a chunk of so many elements and bytes, of a tile that carries data or not; empty: nothing. rows: the
/// header, or null for a chunk without.
std::string chunk_fault(const Descriptor& d, const TileInput& before, std::uint64_t elements, std::uint64_t bytes,
                        const bus::DecodedRows* rows, bool data_valid);

}  // namespace harmonia::pe
