// Taps of the golden model: every intermediate value of a step as it appears.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace harmonia::accelerator {

/// What of an operation's values is shown. T = tokens of the step; "BFP8 rows" are kBfp8.row_bytes(n) stored bytes a
/// row, and are not produced on a plain FP16 array.
enum class TapStage : std::uint8_t {
  result,                 // FP16 [T][width of the result]: of a norm, a matrix, paired matrices, attention, the gather
  rotated,                // FP16, as the result: behind the rotary position embedding
  smoothed,               // FP16, as the result: keys behind online smoothing
  operand,                // BFP8 rows of the result; of queries [T][heads] rows of head_dim
  scores,                 // FP16, one record per token and head: [position + 1]
  probabilities,          // FP16, one record per token and head: [position + 1]
  probabilities_operand,  // BFP8 row of position + 1 values, one record per token and head
  added                   // FP16 [T][hidden]: the residual stream behind the addition
};

struct TapRecord {
  int layer = -1;              ///< -1: of the model
  std::string_view operation;  ///< name of a tensor for the result of its product, else of the operation
  TapStage stage = TapStage::result;
  std::size_t token = 0;  ///< absolute position of the first row
  int head = -1;          ///< query head of records per head, else -1
  const void* data = nullptr;
  std::size_t bytes = 0;  ///< FP16 values count 2
};

/// Called as values appear, in the order of the operations; the data is valid during the call only.
using Tap = std::function<void(const TapRecord&)>;

}  // namespace harmonia::accelerator
