// What the golden model may be asked to do differently.
#pragma once

#include <cstddef>
#include <memory>

#include "harmonia/hw/formats/array_arithmetic.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/kv_cache/policy.h"

namespace harmonia::accelerator {

struct GoldenSettings {
  formats::ActivationFormat activations = formats::ActivationFormat::bfp8;
  KvFormat kv = KvFormat::kBfp4Windows;
  std::size_t n_initial = 32;  ///< 8-bit windows of kBfp4Windows, tokens
  std::size_t n_local = 64;
  bool online_smoothing = false;
  std::size_t smoothed_channels = formats::kDefaultOffsets;  ///< per kv head

  /// The linears by another design's PEs, activations being FP16. Attention, and matrices that stay FP16 where the design takes
  /// integers, are a plain FP16 array's. Null: the array itself multiplies everything.
  std::shared_ptr<const formats::ArrayArithmetic> linears;

  std::size_t online_block = 0;  ///< keys of a block of online softmax, a multiple of 32; 0: softmax of whole rows

  KvPolicy kv_policy() const { return {kv, static_cast<int>(n_initial), static_cast<int>(n_local)}; }
};

}  // namespace harmonia::accelerator
