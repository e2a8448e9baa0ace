// The arithmetic of a collective: what one device does with the values of its schedule.
//
// Models: sums in FP32, or in FP16 with one rounding (to nearest, ties to even) after each addition. What is on the wires has the
//   same width. Does not model: other formats, compression.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "harmonia/hw/link/schedule.h"

namespace harmonia::link {

enum class Reduction : std::uint8_t { fp16, fp32 };
const config::NameTable<Reduction>& reduction_names();
inline unsigned element_bytes(Reduction reduction) { return reduction == Reduction::fp16 ? 2 : 4; }

/// The values of one device, and what it laid aside.
class Reducer {
 public:
  /// own: this device's number. Values are rounded to FP16 when the reduction is.
  Reducer(Reduction reduction, unsigned own, unsigned devices, std::vector<float> values);

  /// What leaves with a send: element_bytes for each element, little-endian.
  std::vector<unsigned char> encoded(Piece piece) const;
  /// Does a receive or add_kept with the bytes that came (none for add_kept).
  void apply(const Action& action, const unsigned char* data);
  const std::vector<float>& values() const { return values_; }

 private:
  float rounded(float x) const;
  float decoded(const unsigned char* data, std::uint64_t index) const;

  Reduction reduction_;
  unsigned own_, devices_;
  std::vector<float> values_;
  std::map<unsigned, std::vector<float>> kept_;  // by sender, whole vectors
};

/// The collective on the values of all devices at once, in the order of the schedule, without time: the golden model. Each inner
/// vector has the same size. Throws std::logic_error when a receive never gets its message.
std::vector<std::vector<float>> reduce(const Schedule& schedule, Reduction reduction,
                                       std::vector<std::vector<float>> values);

}  // namespace harmonia::link
