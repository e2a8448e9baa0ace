#include "harmonia/testbench/runs/attention_demand.h"

#include <algorithm>

#include "harmonia/hw/kv_cache/head.h"
#include "harmonia/hw/program/tiling.h"

namespace harmonia::testbench {

double attention_seconds(const accelerator::ModelShape& shape, const accelerator::KvPolicy& kv,
                         const accelerator::OnChip& chip, const accelerator::StepWork& work, double bytes_per_s,
                         double slots_per_s) {
  const accelerator::KvHead head(kv, shape.head_dim);
  const auto d = static_cast<std::uint64_t>(shape.head_dim),
             group = static_cast<std::uint64_t>(shape.queries_per_kv_head());
  const std::uint64_t lines = accelerator::kv_groups(d);
  const std::uint64_t passes = !kv.grouped() && chip.attention_operand.bfp() ? 2 : 1;
  const auto longer = [&](std::uint64_t bytes, std::uint64_t slots) {
    return std::max(static_cast<double>(bytes) / bytes_per_s, static_cast<double>(slots) / slots_per_s);
  };
  const bool resident = accelerator::activations_stay(shape, chip, work);
  double seconds = 0;
  for (const accelerator::SequenceStep& s : work.sequences) {
    const std::uint64_t context = s.context();
    for (const accelerator::Strip& strip :
         accelerator::strips_of(s.tokens, accelerator::query_tokens_per_strip(shape, chip, work, s, resident))) {
      const std::uint64_t m = strip.rows * group, visible = s.cached + strip.first + strip.rows;
      const std::uint64_t read = accelerator::values_read(kv.grouped(), chip, visible, context);
      const std::uint64_t groups = accelerator::kv_groups(visible);
      seconds += longer(head.keys_read(visible, context),
                        m * lines * (visible * passes + head.wide_keys(visible, context).count())) +
                 longer(head.values_read(read, context),
                        m * d * (groups * passes + head.wide_groups(visible, context).count()));
    }
  }
  return seconds * shape.num_key_value_heads * shape.num_hidden_layers;
}

}  // namespace harmonia::testbench
