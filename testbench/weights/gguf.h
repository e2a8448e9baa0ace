// GGUF, the single-file format of the ggml tools: magic, version, key/value metadata, tensor table, aligned tensor
// data. Source: github.com/ggml-org/ggml, docs/gguf.md (versions 2 and 3, little endian).
//
// Models: architecture "llama" with tensors in F32, F16, BF16, Q8_0 and Q4_0, and its embedded tokenizer of model
// "llama" (SentencePiece). Does not model: big-endian files, split files, other architectures and quantisations;
// refused by name.
#pragma once

#include <string>
#include <vector>

#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

/// Whether the bytes begin with GGUF's magic.
bool is_gguf(const Bytes& bytes);

/// Views into `bytes`, which must outlive the result. Query and key rows in a GGUF of architecture "llama" are permuted
/// for adjacent RoPE pairs: the shape says kAdjacent. Throws config::InputError with the byte offset of what is wrong.
ModelWeights parse_gguf(const Bytes& bytes);

/// What the file says of its tokenizer: a text and a score of each token, blanks as blanks.
struct GgufVocabulary {
  std::vector<std::string> pieces;
  std::vector<float> scores;
  int bos = -1, eos = -1;  ///< -1: the file does not say, or says what is no token
  bool add_bos = true;     ///< a text begins with the token `bos`
  bool add_space = true;   ///< and with a blank
};

/// The embedded tokenizer. Throws config::InputError when there is none, or it is not of model "llama".
GgufVocabulary parse_gguf_vocabulary(const Bytes& bytes);

}  // namespace harmonia::testbench
