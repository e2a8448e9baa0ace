// What the operations of a golden step share: the step under way, and rows of values with what the PE array reads of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/golden/tap.h"
#include "harmonia/hw/model/layer_graph.h"

namespace harmonia::accelerator {

/// Where in a sequence the tokens of a step stand, and who looks on.
struct GoldenStep {
  int layer;             // -1: before or behind the layers
  std::size_t tokens;    // of the step
  std::size_t position;  // of the first of them
  const Tap& tap;

  void emit(std::string_view operation, TapStage stage, const std::vector<formats::Fp16>& values) const {
    if (tap) tap({layer, operation, stage, position, -1, values.data(), 2 * values.size()});
  }
  void emit(std::string_view operation, TapStage stage, const std::vector<std::uint8_t>& groups) const {
    if (tap) tap({layer, operation, stage, position, -1, groups.data(), groups.size()});
  }
};

/// Rows of one value: FP16 [rows][width], and the same as operands of the PE array once they are converted.
struct GoldenRows {
  std::vector<formats::Fp16> values;
  std::vector<std::uint8_t> groups;  // stored BFP8 rows; stays empty on a plain FP16 array

  /// What formats::LinearWeights::multiply() takes.
  const void* operand() const { return groups.empty() ? static_cast<const void*>(values.data()) : groups.data(); }
  /// Converts `rows` rows of the values for an array of this kind. Returns how many were infinite or NaN.
  std::size_t convert(formats::ActivationFormat array, std::size_t rows);
};

/// RMSNorm of a row of `width` values, or, with twice as many gains, LayerNorm, whose biases stand behind the gains.
void golden_norm_row(const formats::Fp16* x, const std::vector<float>& gains, std::size_t width, double epsilon,
                     formats::Fp16* out);

/// The norm of `x`, FP16 [tokens][width], with the gains of operation `norm`, then its conversion. Returns how many values
/// were infinite or NaN.
std::size_t golden_norm(const GoldenStep& step, const LayerOperation& norm, const formats::Fp16* x,
                        const std::vector<float>& gains, std::size_t width, double epsilon,
                        formats::ActivationFormat array, GoldenRows& out);

/// One product of a linear: the rows of its operand times a matrix.
void golden_product(const GoldenStep& step, const Product& product, const formats::LinearWeights& matrix,
                    const GoldenRows& operand, std::vector<formats::Fp16>& out);

/// FP16 values as FP32.
std::vector<float> fp32_of(const std::vector<formats::Fp16>& x);

}  // namespace harmonia::accelerator
