// One device's part of a model whose tensors are divided among several.
//
// Models: tensor parallelism of equal devices: q, k, v, gate and up by output columns, o and down by input rows, the vocabulary of
//   embedding and lm_head; kv heads divided, or, where there are fewer than devices, each on several of them.
// Does not model: devices with different parts, experts across devices.
#pragma once

#include "harmonia/hw/model/model_shape.h"

namespace harmonia::accelerator {

/// Throws config::InputError ("devices.tensor: ...") when something that must be divided does not divide.
ModelShape part_of(const ModelShape& whole, int devices);

}  // namespace harmonia::accelerator
