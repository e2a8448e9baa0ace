#include "harmonia/hw/axi/pins.h"

namespace harmonia::axi {

Range touched(const Burst& burst) {
  const std::uint32_t beat = burst.beat_bytes(), total = burst.beats() * beat;
  const std::uint64_t aligned = burst.address & ~(std::uint64_t{beat} - 1);
  switch (burst.type) {
    case BurstType::kWrap:
      return {burst.address & ~(std::uint64_t{total} - 1), total};
    case BurstType::kIncr:
      return {burst.address, total - static_cast<std::uint32_t>(burst.address - aligned)};
    default:
      return {burst.address, beat - static_cast<std::uint32_t>(burst.address - aligned)};
  }
}

Beat beat_of(const Burst& burst, unsigned index, unsigned bus_bytes) {
  const std::uint64_t beat = burst.beat_bytes();
  std::uint64_t address = burst.address;
  if (index > 0 && burst.type != BurstType::kFixed) address = (address & ~(beat - 1)) + index * beat;
  if (burst.type == BurstType::kWrap) {
    const Range container = touched(burst);
    if (address >= container.first + container.bytes) address -= container.bytes;
  }
  return {address, static_cast<unsigned>(address % bus_bytes), static_cast<unsigned>(beat - address % beat)};
}

const char* fault_of(const Burst& burst, unsigned bus_bytes) {
  if (burst.type == BurstType::kReserved) return "BURST";
  if (burst.beat_bytes() > bus_bytes) return "SIZE";
  if (burst.type == BurstType::kFixed && burst.beats() > 16) return "FIXED_LEN";
  if (burst.type == BurstType::kWrap) {
    const unsigned beats = burst.beats();
    if (beats != 2 && beats != 4 && beats != 8 && beats != 16) return "WRAP_LEN";
    if (burst.address % burst.beat_bytes() != 0) return "WRAP_ALIGN";
    return nullptr;
  }
  const Range range = touched(burst);
  return range.first / 4096 == (range.first + range.bytes - 1) / 4096 ? nullptr : "BOUNDARY";
}

}  // namespace harmonia::axi
