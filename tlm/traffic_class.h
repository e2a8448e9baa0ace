// What a transferred byte is for: the classes into which bandwidth is split in every report.
//
// Models: the classes, their order and their names. Does not model: anything that moves; plain C++, without SystemC.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace harmonia::bus {

/// The order is that of every table, CSV and JSON. What DRAM moves comes first.
enum class TrafficClass : std::uint8_t {
  weights,
  scales,
  kv_read,
  kv_write,
  activations,
  partial_sums,
  commands,
  other
};

inline constexpr std::size_t traffic_class_count = 8;
/// The classes that results split DRAM bytes into: those before `commands`.
inline constexpr std::size_t dram_traffic_class_count = static_cast<std::size_t>(TrafficClass::commands);

/// Stable lower-case names, used in CSV headers and JSON keys.
constexpr const char* name_of(TrafficClass traffic) {
  constexpr std::array<const char*, traffic_class_count> names = {"weights",     "scales",       "kv_read",  "kv_write",
                                                                  "activations", "partial_sums", "commands", "other"};
  return names[static_cast<std::size_t>(traffic)];
}

}  // namespace harmonia::bus
