// What stands behind the converter's sockets when it is not the model: RTL (bfp_converter_core_rtl.h), or yours.
//
// Models: the contract between the module's shell, which keeps sockets, descriptors and waiting, and the datapath.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/tlm/cycle.h"

namespace harmonia::converter {

class ConverterCore {
 public:
  struct Result {
    bus::Cycle free = 0;   // the next chunk may enter
    bus::Cycle ready = 0;  // the last byte stands at the output
    std::size_t nonfinite = 0;
    std::vector<std::uint8_t> bytes;  // as convert() orders them
  };
  using Done = std::function<void(Result&&)>;
  virtual ~ConverterCore() = default;
  /// False: the datapath has no part in this chunk (FP16 or INT8 words); the model treats it.
  virtual bool handles(const Descriptor& d) const = 0;
  /// Converts a chunk from cycle `start` on. rows and residual hold until `done` is called, possibly within run().
  virtual void run(const Descriptor& d, const formats::Fp16* rows, const std::uint8_t* residual, bus::Cycle start,
                   Done done) = 0;
};

}  // namespace harmonia::converter
