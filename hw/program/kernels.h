// Kernels of a machine that stands for a GPU: what its software spends beyond bandwidth and multiply-accumulates.
//
// Models: a product as a grid of output tiles dealt to multiprocessors in waves, of the shape that takes least, its depth
//   split where the tiles leave multiprocessors idle; the share of the tensor cores' peak that a multiprocessor reaches; the rate at which kernels
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
  int least_tile_rows = 128, least_tile_columns = 128;
  int split_k = 1;
  double efficiency = 1;
  double stream_bytes_per_cycle = 0;
  int decode_rows = 0;
  double decode_factor = 1;
  double linear_us = 0, elementwise_us = 0;
  double attention_us = 0, attention_wave_us = 0, attention_fill_us = 0, combine_us = 0;
  std::uint64_t shared_memory_bytes = 100 * 1024;
  std::uint64_t l2_bytes = 0;
  double l2_bytes_per_cycle = 1024, memory_bytes_per_cycle = 1024;
  void describe(config::Fields& f);

  bool on() const { return multiprocessors != 0; }
};

/// C[m x n] = A[m x k] B[n x k]^T. weights_per_cycle: of B that are expanded in a cycle, looked_up: through a codebook.
struct ProductSize {
  std::uint64_t m = 0, n = 0, k = 0;
  double weights_per_cycle = 0;
  bool looked_up = false;
};
struct ProductKernel {
  std::uint64_t tile_rows = 0, tile_columns = 0;
  std::uint64_t split = 1;  // parts of the depth
  double cycles = 0;        // on the array; 0: the machine is no GPU
  double expansions = 1;    // of all weights, in expansions of a matrix-vector kernel
};

/// The kernel that takes least of those that a library has, on an array of `macs_per_cycle` multiply-accumulates: tiles of
/// tile_rows to least_tile_rows (of fewer rows, the least power of two from 16 that holds them) by tile_columns to
/// least_tile_columns, the larger where two take the same. tiles = ceil(m / rows) ceil(n / columns); split =
/// multiprocessors / tiles, 1 to split_k; waves = ceil(tiles split / multiprocessors), each rows columns (k / split)
/// multiply-accumulates long on one multiprocessor. Codebook weights are expanded once for each decode_rows rows,
/// others once for each tile of rows, which may take longer than the waves.
ProductKernel product_kernel(const KernelConfig& kernels, double macs_per_cycle, const ProductSize& product);
/// Microseconds of a kernel that reads and writes `bytes` of activations in all; clock_mhz: of the machine.
double elementwise_us(const KernelConfig& kernels, double clock_mhz, std::uint64_t bytes);

}  // namespace harmonia::accelerator
