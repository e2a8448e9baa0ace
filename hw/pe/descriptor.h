// What the sequencer asks of the PE array: one tile, C[m x n] (+)= A[m x k] B[n x k]^T.
// Models: the fields that a command register file would hold. Does not model: register addresses or their encoding.
#pragma once

#include <cstdint>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/operand.h"

namespace harmonia::pe {

enum class Source : std::uint8_t { weights, kv };  // which input socket brings B

using Operand = formats::Operand;

struct Descriptor {
  std::uint32_t operation = 0;
  std::uint32_t a_operand = 0;  // number of the A operand (activation buffer)
  std::uint32_t m = 0, n = 0, k = 0;
  std::uint32_t n_begin = 0;  // first output column of the tile
  Source source = Source::weights;
  Operand operand = Operand::codebook;
  std::uint8_t load_a = 0;      // 1: a_operand replaces the previous one before this tile starts
  std::uint8_t last_a = 0;      // 1: no tile after this one uses a_operand; its room is given back
  std::uint8_t passes = 1;      // PE passes per group of 32 MACs (mode dependent)
  std::uint8_t bits = 8;        // of a plain KV cache: 16 or 8
  std::uint8_t one_bit = 0;     // 1: mode M8B1
  std::uint8_t accumulate = 0;  // 1: go on with the sums of the previous tile (k is split)
  std::uint8_t emit = 1;        // 0: keep the sums for the next tile
  std::uint8_t bfp_a = 1;       // 0: A is FP16 words, and a KV cache is decoded to FP16 (operand fp16 implies it)
  std::uint8_t reuse_b = 0;     // 1: B is that of the previous tile, expanded again from the weight buffer
  std::uint16_t block = 64;     // elements that share a scale
  float codebook_scale = 1.0f;
  std::uint64_t b_bytes = 0;        // KV: bytes that B has as stored
  std::uint32_t replay_cycles = 0;  // reuse_b: cycles that the decoder needs for the tile
  // KV: which units (tokens of K, groups of V) come with a low plane: [0, wide_initial) and [wide_local, units).
  std::uint32_t wide_initial = 0, wide_local = 0;

  std::uint32_t groups() const { return static_cast<std::uint32_t>(formats::bfp_groups(k)); }
};

}  // namespace harmonia::pe
