#include "harmonia/hw/program/attention_kernel.h"

#include <algorithm>

#include "harmonia/hw/kv_cache/policy.h"

namespace harmonia::accelerator {
namespace {

constexpr std::uint64_t kRows = 64;  // of queries in a thread block
constexpr std::uint64_t kMostSplits = 128;
constexpr std::uint64_t kReserved = 1024;  // bytes of shared memory that the system takes for each thread block

std::uint64_t rounds(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }

/// Keys of a block: fewer where heads are wider.
std::uint64_t keys_of_block(std::uint64_t head_dim) { return head_dim <= 64 ? 256 : head_dim <= 128 ? 128 : 64; }

/// Thread blocks that a multiprocessor holds: each has its queries and a block of keys and values in 16 bits.
std::uint64_t at_a_time(const KernelConfig& kernels, std::uint64_t head_dim) {
  const std::uint64_t width = rounds(head_dim, 32) * 32;
  const std::uint64_t bytes = (kRows + 2 * keys_of_block(head_dim)) * width * 2 + kReserved;
  return std::max<std::uint64_t>(1, kernels.shared_memory_bytes / bytes);
}

std::uint64_t splits_of(std::uint64_t thread_blocks, std::uint64_t slots, std::uint64_t key_blocks) {
  if (5 * thread_blocks >= 4 * slots) return 1;
  const std::uint64_t most = std::min({kMostSplits, slots, key_blocks});
  const auto used = [&](std::uint64_t splits) {  // share of its waves
    const double waves = static_cast<double>(thread_blocks * splits) / static_cast<double>(slots);
    return waves / static_cast<double>(rounds(thread_blocks * splits, slots));
  };
  // A part more that leaves the longest part as long as it was is not tried.
  const auto shortens = [&](std::uint64_t splits) {
    return splits == 1 || rounds(key_blocks, splits) != rounds(key_blocks, splits - 1);
  };
  double best = 0;
  for (std::uint64_t s = 1; s <= most; ++s)
    if (shortens(s)) best = std::max(best, used(s));
  for (std::uint64_t s = 1; s <= most; ++s)
    if (shortens(s) && used(s) >= 0.85 * best) return s;
  return 1;
}

}  // namespace

AttentionWork attention_work(const ModelShape& shape, const StepWork& work, int layer) {
  AttentionWork w;
  w.heads = static_cast<std::uint64_t>(shape.num_attention_heads);
  w.kv_heads = static_cast<std::uint64_t>(shape.num_key_value_heads);
  w.head_dim = static_cast<std::uint64_t>(shape.head_dim);
  for (const SequenceStep& s : work.sequences)
    w.sequences.push_back({s.tokens, s.context() - first_token_read(s.cached, shape.window_of(layer))});
  return w;
}

AttentionGrid attention_grid(const KernelConfig& kernels, const AttentionWork& work) {
  const auto multiprocessors = static_cast<std::uint64_t>(kernels.multiprocessors);
  std::uint64_t queries = 0, keys = 0;
  for (const AttentionWork::Sequence& s : work.sequences) {
    queries = std::max(queries, s.queries);
    keys = std::max(keys, s.keys);
  }
  const bool grouped = queries == 1 && work.heads > work.kv_heads;
  const std::uint64_t heads = grouped ? work.kv_heads : work.heads;
  const auto row_blocks = [&](std::uint64_t q) { return rounds(grouped ? q * work.heads / work.kv_heads : q, kRows); };
  const std::uint64_t block = keys_of_block(work.head_dim);

  AttentionGrid grid;
  grid.splits =
      splits_of(work.sequences.size() * heads * row_blocks(queries), 2 * multiprocessors, rounds(keys, block));
  for (const AttentionWork::Sequence& s : work.sequences) {
    const std::uint64_t key_blocks = rounds(s.keys, block);
    const std::uint64_t parts = rounds(key_blocks, rounds(key_blocks, grid.splits));
    grid.thread_blocks += heads * row_blocks(s.queries) * parts;
  }
  grid.waves = rounds(grid.thread_blocks, multiprocessors * at_a_time(kernels, work.head_dim));
  grid.regrouped = grouped && work.sequences.size() > 1;
  return grid;
}

double attention_idle_us(const KernelConfig& kernels, const AttentionGrid& grid) {
  return kernels.attention_us + static_cast<double>(grid.waves) * kernels.attention_fill_us;
}

double attention_work_us(const KernelConfig& kernels, const AttentionGrid& grid) {
  return static_cast<double>(grid.waves) * (kernels.attention_wave_us - kernels.attention_fill_us);
}

}  // namespace harmonia::accelerator
