// The llama2.c checkpoint, version 0: seven int32 (dim, hidden, layers, heads, kv heads, vocabulary, context; a
// negative vocabulary means a separate output head), then FP32 tensors in a fixed order, two unused RoPE tables among
// them. Source: github.com/karpathy/llama2.c, export.py `legacy_export` and run.c `memory_map_weights`.
//
// Models: that layout on a little-endian host. Does not model: versions 1 and 2 (magic "ak42"), which are refused by
// name.
#pragma once

#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

/// Views into `bytes`, which must outlive the result. Throws config::InputError unless the file's length is exactly
/// what the header implies. Nothing is allocated before that is known.
ModelWeights parse_llama2c(const Bytes& bytes);

}  // namespace harmonia::testbench
