// RTL in the running system: the functional layer test with blocks as RTL, its bytes and its cycles; a flipped bit
// found by `both`.
#include <Vmutant_converter.h>
#include <Vmutant_decoder.h>
#include <Vmutant_pe.h>
#include <Vmutant_smoother.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "harmonia/config/error.h"
#include "harmonia/hw/converter/bfp_converter_core_rtl.h"
#include "harmonia/hw/converter/bfp_converter_ports.h"
#include "harmonia/hw/cosim/block_cores.h"
#include "harmonia/hw/decoder/lut_decoder_core_rtl.h"
#include "harmonia/hw/decoder/lut_decoder_ports.h"
#include "harmonia/hw/pe/pe_array_core_rtl.h"
#include "harmonia/hw/pe/pe_ports.h"
#include "harmonia/hw/smoother/outlier_smoother_core_rtl.h"
#include "harmonia/hw/smoother/outlier_smoother_ports.h"
#include "tests/accelerator/support.h"

namespace harmonia {
namespace {

using namespace harmonia::test;
using accelerator::BlockModel;
using accelerator::BlocksSection;

/// The layer test of the functional machine: hidden 256, two kv heads, K-means weights of 4 bits; a prompt that ends
/// inside a group of values, then decode steps that complete it.
struct Case {
  formats::WeightFormat format = formats::weight_format("kmeans4");
  std::size_t prompt = 70, decode = 40, chunk = 0;
  std::string kv = "bfp4+windows";
  std::function<void(accelerator::AcceleratorConfig&)> change{};
  bool resident = true;  // the prompt's activations fit on chip
};

Scenario scenario_of(const Case& c, const GoldenModelWeights& weights, const BlocksSection& blocks) {
  Scenario s = functional_scenario(weights);
  s.blocks = blocks;
  s.kv.format = c.kv;
  if (c.change) c.change(s.accelerator);
  s.kv.n_initial = 32;
  s.kv.n_local = 4;
  return s;
}

std::vector<std::uint64_t> run(const Case& c, const BlocksSection& blocks) {
  const auto weights = random_model({}, c.format, CodebookKind::kInt8, 1);
  const Outcome outcome = run_beside_golden(scenario_of(c, *weights, blocks), weights,
                                            schedule(1, c.prompt, c.decode, c.chunk), nullptr, c.resident);
  std::vector<std::uint64_t> ends;
  for (const StepTimes& t : outcome.steps) ends.push_back(t.end.value());
  return ends;
}

/// The same with models only, in a process of its own: SystemC elaborates once.
std::vector<std::uint64_t> run_models(const Case& c) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::vector<std::uint64_t> times;
    try {
      times = run(c, {});
    } catch (...) {
      _exit(1);
    }
    const auto bytes = static_cast<ssize_t>(8 * times.size());
    _exit(write(ends[1], times.data(), static_cast<std::size_t>(bytes)) == bytes ? 0 : 1);
  }
  close(ends[1]);
  std::vector<std::uint64_t> times;
  std::uint64_t time = 0;
  while (read(ends[0], &time, 8) == 8) times.push_back(time);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(status == 0);
  return times;
}

void layer_as(const Case& c, const BlocksSection& blocks) {
  const std::vector<std::uint64_t> models = run_models(c), rtl = run(c, blocks);
  REQUIRE(models.size() == c.prompt / (c.chunk ? c.chunk : c.prompt) + c.decode);
  CAPTURE(models, rtl);
  // The pipelines are as deep as the models': not a cycle's difference.
  REQUIRE(rtl == models);
}

BlocksSection all(BlockModel model) {
  BlocksSection b;
  b.converter.model = b.smoother.model = b.decoder.model = b.pe.model = model;
  return b;
}

