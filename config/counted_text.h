// A text for the JSON parser that says how far the parser has come: its events do not say where they stand.
//
// Models: an input iterator over the characters of a text. Does not model: lines and columns.
#pragma once

#include <cstddef>
#include <iterator>

namespace harmonia::config {

/// Characters of the text, counted in `taken` as the parser takes them.
class CountedText {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountedText(const char* at, std::size_t* taken) : at_(at), taken_(taken) {}
  reference operator*() const { return *at_; }
  CountedText& operator++() {
    ++at_;
    ++*taken_;
    return *this;
  }
  CountedText operator++(int) {
    const CountedText before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountedText& other) const { return at_ == other.at_; }
  bool operator!=(const CountedText& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* taken_;
};

}  // namespace harmonia::config
