// Which blocks of the machine are models and which are RTL.
//
// Models: the choice as a scenario makes it (`blocks.<name>.model`). Does not model: how another datapath reaches a
// block (block_cores.h), RTL itself (hw/rtl).
#pragma once

#include <cstdint>
#include <string>

#include "harmonia/config/fields.h"

namespace harmonia::accelerator {

enum class BlockModel : std::uint8_t {
  tlm,       // the model
  rtl,       // RTL clocked inside the block
  rtl_pins,  // RTL on pins, with transactors
  both       // RTL, every result compared with the model's
};
const config::NameTable<BlockModel>& block_model_names();

struct BlockSection {
  BlockModel model = BlockModel::tlm;
  std::string vcd;  // rtl-pins: wave file of the first instance's pins; empty: none
  void describe(config::Fields& f);
};

struct BlocksSection {
  BlockSection converter, smoother, decoder, pe;
  void describe(config::Fields& f);
  bool any() const {
    return converter.model != BlockModel::tlm || smoother.model != BlockModel::tlm ||
           decoder.model != BlockModel::tlm || pe.model != BlockModel::tlm;
  }
};

}  // namespace harmonia::accelerator
