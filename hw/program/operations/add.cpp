// Results of the output and down projections, added to the residual stream.
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator::operations {

void add(Generators& all) {
  all.results("add", Value::residual,
              [](Generation& g, int /*layer*/, const Unit& u) { update_stream<vector::AddResidual>(g, u); });
}

}  // namespace harmonia::accelerator::operations
