// Counts that a nightly run raises: `ctest -C long` sets HARMONIA_LONG.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace harmonia::test {

/// `usual`, or `in_long` when the environment variable HARMONIA_LONG is set. Set to a number it is the count itself, up
/// to `in_long`.
inline std::uint64_t count(std::uint64_t usual, std::uint64_t in_long) {
  const char* text = std::getenv("HARMONIA_LONG");
  if (!text || !*text) return usual;
  const std::uint64_t given = std::strtoull(text, nullptr, 10);
  return given > 1 && given < in_long ? given : in_long;
}

}  // namespace harmonia::test
