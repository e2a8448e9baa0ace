// bfp_converter.sv at work behind the converter's sockets: `lanes` of them, one group each per cycle.
//
// Models: rows, keys with demotion, values with groups grown in place; cycles as the RTL takes them. Does not model:
// the memory that turns values round, and FP16 or INT8 caches, which need no converter (handles() says so).
#pragma once

#include <memory>

#include "harmonia/hw/converter/converter_core.h"
#include "harmonia/hw/rtl/instance.h"

namespace harmonia::converter {

/// compare: every group is checked against the model (rtl::Difference at the first that differs).
std::unique_ptr<ConverterCore> make_rtl_core(const rtl::InstanceFactory& instances, int lanes, bool compare);

}  // namespace harmonia::converter
