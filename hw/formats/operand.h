// How stored weights are expanded, and how the PE array reads what arrives. The registry of weight formats says which of
// these a format takes.
//
// Models: the kinds. Does not model: their arithmetic (pe.h, kmeans.h, int_quant.h) or their time.
#pragma once

#include <cstdint>

namespace harmonia::formats {

/// What the decoder does with the codes.
enum class Expansion : std::uint8_t {
  codebook,       // n-bit codes through the codebook registers; int8 values and bf16 block scales leave
  integer,        // two's complement or zero-point integers; int8 values and FP16 group scales leave
  to_bfp8,        // FP16 words, converted on read to BFP8 groups along the row
  pass,           // FP16 words, as they are
  codebook_fp16,  // n-bit codes through FP32 codebook registers, times the block scale, rounded to FP16
  integer_fp16    // integers times the group scale, rounded to FP16
};

/// How the PE array reads the weights that arrive.
enum class Operand : std::uint8_t {
  codebook,  // int8 values with bf16 scales per 64 (K-means, NF4, ternary)
  integer,   // int8 values with FP16 scales per 128
  bfp8,      // stored BFP8 groups along k (16-bit weights converted on read)
  fp16       // FP16 words
};

}  // namespace harmonia::formats
