#include "harmonia/testbench/infer/step_engine.h"

#include <fmt/format.h>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

std::int64_t MachineCost::tokens() const {
  std::int64_t sum = 0;
  for (const Step& s : steps) sum += s.tokens;
  return sum;
}

MachineCost::PerToken MachineCost::per_output_token() const {
  PerToken mean;
  double count = 0;
  for (const Step& s : steps) {
    if (s.tokens != 1) continue;
    mean.seconds += s.seconds;
    mean.pin_bytes += static_cast<double>(s.pin_bytes);
    mean.joules += s.joules;
    ++count;
  }
  if (count > 0) mean = {mean.seconds / count, mean.pin_bytes / count, mean.joules / count};
  return mean;
}

void StepEngine::check(const std::vector<int>& tokens) const {
  if (tokens.empty()) throw config::InputError("a step needs a token");
  for (const int token : tokens)
    if (token < 0 || token >= model().shape.vocab_size)
      throw config::InputError(
          fmt::format("token {} is outside the vocabulary of {}", token, model().shape.vocab_size));
  if (position() + static_cast<std::int64_t>(tokens.size()) > model().max_context)
    throw config::InputError(fmt::format("the sequence exceeds the model's context of {} tokens", model().max_context));
}

}  // namespace harmonia::testbench
