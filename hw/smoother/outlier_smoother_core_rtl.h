// outlier_smoother.sv at work behind the smoother's sockets: one for every 32 lanes, each with the whole offset table.
//
// Models: subtraction in the RTL, cycles as it takes them. Does not model: the choice of offsets; the time in which a
// head's offsets are written (four cycles before its first key, while the statistics pass or the wait for the chunk is
// under way).
#pragma once

#include <memory>

#include "harmonia/hw/rtl/instance.h"
#include "harmonia/hw/smoother/smoother_core.h"

namespace harmonia::smoother {

/// compare: every beat is checked against the model (rtl::Difference at the first that differs).
std::unique_ptr<SmootherCore> make_rtl_core(const rtl::InstanceFactory& instances, int lanes, bool compare);

}  // namespace harmonia::smoother
