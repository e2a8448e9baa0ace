// Blocks that leave what they covered in the folder HARMONIA_RTL_COVERAGE_DIR, a file for each that was made; scripts/rtl-coverage
// merges them.
#include <Vcovered_converter.h>
#include <Vcovered_decoder.h>
#include <Vcovered_pe.h>
#include <Vcovered_smoother.h>
#include <verilated_cov.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "harmonia/hw/converter/bfp_converter_ports.h"
#include "harmonia/hw/decoder/lut_decoder_ports.h"
#include "harmonia/hw/pe/pe_ports.h"
#include "harmonia/hw/rtl/verilated_dut.h"
#include "harmonia/hw/smoother/outlier_smoother_ports.h"
#include "tests/rtl/duts.h"

// The rules of the streams are bound in too; here they end the program.
extern "C" void harmonia_assertion_failed(const char* where, const char* rule) {
  throw std::logic_error(std::string(where) + ": " + rule);
}

namespace harmonia::test {
namespace {

template <class Model>
class CoveredDut : public rtl::VerilatedDut<Model> {
 public:
  using rtl::VerilatedDut<Model>::VerilatedDut;
  ~CoveredDut() override {
    static int made = 0;
    if (const char* folder = std::getenv("HARMONIA_RTL_COVERAGE_DIR")) {
      const std::string file = std::string(folder) + "/" + this->name() + "." + std::to_string(made++) + ".dat";
      // Writing looks at the thread's context, which may be that of a block that has gone.
      Verilated::threadContextp(this->model().contextp());
      this->model().contextp()->coveragep()->write(file.c_str());
    }
  }
};

}  // namespace

std::unique_ptr<rtl::StreamDut> converter_dut() {
  return std::make_unique<CoveredDut<Vcovered_converter>>("bfp_converter",
                                                          converter::bind_bfp_converter<Vcovered_converter>);
}
std::unique_ptr<rtl::StreamDut> decoder_dut() {
  return std::make_unique<CoveredDut<Vcovered_decoder>>("lut_decoder", decoder::bind_lut_decoder<Vcovered_decoder>);
}
std::unique_ptr<rtl::StreamDut> pe_dut() {
  return std::make_unique<CoveredDut<Vcovered_pe>>("pe", pe::bind_pe<Vcovered_pe>);
}
std::unique_ptr<rtl::StreamDut> smoother_dut() {
  return std::make_unique<CoveredDut<Vcovered_smoother>>("outlier_smoother",
                                                         smoother::bind_outlier_smoother<Vcovered_smoother>);
}

}  // namespace harmonia::test
