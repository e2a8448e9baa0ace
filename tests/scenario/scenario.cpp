#include "harmonia/testbench/scenario/scenario.h"

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "harmonia/config/yaml.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/scratch.h"

namespace tb = harmonia::testbench;
namespace cfg = harmonia::config;
using harmonia::test::Scratch;

namespace {

const std::string kWorkloads = HARMONIA_SOURCE "/workloads";

tb::LoadedScenario load(const std::string& text, const std::vector<std::string>& sets = {}) {
  return tb::load_scenario(cfg::parse_yaml(text, "s.yaml"), sets, tb::Library(kWorkloads));
}

std::string error_of(const std::string& text, const std::vector<std::string>& sets = {}) {
  try {
    load(text, sets);
  } catch (const cfg::InputError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a key of the base that a trace makes idle is refused with the place of both") {
  const std::string message = error_of("base: default\nworkload: {trace: serve-small.csv}\n");
  REQUIRE_THAT(message, ContainsSubstring("scenarios/default.yaml:"));
  REQUIRE_THAT(message,
               ContainsSubstring("workload.phase has no effect when a trace is replayed, expected no such key beside "
                                 "workload.trace of s.yaml:2:12"));
}

TEST_CASE("every built-in model, accelerator and scenario loads, and is named as its file") {
  const tb::Library library(kWorkloads);
  for (const std::string& name : library.names(tb::BuiltIn::kModel))
    REQUIRE(tb::load_model(name, library).name == name);
  for (const std::string& name : library.names(tb::BuiltIn::kAccelerator))
    REQUIRE(tb::load_accelerator(name, library).name == name);
  for (const std::string& name : library.names(tb::BuiltIn::kScenario))
    REQUIRE(tb::load_scenario(name, {}, library).scenario.name == name);
  REQUIRE(library.names(tb::BuiltIn::kModel).size() >= 12);
  for (const char* needed : {"harmonia", "harmonia-hbm2", "harmonia-small", "l40s", "rtx4090"}) {
    CAPTURE(needed);
    REQUIRE_NOTHROW(tb::load_accelerator(needed, library));
  }
  for (const char* needed : {"default", "decode-1bit", "decode-int4", "prefill-2k", "serve-azure"}) {
    CAPTURE(needed);
    REQUIRE_NOTHROW(tb::load_scenario(needed, {}, library));
  }
}

TEST_CASE("shapes of known models have their published sizes") {
  const tb::Library library(kWorkloads);
  const auto parameters = [&](const char* name) { return tb::load_model(name, library).parameters(); };
  // Sums over the tensors of the published checkpoints.
  REQUIRE(parameters("llama-2-7b") == 6738415616);
  REQUIRE(parameters("llama-3-8b") == 8030261248);
  REQUIRE(parameters("llama-3.2-1b") == 1235814400);
  REQUIRE(parameters("llama-3.1-405b") == 405853388800);
  REQUIRE(parameters("mistral-7b") == 7241732096);

  // The fixed-memory trio of the 1-bit paper: 7.77, 7.66 and 7.70 GB at 16, 4.25 and 1.25 bits, lm_head and embedding
  // 16-bit.
  const auto gigabytes = [&](const char* name, double bits) {
    const auto m = tb::load_model(name, library);
    const double linears = static_cast<double>(m.num_hidden_layers) * static_cast<double>(m.linear_weights_per_layer());
    return (linears * bits + (static_cast<double>(m.parameters()) - linears) * 16) / 8e9;
  };
  REQUIRE(gigabytes("1bw-4b", 16) == Approx(7.77).margin(0.006));
  REQUIRE(gigabytes("1bw-12b", 4.25) == Approx(7.66).margin(0.006));
  REQUIRE(gigabytes("1bw-31b", 1.25) == Approx(7.70).margin(0.006));
}

TEST_CASE("the default scenario is the one that the documentation promises") {
  const tb::LoadedScenario loaded = tb::load_scenario("default", {}, tb::Library(kWorkloads));
  const tb::Scenario& s = loaded.scenario;
  REQUIRE(s.model.name == "llama-3-8b");
  REQUIRE(s.model.hidden_size == 4096);
  REQUIRE(s.accelerator.name == "harmonia");
  REQUIRE(s.accelerator.pe.macs_per_cycle() == 4096);
  REQUIRE(s.accelerator.decoder.rate(4) == 1024);
  REQUIRE(s.accelerator.weight_buffer.capacity_bytes + s.accelerator.kv_buffer.capacity_bytes == 512 * 1024);
  REQUIRE(s.weights.format == "kmeans4");
  REQUIRE(s.kv.format == "bfp4+windows");
  REQUIRE(s.workload.context == 2048);
  REQUIRE(s.workload.batch == 1);
  REQUIRE_FALSE(s.workload.is_trace());
  REQUIRE(s.fidelity.mode == tb::FidelityMode::full);
  REQUIRE(loaded.notices.empty());
}

TEST_CASE("derived files lie on their base") {
  const tb::Library library(kWorkloads);
  REQUIRE(tb::load_scenario("decode-1bit", {}, library).scenario.weights.format == "kmeans1");
  REQUIRE(tb::load_scenario("decode-1bit", {}, library).scenario.weights.lm_head == "fp16");
  REQUIRE(tb::load_scenario("prefill-2k", {}, library).scenario.workload.phase == tb::Phase::prefill);
  const auto hbm = tb::load_accelerator("harmonia-hbm2", library);
  REQUIRE(hbm.pe.rows == 16);
  REQUIRE(hbm.dram.preset == "HBM2-2000");
  const auto l40s = tb::load_accelerator("l40s", library);
  REQUIRE(l40s.decoder.rate(4) == 1460);
  REQUIRE(l40s.decoder.rate(2) == 2030);
  REQUIRE(l40s.decoder.rate(1) == 3260);
  REQUIRE(l40s.decoder.rate(16) == 100000);
  REQUIRE(l40s.peak_macs_per_second() * 2 == Approx(362e12).epsilon(0.005));
  const auto rtx = tb::load_accelerator("rtx4090", library);
  REQUIRE(rtx.decoder.rates.empty());
  REQUIRE(rtx.peak_macs_per_second() * 2 == Approx(165.2e12).epsilon(0.003));
}

TEST_CASE("a clock whose period is no whole number of picoseconds is rounded, with a notice") {
  REQUIRE(load("model: llama-3-8b\naccelerator: {base: harmonia, clock_mhz: 800}\n", {}).notices.empty());
  const tb::LoadedScenario loaded = load("model: llama-3-8b\naccelerator: {base: harmonia, clock_mhz: 850}\n", {});
  REQUIRE(loaded.scenario.accelerator.clock_mhz == Approx(1e6 / 1176).epsilon(1e-12));
  REQUIRE(loaded.notices ==
          std::vector<std::string>{"accelerator.clock_mhz: 850 MHz is simulated as 850.340 MHz, a period of 1176 ps."});
  // What was asked for stays in the resolved configuration.
  REQUIRE_THAT(cfg::to_yaml(loaded.resolved), ContainsSubstring("clock_mhz: 850\n"));
}

TEST_CASE("sections are names, files or inline maps, and overrides reach into all of them") {
  const tb::Scenario s = load(
                             "model: llama-2-7b\naccelerator: {base: l40s, clock_mhz: 2000}\nweights: int4\nkv: "
                             "{format: fp16}\nfidelity: sampled\n",
                             {"model.num_hidden_layers=2", "accelerator.decoder.rates=[]",
                              "accelerator.dram.channels=12", "weights.group_size=64", "seed=7"})
                             .scenario;
  REQUIRE(s.model.num_hidden_layers == 2);
  REQUIRE(s.model.hidden_size == 4096);
  REQUIRE(s.accelerator.clock_mhz == 2000);
  REQUIRE(s.accelerator.decoder.rates.empty());
  REQUIRE(s.accelerator.pe.cols == 128);
  REQUIRE(s.accelerator.dram.channels == 12);
  REQUIRE(s.accelerator.dram.preset == "GDDR6-18000");
  REQUIRE(s.weights.format == "int4");
  REQUIRE(s.weights.group_size == 64);
  REQUIRE(s.kv.format == "fp16");
  REQUIRE(s.fidelity.mode == tb::FidelityMode::sampled);
  REQUIRE(s.seed == 7);

  // An override of a name, then of something in what it now names.
  REQUIRE(load("model: llama-2-7b\n", {"accelerator=l40s", "accelerator.pe.rows=8"}).scenario.accelerator.pe.rows == 8);
  REQUIRE(load("model: llama-2-7b\n", {"weights=kmeans2"}).scenario.weights.format == "kmeans2");
}

TEST_CASE("the scenario's dram lies on the accelerator's") {
  const tb::Scenario s = load("model: llama-2-7b\naccelerator: l40s\ndram: {channels: 3}\n").scenario;
  REQUIRE(s.accelerator.dram.preset == "GDDR6-18000");
  REQUIRE(s.accelerator.dram.channels == 3);
  REQUIRE(load("model: llama-2-7b\ndram: HBM3-6400\n").scenario.accelerator.dram.preset == "HBM3-6400");
  REQUIRE(load("model: llama-2-7b\n", {"dram=HBM3-6400"}).scenario.accelerator.dram.preset == "HBM3-6400");
  REQUIRE(load("model: llama-2-7b\n", {"dram.channels=2"}).scenario.accelerator.dram.channels == 2);
  // Keys of the channel belong to the preset that they were written for.
  const std::string machine = "accelerator: {dram: {preset: DDR4-3200, channel: {RCD: 30}}}\n";
  REQUIRE(load("model: llama-2-7b\n" + machine).scenario.accelerator.dram.channel.find("RCD")->text == "30");
  REQUIRE(load("model: llama-2-7b\n" + machine + "dram: {preset: HBM3-6400}\n")
              .scenario.accelerator.dram.channel.find("RCD") == nullptr);
  REQUIRE(load("model: llama-2-7b\n" + machine + "dram: {channels: 2}\n")
              .scenario.accelerator.dram.channel.find("RCD")
              ->text == "30");
}

TEST_CASE("errors of a scenario say where, what, what was expected and what is near") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"accelerator: harmonia\n", "s.yaml:1:1: key 'model' is missing, expected a map of keys"},
      {"model: llama3-8b\n", "s.yaml:1:8: unknown model 'llama3-8b'; nearest known model is 'llama-3-8b'"},
      {"model: my/model.yaml\n",
       "s.yaml:1:8: model file 'my/model.yaml' does not exist, expected a file or a built-in name (`harmonia list "
       "models`)"},
      {"model: llama-3-8b\naccelerator: l40\n",
       "s.yaml:2:14: unknown accelerator 'l40'; nearest known accelerator is 'l40s'"},
      {"model: llama-3-8b\nworkloads: {}\n", "s.yaml:2:1: unknown key 'workloads'; nearest known key is 'workload'"},
      {"model: llama-3-8b\nworkload: {batch: 0}\n",
       "s.yaml:2:19: workload.batch is '0', expected a whole number from 1 to 65536 (sequences)"},
      {"model: llama-3-8b\nworkload: {context: -1}\n",
       "s.yaml:2:21: workload.context is '-1', expected a whole number from 0 to 67108864 (tokens)"},
      {"model: llama-3-8b\nweights: kmeans5\n",
       "s.yaml:2:10: weights.format is 'kmeans5', expected one of: fp16, int8, int4, kmeans8, kmeans4, kmeans3, "
       "kmeans2, kmeans1, nf4, ternary; nearest is "
       "'kmeans8'"},
      {"model: llama-3-8b\nkv: {format: bfp4, exponent_bits: 6}\n",
       "s.yaml:2:35: kv.exponent_bits: is 6, expected 5 or 8"},
      {"model: llama-3-8b\nworkload: {limit: 5}\n",
       "s.yaml:2:12: workload.limit has no effect on a fixed workload, expected workload.trace beside it"},
      {"model: llama-3-8b\nworkload: {trace: serve-small.csv, batch: 5}\n",
       "s.yaml:2:36: workload.batch has no effect when a trace is replayed, expected no such key beside "
       "workload.trace"},
      {"model: llama-3-8b\nworkload: nothing.csv\n",
       "s.yaml:2:11: request trace 'nothing.csv' was not found, expected a file (its folder can be named with --data "
       "or HARMONIA_DATA)"},
      {"model: llama-3-8b\naccelerator: {base: {a: b}}\n",
       "s.yaml:2:21: base is a map, expected the name of a accelerator"},
      {"model: llama-3-8b\ndram: [1]\n", "s.yaml:2:7: dram is a list, expected a preset's name or a map of keys"},
      {"model: {hidden_size: 100, num_attention_heads: 3, num_key_value_heads: 1, num_hidden_layers: 1, "
       "intermediate_size: 1, vocab_size: 1}\n",
       "s.yaml:1:22: hidden_size is 100, expected a multiple of num_attention_heads (3) or a head_dim beside it"},
      {"model: {hidden_size: 64, num_attention_heads: 4, num_key_value_heads: 3, num_hidden_layers: 1, "
       "intermediate_size: 1, vocab_size: 1}\n",
       "s.yaml:1:8: model: num_attention_heads (4) must be a multiple of num_key_value_heads (3)"},
      {"model: {hidden_size: 64}\n",
       "s.yaml:1:8: key 'model.num_hidden_layers' is missing, expected a whole number from 1 to 4096 (layers)"},
      {"[1, 2]\n",
       "s.yaml:1:1: this is a list, expected a map of keys; expected one of: name, description, model, accelerator, "
       "devices, weights, kv, activations, workload, fidelity, "
       "blocks, output, seed"},
  };
  for (const auto& [text, message] : cases) {
    CAPTURE(text);
    CHECK(error_of(text) == message);
  }
  CHECK(error_of("model: llama-3-8b\n", {"accelerator.pe.rowz=3"}) ==
        "--set accelerator.pe.rowz=3: unknown key 'accelerator.pe.rowz'; nearest known key is 'rows'");
  CHECK(error_of("model: llama-3-8b\n", {"accelerator.pe.rows=0"}) ==
        "--set accelerator.pe.rows=0: accelerator.pe.rows is '0', expected a whole number from 1 to 4096 (PEs)");
  CHECK(error_of("model: llama-3-8b\n", {"seed.x=0"}) ==
        "--set seed.x=0: seed is a map, expected a whole number of at least 0");
}

