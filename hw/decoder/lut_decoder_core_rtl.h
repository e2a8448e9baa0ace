// lut_decoder.sv at work behind the decoder's sockets: one for every 64 lanes, blocks of 64 weights dealt to them in
// turn.
//
// Models: codebooks of 1, 2 and 4 bits, INT4 with and without zero-points, reload of the codebook registers when the
// tensor changes; cycles as the RTL takes them. Does not model: other widths and FP16 words (handles() says so).
#pragma once

#include <memory>

#include "harmonia/hw/decoder/decoder_core.h"
#include "harmonia/hw/rtl/instance.h"

namespace harmonia::decoder {

/// compare: every block is checked against the model (rtl::Difference at the first that differs).
std::unique_ptr<DecoderCore> make_rtl_core(const rtl::InstanceFactory& instances, std::size_t blocks_per_cycle,
                                           bool compare);

}  // namespace harmonia::decoder
