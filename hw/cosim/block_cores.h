// The RTL of the blocks as cores for the running system.
// Models: the project's own RTL. Does not model: yours; put it into accelerator::BlockCores the same way (docs/rtl.md).
#pragma once

#include "harmonia/hw/accelerator/block_cores.h"
#include "harmonia/hw/accelerator/block_models.h"

namespace harmonia::rtl {

/// Cores for the blocks that a scenario wants as RTL. To be called, and its factories used, before simulation starts.
accelerator::BlockCores block_cores(const accelerator::BlocksSection& blocks);

}  // namespace harmonia::rtl
