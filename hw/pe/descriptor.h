// What the sequencer asks of the PE array: one tile, C[m x n] (+)= A[m x k] B[n x k]^T.
//
// Models: the fields that a command register file would hold, one struct for each kind of B. Does not model: register
//   addresses or their encoding.
//
// A product whose k does not fit on chip is one tile for each part of k. Its FP32 sums leave the array behind every part but
// the last and are there again before the next: each part goes on where the one before it ended, so that the order of
// additions, and with it every bit of the result, is that of the product in one piece.
#pragma once

#include <cstdint>
#include <variant>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/tlm/descriptor_kinds.h"

namespace harmonia::pe {

// ---- B from the decoder ----

struct Weights {
  std::uint8_t passes = 1;          // of the array per group of 32 MACs
  bool reuse_b = false;             // B is that of the previous tile, expanded again from the weight buffer,
  std::uint32_t replay_cycles = 0;  // for which the decoder needs so many cycles
  std::uint64_t cycles = 0;         // the tile's share of a GPU kernel's time; 0: the array's own
};
/// int8 values with a bf16 scale for each `block` of them.
struct CodebookWeights : Weights {
  std::uint16_t block = 64;
  bool one_bit = false;  // mode M8B1: two values
  float scale = 1.0f;    // of the codebook
};
/// int8 values with an FP16 scale for each `block` of them.
struct IntegerWeights : Weights {
  std::uint16_t block = 64;
};
/// Stored BFP8 groups along k: 16-bit weights, converted on read.
struct Bfp8Weights : Weights {};
/// FP16 words; so are those of A.
struct Fp16Weights : Weights {};

// ---- B from the KV cache ----

struct Cache {
  bool bfp_a = true;               // A is BFP groups; otherwise FP16 words, and B is decoded to FP16
  std::uint64_t least_cycles = 0;  // that the tile takes: its share of a GPU kernel's time
};
/// BFP groups, as planes: main planes of all units (tokens of K, groups of V), then low planes of units [0, wide_initial) and
/// [wide_local, units).
struct GroupedCache : Cache {
  std::uint32_t wide_initial = 0, wide_local = 0;
};
struct Keys : GroupedCache {};    // n tokens of k channels, groups along k
struct Values : GroupedCache {};  // k tokens of n channels, groups along k
/// Rows of FP16 words, or of INT8 codes behind their scale, token by token; a BFP array makes BFP8 groups of them.
struct PlainCache : Cache {
  bool int8 = false;
};
struct PlainKeys : PlainCache {};    // n tokens of k channels
struct PlainValues : PlainCache {};  // k tokens of n channels

using Factor =
    std::variant<CodebookWeights, IntegerWeights, Bfp8Weights, Fp16Weights, Keys, Values, PlainKeys, PlainValues>;

struct Descriptor {
  std::uint32_t operation = 0;
  std::uint32_t a_operand = 0;  // number of the A operand (activation buffer)
  std::uint32_t m = 0, n = 0, k = 0;
  std::uint32_t n_begin = 0;  // first output column of the tile
  bool load_a = false;        // a_operand replaces the previous one before this tile starts
  bool last_a = false;        // no tile after this one uses a_operand; its room is given back
  bool accumulate = false;    // go on with the sums of the previous tile (k is split)
  bool emit = true;           // otherwise keep the sums for the next tile
  // Parts of a k that does not fit on chip; B comes from the decoder:
  bool resume = false;          // go on with FP32 sums [m][n] that come through the cache's socket, before B
  bool spill = false;           // the FP32 sums leave instead of results: [m][n], as two words each
  std::uint32_t a_columns = 0;  // values of a row of A, of which the tile takes k; 0: k
  std::uint32_t a_begin = 0;    // from this one on
  Factor b;

  std::uint32_t groups() const { return static_cast<std::uint32_t>(formats::bfp_groups(k)); }
  /// Null when B comes from the KV cache.
  const Weights* weights() const { return bus::as<Weights>(b); }
  bool reuses_b() const { return weights() != nullptr && weights()->reuse_b; }
  /// Values of a row of A as it stands in the operand.
  std::uint32_t a_width() const { return a_columns != 0 ? a_columns : k; }
  bool is_part() const { return resume || spill; }
  /// Bytes of the FP32 sums that come before B.
  std::uint64_t sum_bytes() const { return resume ? std::uint64_t{4} * m * n : 0; }
  /// Whether A is BFP groups.
  bool bfp_a() const {
    const Cache* cache = bus::as<Cache>(b);
    return cache != nullptr ? cache->bfp_a : !std::holds_alternative<Fp16Weights>(b);
  }
};

}  // namespace harmonia::pe
