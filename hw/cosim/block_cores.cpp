#include "harmonia/hw/cosim/block_cores.h"

#include <cmath>

#include "harmonia/hw/converter/bfp_converter_core_rtl.h"
#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/cosim/block_pins.h"
#include "harmonia/hw/decoder/lut_decoder_core_rtl.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"
#include "harmonia/hw/pe/pe_array_core_rtl.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "harmonia/hw/rtl/instance.h"
#include "harmonia/hw/smoother/outlier_smoother_core_rtl.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"

namespace harmonia::rtl {

using accelerator::BlockModel;
using accelerator::BlockSection;

accelerator::BlockCores block_cores(const accelerator::BlocksSection& blocks) {
  accelerator::BlockCores cores;
  using Pins = InstanceFactory (*)(double, const std::string&);
  const auto instances = [](const BlockSection& block, const DutFactory& fast, Pins pins, double clock_mhz) {
    return block.model == BlockModel::rtl_pins ? pins(clock_mhz, block.vcd) : fast_instances(fast);
  };
  if (blocks.converter.model != BlockModel::tlm)
    cores.converter = [=](const converter::Config& c) {
      return converter::make_rtl_core(
          instances(blocks.converter, converter::make_bfp_converter_rtl, pin_bfp_converter, c.clock_mhz), c.lanes,
          blocks.converter.model == BlockModel::both);
    };
  if (blocks.smoother.model != BlockModel::tlm)
    cores.smoother = [=](const smoother::Config& c) {
      return smoother::make_rtl_core(
          instances(blocks.smoother, smoother::make_outlier_smoother_rtl, pin_outlier_smoother, c.clock_mhz), c.lanes,
          blocks.smoother.model == BlockModel::both);
    };
  if (blocks.decoder.model != BlockModel::tlm)
    cores.decoder = [=](const decoder::Config& c) {
      return decoder::make_rtl_core(
          instances(blocks.decoder, decoder::make_lut_decoder_rtl, pin_lut_decoder, c.clock_mhz),
          static_cast<std::size_t>(std::lround(c.rate(4))) / 64, blocks.decoder.model == BlockModel::both);
    };
  if (blocks.pe.model != BlockModel::tlm)
    cores.pe = [=](const pe::Config& c) {
      return pe::make_rtl_core(instances(blocks.pe, pe::make_pe_rtl, pin_pe, c.clock_mhz), c,
                               blocks.pe.model == BlockModel::both);
    };
  return cores;
}

}  // namespace harmonia::rtl