TEST_CASE("layer with the converter as RTL: identical bytes and cycles") {
  BlocksSection b;
  b.converter.model = BlockModel::rtl;
  layer_as({}, b);
}
TEST_CASE("layer with the smoother as RTL: identical bytes and cycles") {
  BlocksSection b;
  b.smoother.model = BlockModel::rtl;
  layer_as({}, b);
}
TEST_CASE("layer with the decoder as RTL: identical bytes and cycles") {
  BlocksSection b;
  b.decoder.model = BlockModel::rtl;
  layer_as({}, b);
}
TEST_CASE("layer with the PE array as RTL: identical bytes and cycles") {
  BlocksSection b;
  b.pe.model = BlockModel::rtl;
  layer_as({}, b);
}
TEST_CASE("layer with all four blocks as RTL: identical bytes and cycles") { layer_as({}, all(BlockModel::rtl)); }
TEST_CASE("layer with all four blocks as RTL beside the models: one-bit weights") {
  layer_as({formats::weight_format("kmeans1"), 33, 4, 0, "bfp8"}, all(BlockModel::both));
}
TEST_CASE("layer with all four blocks as RTL: INT4 with zero-points and a prompt in pieces") {
  layer_as({formats::weight_format("int4z"), 40, 2, 8}, all(BlockModel::rtl));
}
TEST_CASE("layer with all four blocks as RTL: two-bit weights and an INT8 cache that no RTL touches") {
  layer_as({formats::weight_format("kmeans2"), 20, 2, 0, "int8"}, all(BlockModel::rtl));
}

TEST_CASE("layer with the converter as RTL: a prompt in strips, V groups that grow from one to the next") {
  Case c{formats::weight_format("int4"), 70, 2, 0, "bfp4+windows"};
  c.change = [](auto& a) {
    a.activation_buffer.capacity_bytes = 32 * 1024;
    a.smoother.online = false;  // offsets would be those of the first strip
  };
  c.resident = false;
  BlocksSection b;
  b.converter.model = BlockModel::rtl;
  layer_as(c, b);
}

/// A model far deeper than the RTL must show in the step's time, or equal times would say nothing.
void deeper(std::function<void(accelerator::AcceleratorConfig&)> change) {
  const Case c{formats::weight_format("kmeans4"), 8, 1, 0, "bfp4+windows", std::move(change)};
  const std::vector<std::uint64_t> models = run_models(c), rtl = run(c, all(BlockModel::rtl));
  CAPTURE(models, rtl);
  REQUIRE(rtl[0] < models[0]);
}
TEST_CASE("a converter of another depth than its RTL shows in the cycles") {
  deeper([](auto& a) { a.converter.stages += 5000; });
}
TEST_CASE("a smoother of another depth than its RTL shows in the cycles") {
  deeper([](auto& a) { a.smoother.stages += 5000; });
}
TEST_CASE("a decoder of another depth than its RTL shows in the cycles") {
  deeper([](auto& a) { a.decoder.pipeline_cycles += 5000; });
}
TEST_CASE("a PE of another depth than its RTL shows in the cycles") {
  deeper([](auto& a) { a.pe.pipeline_cycles += 5000; });
}

// ---- On pins ----

TEST_CASE(
    "layer with all four blocks on pins: identical bytes, every chunk at most its pipeline and transactors later") {
  const std::string file = "rtl_pins_" + std::to_string(getpid());
  BlocksSection b = all(BlockModel::rtl_pins);
  b.smoother.vcd = file + ".vcd";
  const Case c{formats::weight_format("kmeans4"), 8, 1, 0, "bfp4+windows", [](auto& a) { a.pe.rows = a.pe.cols = 2; }};
  const std::vector<std::uint64_t> models = run_models(c), pins = run(c, b);
  CAPTURE(models, pins);
  REQUIRE(pins[0] >= models[0]);
  REQUIRE(static_cast<double>(pins[1]) < 1.5 * static_cast<double>(models[1]));
  std::ifstream waves(file + ".vcd");
  const std::string text((std::istreambuf_iterator<char>(waves)), std::istreambuf_iterator<char>());
  REQUIRE(text.find("s_axis_tvalid") != std::string::npos);
  REQUIRE(text.size() > 1000);
  std::remove((file + ".vcd").c_str());
}

// ---- A flipped bit in one lane ----

