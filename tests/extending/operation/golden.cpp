// Results scaled and added to the residual stream.
#include "harmonia/hw/golden/golden_layer.h"
#include "harmonia/hw/vector/descriptor.h"

namespace harmonia::accelerator::operations {

void scaled_add(GoldenOperations& all) { all.stream_update<vector::ScaledAdd>("scaled_add"); }

}  // namespace harmonia::accelerator::operations
