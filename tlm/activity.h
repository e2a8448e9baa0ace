// What a unit did with its time: busy, or waiting and for what. Shares add up to one by construction.
// Models: accounts of cycles, closed at the end of a run. Does not model: which transaction waited (recorders do).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace harmonia::bus {

enum class Wait : std::uint8_t { input, operand, output, descriptor, reload };
inline constexpr std::size_t wait_count = 5;

constexpr const char* name_of(Wait wait) {
  constexpr std::array<const char*, wait_count> names = {"no_input", "no_operand", "output_blocked", "no_descriptor",
                                                         "reload"};
  return names[static_cast<std::size_t>(wait)];
}

/// One stretch of work of a unit, published on its activity port.
struct Work {
  std::uint32_t operation = 0;
  std::uint64_t begin_ps = 0;
  std::uint64_t end_ps = 0;
  std::uint64_t busy_ps = 0;  // of it, at work
};

struct Activity {
  std::uint64_t busy = 0;
  std::array<std::uint64_t, wait_count> waiting{};

  void wait(Wait why, std::uint64_t cycles) { waiting[static_cast<std::size_t>(why)] += cycles; }
  std::uint64_t accounted() const {
    std::uint64_t sum = busy;
    for (std::uint64_t w : waiting) sum += w;
    return sum;
  }
};

}  // namespace harmonia::bus
