// The four blocks on pins (verilator --sc), for rtl-pins.
// Models: which port belongs to which stream. Does not model: what is behind them.
#pragma once

#include "harmonia/hw/rtl/instance.h"

namespace harmonia::rtl {

/// Instances on pins; to be made while the design is elaborated. vcd: wave file of instance 0, with or without `.vcd`;
/// empty: none.
InstanceFactory pin_bfp_converter(double clock_mhz, const std::string& vcd);
InstanceFactory pin_lut_decoder(double clock_mhz, const std::string& vcd);
InstanceFactory pin_pe(double clock_mhz, const std::string& vcd);
InstanceFactory pin_outlier_smoother(double clock_mhz, const std::string& vcd);

}  // namespace harmonia::rtl
