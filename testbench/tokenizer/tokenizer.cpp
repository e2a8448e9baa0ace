#include "harmonia/testbench/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <list>
#include <queue>
#include <tuple>

#include "harmonia/config/error.h"
#include "harmonia/testbench/weights/gguf.h"

namespace harmonia::testbench {
namespace {

/// 0 .. 255 for a piece spelled <0xNN>, else -1.
int byte_value(const std::string& piece) {
  if (piece.size() != 6 || piece.compare(0, 3, "<0x") != 0 || piece[5] != '>') return -1;
  int value = 0;
  for (int i = 3; i < 5; ++i) {
    const char c = piece[static_cast<std::size_t>(i)];
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/// Length of the UTF-8 character that starts at `i`, at most what is left; 1 for a byte that starts none.
std::size_t character_length(std::string_view text, std::size_t i) {
  std::size_t n = 1;
  while (n < 4 && i + n < text.size() && (static_cast<unsigned char>(text[i + n]) & 0xC0U) == 0x80U) ++n;
  return n;
}

}  // namespace

Tokenizer::Tokenizer(std::vector<std::string> pieces, std::vector<float> scores, int bos, int eos,
                     const std::string& source)
    : pieces_(std::move(pieces)), scores_(std::move(scores)), byte_token_(256, -1), bos_(bos), eos_(eos) {
  if (pieces_.size() != scores_.size())
    throw config::InputError({source},
                             fmt::format("the tokenizer has {} pieces but {} scores", pieces_.size(), scores_.size()));
  if (pieces_.empty() || bos_ < 0 || eos_ < 0 || bos_ >= vocab_size() || eos_ >= vocab_size())
    throw config::InputError(
        {source}, fmt::format("the tokenizer's start and end tokens {} and {} lie outside its {} pieces", bos_, eos_,
                              pieces_.size()));
  byte_of_.assign(pieces_.size(), -1);
  index_.reserve(pieces_.size());
  for (std::size_t t = 0; t < pieces_.size(); ++t) {
    const int byte = byte_value(pieces_[t]);
    byte_of_[t] = byte;
    if (byte >= 0 && byte_token_[static_cast<std::size_t>(byte)] < 0)
      byte_token_[static_cast<std::size_t>(byte)] = static_cast<int>(t);
    index_.emplace(pieces_[t], static_cast<int>(t));  // of equal pieces the first counts
  }
}

int Tokenizer::find(const std::string& piece) const {
  const auto it = index_.find(piece);
  return it == index_.end() ? -1 : it->second;
}

std::vector<int> Tokenizer::encode(std::string_view text, bool with_bos) const {
  std::vector<int> symbols;
  if (!text.empty() && adds_blank_) {
    const int blank = find(" ");
    if (blank >= 0) symbols.push_back(blank);
  }
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = character_length(text, i);
    const std::string character(text.substr(i, n));
    const int token = find(character);
    if (token >= 0) {
      symbols.push_back(token);
    } else {
      for (const char c : character) {
        const int byte = byte_token_[static_cast<unsigned char>(c)];
        symbols.push_back(byte >= 0 ? byte : 0);
      }
    }
    i += n;
  }

  // Merge the best-scoring adjacent pair, the leftmost of equals, until none is in the vocabulary. A queue of
  // candidates over a linked list gives the same result as repeated scanning and takes n log n instead of n^2.
  const std::size_t n = symbols.size();
  std::vector<std::size_t> next(n), previous(n);
  std::vector<bool> alive(n, true);
  for (std::size_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i == 0 ? n : i - 1;
  }
  struct Candidate {
    float score;
    std::size_t left;
    int left_token, right_token, merged;
    bool operator<(const Candidate& other) const { return std::tie(score, other.left) < std::tie(other.score, left); }
  };
  std::priority_queue<Candidate> queue;
  const auto propose = [&](std::size_t left) {
    if (left >= n || next[left] >= n) return;
    const int a = symbols[left], b = symbols[next[left]];
    const int merged = find(piece(a) + piece(b));
    // A score that is not a number never merges: it has no place in an order.
    if (merged >= 0 && scores_[static_cast<std::size_t>(merged)] > -1e10F)
      queue.push({scores_[static_cast<std::size_t>(merged)], left, a, b, merged});
  };
  for (std::size_t i = 0; i + 1 < n; ++i) propose(i);
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    if (!alive[c.left] || symbols[c.left] != c.left_token || next[c.left] >= n ||
        symbols[next[c.left]] != c.right_token)
      continue;
    const std::size_t right = next[c.left];
    symbols[c.left] = c.merged;
    alive[right] = false;
    next[c.left] = next[right];
    if (next[right] < n) previous[next[right]] = c.left;
    propose(previous[c.left]);
    propose(c.left);
  }
  std::vector<int> tokens;
  tokens.reserve(n + 1);
  if (with_bos && adds_start_) tokens.push_back(bos_);
  for (std::size_t i = 0; i < n; i = next[i]) tokens.push_back(symbols[i]);
  return tokens;
}

std::string Tokenizer::decode(int previous, int token) const {
  const int byte = byte_of_[static_cast<std::size_t>(token)];
  if (byte >= 0) return std::string(1, static_cast<char>(byte));
  const std::string& text = piece(token);
  return previous == bos_ && !text.empty() && text[0] == ' ' ? text.substr(1) : text;
}

std::string Tokenizer::decode(const std::vector<int>& tokens) const {
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] != bos_) text += decode(i == 0 ? -1 : tokens[i - 1], tokens[i]);
  return text;
}

