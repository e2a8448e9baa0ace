// What stands behind the PE array's sockets when it is not the model: RTL (pe_array_core_rtl.h), or yours.
//
// Models: the contract between the module's shell, which keeps sockets, descriptors, operands and waiting for input,
// and the array that multiplies.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/pe/descriptor.h"
#include "harmonia/tlm/cycle.h"

namespace harmonia::pe {

class PeCore {
 public:
  struct Result {
    bus::Cycle cycles = 0;  // that the array was at work
    bus::Cycle fill = 0;    // from the end of its work to the last result
  };
  using Done = std::function<void(Result)>;
  virtual ~PeCore() = default;
  /// False: the array has no mode for this tile; the model treats it.
  virtual bool handles(const Descriptor& d) const = 0;
  /// A whole tile, as multiply() (pe_array.h) defines it, whose operands are there at cycle `start`. All pointers hold
  /// until `done` is called, possibly within run(). out may be null when nothing is emitted.
  virtual void run(const Descriptor& d, const std::uint8_t* a, const std::uint8_t* b, std::vector<float>& sums,
                   formats::Fp16* out, bus::Cycle start, Done done) = 0;
};

}  // namespace harmonia::pe
