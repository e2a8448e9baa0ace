// Kernels of a machine that stands for a GPU: what its software spends beyond bandwidth and multiply-accumulates.
//
// Models: a product as a grid of output tiles dealt to multiprocessors in waves, its depth split where the tiles leave
//   multiprocessors idle; the share of the tensor cores' peak that a multiprocessor reaches; the rate at which kernels
//   for several rows load weights; weights decoded again for each block of rows; a constant for each kernel; kernels one
//   after another; kernels that pass over activations in the L2 cache or in memory.
// Does not model: warps, occupancy of one multiprocessor by several tiles, clocks that fall under load, cached weights
//   or keys and values. A machine of one array (multiprocessors: 0) has none of this.
// Source: values are those of a card, in its accelerator file, each with its source.
#pragma once

#include <cstdint>

#include "harmonia/config/fields.h"

namespace harmonia::accelerator {

struct KernelConfig {
  int multiprocessors = 0;
  int tile_rows = 128, tile_columns = 128;
  int split_k = 1;
  double efficiency = 1;
  double stream_bytes_per_cycle = 0;
  int decode_rows = 0;
  double decode_factor = 1;
  double linear_us = 0, attention_us = 0, combine_us = 0, elementwise_us = 0;
  int single_pass_tokens = 0;
  std::uint64_t l2_bytes = 0;
  double l2_bytes_per_cycle = 1024, memory_bytes_per_cycle = 1024;
  void describe(config::Fields& f);

  bool on() const { return multiprocessors != 0; }
};

/// Cycles of the kernel for C[m x n] = A[m x k] B[n x k]^T on an array of `macs_per_cycle` multiply-accumulates.
/// tiles = ceil(m / rows) ceil(n / columns), rows the least of 16, 32, ... tile_rows that holds m; split =
/// multiprocessors / tiles, 1 to split_k; waves = ceil(tiles split / multiprocessors), each
/// rows columns (k / split) multiply-accumulates long on one multiprocessor.
double product_cycles(const KernelConfig& kernels, double macs_per_cycle, std::uint64_t m, std::uint64_t n,
                      std::uint64_t k);
/// How often the weights of a product with m rows are expanded, in expansions of a matrix-vector kernel. looked_up:
/// through a codebook; other weights are expanded once for each tile of rows.
double expansions(const KernelConfig& kernels, std::uint64_t m, bool looked_up);
/// Microseconds of a kernel that reads and writes `bytes` of activations in all; clock_mhz: of the machine.
double elementwise_us(const KernelConfig& kernels, double clock_mhz, std::uint64_t bytes);
/// Microseconds before the second kernel of attention, which puts partial results together; 0: there is none, since one
/// sequence of at most single_pass_tokens tokens is attended to in one piece.
double combine_us(const KernelConfig& kernels, std::uint64_t sequences, std::uint64_t longest_context);

}  // namespace harmonia::accelerator