Tokenizer parse_llama2c_tokenizer(const Bytes& bytes, std::int64_t vocab_size) {
  const auto fail = [&](std::size_t offset, const std::string& message) {
    throw config::InputError({bytes.name}, fmt::format("byte {}: {}", offset, message));
  };
  std::size_t offset = 0;
  const auto read = [&](auto& value, const std::string& what) {
    if (bytes.size - offset < sizeof(value))
      fail(offset, "the tokenizer ends before " + what + " (wrong vocabulary, or a truncated file)");
    std::memcpy(&value, bytes.data + offset, sizeof(value));
    offset += sizeof(value);
  };
  std::int32_t longest = 0;
  read(longest, "the length of the longest piece");
  if (longest < 1) fail(0, fmt::format("the longest piece has {} bytes, expected at least 1", longest));
  // Each token takes at least 8 bytes: a vocabulary that cannot fit is refused before anything is allocated for it.
  if (vocab_size < 1 || static_cast<std::size_t>(vocab_size) > (bytes.size - offset) / 8)
    fail(offset, fmt::format("the file is too short for the model's vocabulary of {} tokens", vocab_size));
  std::vector<std::string> pieces(static_cast<std::size_t>(vocab_size));
  std::vector<float> scores(static_cast<std::size_t>(vocab_size));
  for (std::size_t t = 0; t < pieces.size(); ++t) {
    const std::string what = fmt::format("token {} of {}", t, vocab_size);
    read(scores[t], "the score of " + what);
    if (!std::isfinite(scores[t]))
      fail(offset - 4, fmt::format("the score of {} is {}, expected a finite number", what, scores[t]));
    std::int32_t length = 0;
    read(length, "the length of " + what);
    if (length < 0 || length > longest || static_cast<std::size_t>(length) > bytes.size - offset)
      fail(offset - 4,
           fmt::format("the piece of {} has {} bytes, expected 0 .. {} within the file", what, length, longest));
    pieces[t].assign(reinterpret_cast<const char*>(bytes.data + offset), static_cast<std::size_t>(length));
    offset += static_cast<std::size_t>(length);
  }
  if (offset != bytes.size)
    fail(offset,
         fmt::format("{} bytes follow the model's vocabulary of {} tokens: the tokenizer belongs to another model",
                     bytes.size - offset, vocab_size));
  return Tokenizer(std::move(pieces), std::move(scores), Tokenizer::kBos, Tokenizer::kEos, bytes.name);
}

Tokenizer parse_gguf_tokenizer(const Bytes& bytes) {
  GgufVocabulary v = parse_gguf_vocabulary(bytes);
  Tokenizer tokenizer(std::move(v.pieces), std::move(v.scores), v.bos, v.eos, bytes.name);
  tokenizer.begin_with(v.add_bos, v.add_space);
  return tokenizer;
}

Tokenizer load_tokenizer(const std::string& path, std::int64_t vocab_size) {
  const MappedFile file(path);
  if (!is_gguf(file.bytes())) return parse_llama2c_tokenizer(file.bytes(), vocab_size);
  Tokenizer tokenizer = parse_gguf_tokenizer(file.bytes());
  if (tokenizer.vocab_size() != vocab_size)
    throw config::InputError({path}, fmt::format("the tokenizer has {} tokens, the model's vocabulary {}",
                                                 tokenizer.vocab_size(), vocab_size));
  return tokenizer;
}

}  // namespace harmonia::testbench
