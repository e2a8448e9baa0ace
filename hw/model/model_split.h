// One device's part of a model whose tensors are divided among several.
//
// Models: tensor parallelism of equal devices: q, k, v, gate and up by output columns, o and down by input rows, the vocabulary of
//   embedding and lm_head; kv heads divided, or, where there are fewer than devices, each on several of them. Experts of a mixture are
//   divided as gate, up and down are, or placed: whole ones in blocks of as many on each device (expert parallelism). Pipeline
//   parallelism of stages of whole layers: the first one has the embedding, the last one the final norm and lm_head.
// Does not model: devices of a stage with different parts other than experts, experts on several devices at once, stages that begin
//   within a layer.
#pragma once

#include <cstdint>

#include "harmonia/hw/model/model_shape.h"

namespace harmonia::accelerator {

/// What of a mixture's experts a device has: a part of each, or whole ones.
enum class ExpertSplit : std::uint8_t { divided, placed };

/// The part of the first device. Throws config::InputError ("devices.KEY: ...") when something that must be divided does not divide.
ModelShape part_of(const ModelShape& whole, int devices, ExpertSplit experts = ExpertSplit::divided);
/// The part of device `number` instead of the one that it is of: it has other experts where they are placed.
ModelShape part_of_device(const ModelShape& part, int number);

/// Layers of a stage: where they do not divide the first stages have one more each, since the last one also has lm_head.
int layers_of_stage(int layers, int stages, int stage);
/// The part of stage `stage` of so many. Throws config::InputError ("devices.pipeline: ...") for more stages than layers.
ModelShape stage_of(const ModelShape& model, int stages, int stage);
/// Whether two stages of a model take the same time for the same rows: layers that are alike one by one, and the same beside them.
/// Stages of mixtures of experts are not: each layer reads experts of its own.
bool alike(const ModelShape& a, const ModelShape& b);

}  // namespace harmonia::accelerator
