// How another datapath than the model reaches a block: as its core, behind the sockets that it has anyway.
//
// Models: who makes each block's core. Does not model: the cores themselves (hw/rtl, or your own).
#pragma once

#include <functional>
#include <memory>

#include "harmonia/hw/converter/bfp_converter.h"
#include "harmonia/hw/converter/converter_core.h"
#include "harmonia/hw/decoder/decoder_core.h"
#include "harmonia/hw/decoder/lut_decoder.h"
#include "harmonia/hw/pe/pe_array.h"
#include "harmonia/hw/pe/pe_core.h"
#include "harmonia/hw/smoother/outlier_smoother.h"
#include "harmonia/hw/smoother/smoother_core.h"

namespace harmonia::accelerator {

/// Makes a block's core when the machine is built; empty: the model. Your own RTL goes in here (docs/rtl.md).
struct BlockCores {
  std::function<std::unique_ptr<converter::ConverterCore>(const converter::Config&)> converter;
  std::function<std::unique_ptr<smoother::SmootherCore>(const smoother::Config&)> smoother;
  std::function<std::unique_ptr<decoder::DecoderCore>(const decoder::Config&)> decoder;
  std::function<std::unique_ptr<pe::PeCore>(const pe::Config&)> pe;
};

}  // namespace harmonia::accelerator
