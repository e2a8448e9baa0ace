// Mixtures of experts: the router's choice, the scale of shared experts, and the experts one after the other.
#include <algorithm>

#include "harmonia/hw/golden/golden_layer.h"

namespace harmonia::accelerator {
namespace {

using formats::Fp16;

std::size_t size(int n) { return static_cast<std::size_t>(n); }

vector::RouteRule route_rule(const Mixture& m) {
  vector::RouteRule rule;
  rule.experts_per_token = static_cast<std::uint32_t>(m.experts_per_token);
  rule.sigmoid = m.scores == RouterScores::sigmoid;
  rule.normalised = m.normalised;
  rule.scale = static_cast<float>(m.weight_scale);
  return rule;
}

/// Rows of an operand of the PE array, in the form that multiply_rows() takes.
std::vector<std::uint8_t> rows_of(const GoldenRows& all, std::size_t width, const std::vector<std::size_t>& rows) {
  const std::size_t bytes = all.groups.empty() ? 2 * width : formats::kBfp8.row_bytes(width);
  const auto* from = static_cast<const std::uint8_t*>(all.operand());
  std::vector<std::uint8_t> picked;
  for (const std::size_t row : rows) picked.insert(picked.end(), from + row * bytes, from + (row + 1) * bytes);
  return picked;
}

}  // namespace

void GoldenLayer::route(const GoldenStep& step, const LayerOperation& /*operation*/, std::size_t product, Fp16* /*x*/) {
  const vector::RouteRule rule = route_rule(shape_.mixture);
  const std::size_t experts = size(shape_.mixture.experts), each = rule.experts_per_token;
  chosen_.resize(step.tokens * each);
  expert_weights_.resize(step.tokens * each);
  for (std::size_t t = 0; t < step.tokens; ++t)
    vector::route(results_[product].data() + t * experts, experts, rule, chosen_.data() + t * each,
                  expert_weights_.data() + t * each);
}

void GoldenLayer::scale(const GoldenStep& step, const LayerOperation& /*operation*/, std::size_t product, Fp16* /*x*/) {
  shared_scale_.resize(step.tokens);
  for (std::size_t t = 0; t < step.tokens; ++t)
    shared_scale_[t] = vector::sigmoid_f32(formats::to_float(results_[product][t]));
}

/// The model's factor of what goes to the residual stream.
void GoldenLayer::scale_branch(std::vector<Fp16>& results) const {
  const auto multiplier = static_cast<float>(shape_.residual_multiplier);
  if (multiplier != 1.0f) vector::scale_values(results.data(), results.size(), multiplier, results.data());
}

Fp16* GoldenLayer::stream_or_part(Fp16* x, std::size_t tokens) {
  if (part_ == nullptr) return x;
  if (part_->empty()) part_->assign(tokens * size(shape_.hidden_size), Fp16{});
  return part_->data();
}

void GoldenLayer::add_scaled(const GoldenStep& step, const LayerOperation& /*operation*/, std::size_t product,
                             Fp16* x) {
  const std::size_t hidden = size(shape_.hidden_size);
  scale_branch(results_[product]);
  x = stream_or_part(x, step.tokens);
  for (std::size_t t = 0; t < step.tokens; ++t)
    vector::scaled_add(x + t * hidden, results_[product].data() + t * hidden, shared_scale_[t], hidden, x + t * hidden);
}

void GoldenLayer::experts(const GoldenStep& step, const LayerOperation& operation, Fp16* x) {
  for (std::size_t e = 0; e < size(shape_.own_experts()); ++e) expert(operation, e, stream_or_part(x, step.tokens));
  if (step.tap && part_ == nullptr)
    step.tap({step.layer, operation.name, TapStage::added, step.position, -1, x,
              2 * step.tokens * size(shape_.hidden_size)});
}

/// What one expert of this device gives to the tokens that were sent to it.
void GoldenLayer::expert(const LayerOperation& operation, std::size_t number, Fp16* x) {
  const std::size_t hidden = size(shape_.hidden_size), width = size(shape_.mixture.expert_width),
                    each = size(shape_.mixture.experts_per_token);
  std::vector<std::size_t> rows;
  std::vector<float> weights;
  for (std::size_t i = 0; i < chosen_.size(); ++i)
    if (chosen_[i] == size(shape_.first_expert()) + number) {
      rows.push_back(i / each);
      weights.push_back(expert_weights_[i]);
    }
  if (rows.empty()) return;
  const std::vector<std::uint8_t> operand = rows_of(this->rows(operation.operand), hidden, rows);
  const auto product = [&](std::size_t i, const void* of, std::size_t outputs) {
    std::vector<Fp16> out(rows.size() * outputs);
    weights_->matrices[*operation.products[i].weights].multiply_rows(of, rows.size(), number * outputs, outputs,
                                                                     out.data());
    if (operation.products[i].bias) {
      const Fp16* bias = weights_->gains[*operation.products[i].bias].data() + number * outputs;
      for (std::size_t r = 0; r < rows.size(); ++r)
        vector::residual_add(out.data() + r * outputs, bias, outputs, out.data() + r * outputs);
    }
    return out;
  };
  const std::vector<Fp16> gate = product(0, operand.data(), width), up = product(1, operand.data(), width);
  GoldenRows activated;
  activated.values.resize(gate.size());
  vector::activate_mul(function_of(shape_), static_cast<float>(shape_.activation_limit), gate.data(), up.data(),
                       gate.size(), activated.values.data());
  nonfinite_ += activated.convert(settings_.activations, rows.size());
  std::vector<Fp16> down = product(2, activated.operand(), hidden);
  scale_branch(down);
  for (std::size_t r = 0; r < rows.size(); ++r)
    vector::scaled_add(x + rows[r] * hidden, down.data() + r * hidden, weights[r], hidden, x + rows[r] * hidden);
}

void GoldenOperations::experts() {
  operations_["experts"] = &GoldenLayer::experts;
  results_["route"] = &GoldenLayer::route;
  results_["scale"] = &GoldenLayer::scale;
  results_["add_scaled"] = &GoldenLayer::add_scaled;
}

namespace operations {
void experts(GoldenOperations& all) { all.experts(); }
}  // namespace operations

}  // namespace harmonia::accelerator
