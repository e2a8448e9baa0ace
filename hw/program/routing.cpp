#include "harmonia/hw/program/routing.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "harmonia/hw/formats/random.h"

namespace harmonia::accelerator {

DrawnRouting::DrawnRouting(const Mixture& mixture, double exponent, std::uint64_t seed)
    : per_token_(static_cast<std::uint32_t>(mixture.experts_per_token)), seed_(seed) {
  for (int e = 0; e < mixture.experts; ++e) weights_.push_back(std::pow(e + 1.0, -exponent));
}

/// The smallest of exponentially distributed times whose rates are the weights: drawing one after the other by weight.
std::vector<std::uint32_t> DrawnRouting::experts(int layer, std::uint64_t slot, std::uint64_t position) const {
  formats::SplitMix64 mixed(seed_ ^ (static_cast<std::uint64_t>(layer) << 48U) ^ (slot << 32U) ^ position);
  formats::SplitMix64 draw(mixed.next());
  std::vector<std::pair<double, std::uint32_t>> times;
  times.reserve(weights_.size());
  for (const double weight : weights_)
    times.emplace_back(-formats::portable_log(draw.uniform() + 0x1p-60) / weight,
                       static_cast<std::uint32_t>(times.size()));
  std::partial_sort(times.begin(), times.begin() + per_token_, times.end());
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t i = 0; i < per_token_; ++i) chosen.push_back(times[i].second);
  return chosen;
}

TracedRouting::TracedRouting(const ModelShape& shape, std::vector<std::uint32_t> experts, std::uint64_t slots)
    : experts_(std::move(experts)),
      per_token_(static_cast<std::uint64_t>(shape.mixture.experts_per_token)),
      layers_(static_cast<std::uint64_t>(shape.mixture_layers())),
      slots_(std::max<std::uint64_t>(1, slots)) {
  std::uint64_t mixtures = 0;
  for (int l = 0; l < shape.num_hidden_layers; ++l) place_.push_back(shape.is_mixture(l) ? mixtures++ : 0);
}

std::vector<std::uint32_t> TracedRouting::experts(int layer, std::uint64_t slot, std::uint64_t position) const {
  const std::uint64_t tokens = experts_.size() / (layers_ * per_token_), token = (position * slots_ + slot) % tokens;
  const auto first = experts_.begin() + static_cast<std::ptrdiff_t>(
                                            (token * layers_ + place_[static_cast<std::size_t>(layer)]) * per_token_);
  return {first, first + static_cast<std::ptrdiff_t>(per_token_)};
}

void ScoredRouting::begin(const ModelShape& shape, const StepWork& work) {
  sequences_ = work.sequences;
  rows_ = work.tokens();
  experts_.assign(static_cast<std::size_t>(shape.first_layer + shape.num_hidden_layers),
                  {});  // as the model numbers them
}

std::vector<std::uint32_t> ScoredRouting::experts(int layer, std::uint64_t slot, std::uint64_t position) const {
  const std::vector<std::uint32_t>& of_layer = experts_[static_cast<std::size_t>(layer)];
  std::uint64_t row = 0;
  for (const SequenceStep& s : sequences_) {
    if (s.slot == slot && position >= s.cached && position < s.context()) {
      if (of_layer.empty()) throw std::logic_error("a mixture layer whose tokens have not been routed");
      const std::uint64_t each = of_layer.size() / rows_;
      const auto first = of_layer.begin() + static_cast<std::ptrdiff_t>((row + position - s.cached) * each);
      return {first, first + static_cast<std::ptrdiff_t>(each)};
    }
    row += s.tokens;
  }
  throw std::logic_error("a token that is not of the step has no experts");
}

RowsOfExperts rows_of_all_experts(const ModelShape& shape, const Routing& routing, const StepWork& work, int layer) {
  RowsOfExperts rows(static_cast<std::size_t>(shape.mixture.experts));
  std::uint32_t row = 0;
  for (const SequenceStep& s : work.sequences)
    for (std::uint64_t t = 0; t < s.tokens; ++t, ++row)
      for (const std::uint32_t expert : routing.experts(shape.first_layer + layer, s.slot, s.cached + t))
        rows[expert].push_back(row);
  return rows;
}

RowsOfExperts rows_of_device(const ModelShape& shape, const RowsOfExperts& all, int device) {
  if (shape.expert_devices == 1) return all;
  const auto first = all.begin() + std::ptrdiff_t{device} * shape.own_experts();
  return {first, first + shape.own_experts()};
}

int busiest_device(const ModelShape& shape, const RowsOfExperts& all) {
  int busiest = 0;
  std::pair<std::size_t, std::size_t> most{};
  for (int d = 0; d < shape.expert_devices; ++d) {
    std::pair<std::size_t, std::size_t> work{};
    for (const std::vector<std::uint32_t>& rows : rows_of_device(shape, all, d)) {
      work.first += rows.empty() ? 0 : 1;
      work.second += rows.size();
    }
    if (work <= most) continue;
    most = work;
    busiest = d;
  }
  return busiest;
}

RowsOfExperts rows_of_own_experts(const ModelShape& shape, const RowsOfExperts& all) {
  return rows_of_device(shape, all, shape.device == ModelShape::busiest ? busiest_device(shape, all) : shape.device);
}

RowsOfExperts rows_of_experts(const ModelShape& shape, const Routing& routing, const StepWork& work, int layer) {
  return rows_of_own_experts(shape, rows_of_all_experts(shape, routing, work, layer));
}

}  // namespace harmonia::accelerator
