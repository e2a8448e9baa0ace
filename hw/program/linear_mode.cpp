#include "harmonia/hw/program/linear_mode.h"

#include <stdexcept>
#include <string>

#include "harmonia/config/error.h"

namespace harmonia::accelerator {

LinearMode linear_mode(formats::WeightFormat format, formats::CodebookKind codebook, bool bfp_array) {
  if (!format->refused.empty())
    throw config::InputError((format->zero_point ? "weights.zero_point: " : "weights.format: ") + format->refused);
  if (!bfp_array) return formats::fp16_array_mode(format);
  try {
    return formats::bfp_array_mode(format, codebook);
  } catch (const std::invalid_argument& e) {
    throw config::InputError(std::string("weights.codebook: ") + e.what());
  }
}

}  // namespace harmonia::accelerator
