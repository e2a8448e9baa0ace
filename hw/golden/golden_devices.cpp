#include "harmonia/hw/golden/golden_devices.h"

#include <algorithm>
#include <utility>

#include "harmonia/hw/vector/vector_math.h"

namespace harmonia::accelerator {

using formats::Fp16;

GoldenDevices::GoldenDevices(std::vector<std::shared_ptr<GoldenModelWeights>> parts, const GoldenSettings& settings,
                             const GoldenReduction& reduction)
    : parts_(std::move(parts)),
      settings_(settings),
      reduction_(reduction),
      devices_(parts_.size()),
      part_(parts_.size()) {
  for (std::size_t d = 0; d < parts_.size(); ++d) {
    GoldenModelWeights& w = *parts_[d];
    w.validate();
    w.prepare(settings_);
    devices_[d].reserve(w.layers.size());
    for (std::size_t l = 0; l < w.layers.size(); ++l) {
      devices_[d].emplace_back(w, settings_, static_cast<int>(l));
      devices_[d].back().set_part(&part_[d]);
    }
  }
}

std::vector<Fp16> GoldenDevices::sum_of_parts() const {
  std::vector<std::vector<float>> values;
  for (const std::vector<Fp16>& part : part_) values.push_back(fp32_of(part));
  const std::size_t elements = values.front().size();
  const link::Schedule schedule =
      link::make_schedule(link::Collective::all_reduce, reduction_.algorithm, static_cast<unsigned>(part_.size()),
                          elements, reduction_.message_elements);
  values = link::reduce(schedule, reduction_.reduction, std::move(values));
  std::vector<Fp16> sum(elements);
  for (std::size_t i = 0; i < elements; ++i) sum[i] = formats::to_fp16(values.front()[i]);
  return sum;
}

/// What the devices gave since the last time, added to the stream, or kept for a norm; nothing when they gave nothing.
void GoldenDevices::add_parts(std::size_t layer, Value result) {
  if (part_.front().empty()) return;
  const std::vector<Fp16> sum = sum_of_parts();
  if (result == Value::branch)
    for (std::vector<GoldenLayer>& device : devices_) device[layer].put_branch(sum);
  else
    vector::residual_add(x_.data(), sum.data(), sum.size(), x_.data());
  for (std::vector<Fp16>& part : part_) part.clear();
}

void GoldenDevices::step(const int* tokens, std::size_t count, Fp16* logits) {
  const ModelShape& s = parts_.front()->shape;
  const auto hidden = static_cast<std::size_t>(s.hidden_size), own = static_cast<std::size_t>(s.vocab_size);
  for (std::size_t d = 0; d < parts_.size(); ++d) {
    part_[d].assign(count * hidden, Fp16{});
    for (std::size_t t = 0; t < count; ++t) {
      const auto token = static_cast<std::size_t>(tokens[t]);
      if (token / own != d) continue;
      const Fp16* row = parts_[d]->embedding.data() + token % own * hidden;
      std::copy_n(row, hidden, part_[d].begin() + static_cast<std::ptrdiff_t>(t * hidden));
    }
    if (s.embedding_multiplier != 1.0)
      vector::scale_values(part_[d].data(), part_[d].size(), static_cast<float>(s.embedding_multiplier),
                           part_[d].data());
  }
  x_ = sum_of_parts();
  for (std::vector<Fp16>& part : part_) part.clear();
  const std::size_t position = devices_.front().empty() ? 0 : devices_.front().front().cache().tokens();
  for (std::size_t l = 0; l < devices_.front().size(); ++l)
    for (const LayerOperation& operation : layer_graph(s, static_cast<int>(l)).layer) {
      for (std::vector<GoldenLayer>& device : devices_) {
        device[l].operate(operation, x_.data(), count, position);
        if (operation.kind == "add_normed") break;  // every device does the same to its stream, and there is one here
      }
      // The part of a mixture's shared experts is summed with that of the experts.
      if (s.is_mixture(static_cast<int>(l)) && operation.operation_class == OperationClass::down &&
          !follows_routing(operation))
        continue;
      add_parts(l, operation.result);
    }
  const Tap nobody;
  const GoldenStep step{-1, 1, position + count - 1, nobody};
  GoldenRows normed;
  std::vector<Fp16> part;
  for (std::size_t d = 0; d < parts_.size(); ++d)
    for (const LayerOperation& operation : layer_graph(s).head) {
      if (operation.kind == "norm") {
        golden_norm(step, operation, x_.data() + (count - 1) * hidden, fp32_of(parts_[d]->final_norm), hidden,
                    s.rms_norm_eps, settings_.activations, normed);
        continue;
      }
      golden_product(step, operation.products.front(), parts_[d]->lm_head, normed, part);
      if (s.logits_divisor != 1.0)
        vector::divide_values(part.data(), part.size(), static_cast<float>(s.logits_divisor), part.data());
      if (s.logits_cap != 0.0)
        vector::cap_values(part.data(), part.size(), static_cast<float>(s.logits_cap), part.data());
      std::copy(part.begin(), part.end(), logits + d * own);
    }
}

}  // namespace harmonia::accelerator