TEST_CASE("activations are what the array takes, and another format is refused where it stands") {
  const std::string model = "model: stories260k\n";
  REQUIRE(load(model).scenario.activations.format == "bfp8");
  REQUIRE(load(model + "accelerator: fp-fp\n").scenario.activations.format == "fp16");
  REQUIRE(load(model + "accelerator: anda\nactivations: bfp8\n").scenario.activations.format == "bfp8");
  REQUIRE(
      error_of(model + "activations: fp16\n") ==
      "s.yaml:2:14: activations.format is fp16, but a PE array of the kind harmonia takes bfp8, expected that or auto");
  REQUIRE(error_of(model + "accelerator: fp-fp\nactivations: {format: bfp8}\n").find("s.yaml:3:23: ") == 0);
}

TEST_CASE("a base that names itself ends in an error") {
  const Scratch scratch;
  const std::string file = scratch.write("loop.yaml", "base: ./loop.yaml\nmodel: llama-3-8b\n");
  REQUIRE_THROWS_AS(tb::load_scenario(file, {}, tb::Library(kWorkloads)), cfg::InputError);
}

TEST_CASE("a key that another one makes idle is refused, and a notice where a scenario is varied") {
  const auto said = [&](const std::string& keys, const std::vector<std::string>& set = {}) {
    const Scratch s;
    const std::string file = s.write("s.yaml", "model: stories260k\naccelerator: harmonia-small\n" + keys);
    try {
      const tb::LoadedScenario loaded = tb::load_scenario(file, set, tb::Library(kWorkloads));
      std::string all;
      for (const std::string& n : loaded.notices) all += n;
      return all;
    } catch (const cfg::InputError& e) {
      return std::string(e.what());
    }
  };
  const auto idle = [&](const std::string& keys, const std::string& key, const std::string& by) {
    CHECK_THAT(said(keys), ContainsSubstring("s.yaml:3:") && ContainsSubstring(key + " has no effect with " + by));
  };
  idle("weights: {format: fp16, lm_head: fp16, codebook: int8}", "weights.codebook", "weights.format fp16");
  idle("weights: {format: kmeans4, lm_head: fp16, group_size: 64}", "weights.group_size", "weights.format kmeans4");
  idle("kv: {format: bfp8, n_initial: 3}", "kv.n_initial", "kv.format bfp8");
  idle("kv: {format: fp16, exponent_bits: 8}", "kv.exponent_bits", "kv.format fp16");
  idle("workload: {phase: decode, prefill_chunk_tokens: 8}", "workload.prefill_chunk_tokens", "workload.phase decode");
  idle("fidelity: {mode: full, sample_layers: 3}", "fidelity.sample_layers", "fidelity.mode full");
  CHECK_THAT(said("kv: bfp8\nworkload: {phase: gemv, rows: 64, cols: 64, batch: 1}"),
             ContainsSubstring("kv has no effect with workload.phase gemv"));
  // Set by itself on a scenario that makes it idle.
  CHECK_THAT(said("fidelity: full", {"fidelity.sample_layers=3"}),
             ContainsSubstring("--set fidelity.sample_layers=3:"));
  // The other key was varied, or both were.
  const std::string kmeans = "weights: {format: kmeans4, lm_head: fp16, codebook: int8}";
  CHECK(said(kmeans).empty());
  CHECK(said(kmeans, {"weights.format=fp16"}) == "weights.codebook has no effect with weights.format fp16.");
  CHECK(said("weights: kmeans4", {"weights.format=fp16", "weights.codebook=int8"}) ==
        "weights.codebook has no effect with weights.format fp16.");
}

