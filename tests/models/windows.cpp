// Sliding windows: bit for bit against the golden model past the window's edge, what is read at the channels, where it lies, and
// what a window costs.
#include <algorithm>
#include <set>

#include "harmonia/config/json.h"
#include "harmonia/hw/program/conservation.h"
#include "harmonia/testbench/models/model_config.h"
#include "harmonia/testbench/runs/run.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/tlm/monitor.h"
#include "tests/accelerator/support.h"
#include "tests/support/child.h"

using namespace harmonia;
using namespace harmonia::test;
using accelerator::AttentionScores;
using accelerator::KvCacheLayout;

namespace {

SmallShape windowed(int window, int layers = 1, const std::vector<int>& full = {}) {
  SmallShape shape;
  shape.window = window;
  shape.layers = layers;
  shape.full = full;
  return shape;
}

/// A prefill of 70 tokens, then 40 decode steps: both go past the window's edge.
void seventy_and_forty(const SmallShape& shape, const std::string& kv, AttentionScores attention,
                       std::uint64_t buffer_bytes = 0) {
  const auto weights = random_model(shape, formats::weight_format("kmeans4"), CodebookKind::kInt8, 61);
  Scenario s = functional_scenario(*weights);
  s.kv.format = kv;
  s.accelerator.sequencer.attention = attention;
  s.accelerator.sequencer.attention_block_tokens = 32;
  if (buffer_bytes != 0) s.accelerator.activation_buffer.capacity_bytes = buffer_bytes;
  Instruments instruments;
  run_beside_golden(s, weights, schedule(1, 70, 40), &instruments, buffer_bytes == 0);
}

const testbench::Library& library() {
  static const testbench::Library all(HARMONIA_SOURCE "/workloads");
  return all;
}

std::string refusal(const std::vector<std::string>& keys) {
  try {
    testbench::load_scenario("default", keys, library());
  } catch (const config::InputError& e) {
    return e.what();
  }
  return "accepted";
}

accelerator::ModelShape read(const std::string& keys) {
  return testbench::read_model_config(
             config::parse_json("{\"hidden_size\": 64, \"num_hidden_layers\": 6, \"num_attention_heads\": 4, "
                                "\"num_key_value_heads\": 2, \"intermediate_size\": 128, \"vocab_size\": 100, "
                                "\"max_position_embeddings\": 8192,\n" +
                                    keys + "}",
                                "m"))
      .shape;
}

}  // namespace

TEST_CASE("windows: bfp4+windows cache, scores of whole rows") {
  seventy_and_forty(windowed(40), "bfp4+windows", AttentionScores::fused);
}
TEST_CASE("windows: bfp4+windows cache, scores through memory") {
  seventy_and_forty(windowed(23), "bfp4+windows", AttentionScores::unfused);
}
TEST_CASE("windows: bfp4+windows cache, online softmax") {
  seventy_and_forty(windowed(37), "bfp4+windows", AttentionScores::online);
}
TEST_CASE("windows: activations through memory, strips that begin in different groups") {
  seventy_and_forty(windowed(9), "bfp8", AttentionScores::fused, 32 * 1024);
}
TEST_CASE("windows: online softmax with activations through memory") {
  seventy_and_forty(windowed(50), "bfp8", AttentionScores::online, 32 * 1024);
}
TEST_CASE("windows: an INT8 cache that is grouped as it is read") {
  seventy_and_forty(windowed(33), "int8", AttentionScores::fused);
}
TEST_CASE("windows: an FP16 cache") { seventy_and_forty(windowed(1), "fp16", AttentionScores::fused); }
TEST_CASE("windows: layers with a window and layers without in turn") {
  seventy_and_forty(windowed(20, 3, {1}), "bfp4+windows", AttentionScores::fused);
}

