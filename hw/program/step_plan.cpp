#include "harmonia/hw/program/step_plan.h"

#include <algorithm>

#include "harmonia/config/error.h"

namespace harmonia::accelerator {

StepPlan::StepPlan(const ModelShape& shape_, const MemoryMap& map_, const OnChip& chip_,
                   const ProgramSettings& settings_, const StepWork& work_)
    : model(shape_), shape(shape_), map(map_), chip(chip_), settings(settings_), work(work_) {
  for (const SequenceStep& s : work.sequences) {
    first_row.push_back(rows);
    rows += s.tokens;
    if (s.tokens == 0) throw config::InputError("a sequence of a step must have at least one new token");
    if (s.context() > map.kv.capacity_tokens())
      throw config::InputError("the KV cache overflows: " + std::to_string(s.context()) + " tokens in a slot of " +
                               std::to_string(map.kv.capacity_tokens()));
    if (shape.sliding_window != 0 && s.tokens > map.kv.step_tokens())
      throw config::InputError("the KV cache of a sliding window overflows: a step appends " +
                               std::to_string(s.tokens) + " tokens to a sequence, and there is room for " +
                               std::to_string(map.kv.step_tokens()));
  }
  resident = activations_stay(shape, chip, work);
  if (shape.mixture.experts > 0 && chip.kernels.on())
    throw config::InputError("accelerator.kernels: kernels of a GPU for mixtures of experts are not modelled");
  if (shape.mixture.experts > 0 && !resident)
    throw config::InputError("accelerator.activation_buffer.capacity_bytes: the activations of " +
                             std::to_string(rows) +
                             " tokens do not fit on chip, and experts read rows of the step from there alone; take a "
                             "larger buffer, a smaller batch or shorter prefill chunks");
  std::uint64_t queries = 0;
  for (const int sort : shape.sorts_of_layers())
    queries = std::max(queries, 2 * static_cast<std::uint64_t>(shape.of_layer(sort).q_width()));
  if (!resident && shape.qk_norm_all_heads && queries > chip.scratch_bytes)
    throw config::InputError(
        "accelerator.activation_buffer.capacity_bytes: a norm over all heads takes all queries of a token, " +
        std::to_string(queries) + " bytes, and the vector unit's half has " + std::to_string(chip.scratch_bytes) +
        "; take a larger buffer");
  if (shape.tensor_devices > 1 && settings.data_valid && !resident)
    throw config::InputError(
        "accelerator.activation_buffer.capacity_bytes: the activations of " + std::to_string(rows) +
        " tokens do not fit on chip, and values that several devices sum are modelled there alone; "
        "take a larger buffer, a smaller batch or shorter prefill chunks");
  if ((shape.stage_before || shape.stage_behind) && settings.data_valid && !resident)
    throw config::InputError(
        "accelerator.activation_buffer.capacity_bytes: the activations of " + std::to_string(rows) +
        " tokens do not fit on chip, and values that go from stage to stage are modelled there alone; "
        "take a larger buffer, a smaller batch or shorter prefill chunks");
  for (const SequenceStep& s : work.sequences)
    query_strip.push_back(query_tokens_per_strip(shape, chip, work, s, resident));
}

std::vector<Part> StepPlan::parts_of(const Strip& strip) const {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < work.sequences.size(); ++i) {
    const std::uint64_t begin = std::max(first_row[i], strip.first),
                        end = std::min(first_row[i] + work.sequences[i].tokens, strip.first + strip.rows);
    if (begin < end) parts.push_back({i, begin, end - begin, work.sequences[i].cached + begin - first_row[i]});
  }
  return parts;
}

}  // namespace harmonia::accelerator
