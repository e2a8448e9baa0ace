// Results of the output and down projections, scaled and added to the residual stream.
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator::operations {

void scaled_add(Generators& all) {
  all.results("scaled_add", Value::residual,
              [](Generation& g, int /*layer*/, const Unit& u) { update_stream<vector::ScaledAdd>(g, u); });
}

}  // namespace harmonia::accelerator::operations
