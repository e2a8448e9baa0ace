#include "tests/rtl/duts.h"

#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"

namespace harmonia::test {

std::unique_ptr<rtl::StreamDut> converter_dut() { return converter::make_bfp_converter_rtl(); }
std::unique_ptr<rtl::StreamDut> decoder_dut() { return decoder::make_lut_decoder_rtl(); }
std::unique_ptr<rtl::StreamDut> pe_dut() { return pe::make_pe_rtl(); }
std::unique_ptr<rtl::StreamDut> smoother_dut() { return smoother::make_outlier_smoother_rtl(); }

}  // namespace harmonia::test