TEST_CASE("the resolved configuration reads back as the same scenario") {
  for (const char* name : {"default", "serve-azure", "decode-int4"}) {
    CAPTURE(name);
    const tb::LoadedScenario first =
        tb::load_scenario(name, {"accelerator=l40s", "accelerator.dram.channel={RCD: 30}"}, tb::Library(kWorkloads));
    const std::string yaml = cfg::to_yaml(first.resolved);
    const tb::LoadedScenario second =
        tb::load_scenario(cfg::parse_yaml(yaml, "resolved.yaml"), {}, tb::Library(kWorkloads));
    REQUIRE(cfg::to_yaml(second.resolved) == yaml);
  }
}

TEST_CASE("assumed inputs are listed with their reasons, and files can give sources of their own") {
  const auto find = [](const tb::LoadedScenario& l, const std::string& key) -> const cfg::Assumption* {
    for (const cfg::Assumption& a : l.assumptions)
      if (a.key == key) return &a;
    return nullptr;
  };
  const tb::LoadedScenario harmonia = load("model: llama-3-8b\naccelerator: harmonia\n", {"accelerator.pe.cols=4"});
  REQUIRE(find(harmonia, "accelerator.pe.rows"));
  REQUIRE(find(harmonia, "accelerator.pe.rows")->given_at == "built-in accelerators/harmonia.yaml:7");
  REQUIRE(find(harmonia, "accelerator.pe.cols")->given_at == "--set accelerator.pe.cols=4");
  REQUIRE(find(harmonia, "accelerator.converter.lanes")->given_at == "default");
  for (const cfg::Assumption& a : harmonia.assumptions) {
    CAPTURE(a.key);
    CHECK_FALSE(a.meaning.empty());
    CHECK_FALSE(a.source.empty());
  }
  // Formats that are not used rest on nothing.
  REQUIRE(find(harmonia, "kv.n_local"));
  REQUIRE(find(harmonia, "weights.codebook"));
  REQUIRE_FALSE(find(load("model: llama-3-8b\nkv: fp16\nweights: int4\n"), "kv.n_local"));
  REQUIRE_FALSE(find(load("model: llama-3-8b\nkv: fp16\nweights: int4\n"), "weights.codebook"));
  const tb::LoadedScenario l40s = load("model: llama-3-8b\naccelerator: l40s\n");
  REQUIRE(find(l40s, "accelerator.pe.rows") == nullptr);  // from the data sheet
  REQUIRE(find(l40s, "accelerator.pe.cols") != nullptr);
  // The file's source does not speak for a value that an override put in its place.
  REQUIRE(find(load("model: llama-3-8b\naccelerator: l40s\n", {"accelerator.pe.rows=4"}), "accelerator.pe.rows") !=
          nullptr);
}

