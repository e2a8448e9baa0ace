// Outlier smoother: online offsets of key channels, subtracted on the way to the converter.
//
// Models: a small table of (channel, offset) per sequence slot, layer and kv head; chosen from the keys of the first chunk of
//   a sequence (its prefill), or from chunks that come before for the statistics alone, frozen afterwards; the FP16
//   subtraction and the statistics pass. Chunks on other paths pass through without delay.
// Does not model: the table's memory ports; offline factors, which are folded when weights are prepared.
// Source: number formats specification, section 4; lanes and stages are configuration values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/smoother/config.h"
#include "harmonia/hw/smoother/smoother_core.h"

namespace harmonia::smoother {

/// Keys that lose their offsets; null of a chunk that passes as it is.
const converter::StoredKeys* smoothed_keys(const Config& config, const converter::Descriptor& d);

/// Cycles on the lanes for one pass of a chunk of keys, in pieces of 32 channels: of the subtraction, and before it,
/// for the keys that the offsets are chosen from, of their statistics.
std::uint64_t pass_cycles(const Config& config, const converter::HeadKeys& keys);
/// Both passes.
std::uint64_t smoothing_cycles(const Config& config, const converter::StoredKeys& keys);

/// Which kv heads have keys that were measured and from which no offsets were chosen yet, in the order of descriptors; and of how
/// many channels the offsets are that were chosen.
class MeasuredHeads {
 public:
  /// What is wrong with a descriptor that comes next, and which field; empty: nothing, and it counts.
  std::string admit(const converter::Descriptor& d);

 private:
  std::map<TableKey, std::uint32_t> columns_, chosen_;
};

/// The offsets of every kv head that has any. What a machine keeps of measured keys are sums per channel; this keeps the
/// keys.
class OffsetTable {
 public:
  explicit OffsetTable(int channels_per_head) : channels_per_head_(channels_per_head) {}

  /// Keys for the statistics alone, [d.rows][d.columns]; those from position 0 begin them.
  void measure(const converter::MeasuredKeys& d, const formats::Fp16* keys);
  /// The head's offsets. A chunk from position 0 chooses them: from its own keys, [d.rows][d.columns], or with d.measured
  /// from those measured before. Throws std::logic_error when those were not measured.
  const formats::KeyOffsets& offsets(const converter::StoredKeys& d, const formats::Fp16* keys);

 private:
  int channels_per_head_;
  std::map<TableKey, formats::KeyOffsets> chosen_;
  std::map<TableKey, std::vector<formats::Fp16>> measured_;
};

}  // namespace harmonia::smoother
