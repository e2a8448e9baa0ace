// What a chunk on a stream, or a request on the memory path, carries besides its bytes.
//
// Models: the side-band information that a hardware stream would hold in its user field: traffic class, format, element
// count, operation, place in the tile.
// Does not model: any encoding of it in wires; formats are identified by a number whose meaning belongs to the formats
// library. A block that does not know the extension sees a plain generic payload write.
#pragma once

#include <cstdint>
#include <tlm>

#include "harmonia/tlm/traffic_class.h"

namespace harmonia::bus {

/// Side-band fields of one chunk. Plain data: copying it is copying 40 bytes.
struct Chunk {
  TrafficClass traffic = TrafficClass::other;
  bool first_of_tile = false;
  bool last_of_tile = false;
  bool data_valid = true;       ///< false: timing only, the data pointer is a shared scratch buffer
  std::uint16_t format = 0;     ///< number of the format in the formats library; 0: raw bytes
  std::uint16_t mode = 0;       ///< free for the pair of blocks that exchange the chunk
  std::uint32_t tensor = 0;     ///< which tensor, numbered by the sequencer
  std::uint32_t operation = 0;  ///< which operation, numbered by the sequencer
  std::uint32_t elements = 0;   ///< values in the chunk
  std::uint32_t row = 0;        ///< token or row of the first element
  std::uint32_t column = 0;     ///< channel or column of the first element
  std::uint64_t tag = 0;        ///< belongs to the initiator: targets return it untouched
};

/// Sticky extension that holds a Chunk. Ignorable: any target may overlook it.
class ChunkExtension : public tlm::tlm_extension<ChunkExtension> {
 public:
  ChunkExtension() = default;
  explicit ChunkExtension(const Chunk& fields) : chunk(fields) {}
  tlm::tlm_extension_base* clone() const override { return new ChunkExtension(chunk); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    chunk = static_cast<const ChunkExtension&>(other).chunk;
  }

  Chunk chunk;
};

/// The chunk fields of a payload, or the defaults (raw valid bytes of class `other`) when it carries none.
inline const Chunk& chunk_of(const tlm::tlm_generic_payload& payload) {
  static const Chunk none;
  const ChunkExtension* extension = payload.get_extension<ChunkExtension>();
  return extension ? extension->chunk : none;
}

}  // namespace harmonia::bus