TEST_CASE("windows: keys and values read at the channels are those of the window and of one group more") {
  constexpr int window = 40;
  constexpr std::uint64_t context = 500;
  accelerator::ModelShape shape = shape_of(windowed(window, 2, {1}));
  Scenario s;
  s.model = shape;
  s.kv.format = "bfp8";
  s.accelerator.dram.preset = "DDR4-3200";
  s.accelerator.dram.channels = 1;
  testbench::Capacity capacity;
  capacity.tokens_per_slot = context;
  std::vector<std::unique_ptr<bus::Monitor<>>> monitors;
  std::vector<bus::TransactionRecord> reads;
  bus::Subscriber<bus::TransactionRecord> note([&](const bus::TransactionRecord& r) {
    if (r.command == tlm::TLM_READ_COMMAND && r.chunk.traffic == bus::TrafficClass::kv_read) reads.push_back(r);
  });
  accelerator::MachineOptions options = testbench::machine_options(s);
  options.connect = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    if (name.find("channel") == std::string::npos) {
      from.bind(to);
      return;
    }
    monitors.push_back(std::make_unique<bus::Monitor<>>(("monitor_" + name).c_str()));
    monitors.back()->transactions.bind(note);
    from.bind(monitors.back()->tsock);
    monitors.back()->isock.bind(to);
  };
  Machine m(
      s, capacity,
      [&](Host& host) {
        accelerator::StepWork work;
        work.sequences.push_back({0, context - 1, 1, true});
        host.step(work);
      },
      options);
  m.simulate();
  REQUIRE(monitors.size() == 1);

  const KvCacheLayout& kv = m.map.kv;
  const std::uint64_t end = kv.base() + kv.bytes(), of_full = end - shape.num_key_value_heads * [&] {
    return kv.k_main_address({0, 1, 1}, 0) - kv.k_main_address({0, 1, 0}, 0);
  }();
  std::uint64_t windowed_bytes = 0, full_bytes = 0;
  for (const bus::TransactionRecord& r : reads) {
    REQUIRE(r.address >= kv.base());
    REQUIRE(r.address + r.length_bytes <= end);
    (r.address < of_full ? windowed_bytes : full_bytes) += r.length_bytes;
  }
  // BFP8: 37 bytes for 32 channels of a key, or for a channel of 32 values; two kv heads of 32 channels.
  const std::uint64_t token = 2 * 2 * 37;
  const std::uint64_t residual = 2 * 32 * 37;  // the group that grows, read back before the new value joins it
  CHECK(full_bytes == 16 * 32 * 2 * 37 + context * 2 * 37 + residual);
  CHECK(windowed_bytes <= (window + 32) * token + residual);
  CHECK(windowed_bytes == 52 * 2 * 37 + 2 * 32 * 2 * 37 + residual);  // from token 448 on, of whose group it sees 460
}

TEST_CASE("windows: the cache of a windowed layer is a ring, and what lives in it never overlaps") {
  const std::string format = GENERATE("bfp4+windows", "bfp8", "bfp4", "fp16", "int8");
  const std::uint64_t window = GENERATE(1, 31, 32, 33, 100), chunk = GENERATE(1, 7, 64);
  CAPTURE(format, window, chunk);
  accelerator::ModelShape shape = shape_of(windowed(static_cast<int>(window), 2, {0}));
  const accelerator::KvPolicy policy{accelerator::kv_format(format), 16, 24};
  const KvCacheLayout kv(shape, policy, 1000, 1, 4096, 64, chunk);
  const KvCacheLayout whole(shape_of(SmallShape{}), policy, 1000, 1, 4096, 64, chunk);
  CHECK(kv.slot_bytes() < 2 * whole.slot_bytes());
  const std::uint64_t tokens = kv.k_main_address({0, 1, 0}, 0);
  for (std::uint64_t first = 0; first + chunk <= 900; first += chunk) {
    const std::uint64_t context = first + chunk, from = accelerator::first_token_read(first, window);
    std::set<std::uint64_t> keys, values;
    for (std::uint64_t t = from; t < context; ++t) {
      keys.insert(kv.k_main_address({0, 1, 1}, t));
      if (!policy.grouped() || t % 32 == 0)
        values.insert(kv.v_main_address({0, 1, 1}, t / kv.head().value_unit_tokens()));
    }
    REQUIRE(keys.size() == context - from);
    REQUIRE(values.size() == kv.head().value_units(context) - from / kv.head().value_unit_tokens());
    REQUIRE(*keys.begin() >= tokens);
    REQUIRE(*values.rbegin() + kv.head().value_main_bytes() <= kv.base() + kv.bytes());
    std::vector<accelerator::Segment> main, low;
    kv.k_read({0, 1, 1}, context, {from, context}, main, low);
    std::uint64_t bytes = 0;
    for (const auto& list : {main, low})
      for (const accelerator::Segment& piece : list) bytes += piece.bytes;
    REQUIRE(bytes == kv.head().keys_read({from, context}, context));
  }
}

TEST_CASE("windows: a token of Mistral v0.1 at any context costs what one of its window does") {
  const auto kv_bytes = [](int context) {
    return in_child([context] {
             const testbench::RunResult r = testbench::run_scenario(testbench::load_scenario(
                 "default",
                 {"model=llama-3-8b", "model.sliding_window=4096", "accelerator=harmonia-server", "kv=fp16",
                  "accelerator.pe.kind=fp16", "fidelity=sampled", "workload.tokens=1",
                  "workload.context=" + std::to_string(context)},
                 library()));
             testbench::require_checks(r);
             return std::vector<std::uint64_t>{
                 r.bandwidth.bytes_by_class[static_cast<std::size_t>(testbench::TrafficClass::kv_read)]};
           })
        .front();
  };
  // The new token is at position `context`: it sees 4096 tokens, the first of which is the first of a group.
  CHECK(kv_bytes(8191) == 32ull * 8 * 2 * 128 * 2 * 4096);
  CHECK(kv_bytes(6015) == kv_bytes(8191));
  CHECK(kv_bytes(6000) == 32ull * 8 * 2 * 128 * 2 * (4096 + 17));
}

