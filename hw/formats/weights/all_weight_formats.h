// Internal: what CMake writes from the list of files in hw/formats/weights/CMakeLists.txt.
#pragma once

#include <vector>

#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats {

std::vector<WeightFormatTraits> all_weight_formats();

}  // namespace harmonia::formats
