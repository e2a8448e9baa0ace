// GGUF, the single-file format of the ggml tools: magic, version, key/value metadata, tensor table, aligned tensor
// data. Source: github.com/ggml-org/ggml, docs/gguf.md (versions 2 and 3, little endian).
//
// Models: architecture "llama" with tensors in F32, F16, BF16, Q8_0 and Q4_0, and its embedded tokenizer of model
// "llama" (SentencePiece). Does not model: big-endian files, split files, other architectures and quantisations;
// refused by name.
#pragma once

#include "harmonia/testbench/tokenizer/tokenizer.h"
#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

/// Whether the bytes begin with GGUF's magic.
bool is_gguf(const Bytes& bytes);

/// Views into `bytes`, which must outlive the result. Query and key rows in a GGUF of architecture "llama" are permuted
/// for adjacent RoPE pairs: the shape says kAdjacent. Throws config::InputError with the byte offset of what is wrong.
ModelWeights parse_gguf(const Bytes& bytes);

/// The embedded tokenizer. Throws config::InputError when there is none, or it is not of model "llama".
Tokenizer parse_gguf_tokenizer(const Bytes& bytes);

}  // namespace harmonia::testbench