TEST_CASE("windows: a sampled run of layers in turn has the bytes of the full one") {
  // Bytes by class, then tokens in a thousand seconds.
  const auto run = [](const std::string& fidelity) {
    return in_child([fidelity] {
      const testbench::RunResult r = testbench::run_scenario(testbench::load_scenario(
          "default",
          {"model=llama-3.2-1b", "model.sliding_window=128", "model.full_attention_layers=[5,11]",
           "model.num_hidden_layers=16", "workload={batch: 2, context: 700, tokens: 1}", "fidelity=" + fidelity},
          library()));
      testbench::require_checks(r);
      std::vector<std::uint64_t> figures(r.bandwidth.bytes_by_class.begin(), r.bandwidth.bytes_by_class.end());
      figures.push_back(static_cast<std::uint64_t>(1000 * r.output_tokens_per_s));
      return figures;
    });
  };
  std::vector<std::uint64_t> full = run("full"), sampled = run("sampled");
  const std::uint64_t full_speed = full.back(), sampled_speed = sampled.back();
  full.pop_back();
  sampled.pop_back();
  CHECK(sampled == full);
  CHECK(static_cast<double>(sampled_speed) == Approx(static_cast<double>(full_speed)).epsilon(0.02));
}

TEST_CASE("windows: published patterns of layers") {
  const auto shape = [](const std::string& keys) { return read(keys); };
  CHECK(shape("\"model_type\": \"mistral\", \"sliding_window\": 4096").full_attention_layers.empty());
  CHECK(shape("\"model_type\": \"gemma2\"").full_attention_layers == std::vector<int>{1, 3, 5});
  CHECK(shape("\"model_type\": \"gemma2\"").window_of(0) == 4096);
  CHECK(shape("\"model_type\": \"gemma3_text\", \"sliding_window\": 512").full_attention_layers == std::vector<int>{5});
  CHECK(shape("\"model_type\": \"gemma3_text\", \"sliding_window\": 512, \"sliding_window_pattern\": 3")
            .full_attention_layers == std::vector<int>{2, 5});
  CHECK(shape("\"model_type\": \"gpt_oss\", \"num_local_experts\": 32").full_attention_layers ==
        std::vector<int>{1, 3, 5});
  CHECK(shape("\"model_type\": \"qwen2\", \"use_sliding_window\": true, \"sliding_window\": 512, "
              "\"max_window_layers\": 4")
            .full_attention_layers == std::vector<int>{0, 1, 2, 3});
  CHECK(shape("\"model_type\": \"llama\", \"sliding_window\": 512, \"layer_types\": [\"full_attention\", "
              "\"sliding_attention\", \"full_attention\", \"full_attention\", \"full_attention\", "
              "\"full_attention\"]")
            .full_attention_layers == std::vector<int>{0, 2, 3, 4, 5});
}

TEST_CASE("windows: what contradicts itself is refused with its place") {
  CHECK_THAT(refusal({"model=llama-3-8b", "model.full_attention_layers=[1]"}),
             ContainsSubstring("--set model.full_attention_layers") && ContainsSubstring("sliding_window beside it"));
  CHECK_THAT(refusal({"model=llama-3-8b", "model.sliding_window=64", "model.full_attention_layers=[1, 40]"}),
             ContainsSubstring("names layer 40, expected layers from 0 to 31"));
  CHECK_THAT(refusal({"model=llama-3-8b", "model.sliding_window=64", "model.full_attention_layers=[3, 3]"}),
             ContainsSubstring("ascending order"));
  CHECK_THAT(refusal({"model=llama-3-8b", "model.sliding_window=-1"}), ContainsSubstring("model.sliding_window"));
  CHECK_THROWS_WITH(read("\"model_type\": \"mistral\", \"sliding_window\": 0"),
                    ContainsSubstring("m:2:") && ContainsSubstring("at least one token"));
  CHECK_THROWS_WITH(read("\"model_type\": \"mistral\", \"layer_types\": [\"sliding_attention\"]"),
                    ContainsSubstring("m:2:") && ContainsSubstring("a kind for each of 6 layers"));
}
