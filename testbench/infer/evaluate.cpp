#include "harmonia/testbench/infer/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "harmonia/hw/formats/random.h"
#include "harmonia/testbench/files/interrupt.h"

namespace harmonia::testbench {
namespace {

int likeliest(const float* logits, std::size_t n) {
  return static_cast<int>(std::max_element(logits, logits + n) - logits);
}

int draw(const float* logits, std::size_t n, const Sampling& sampling, formats::SplitMix64& random) {
  if (sampling.temperature <= 0.0) return likeliest(logits, n);
  const double largest = logits[likeliest(logits, n)];
  std::vector<double> p(n);
  for (std::size_t i = 0; i < n; ++i) p[i] = std::exp((logits[i] - largest) / sampling.temperature);
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return p[static_cast<std::size_t>(a)] > p[static_cast<std::size_t>(b)]; });
  const double all = std::accumulate(p.begin(), p.end(), 0.0);
  double kept = 0.0;
  std::size_t candidates = 0;
  while (candidates < n && (candidates == 0 || kept < sampling.top_p * all))
    kept += p[static_cast<std::size_t>(order[candidates++])];
  double left = random.uniform() * kept;
  for (std::size_t i = 0; i < candidates; ++i) {
    left -= p[static_cast<std::size_t>(order[i])];
    if (left < 0.0) return order[i];
  }
  return order[candidates - 1];
}

/// -log softmax(logits)[token].
double negative_log_likelihood(const float* logits, std::size_t n, int token) {
  const double largest = logits[likeliest(logits, n)];
  double sum = 0.0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(logits[i]) - largest);
  return std::log(sum) + largest - static_cast<double>(logits[token]);
}

}  // namespace

std::vector<int> generate(StepEngine& engine, const std::vector<int>& prompt, std::size_t count,
                          const Sampling& sampling, const std::vector<int>& stop,
                          const std::function<void(int token)>& on_token) {
  const auto vocab = static_cast<std::size_t>(engine.model().shape.vocab_size);
  formats::SplitMix64 random(sampling.seed);
  std::vector<int> added, input = prompt;
  std::vector<float> logits;
  while (added.size() < count && !interrupted() &&
         engine.position() + static_cast<std::int64_t>(input.size()) <= engine.model().max_context) {
    engine.step(input, logits);
    const int token = draw(logits.data() + (logits.size() - vocab), vocab, sampling, random);
    if (std::find(stop.begin(), stop.end(), token) != stop.end()) break;
    added.push_back(token);
    if (on_token) on_token(token);
    input = {token};
  }
  return added;
}

std::vector<std::vector<int>> documents(const Tokenizer& tokenizer, std::string_view text, std::int64_t context) {
  std::vector<std::vector<int>> out;
  const auto piece = static_cast<std::size_t>(std::max<std::int64_t>(context, 2)) - 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kDocumentSeparator), text.size());
    std::string_view document = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + kDocumentSeparator.size()));
    const std::size_t first = document.find_first_not_of(" \r\n\t");
    if (first == std::string_view::npos) continue;
    document = document.substr(first, document.find_last_not_of(" \r\n\t") + 1 - first);
    const std::vector<int> tokens = tokenizer.encode(document, false);
    for (std::size_t i = 0; i < tokens.size(); i += piece) {
      std::vector<int> part;
      if (tokenizer.adds_start()) part.push_back(tokenizer.bos());
      part.insert(part.end(), tokens.begin() + static_cast<std::ptrdiff_t>(i),
                  tokens.begin() + static_cast<std::ptrdiff_t>(std::min(tokens.size(), i + piece)));
      out.push_back(std::move(part));
    }
  }
  return out;
}

double TextQuality::perplexity() const { return std::exp(nll); }

QualityLoss quality_loss(const TextQuality& of, const TextQuality& reference) {
  const std::size_t n = of.nll_of.size();
  if (reference.nll_of.size() != n || reference.greedy.size() != n || of.greedy.size() != n)
    throw std::invalid_argument("two qualities of different texts");
  QualityLoss loss;
  if (n == 0) return loss;
  std::size_t equal = 0;
  for (std::size_t i = 0; i < n; ++i) {
    loss.nll += of.nll_of[i] - reference.nll_of[i];
    equal += of.greedy[i] == reference.greedy[i] ? 1 : 0;
  }
  const auto count = static_cast<double>(n);
  loss.nll /= count;
  loss.agreement = static_cast<double>(equal) / count;
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double d = of.nll_of[i] - reference.nll_of[i] - loss.nll;
    squares += d * d;
  }
  if (n > 1) loss.standard_error = std::sqrt(squares / (count - 1) / count);
  return loss;
}

TextQuality evaluate_text(StepEngine& engine, const std::vector<std::vector<int>>& documents, std::size_t prefill,
                          const std::function<void(std::size_t tokens)>& progress) {
  const auto vocab = static_cast<std::size_t>(engine.model().shape.vocab_size);
  TextQuality q;
  double sum = 0.0;
  std::size_t fed = 0;
  std::vector<float> logits;
  for (const std::vector<int>& document : documents) {
    engine.reset();
    // The last token is predicted, never fed.
    for (std::size_t i = 0; i + 1 < document.size();) {
      if (interrupted()) {
        q.complete = false;
        break;
      }
      const std::size_t n = i == 0 ? std::min(std::max<std::size_t>(prefill, 1), document.size() - 1) : 1;
      engine.step(
          {document.begin() + static_cast<std::ptrdiff_t>(i), document.begin() + static_cast<std::ptrdiff_t>(i + n)},
          logits);
      const std::size_t rows = logits.size() / vocab;
      for (std::size_t t = 0; t < rows; ++t) {
        const float* row = logits.data() + t * vocab;
        q.nll_of.push_back(negative_log_likelihood(row, vocab, document[i + n - rows + t + 1]));
        sum += q.nll_of.back();
        q.greedy.push_back(likeliest(row, vocab));
      }
      i += n;
      fed += n;
      if (progress) progress(fed);
    }
  }
  q.tokens = q.greedy.size();
  if (q.tokens > 0) q.nll = sum / static_cast<double>(q.tokens);
  return q;
}

}  // namespace harmonia::testbench