TEST_CASE("every described key has a meaning, and every assumption a reason") {
  tb::Scenario s;
  cfg::Fields fields;
  s.describe(fields);
  const std::function<void(const cfg::Fields&, const std::string&)> visit = [&](const cfg::Fields& f,
                                                                                const std::string& path) {
    for (const auto& field : f.all()) {
      CAPTURE(path + field->key());
      CHECK_FALSE(field->meaning().empty());
      if (field->origin() != cfg::Origin::kChoice) CHECK_FALSE(field->source().empty());
      if (field->children()) visit(*field->children(), path + field->key() + ".");
    }
  };
  visit(fields, "");
}

TEST_CASE("the documentation of the keys is the one that the program prints") {
  tb::Scenario s;
  cfg::Fields fields;
  s.describe(fields);
  const std::string page = Scratch::read(HARMONIA_SOURCE "/docs/configuration.md");
  // Regenerate with scripts/make-docs.
  REQUIRE(page.find(fields.markdown()) != std::string::npos);
}

TEST_CASE("config.json of published models is a model") {
  HARMONIA_REQUIRE_DATA(data);
  const tb::Library library(kWorkloads);
  const auto parameters = [&](const std::string& file, std::vector<std::string>* notices = nullptr) {
    return tb::load_model((data / "data/configs" / (file + ".config.json")).string(), library, notices).parameters();
  };
  REQUIRE(parameters("meta-llama--Llama-2-7b-hf") == tb::load_model("llama-2-7b", library).parameters());
  std::vector<std::string> notices;
  REQUIRE(parameters("meta-llama--Meta-Llama-3.1-8B", &notices) == tb::load_model("llama-3-8b", library).parameters());
  REQUIRE(notices.empty());
  REQUIRE(parameters("meta-llama--Meta-Llama-3.1-70B") == tb::load_model("llama-3-70b", library).parameters());
  REQUIRE(parameters("meta-llama--Meta-Llama-3.1-405B") == tb::load_model("llama-3.1-405b", library).parameters());
  // With its norms of q and k (28 layers x 2 x 128), which are counted and not read.
  REQUIRE(parameters("Qwen--Qwen3-0.6B") == 596049920);
  REQUIRE(parameters("mistralai--Mixtral-8x7B-v0.1") == 46702792704u);
}

