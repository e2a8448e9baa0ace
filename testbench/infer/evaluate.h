// What a model is worth on text: greedy or sampled continuation, and negative log-likelihood per token.
//
// Models: sampling from softmax(logits / temperature) with a seed; NLL by teacher forcing, natural logarithm, in FP64.
// Does not model: anything inside the engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harmonia/testbench/infer/step_engine.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"

namespace harmonia::testbench {

struct Sampling {
  double temperature = 0.0;  ///< 0: greedy, the lowest token of equals
  double top_p = 1.0;        ///< keeps the likeliest tokens whose probabilities add up to this
  std::uint64_t seed = 1;
};

/// Continues a sequence until `count` tokens are added, one of `stop` is drawn (it is not added), the model's context
/// is full or an interrupt comes (interrupt.h). `prompt` is fed as one step and has at least one token. `on_token` may
/// be empty. Returns the added tokens.
std::vector<int> generate(StepEngine& engine, const std::vector<int>& prompt, std::size_t count,
                          const Sampling& sampling, const std::vector<int>& stop,
                          const std::function<void(int token)>& on_token = {});

/// Line that separates documents of a text file, as in the TinyStories corpus.
inline constexpr std::string_view kDocumentSeparator = "<|endoftext|>";

/// Documents of a text as token sequences, each with the sequence start, cut into pieces of at most `context` tokens.
std::vector<std::vector<int>> documents(const Tokenizer& tokenizer, std::string_view text, std::int64_t context);

struct TextQuality {
  std::size_t tokens = 0;  ///< predicted ones: the sequence starts do not count, nor what an engine has no logits for
  double nll = 0.0;        ///< mean, nats per token
  bool complete = true;    ///< false: an interrupt came before the end
  double perplexity() const;
  std::vector<int> greedy;     ///< likeliest token of every position
  std::vector<double> nll_of;  ///< of every position
};

/// What one engine loses against another on the same text.
struct QualityLoss {
  double nll = 0.0;             ///< mean difference, nats per token
  double standard_error = 0.0;  ///< of that mean, positions taken as independent
  double agreement = 0.0;       ///< share of positions with the same likeliest token
};
/// Throws std::invalid_argument when the two have different lengths.
QualityLoss quality_loss(const TextQuality& of, const TextQuality& reference);

/// Feeds each document as one step of at most `prefill` tokens and then token by token, as a generation would run. With
/// an engine of last_logits_only() that step predicts one token only.
TextQuality evaluate_text(StepEngine& engine, const std::vector<std::vector<int>>& documents, std::size_t prefill = 32,
                          const std::function<void(std::size_t tokens)>& progress = {});

}  // namespace harmonia::testbench
