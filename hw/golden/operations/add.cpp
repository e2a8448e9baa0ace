// Results added to the residual stream.
#include "harmonia/hw/golden/golden_layer.h"
#include "harmonia/hw/vector/descriptor.h"

namespace harmonia::accelerator::operations {

void add(GoldenOperations& all) { all.stream_update<vector::AddResidual>("add"); }

}  // namespace harmonia::accelerator::operations
