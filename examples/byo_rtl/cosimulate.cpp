// A converter of one's own inside the whole machine: a random layer, a prompt and some decode steps, every group that
// the RTL converts compared with the model.
#include <Vmy_converter.h>

#include <cmath>
#include <exception>
#include <iostream>
#include <memory>
#include <systemc>
#include <vector>

#include "harmonia/hw/converter/bfp_converter_core_rtl.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/rtl/verilated_dut.h"
#include "harmonia/testbench/system/functional.h"

using namespace harmonia;

namespace {

/// Step 1: the ports of your block, by stream. Names and widths are all that has to be said.
void bind_ports(Vmy_converter& m, rtl::Ports& p) {
  p.clock(m.clk, m.rst_n);
  p.input("s_axis", m.s_axis_tvalid, m.s_axis_tready)
      .data(m.s_axis_tdata, 512)
      .user(m.s_axis_tuser, 7)
      .last(m.s_axis_tlast);
  p.output("m_axis", m.m_axis_tvalid, m.m_axis_tready)
      .data(m.m_axis_tdata, 296)
      .keep(m.m_axis_tkeep, 37)
      .last(m.m_axis_tlast);
  p.status(m.nonfinite_count);
}

/// Step 2: the block as the converter's core; `true` compares every result with the model.
accelerator::BlockCores my_cores() {
  accelerator::BlockCores cores;
  cores.converter = [](const converter::Config& config) {
    return converter::make_rtl_core(
        rtl::fast_instances(
            [] { return std::make_unique<rtl::VerilatedDut<Vmy_converter>>("my_converter", bind_ports); }),
        config.lanes, true);
  };
  return cores;
}

/// A layer with random weights of 4 bits.
std::shared_ptr<accelerator::GoldenModelWeights> random_layer() {
  formats::GaussianSource random(1);
  auto w = std::make_shared<accelerator::GoldenModelWeights>();
  accelerator::ModelShape& s = w->shape;
  s.name = "random";
  s.hidden_size = 128;
  s.num_hidden_layers = 1;
  s.num_attention_heads = 4;
  s.num_key_value_heads = 2;
  s.head_dim = 32;
  s.intermediate_size = 192;
  s.vocab_size = 64;
  const auto linear = [&](formats::WeightFormat format, int rows, int cols) {
    std::vector<float> values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
    for (float& v : values) v = static_cast<float>(random.next() / std::sqrt(cols));
    return formats::LinearWeights::encode(format, values.data(), static_cast<std::size_t>(rows),
                                          static_cast<std::size_t>(cols), formats::CodebookKind::kInt8);
  };
  const std::vector<formats::Fp16> gains(static_cast<std::size_t>(s.hidden_size), formats::to_fp16(1.0f));
  w->embedding.resize(static_cast<std::size_t>(s.vocab_size) * static_cast<std::size_t>(s.hidden_size));
  for (formats::Fp16& v : w->embedding) v = formats::to_fp16(random.next());
  const auto k4 = formats::weight_format("kmeans4");
  accelerator::GoldenLayerWeights l;
  l.gains[accelerator::ModelTensor::attention_norm] = l.gains[accelerator::ModelTensor::ffn_norm] = w->final_norm =
      gains;
  l.matrices[accelerator::ModelTensor::q] = linear(k4, s.q_width(), s.hidden_size);
  l.matrices[accelerator::ModelTensor::k] = linear(k4, s.kv_width(), s.hidden_size);
  l.matrices[accelerator::ModelTensor::v] = linear(k4, s.kv_width(), s.hidden_size);
  l.matrices[accelerator::ModelTensor::o] = linear(k4, s.hidden_size, s.q_width());
  l.matrices[accelerator::ModelTensor::gate] = linear(k4, s.intermediate_size, s.hidden_size);
  l.matrices[accelerator::ModelTensor::up] = linear(k4, s.intermediate_size, s.hidden_size);
  l.matrices[accelerator::ModelTensor::down] = linear(k4, s.hidden_size, s.intermediate_size);
  w->layers.push_back(std::move(l));
  w->lm_head = linear(formats::weight_format("fp16"), s.vocab_size, s.hidden_size);
  return w;
}

}  // namespace

int sc_main(int, char**) {
  try {
    const auto weights = random_layer();
    testbench::Scenario scenario;
    testbench::adopt_weights(scenario, *weights);
    scenario.fidelity.data = testbench::DataMode::functional;
    scenario.accelerator.dram.preset = "DDR4-3200";
    scenario.accelerator.dram.channels = 2;

    // Step 3: the machine with that core. Nothing else knows.
    accelerator::MachineOptions options = testbench::functional_options(scenario, weights);
    options.cores = my_cores();
    constexpr std::size_t kPrompt = 40, kTokens = 4;
    testbench::Machine machine(
        scenario, testbench::Capacity{1, kPrompt + kTokens, kPrompt},
        [](testbench::Host& host) {
          for (std::size_t i = 0; i <= kTokens; ++i) {
            accelerator::StepWork work;
            const std::size_t cached = i == 0 ? 0 : kPrompt + i - 1, now = i == 0 ? kPrompt : 1;
            work.sequences.push_back({0, cached, now, true});
            for (std::size_t t = 0; t < now; ++t)
              work.token_ids.push_back(static_cast<std::uint32_t>((7 * (cached + t)) % 64));
            host.step(work);
          }
        },
        options);
    testbench::load_weights(machine, *weights);
    machine.simulate();
    std::cout << "my_converter converted " << machine.accelerator->converter.elements()
              << " values as the model does; simulated time " << sc_core::sc_time_stamp() << '\n';
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