TEST_CASE("what a config.json leaves out takes the defaults of its readers") {
  const tb::Library library(kWorkloads);
  const Scratch scratch;
  const std::string file = scratch.write(
      "tiny/config.json",
      "{\n  \"architectures\": [\"LlamaForCausalLM\"],\n  \"hidden_size\": 64, \"num_hidden_layers\": 2,\n"
      "  \"num_attention_heads\": 4, \"intermediate_size\": 128, \"vocab_size\": 100, \"torch_dtype\": "
      "\"float16\"\n}\n");
  const auto m = tb::load_model(file, library);
  REQUIRE(m.name == "tiny");
  REQUIRE(m.head_dim == 16);
  REQUIRE(m.num_key_value_heads == 4);
  REQUIRE(m.rope_theta == 10000);
  REQUIRE_FALSE(m.tie_word_embeddings);
}

TEST_CASE("random corruption of scenario files never does worse than an error") {
  constexpr std::uint32_t kSeed = 77;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  const tb::Library library(kWorkloads);
  std::string whole = Scratch::read(kWorkloads + "/scenarios/default.yaml");
  whole += "output: {timeline: false}\ndram: {preset: HBM2-2000, channels: 3}\n";
  int refused = 0, read = 0;
  for (int round = 0; round < 1500; ++round) {
    std::string text = whole;
    for (std::uint32_t e = 0; e < 1 + random() % 3; ++e) {
      const std::size_t at = random() % text.size();
      const std::size_t how = random() % 4;
      if (how == 0) text[at] = static_cast<char>(' ' + random() % 95);
      if (how == 1) text.erase(at, 1 + random() % 8);
      if (how == 2) text.insert(at, text.substr(random() % text.size(), random() % 30));
      if (how == 3) text.insert(at, (random() % 2 ? "-" : "") + std::to_string(std::uint64_t{random()} * random()));
    }
    try {
      tb::load_scenario(cfg::parse_yaml(text, "s.yaml"), {}, library);
      ++read;
    } catch (const cfg::InputError& e) {
      REQUIRE(std::string(e.what()).size() > 10);
      ++refused;
    }
  }
  REQUIRE(refused > 100);
  REQUIRE(read > 20);
}

