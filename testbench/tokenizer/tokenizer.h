// Byte-pair tokenizers of the SentencePiece kind that Llama-2 style models carry.
//
// Models: vocabulary with scores, greedy merging of the adjacent pair with the best score, bytes <0xNN> for what is not
// in the vocabulary, the blank that SentencePiece puts before a text. Source: github.com/karpathy/llama2.c, run.c
// `encode` and `decode`; the GGUF `tokenizer.ggml.*` keys of model type "llama". Does not model: tokenizers with merge
// lists and regular-expression splitting (GPT-2 kind, Llama 3); these are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "harmonia/testbench/files/mapped_file.h"

namespace harmonia::testbench {

class Tokenizer {
 public:
  static constexpr int kBos = 1;
  static constexpr int kEos = 2;

  /// Pieces by token and their scores; byte tokens are spelled <0xNN>. bos and eos are token numbers. Throws
  /// config::InputError when the two lists differ in length, or bos or eos lies outside them.
  Tokenizer(std::vector<std::string> pieces, std::vector<float> scores, int bos, int eos, const std::string& source);

  /// Whether encode() puts the sequence start and a blank before a text: files may ask for neither.
  void begin_with(bool start, bool blank) {
    adds_start_ = start;
    adds_blank_ = blank;
  }

  bool adds_start() const { return adds_start_; }

  int vocab_size() const { return static_cast<int>(pieces_.size()); }
  int bos() const { return bos_; }
  int eos() const { return eos_; }
  const std::string& piece(int token) const { return pieces_[static_cast<std::size_t>(token)]; }

  /// Text to tokens; with_bos puts the sequence start first, unless the file asks for none. Every text encodes: characters outside the vocabulary
  /// become byte tokens, or the unknown token 0 when the vocabulary has none.
  std::vector<int> encode(std::string_view text, bool with_bos) const;

  /// The bytes that `token` adds to a text when it follows `previous` (the blank after the sequence start is dropped).
  std::string decode(int previous, int token) const;
  /// A whole sequence; a leading sequence start is not printed.
  std::string decode(const std::vector<int>& tokens) const;

 private:
  int find(const std::string& piece) const;

  std::vector<std::string> pieces_;
  std::vector<float> scores_;
  std::vector<int> byte_token_;  // by byte value, -1 when absent
  std::vector<int> byte_of_;     // by token, -1 for ordinary pieces
  std::unordered_map<std::string, int> index_;
  int bos_;
  int eos_;
  bool adds_start_ = true, adds_blank_ = true;
};

/// llama2.c's tokenizer.bin: int32 longest piece, then per token FP32 score, int32 length, bytes. The file does not say
/// how many tokens it holds: `vocab_size` comes from the model, and the file must end exactly after that many. Throws
/// config::InputError with the byte offset; allocates no more than the file holds.
Tokenizer parse_llama2c_tokenizer(const Bytes& bytes, std::int64_t vocab_size);

/// The tokenizer inside a GGUF file. Throws config::InputError when there is none, or it is not of model "llama".
Tokenizer parse_gguf_tokenizer(const Bytes& bytes);

/// Loads tokenizer.bin, or the tokenizer inside a GGUF file. Throws config::InputError when it does not have
/// `vocab_size` tokens.
Tokenizer load_tokenizer(const std::string& path, std::int64_t vocab_size);

}  // namespace harmonia::testbench
