// How long attention of a step keeps memory or array at work: a measure to interpolate between simulated steps by.
// Models: each product at the rate of whichever of memory and array holds it up longer, from shapes and strips alone.
// Does not model: masks, softmax, pipelines.
#pragma once

#include "harmonia/hw/kv_cache/policy.h"
#include "harmonia/hw/model/model_shape.h"
#include "harmonia/hw/program/on_chip.h"
#include "harmonia/hw/program/step_work.h"

namespace harmonia::testbench {

/// Of all layers and kv heads, in seconds. slots_per_s: group operations of the array a second.
double attention_seconds(const accelerator::ModelShape& shape, const accelerator::KvPolicy& kv,
                         const accelerator::OnChip& chip, const accelerator::StepWork& work, double bytes_per_s,
                         double slots_per_s);

}  // namespace harmonia::testbench
