#include "harmonia/testbench/system/capacity.h"

#include <algorithm>

namespace harmonia::testbench {

Capacity fixed_capacity(const WorkloadConfig& w) {
  Capacity c;
  c.slots = static_cast<std::uint64_t>(w.batch);
  c.max_step_tokens = c.slots;
  if (w.phase == Phase::gemv) return c;
  const auto context = static_cast<std::uint64_t>(w.context);
  const bool prefill = w.phase == Phase::prefill;
  c.tokens_per_slot = context + (prefill ? 0 : static_cast<std::uint64_t>(w.tokens));
  if (prefill) {
    const auto chunk = static_cast<std::uint64_t>(w.prefill_chunk_tokens);
    c.sequence_step_tokens = chunk == 0 ? context : std::min(chunk, context);
    c.max_step_tokens = c.slots * c.sequence_step_tokens;
  }
  return c;
}

}  // namespace harmonia::testbench