/// What `both` says of a machine with these cores in its first step.
std::string difference_of(const accelerator::BlockCores& cores) {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 1);
  const Scenario scenario = functional_scenario(*weights);
  accelerator::MachineOptions options = testbench::functional_options(scenario, weights);
  options.cores = cores;
  const testbench::Capacity capacity{1, 16, 8};
  Machine machine(
      scenario, capacity,
      [](Host& host) {
        accelerator::StepWork work;
        work.sequences.push_back({0, 0, 8, true});
        work.token_ids = {1, 2, 3, 4, 5, 6, 7, 8};
        host.step(work);
      },
      options);
  testbench::load_weights(machine, *weights);
  try {
    machine.simulate();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "no difference was found";
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

void require_useful(const std::string& text) {
  CAPTURE(text);
  REQUIRE(has(text, "operation "));
  REQUIRE(has(text, " of the block's clock: mutant: RTL and model differ in transaction "));
  REQUIRE(has(text, "\n  input    "));
  REQUIRE(has(text, "\n  expected "));
  REQUIRE(has(text, "\n  actual   "));
  REQUIRE(has(text, "\n  differs  byte "));
}

TEST_CASE("both finds a flipped bit in the running system: converter") {
  accelerator::BlockCores cores;
  cores.converter = [](const converter::Config& c) {
    return converter::make_rtl_core(rtl::fast_instances([] {
                                      return std::make_unique<rtl::VerilatedDut<Vmutant_converter>>(
                                          "mutant", converter::bind_bfp_converter<Vmutant_converter>);
                                    }),
                                    c.lanes, true);
  };
  require_useful(difference_of(cores));
}
TEST_CASE("both finds a flipped bit in the running system: decoder") {
  accelerator::BlockCores cores;
  cores.decoder = [](const decoder::Config&) {
    return decoder::make_rtl_core(rtl::fast_instances([] {
                                    return std::make_unique<rtl::VerilatedDut<Vmutant_decoder>>(
                                        "mutant", decoder::bind_lut_decoder<Vmutant_decoder>);
                                  }),
                                  16, true);
  };
  require_useful(difference_of(cores));
}
TEST_CASE("both finds a flipped bit in the running system: PE array") {
  accelerator::BlockCores cores;
  cores.pe = [](const pe::Config& c) {
    return pe::make_rtl_core(
        rtl::fast_instances(
            [] { return std::make_unique<rtl::VerilatedDut<Vmutant_pe>>("mutant", pe::bind_pe<Vmutant_pe>); }),
        c, true);
  };
  require_useful(difference_of(cores));
}
TEST_CASE("both finds a flipped bit in the running system: smoother") {
  accelerator::BlockCores cores;
  cores.smoother = [](const smoother::Config& c) {
    return smoother::make_rtl_core(rtl::fast_instances([] {
                                     return std::make_unique<rtl::VerilatedDut<Vmutant_smoother>>(
                                         "mutant", smoother::bind_outlier_smoother<Vmutant_smoother>);
                                   }),
                                   c.lanes, true);
  };
  const std::string text = difference_of(cores);
  CAPTURE(text);
  REQUIRE(has(text, "smoother, keys"));
  REQUIRE(has(text, "differs  byte 18"));
}

// ---- What cannot be RTL ----

TEST_CASE("a block that cannot be RTL is unusable input") {
  const auto weights = random_model({}, formats::weight_format("kmeans4"), CodebookKind::kInt8, 1);
  Scenario s = functional_scenario(*weights);
  s.blocks.pe.model = BlockModel::rtl;
  s.fidelity.data = testbench::DataMode::timing_only;
  REQUIRE_THROWS_WITH(testbench::machine_options(s),
                      ContainsSubstring("blocks.pe.model is rtl, but RTL computes on real "
                                        "data, expected `fidelity.data: functional`"));
  s.fidelity.data = testbench::DataMode::functional;
  s.blocks.decoder.model = BlockModel::both;
  s.accelerator.decoder.weights_per_cycle = 100;
  REQUIRE_THROWS_WITH(testbench::machine_options(s), ContainsSubstring("blocks.decoder.model is both") &&
                                                         ContainsSubstring("a multiple of 64 (it is 100)"));
}

}  // namespace
}  // namespace harmonia
