#include "harmonia/hw/program/kernels.h"

#include <algorithm>
#include <string>
#include <tuple>

namespace harmonia::accelerator {
namespace {

std::uint64_t rounds(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

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
      return std::tie(c.tile_rows, c.tile_columns, c.split_k, c.efficiency, c.stream_bytes_per_cycle, c.decode_rows,
                      c.decode_factor, c.linear_us, c.attention_us, c.combine_us, c.elementwise_us,
                      c.single_pass_tokens, c.l2_bytes, c.l2_bytes_per_cycle, c.memory_bytes_per_cycle);
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
      .says("constant of each kernel of attention")
      .from("0: none");
  f.add("combine_us", combine_us)
      .range(0, 1e6)
      .unit("us")
      .says("constant of the kernel that puts together what multiprocessors made of parts of a context")
      .from("0: none");
  f.add("single_pass_tokens", single_pass_tokens)
      .range(0, 1e9)
      .unit("tokens")
      .says("longest context of a single sequence that attention takes in one piece, so that nothing is put together")
      .from("0: always in parts");
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

double product_cycles(const KernelConfig& kernels, double macs_per_cycle, std::uint64_t m, std::uint64_t n,
                      std::uint64_t k) {
  auto rows = static_cast<std::uint64_t>(kernels.tile_rows);
  while (rows / 2 >= std::max<std::uint64_t>(m, 16)) rows /= 2;
  const auto columns = static_cast<std::uint64_t>(kernels.tile_columns),
             multiprocessors = static_cast<std::uint64_t>(kernels.multiprocessors);
  const std::uint64_t tiles = rounds(m, rows) * rounds(n, columns);
  const std::uint64_t split =
      std::clamp<std::uint64_t>(multiprocessors / tiles, 1, static_cast<std::uint64_t>(kernels.split_k));
  const std::uint64_t waves = rounds(tiles * split, multiprocessors);
  const double each = static_cast<double>(rows * columns) * static_cast<double>(k) / static_cast<double>(split);
  return static_cast<double>(waves) * each * static_cast<double>(multiprocessors) /
         (macs_per_cycle * kernels.efficiency);
}

double expansions(const KernelConfig& kernels, std::uint64_t m, bool looked_up) {
  if (!kernels.on() || m <= 1) return 1;
  const int served = looked_up ? kernels.decode_rows : kernels.tile_rows;
  const std::uint64_t times = served == 0 ? 1 : rounds(m, static_cast<std::uint64_t>(served));
  return static_cast<double>(times) * (looked_up ? kernels.decode_factor : 1.0);
}

double elementwise_us(const KernelConfig& kernels, double clock_mhz, std::uint64_t bytes) {
  const double rate = bytes <= kernels.l2_bytes ? kernels.l2_bytes_per_cycle : kernels.memory_bytes_per_cycle;
  return kernels.elementwise_us + static_cast<double>(bytes) / (rate * clock_mhz);
}

double combine_us(const KernelConfig& kernels, std::uint64_t sequences, std::uint64_t longest_context) {
  const bool whole = sequences == 1 && longest_context <= static_cast<std::uint64_t>(kernels.single_pass_tokens);
  return whole ? 0 : kernels.combine_us;
}

}  // namespace harmonia::accelerator
