// The FP32 reference against text that llama2.c itself printed.
#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"
#include "harmonia/testbench/weights/model_weights.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"

namespace harmonia::testbench {
namespace {

TEST_CASE("greedy FP32 decoding of stories260K reproduces llama2.c's text, 257 tokens") {
  HARMONIA_REQUIRE_DATA(folder);
  const auto model = std::make_shared<ModelWeights>(load_weights((folder / "data/models/stories260K.bin").string()));
  const Tokenizer tokenizer =
      load_tokenizer((folder / "data/models/tok512.bin").string(), model->info.shape.vocab_size);
  std::ifstream in(folder / "data/models/stories260K_greedy_golden.txt", std::ios::binary);
  std::ostringstream golden;
  golden << in.rdbuf();

  ReferenceLlama engine(model);
  std::vector<float> logits;
  std::vector<int> tokens = {tokenizer.bos()};
  for (int step = 0; step < 257; ++step) {
    engine.step({tokens.back()}, logits);
    tokens.push_back(static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  REQUIRE(tokenizer.decode(tokens) + "\n" == golden.str());
}

}  // namespace
}  // namespace harmonia::testbench
