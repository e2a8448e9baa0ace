// The llama2.c checkpoints, on a little-endian host.
//
// Models: version 0 (seven int32: dim, hidden, layers, heads, kv heads, vocabulary, context; a negative vocabulary means a separate
//   output head; then FP32 tensors in a fixed order, two unused RoPE tables among them), version 1 (magic "ak42", a header of 256
//   bytes, FP32 tensors) and version 2 (the same header, 8-bit integers with an FP32 scale per group, norms in FP32).
// Does not model: checkpoints of training (.pt).
// Source: github.com/karpathy/llama2.c, export.py `legacy_export`, `version1_export`, `version2_export`, run.c and runq.c.
#pragma once

#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

/// Views into `bytes`, which must outlive the result. Throws config::InputError unless the file's length is exactly
/// what the header implies. Nothing is allocated before that is known.
ModelWeights parse_llama2c(const Bytes& bytes);

}  // namespace harmonia::testbench
