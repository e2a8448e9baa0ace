// Tokens per second of this computer's time, of the three paths of `harmonia infer`, on stories260K (or, without
// HARMONIA_DATA, a random model in its sizes), 4-bit K-means weights, BFP4 cache with windows, one core. Targets:
// golden path at least 200 tokens/s, SystemC path at least 10.
//
// A sequence runs from empty to 250 tokens, so that the mean context is that of a story. The best of three runs of
// processor time counts.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <systemc>

#include "harmonia/testbench/infer/engines.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "tests/support/model_files.h"

namespace {

using namespace harmonia;
using namespace harmonia::testbench;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::shared_ptr<const ModelWeights> model() {
  if (const char* data = std::getenv("HARMONIA_DATA")) {
    std::printf("stories260K\n");
    return std::make_shared<const ModelWeights>(load_weights(std::string(data) + "/data/models/stories260K.bin"));
  }
  std::printf("a random model in the sizes of stories260K (HARMONIA_DATA is not set)\n");
  const test::TemporaryFolder folder;
  return std::make_shared<const ModelWeights>(load_weights(
      folder.write("model.bin", test::llama2c_bytes(test::TinyModel(31, test::TinyModel::stories_shape(), 512)))));
}

}  // namespace

int sc_main(int, char*[]) {
  EngineRequest request;
  request.model = model();
  request.config = infer_config({"weights.format=kmeans4", "smoothing.online=true"});
  accelerator::ModelShape shape = request.model->info.shape;
  config::Fields fields;
  shape.describe(fields);
  config::Node document = config::Node::map();
  document.set("model", fields.dump());
  document.set("accelerator", config::Node::scalar("harmonia"));
  const LoadedScenario machine = load_scenario(document, {}, Library());
  request.machine = &machine;

  struct Row {
    const char* path;
    double target;
  };
  constexpr std::size_t kTokens = 250;
  constexpr int kRuns = 3;
  std::printf("%-10s %12s %12s %10s\n", "path", "tokens/s", "target", "ratio");
  for (const Row row : {Row{"fp32", 0}, Row{"golden", 200}, Row{"systemc", 10}}) {
    const std::unique_ptr<StepEngine> engine = make_engine(row.path, request);
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
      engine->reset();
      const double start = cpu_seconds();
      const std::size_t tokens = generate(*engine, {1}, kTokens, {}, {}).size();
      best = std::min(best, (cpu_seconds() - start) / static_cast<double>(tokens));
    }
    if (row.target > 0)
      std::printf("%-10s %12.0f %12.0f %9.1fx\n", row.path, 1 / best, row.target, 1 / best / row.target);
    else
      std::printf("%-10s %12.0f %12s %10s\n", row.path, 1 / best, "-", "-");
  }
  return 0;
}
