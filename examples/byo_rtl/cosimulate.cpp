// A converter of one's own, first alone and then inside the whole machine. Alone: groups and merges of every kind, with
// pauses at both streams, because a machine need not come to each of them. In the machine: a random layer, a prompt and some
// decode steps. Every group that the RTL converts is compared with the model.
#include <Vmy_converter.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/converter/bfp_converter_core_rtl.h"
#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/formats/bfp.h"
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

/// FP16 values of every kind: any bits, subnormals, exponents close to each other, zeros.
formats::Fp16 value(std::mt19937& random, unsigned kind) {
  const auto bits = static_cast<std::uint16_t>(random());
  const auto near = static_cast<std::uint16_t>((10 + random() % 12) << 10);
  formats::Fp16 x;
  x.bits = kind == 0   ? bits
           : kind == 1 ? bits & 0x83ff
           : kind == 2 ? bits & 0x8000
                       : static_cast<std::uint16_t>((bits & 0x83ff) | near);
  return x;
}

/// The block alone, behind streams that pause at random: mantissas of both widths, and values that join a stored group at
/// each of its places, larger and smaller than what is there. Returns how many groups were compared.
std::uint64_t converter_alone() {
  rtl::VerilatedDut<Vmy_converter> dut("my_converter", bind_ports);
  rtl::SideBySide check(dut, rtl::Stalls{300, 500, 1});  // of 1024 cycles, at the input and at the output
  rtl::reset(dut);
  std::mt19937 random(1);
  std::uint64_t nonfinite = 0;
  for (unsigned i = 0; i < 8192; ++i) {
    const bool last = random() % 2 != 0;
    std::array<formats::Fp16, 32> x;
    const unsigned kind = random() % 5;
    for (formats::Fp16& v : x) v = value(random, kind);
    rtl::Beat beat;
    if (i % 2 == 0) {
      beat = converter::row_beat(random() % 2 != 0 ? formats::kBfp4 : formats::kBfp8, x.data(), 32, last);
    } else {
      const int place = static_cast<int>(i / 2 % 32);
      std::array<std::uint8_t, 37> stored;
      formats::clear_stored(formats::kBfp8, stored.data());
      for (int t = 0; t < place; ++t)
        formats::append_stored(formats::kBfp8, x[static_cast<std::size_t>(t)], t, stored.data());
      beat = converter::merge_beat(value(random, random() % 5), place, stored.data(), last);
      beat.user |= random() % 2;  // bit 0: the group leaves with mantissas of four bits
    }
    check.driver().push(0, beat);
    check.expect(converter::golden_beat(beat, &nonfinite), beat);
    if (i % 64 == 63) check.drain();
  }
  check.drain();
  if (dut.status() != nonfinite)
    throw rtl::Difference("my_converter: the RTL counted " + std::to_string(dut.status()) +
                          " values that are infinite or NaN, the model " + std::to_string(nonfinite));
  return check.compared();
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
    const std::uint64_t alone = converter_alone();
    const auto weights = random_layer();
    testbench::Scenario scenario;
    testbench::adopt_weights(scenario, *weights);
    scenario.fidelity.data = testbench::DataMode::functional;
    scenario.accelerator.dram.preset = "DDR4-3200";
    scenario.accelerator.dram.channels = 2;

    scenario.kv.n_initial = 2;  // most of the cache keeps mantissas of four bits
    scenario.kv.n_local = 8;

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
    std::cout << "my_converter: " << alone << " groups alone, with pauses, as the model does\n";
    std::cout << "my_converter converted " << machine.accelerator->converter.elements()
              << " values as the model does; simulated time " << sc_core::sc_time_stamp() << '\n';
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