TEST_CASE("more smoothed channels than the offset table holds are refused before a run") {
  REQUIRE_THAT(error_of("base: default\naccelerator:\n  base: harmonia\n  smoother:\n    channels_per_head: 17\n"),
               ContainsSubstring("s.yaml:5:24: ") && ContainsSubstring("channels_per_head is '17'") &&
                   ContainsSubstring("from 0 to 16"));
  REQUIRE(error_of("base: default\naccelerator:\n  base: harmonia\n  smoother:\n    channels_per_head: 16\n") ==
          "no error");
}

TEST_CASE("the energy of a bit is an input only where the DRAM channel states no currents, and is said then") {
  const auto assumed = [](const tb::LoadedScenario& l) {
    for (const cfg::Assumption& a : l.assumptions)
      if (a.key == "accelerator.energy.dram_pj_per_bit") return true;
    return false;
  };
  const std::string text =
      "name: e\nmodel: stories260k\naccelerator:\n  base: harmonia\n  energy:\n    dram_pj_per_bit: 3\n";
  CHECK(error_of(text).find("s.yaml:6:") == 0);
  CHECK_THAT(error_of(text), ContainsSubstring("accelerator.energy.dram_pj_per_bit has no effect on the DRAM channel"));
  const tb::LoadedScenario with = load("name: e\nmodel: stories260k\naccelerator: harmonia\n");
  CHECK_FALSE(assumed(with));
  CHECK(with.resolved.find("accelerator")->find("energy")->find("dram_pj_per_bit") == nullptr);
  const tb::LoadedScenario without =
      load("name: e\nmodel: stories260k\naccelerator: harmonia\n", {"accelerator.dram.channel={devices: 0}"});
  CHECK(assumed(without));
  REQUIRE(without.notices.size() == 1);
  CHECK_THAT(without.notices[0], ContainsSubstring("flat 18.75 pJ a bit"));
}

