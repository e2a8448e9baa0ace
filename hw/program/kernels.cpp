#include "harmonia/hw/program/kernels.h"

#include <algorithm>
#include <string>
#include <tuple>

namespace harmonia::accelerator {
namespace {

std::uint64_t rounds(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

std::string above(int least, int most, const char* key) {
  return least <= most ? std::string()
                       : "is " + std::to_string(least) + ", expected at most `" + key + "`, " + std::to_string(most);
}

}  // namespace

void KernelConfig::describe(config::Fields& f) {
  f.add("multiprocessors", multiprocessors)
      .range(0, 4096)
      .unit("multiprocessors")
      .says("multiprocessors of a GPU that the array stands for; 0: the array works as one, and no key below applies")
      .from("0: the machine is no GPU");
  f.check("multiprocessors", [this] {
    KernelConfig none;
    const auto fields = [](const KernelConfig& c) {
      return std::tie(c.tile_rows, c.tile_columns, c.least_tile_rows, c.least_tile_columns, c.split_k, c.efficiency,
                      c.stream_bytes_per_cycle, c.decode_rows, c.decode_factor, c.linear_us, c.elementwise_us,
                      c.attention_us, c.attention_wave_us, c.attention_fill_us, c.combine_us, c.shared_memory_bytes,
                      c.l2_bytes, c.l2_bytes_per_cycle, c.memory_bytes_per_cycle);
    };
    return on() || fields(*this) == fields(none)
               ? std::string()
               : "is 0, expected 1 or more beside the other keys of `kernels`, which hold for a GPU only";
  });
  f.add("tile_rows", tile_rows)
      .range(16, 1024)
      .power_of_two()
      .unit("rows")
      .says(
          "most rows of a kernel's output tile; a product of fewer rows takes the least power of two that holds them, "
          "from 16")
      .from("without effect at 0 multiprocessors");
  f.add("tile_columns", tile_columns)
      .range(16, 1024)
      .power_of_two()
      .unit("columns")
      .says("columns of a kernel's output tile")
      .from("without effect at 0 multiprocessors");
  f.add("least_tile_rows", least_tile_rows)
      .range(16, 1024)
      .power_of_two()
      .unit("rows")
      .says("fewest rows of the tiles that a product may choose among while it has that many")
      .from("without effect at 0 multiprocessors");
  f.check("least_tile_rows", [this] { return above(least_tile_rows, tile_rows, "tile_rows"); });
  f.add("least_tile_columns", least_tile_columns)
      .range(16, 1024)
      .power_of_two()
      .unit("columns")
      .says("fewest columns of these tiles")
      .from("without effect at 0 multiprocessors");
  f.check("least_tile_columns", [this] { return above(least_tile_columns, tile_columns, "tile_columns"); });
  f.add("split_k", split_k)
      .range(1, 64)
      .unit("parts")
      .says("most parts that the depth of a product is split into while its tiles leave multiprocessors idle")
      .from("1: not split");
  f.add("efficiency", efficiency)
      .more_than(0)
      .range(0, 1)
      .unit("share")
      .says("share of its peak that a multiprocessor reaches while it works on a tile")
      .from("1: the peak");
  f.add("stream_bytes_per_cycle", stream_bytes_per_cycle)
      .range(0, 1e6)
      .unit("bytes/cycle")
      .says("most weight bytes a cycle that a kernel for more than one row loads; 0: what the memory gives")
      .from("0: no limit of its own");
  f.check("stream_bytes_per_cycle", [this] {
    return stream_bytes_per_cycle == 0 || stream_bytes_per_cycle >= 1e-3
               ? std::string()
               : "is between 0 and 0.001, expected 0 or a rate that a transfer ends with";
  });
  f.add("decode_rows", decode_rows)
      .range(0, 65536)
      .unit("rows")
      .says(
          "rows that one expansion of codebook weights serves in a kernel for several rows; 0: all of them. Integer "
          "weights are expanded once for each tile of rows")
      .from("0: one expansion serves all rows");
  f.add("decode_factor", decode_factor)
      .range(1, 100)
      .unit("ratio")
      .says(
          "time of an expansion of codebook weights in a kernel for several rows, over that in a matrix-vector kernel")
      .from("1: the same");
  f.add("linear_us", linear_us)
      .range(0, 1e6)
      .unit("us")
      .says("constant of each kernel of a linear: launch, first load, last store")
      .from("0: none");
  f.add("attention_us", attention_us)
      .range(0, 1e6)
      .unit("us")
      .says("constant of each kernel of attention, beside its waves")
      .from("0: none");
  f.add("attention_wave_us", attention_wave_us)
      .range(0, 1e6)
      .unit("us")
      .says(
          "least time of a wave of attention's thread blocks, one for each 64 query rows of a sequence and head and "
          "each "
          "part of a split context")
      .from("0: none");
  f.add("attention_fill_us", attention_fill_us)
      .range(0, 1e6)
      .unit("us")
      .says("of a wave: until its first keys come, so that the memory is idle")
      .from("0: none");
  f.check("attention_fill_us", [this] {
    return attention_fill_us <= attention_wave_us
               ? std::string()
               : "is longer than the wave that it is part of (`attention_wave_us`), expected at most that";
  });
  f.add("shared_memory_bytes", shared_memory_bytes)
      .range(1024, 1e9)
      .unit("bytes")
      .says("shared memory of a multiprocessor: how many thread blocks of attention it holds at a time, at least one")
      .from("without effect at 0 multiprocessors");
  f.add("combine_us", combine_us)
      .range(0, 1e6)
      .unit("us")
      .says("constant of the kernel that puts together what thread blocks made of parts of a split context")
      .from("0: none");
  f.add("elementwise_us", elementwise_us)
      .range(0, 1e6)
      .unit("us")
      .says("constant of each kernel that passes over activations: norms, rotation, activation function")
      .from("0: none");
  f.add("l2_bytes", l2_bytes)
      .range(0, 1e12)
      .unit("bytes")
      .says("activations that such a kernel may read and write before they are moved at the memory's rate")
      .from("0: always the memory's");
  f.add("l2_bytes_per_cycle", l2_bytes_per_cycle)
      .range(1, 1e7)
      .unit("bytes/cycle")
      .says("rate of such a kernel in the L2 cache")
      .from("without effect at 0 multiprocessors");
  f.add("memory_bytes_per_cycle", memory_bytes_per_cycle)
      .range(1, 1e7)
      .unit("bytes/cycle")
      .says("rate of such a kernel in memory")
      .from("without effect at 0 multiprocessors");
}

namespace {

std::uint64_t u64(int value) { return static_cast<std::uint64_t>(value); }

double expansions(const KernelConfig& kernels, const ProductSize& product, std::uint64_t tile_rows) {
  if (product.m <= 1) return 1;
  if (!product.looked_up) return static_cast<double>(rounds(product.m, tile_rows));
  const std::uint64_t times = kernels.decode_rows == 0 ? 1 : rounds(product.m, u64(kernels.decode_rows));
  return static_cast<double>(times) * kernels.decode_factor;
}

ProductKernel kernel_of_tiles(const KernelConfig& kernels, double macs_per_cycle, const ProductSize& product,
                              std::uint64_t rows, std::uint64_t columns) {
  const std::uint64_t multiprocessors = u64(kernels.multiprocessors);
  const std::uint64_t tiles = rounds(product.m, rows) * rounds(product.n, columns);
  ProductKernel kernel{rows, columns, std::clamp<std::uint64_t>(multiprocessors / tiles, 1, u64(kernels.split_k))};
  const std::uint64_t waves = rounds(tiles * kernel.split, multiprocessors);
  const double each =
      static_cast<double>(rows * columns) * static_cast<double>(product.k) / static_cast<double>(kernel.split);
  kernel.cycles =
      static_cast<double>(waves) * each * static_cast<double>(multiprocessors) / (macs_per_cycle * kernels.efficiency);
  kernel.expansions = expansions(kernels, product, rows);
  return kernel;
}

}  // namespace

ProductKernel product_kernel(const KernelConfig& kernels, double macs_per_cycle, const ProductSize& product) {
  if (!kernels.on()) return {};
  auto most = u64(kernels.tile_rows);
  while (most / 2 >= std::max<std::uint64_t>(product.m, 16)) most /= 2;
  ProductKernel best;
  double least = 0;
  for (std::uint64_t rows = most; rows >= std::min(most, u64(kernels.least_tile_rows)); rows /= 2)
    for (std::uint64_t columns = u64(kernels.tile_columns); columns >= u64(kernels.least_tile_columns); columns /= 2) {
      const ProductKernel kernel = kernel_of_tiles(kernels, macs_per_cycle, product, rows, columns);
      const double decode = static_cast<double>(product.n * product.k) * kernel.expansions / product.weights_per_cycle;
      const double takes = std::max(kernel.cycles, decode);
      if (best.cycles != 0 && takes >= least * (1 - 1e-9)) continue;
      best = kernel;
      least = takes;
    }
  return best;
}

double elementwise_us(const KernelConfig& kernels, double clock_mhz, std::uint64_t bytes) {
  const double rate = bytes <= kernels.l2_bytes ? kernels.l2_bytes_per_cycle : kernels.memory_bytes_per_cycle;
  return kernels.elementwise_us + static_cast<double>(bytes) / (rate * clock_mhz);
}

}  // namespace harmonia::accelerator
