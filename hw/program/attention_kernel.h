// The attention kernel of a machine that stands for a GPU: thread blocks dealt to multiprocessors in waves.
//
// Models: one thread block for 64 rows of queries of a sequence and head, that goes through the keys in blocks; the
//   queries of a kv head as the rows of one block where every sequence has a single query; a context split over several
//   thread blocks where they would leave multiprocessors idle; as many at a time as the shared memory holds.
// Does not model: thread blocks that end early and let the next begin before the wave has ended; keys found in the L2
//   cache; rules of its own for sliding windows.
// Source: FlashAttention 2 (github.com/Dao-AILab/flash-attention, csrc/flash_attn/flash_api.cpp and src/
//   flash_fwd_launch_template.h: sizes of blocks, number of splits), which vLLM calls for caches in pages.
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/kernels.h"
#include "harmonia/hw/program/step_work.h"

namespace harmonia::accelerator {

struct AttentionWork {
  struct Sequence {
    std::uint64_t queries, keys;
  };
  std::vector<Sequence> sequences;
  std::uint64_t heads = 0, kv_heads = 0, head_dim = 0;
};
/// What attention of one layer has to do in a step.
AttentionWork attention_work(const ModelShape& shape, const StepWork& work, int layer);

struct AttentionGrid {
  std::uint64_t splits = 1;         // of the longest context
  std::uint64_t thread_blocks = 0;  // parts of all sequences
  std::uint64_t waves = 0;
  bool regrouped = false;  // queries and outputs of several sequences change their order, a kernel before and one after
};

/// The kernel's grid. splits: the fewest whose last wave on 2 * multiprocessors is used at least 0.85 times as well as
/// that of the best number; 1 where the thread blocks without splitting fill 0.8 of these.
AttentionGrid attention_grid(const KernelConfig& kernels, const AttentionWork& work);
/// Microseconds in which no keys come: the kernel's constant and the beginning of each wave.
double attention_idle_us(const KernelConfig& kernels, const AttentionGrid& grid);
/// Least microseconds of all waves beyond that.
double attention_work_us(const KernelConfig& kernels, const AttentionGrid& grid);

}  // namespace harmonia::accelerator