TEST_CASE("with measured figures what no synthesis gives is assumed, and seeds that count in no total are said") {
  const auto assumed = [](const tb::LoadedScenario& l) {
    return std::count_if(l.assumptions.begin(), l.assumptions.end(),
                         [](const cfg::Assumption& a) { return a.key.rfind("silicon.", 0) == 0; });
  };
  const std::string text = "name: e\nmodel: stories260k\n";
  const tb::LoadedScenario measured = load(text + "accelerator: fp-fp\n");
  CHECK(assumed(measured) > 10);
  CHECK(measured.notices.empty());  // the file's own seeds are the published account
  CHECK(assumed(load(text + "accelerator: fp-fp\n", {"accelerator.energy.source=published"})) == 0);
  const std::string own = text + "accelerator:\n  base: fp-fp\n  area:\n    lane_um2: 3\n";
  const tb::LoadedScenario idle = load(own, {"accelerator.energy.mac_pj=1"});
  REQUIRE(idle.notices.size() == 1);
  CHECK_THAT(idle.notices[0], ContainsSubstring("accelerator.energy.mac_pj, accelerator.area.lane_um2: no total"));
  CHECK(load(own, {"accelerator.energy.mac_pj=1", "accelerator.energy.source=published"}).notices.empty());
}

TEST_CASE("blocks: what the RTL does not have is refused where the block is asked for") {
  const std::string smoother =
      "accelerator: harmonia\nmodel: stories260k\nfidelity: {data: functional}\nblocks: {smoother: {model: rtl}}\n";
#ifdef HARMONIA_HAS_RTL
  CHECK(error_of(smoother) == "no error");
  CHECK(error_of(smoother, {"model.head_dim=256", "model.hidden_size=2048"}) == "no error");
  CHECK_THAT(error_of(smoother, {"model.head_dim=258", "model.hidden_size=2064"}),
             ContainsSubstring("s.yaml:4:28: blocks.smoother.model is rtl, but the RTL's smoother has") &&
                 ContainsSubstring("model.head_dim 258"));
  CHECK_THAT(error_of(smoother, {"accelerator.smoother.lanes=48"}),
             ContainsSubstring("accelerator.smoother.lanes is 48"));
#else
  CHECK_THAT(error_of(smoother), ContainsSubstring("built without Verilator"));
#endif
}
