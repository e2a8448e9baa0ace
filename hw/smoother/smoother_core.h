// What stands behind the smoother's sockets when it is not the model: RTL (outlier_smoother_core_rtl.h), or yours.
//
// Models: the contract between the module's shell, which keeps sockets, descriptors, waiting and the choice of offsets,
// and the datapath that subtracts them.
#pragma once

#include <cstdint>
#include <functional>
#include <tuple>
#include <vector>

#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/tlm/cycle.h"

namespace harmonia::smoother {

/// Slot, layer, kv head.
using TableKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;

class SmootherCore {
 public:
  struct Result {
    bus::Cycle free = 0;   // the next chunk may enter
    bus::Cycle ready = 0;  // the last key stands at the output
    std::vector<formats::Fp16> keys;
  };
  using Done = std::function<void(Result&&)>;
  virtual ~SmootherCore() = default;
  /// Subtracts `offsets` from `rows` keys of `columns` channels, from cycle `start` on. `done` is called with the
  /// smoothed keys, possibly within run(); `keys` holds until then.
  virtual void run(const TableKey& key, const formats::KeyOffsets& offsets, const formats::Fp16* keys,
                   std::uint32_t rows, std::uint32_t columns, bus::Cycle start, Done done) = 0;
};

}  // namespace harmonia::smoother
