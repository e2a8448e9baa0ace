#include "harmonia/hw/formats/integer_codebook.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::formats {
namespace {

// Nearest integer, ties to even, without the processor's rounding mode.
double nearest_even(double x) {
  const double down = std::floor(x);
  const double rest = x - down;
  if (rest != 0.5) return rest < 0.5 ? down : down + 1;
  return std::fmod(down, 2.0) == 0 ? down : down + 1;
}

}  // namespace

int integer_codebook_limit(CodebookKind kind) {
  if (kind == CodebookKind::kInt8) return 127;
  if (kind == CodebookKind::kInt5) return 15;
  throw std::invalid_argument("a bf16 codebook has no integer form");
}

IntegerCodebook make_integer_codebook(const Codebook& codebook, CodebookKind kind) {
  const int limit = integer_codebook_limit(kind);
  float largest = 0;
  for (const float c : codebook.centroids) largest = std::max(largest, std::abs(c));
  IntegerCodebook result;
  result.kind = kind;
  result.bits = codebook.bits;
  result.scale = largest / static_cast<float>(limit);
  for (const float c : codebook.centroids) {
    // The product has at most 31 bits, so it is exact; a quotient of such numbers that is not a half-integer lies
    // further from every half-integer than double rounds, so the decision is that of the exact quotient.
    const double quotient = largest > 0 ? static_cast<double>(c) * limit / static_cast<double>(largest) : 0;
    result.q.push_back(static_cast<std::int8_t>(nearest_even(quotient)));
  }
  return result;
}

Codebook dequantised_codebook(const IntegerCodebook& codebook) {
  std::vector<float> centroids;
  for (const std::int8_t q : codebook.q) centroids.push_back(static_cast<float>(q) * codebook.scale);
  return make_codebook(std::move(centroids));
}

Codebook bf16_codebook(const Codebook& codebook) {
  std::vector<float> centroids;
  for (const float c : codebook.centroids) centroids.push_back(to_float(to_bf16(c)));
  return make_codebook(std::move(centroids));
}

}  // namespace harmonia::formats
