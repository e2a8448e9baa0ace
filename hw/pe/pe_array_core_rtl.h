// pe.sv at work behind the PE array's sockets: rows x cols of them.
//
// Models: every group product of a tile in the RTL, dealt to the PEs as the array deals its tile (pe_array.h); cycles
// as they take them; FP32 accumulation across groups, scales and FP16 results here, in the order of the golden
// functions. Does not model: the operand wiring; FP16 operands, which the PE has no mode for (handles() says so).
#pragma once

#include <memory>

#include "harmonia/hw/pe/pe_array.h"
#include "harmonia/hw/pe/pe_core.h"
#include "harmonia/hw/rtl/instance.h"

namespace harmonia::pe {

/// compare: every group product is checked against the model (rtl::Difference at the first that differs).
std::unique_ptr<PeCore> make_rtl_core(const rtl::InstanceFactory& instances, const Config& config, bool compare);

}  // namespace harmonia::pe
