// What is wrong with the fields of a descriptor or of a chunk, in words, without SystemC.
//
// Models: nothing; it gathers the first fault that a block's checks find. Does not model: who answers, and how.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace harmonia::bus {

/// The first fault found, as "FIELD is VALUE, expected ...". A text is made only of a fault: blocks check every chunk.
class FieldCheck {
 public:
  /// `good` or a fault of the field.
  FieldCheck& require(bool good, const char* field, std::uint64_t value, const char* expected) {
    if (!good) add(field, value, expected);
    return *this;
  }
  /// The same with a number between two texts of what was expected.
  FieldCheck& require(bool good, const char* field, std::uint64_t value, const char* expected, std::uint64_t number,
                      const char* after = "") {
    if (!good) add(field, value, expected + std::to_string(number) + after);
    return *this;
  }
  FieldCheck& within(const char* field, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    if (value < least || value > most) add(field, value, std::to_string(least) + " to " + std::to_string(most));
    return *this;
  }
  FieldCheck& equal(const char* field, std::uint64_t value, std::uint64_t expected, const char* why) {
    if (value != expected) add(field, value, std::to_string(expected) + " (" + why + ")");
    return *this;
  }
  /// A number that is no integer.
  FieldCheck& require_real(bool good, const char* field, double value, const char* expected) {
    char text[32];
    if (good || !fault_.empty()) return *this;
    std::snprintf(text, sizeof text, "%g", value);
    fault_ = std::string(field) + " is " + text + ", expected " + expected;
    return *this;
  }
  /// A field of one byte that is 0 or 1. A bool that came as bytes may be of another value, which nothing must read as a bool.
  template <class Flag>
  FieldCheck& flag(const char* field, const Flag& value) {
    static_assert(sizeof value == 1, "a flag is a byte");
    unsigned char byte = 0;
    std::memcpy(&byte, &value, 1);
    return within(field, byte, 0, 1);
  }
  /// A field of an enumeration whose last value is `last`.
  template <class Enum>
  FieldCheck& kind(const char* field, Enum value, Enum last) {
    return within(field, static_cast<std::uint64_t>(value), 0, static_cast<std::uint64_t>(last));
  }

  bool good() const { return fault_.empty(); }
  const std::string& fault() const { return fault_; }

 private:
  void add(const char* field, std::uint64_t value, const std::string& expected) {
    if (fault_.empty()) fault_ = std::string(field) + " is " + std::to_string(value) + ", expected " + expected;
  }

  std::string fault_;
};

/// Values of a matrix that one chunk may carry: its bytes as FP16 fit a payload's length.
inline constexpr std::uint64_t max_chunk_values = std::uint64_t{1} << 29;

}  // namespace harmonia::bus
