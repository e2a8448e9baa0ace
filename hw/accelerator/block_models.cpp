#include "harmonia/hw/accelerator/block_models.h"

namespace harmonia::accelerator {

const config::NameTable<BlockModel>& block_model_names() {
  static const config::NameTable<BlockModel> names = {{"tlm", BlockModel::tlm},
                                                      {"rtl", BlockModel::rtl},
                                                      {"rtl-pins", BlockModel::rtl_pins},
                                                      {"both", BlockModel::both}};
  return names;
}

void BlockSection::describe(config::Fields& f) {
  f.add("model", model, block_model_names())
      .says(
          "tlm: the model; rtl: the RTL, clocked inside the block; rtl-pins: the RTL on pins; both: the RTL with every "
          "result compared");
  f.add("vcd", vcd).says("of rtl-pins: wave file of the first instance's pins");
}

void BlocksSection::describe(config::Fields& f) {
  f.add("converter", converter).says("FP16-to-BFP converter");
  f.add("smoother", smoother).says("outlier smoother");
  f.add("decoder", decoder).says("K-means LUT decoder");
  f.add("pe", pe).says("PE array");
}

}  // namespace harmonia::accelerator
