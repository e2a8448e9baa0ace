// Requests whose contexts are longer than their probabilities fit on chip: whole rows refuse them, online softmax none.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/replay/request_trace.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using Json = nlohmann::json;

Json served(const Scratch& s, const std::string& attention) {
  const Outcome o = run_harmonia(s, "run scenario.yaml --set accelerator.sequencer.attention=" + attention + " -o out");
  INFO(o.err << o.out);
  REQUIRE(o.status == 0);
  return Json::parse(Scratch::read(s / "out/result.json"))["serving"];
}

}  // namespace

// Half of 16 KiB holds the probabilities of two heads over 3488 tokens beside their queries.
TEST_CASE("replay: long contexts are refused with whole rows on chip, and none is with online softmax") {
  const Scratch s;
  s.write("trace.jsonl",
          "{\"timestamp\": 0, \"input_length\": 6500, \"output_length\": 8}\n"
          "{\"timestamp\": 0, \"input_length\": 2300, \"output_length\": 12}\n"
          "{\"timestamp\": 3000, \"input_length\": 9500, \"output_length\": 4}\n");
  s.write(
      "scenario.yaml",
      "model: {hidden_size: 128, num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 32, "
      "intermediate_size: 256, vocab_size: 256}\n"
      "accelerator: {base: harmonia-small, activation_buffer: {capacity_bytes: 16384}}\n"
      "workload: {trace: trace.jsonl, max_batch: 2, prefill_chunk_tokens: 512}\n"
      "fidelity: sampled\n");
  const Json rows = served(s, "fused");
  CHECK(rows["refused"] == 2);
  CHECK(rows["completed"] == 1);
  const Json online = served(s, "online");
  CHECK(online["refused"] == 0);
  CHECK(online["completed"] == 3);
}

TEST_CASE("replay: the contexts of the first 100 Mooncake requests fit with online softmax, and not in whole rows") {
  HARMONIA_REQUIRE_DATA(data);
  const testbench::RequestTrace trace =
      testbench::read_request_trace((data / "data/traces/conversation_trace.jsonl").string());
  const auto refused = [&](const std::string& attention) {
    const testbench::Scenario s =
        testbench::load_scenario("serve-azure", {"accelerator.sequencer.attention=" + attention}, testbench::Library{})
            .scenario;
    const std::uint64_t room = accelerator::longest_context(s.model, accelerator::on_chip(s.accelerator));
    return std::count_if(trace.requests.begin(), trace.requests.begin() + 100, [&](const auto& r) {
      return static_cast<std::uint64_t>(r.prompt_tokens + r.output_tokens) > room;
    });
  };
  CHECK(refused("fused") == 3);
  CHECK(refused("online") == 0);
}

}  // namespace harmonia::test
