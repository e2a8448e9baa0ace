// What a chunk on a stream, or a request on the memory path, carries besides its bytes.
//
// Models: the side-band information that a hardware stream would hold in its user field: traffic class, element count,
//   operation, place in the tile, and the header of the stream that it travels on (stream_headers.h).
// Does not model: any encoding of it in wires. A block that does not know the extension sees a plain generic payload write.
#pragma once

#include <cstdint>
#include <tlm>
#include <type_traits>
#include <variant>

#include "harmonia/tlm/stream_headers.h"
#include "harmonia/tlm/traffic_class.h"

namespace harmonia::bus {

/// Side-band fields of one chunk: plain data. They mean the same on every stream.
struct Chunk {
  TrafficClass traffic = TrafficClass::other;
  bool first_of_tile = false;
  bool last_of_tile = false;
  bool data_valid = true;       ///< false: timing only, the data pointer is a shared scratch buffer
  std::uint32_t operation = 0;  ///< which operation, or which A operand, numbered by the sequencer
  std::uint32_t elements = 0;   ///< values in the chunk
  StreamHeader header;          ///< what its stream says beyond that
  std::uint64_t tag = 0;        ///< memory path: belongs to the initiator, targets return it untouched
};
static_assert(std::is_trivially_copyable_v<Chunk>, "chunks are copied at every hop");

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

/// The header of a chunk on a stream whose chunks have one; an SC_REPORT_ERROR, and the default, when it has another or none.
template <class Header>
const Header& header_of(const Chunk& chunk) {
  if (const Header* header = std::get_if<Header>(&chunk.header)) return *header;
  SC_REPORT_ERROR("/harmonia/bus/header", "a chunk does not carry the header of the stream that it came on");
  static const Header none;
  return none;
}

}  // namespace harmonia::bus
