// The RTL blocks that the vectors drive: those of the build (duts.cpp), or the same Verilated with coverage of lines, toggles and cover
// properties (covered_duts.cpp). A program links one of the two.
#pragma once

#include <memory>

#include "harmonia/hw/rtl/stream.h"

namespace harmonia::test {

std::unique_ptr<rtl::StreamDut> converter_dut();
std::unique_ptr<rtl::StreamDut> decoder_dut();
std::unique_ptr<rtl::StreamDut> pe_dut();
std::unique_ptr<rtl::StreamDut> smoother_dut();

}  // namespace harmonia::test
