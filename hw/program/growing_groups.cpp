#include "harmonia/hw/program/growing_groups.h"

namespace harmonia::accelerator {

std::uint16_t GrowingGroups::take() {
  for (std::size_t place = 1; place < taken_.size(); ++place)
    if (!taken_[place]) {
      taken_[place] = true;
      return static_cast<std::uint16_t>(place);
    }
  return 0;
}

}  // namespace harmonia::accelerator
