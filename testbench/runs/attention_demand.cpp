#include "harmonia/testbench/runs/attention_demand.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "harmonia/hw/kv_cache/head.h"
#include "harmonia/hw/program/tiling.h"

namespace harmonia::testbench {

namespace {

/// What decides about a layer's attention: the tokens that it attends to (0: all), kv heads, queries of each.
struct Sort {
  std::uint64_t window, heads, group;

  bool operator<(const Sort& other) const {
    return std::tie(window, heads, group) < std::tie(other.window, other.heads, other.group);
  }
};

/// How many layers of a model are of each sort.
std::map<Sort, double> sorts_of(const accelerator::ModelShape& shape) {
  std::map<Sort, double> layers;
  for (int l = 0; l < shape.num_hidden_layers; ++l) {
    std::uint64_t group = static_cast<std::uint64_t>(shape.queries_per_kv_head());
    if (!shape.layers.empty()) group = static_cast<std::uint64_t>(shape.of_layer(l).queries_per_kv_head());
    ++layers[{shape.window_of(l), static_cast<std::uint64_t>(shape.cached_heads(l)), group}];
  }
  return layers;
}

}  // namespace

double attention_seconds(const accelerator::ModelShape& shape, const accelerator::KvPolicy& kv,
                         const accelerator::OnChip& chip, const accelerator::StepWork& work, double bytes_per_s,
                         double slots_per_s) {
  const accelerator::KvHead head(kv, shape.head_dim);
  const auto d = static_cast<std::uint64_t>(shape.head_dim);
  const std::uint64_t lines = accelerator::kv_groups(d);
  const std::uint64_t passes = !kv.grouped() && chip.attention_operand.bfp() ? 2 : 1;
  const auto longer = [&](std::uint64_t bytes, std::uint64_t slots) {
    return std::max(static_cast<double>(bytes) / bytes_per_s, static_cast<double>(slots) / slots_per_s);
  };
  const bool resident = accelerator::activations_stay(shape, chip, work);
  double seconds = 0;
  const std::map<Sort, double> sorts = sorts_of(shape);
  for (const accelerator::SequenceStep& s : work.sequences) {
    const std::uint64_t context = s.context();
    for (const accelerator::Strip& strip :
         accelerator::strips_of(s.tokens, accelerator::query_tokens_per_strip(shape, chip, work, s, resident))) {
      const std::uint64_t visible = s.cached + strip.first + strip.rows;
      const std::uint64_t read = accelerator::values_read(kv.grouped(), chip, visible, context);
      for (const auto& [sort, layers] : sorts) {
        const std::uint64_t m = strip.rows * sort.group;
        const std::uint64_t begin = accelerator::first_token_read(s.cached + strip.first, sort.window);
        const accelerator::UnitRange keys{begin, visible};
        seconds +=
            layers * static_cast<double>(sort.heads) *
            (longer(head.keys_read(keys, context),
                    m * lines * (keys.count() * passes + head.wide_keys(keys, context).count())) +
             longer(head.values_read({begin, read}, context),
                    m * d * (accelerator::kv_groups(keys.count()) * passes + head.wide_groups(keys, context).count())));
      }
    }
  }
  return seconds;
}

}  // namespace harmonia::testbench
