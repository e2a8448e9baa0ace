// What stands behind the decoder's sockets when it is not the model: RTL (lut_decoder_core_rtl.h), or yours.
//
// Models: the contract between the module's shell, which keeps sockets, descriptors and waiting, and the datapath.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "harmonia/hw/decoder/descriptor.h"
#include "harmonia/tlm/cycle.h"

namespace harmonia::decoder {

class DecoderCore {
 public:
  struct Result {
    bus::Cycle done = 0;  // the next chunk may enter
    bus::Cycle out = 0;   // the last weight stands at the output
  };
  using Done = std::function<void(Result)>;
  virtual ~DecoderCore() = default;
  /// False: the datapath has no part in this tile (widths that it lacks, FP16 words); the model treats it.
  virtual bool handles(const Descriptor& d) const = 0;
  /// Decodes what is complete of a tile and was not decoded before, from cycle `start` on. codes, scales: the tile's
  /// bytes so far, from its first row on; code_bytes: how many of codes are there. `follows`: the chunk came while the
  /// one before was at work, so that lanes which that left idle in its last cycle may be used.
  virtual void run(const Descriptor& d, const std::uint8_t* codes, std::size_t code_bytes, const std::uint8_t* scales,
                   bus::Cycle start, bool follows, Done done) = 0;
  /// Bytes of row `row` as decode_row() leaves them; it is complete.
  virtual const std::uint8_t* row(std::uint32_t row) const = 0;
};

}  // namespace harmonia::decoder
