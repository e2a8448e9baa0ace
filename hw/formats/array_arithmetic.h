// An array of another design than the two that this project's formats define: what LinearWeights asks of it.
//
// Models: which weights such an array multiplies, and a matrix that it multiplies by FP16 activations.
// Does not model: any design (hw/baselines has them), attention over the cache, time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {

/// A matrix [rows][cols] as such an array takes it: integers with a scale over every `block` columns of a row, or FP16 words.
struct ArrayRows {
  std::size_t rows = 0, cols = 0;
  std::vector<std::int8_t> integers;  ///< [rows][cols]; empty: words
  std::vector<Fp16> words;            ///< [rows][cols]; empty: integers
  std::size_t block = 0;              ///< columns, a multiple of 32
  std::vector<float> scales;          ///< [rows][ceil(cols / block)], FP16 or bf16 values
  float last = 1.0f;                  ///< multiplies the sum of a row in the end: the scale of an integer codebook
};

/// The same, ready to be multiplied.
class ArrayMatrix {
 public:
  virtual ~ArrayMatrix() = default;
  /// out[t][r] = row first + r times activation row t, r < count. x: finite FP16 [tokens][cols]; out: FP16 [tokens][count].
  virtual void multiply(const Fp16* x, std::size_t tokens, std::size_t first, std::size_t count, Fp16* out) const = 0;
};

class ArrayArithmetic {
 public:
  virtual ~ArrayArithmetic() = default;
  virtual const char* name() const = 0;
  /// The integers that it multiplies, from least() to largest(). Both 0: it multiplies FP16 words.
  virtual int least() const = 0;
  virtual int largest() const = 0;
  bool takes_words() const { return least() == 0 && largest() == 0; }
  virtual std::shared_ptr<const ArrayMatrix> matrix(ArrayRows rows) const = 0;
};

}  // namespace harmonia::formats
