// A run over the stages of a pipeline, as a user makes it: when a token comes, what stages wait for, what is refused.
#include <nlohmann/json.hpp>
#include <string>

#include "tests/devices/device_runs.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using harmonia::test::Outcome;
using harmonia::test::run_harmonia;
using harmonia::test::Scratch;
using nlohmann::json;

namespace {

constexpr const char* kModel =
    "hidden_size: 512\nnum_hidden_layers: 6\nnum_attention_heads: 8\nnum_key_value_heads: 4\nhead_dim: 64\n"
    "intermediate_size: 1024\nvocab_size: 2048\n";
// 2 bytes a ns each way, no headers.
constexpr const char* kLink =
    "name: plain\nbandwidth_gb_per_s: 2\nlatency_ns: 100\npayload_bytes: 64\nheader_bytes: 0\n";

struct Runs : harmonia::test::DeviceRuns {
  Runs() : DeviceRuns(kModel, kLink) {}
};

std::string stages(int count) {
  return "--set devices.pipeline=" + std::to_string(count) + " --set devices.link=link.yaml ";
}

double number(const json& at, const char* pointer) { return at.at(json::json_pointer(pointer)).get<double>(); }

bool check_passed(const json& result, const std::string& begin) {
  for (const json& c : result.at("checks"))
    if (c.at("name").get<std::string>().rfind(begin, 0) == 0) return c.at("passed");
  return false;
}

double time_of(const json& result, const std::string& operation) {
  for (const json& o : result.at("operations"))
    if (o.at("name") == operation) return o.at("simulated_s");
  return 0;
}

}  // namespace

TEST_CASE("pipeline run: one sequence passes all stages in turn, and takes no less than on one device") {
  const Runs runs;
  const json one = runs.result(""), three = runs.result(stages(3));
  const json& d = three.at("devices");
  CHECK(d.at("pipeline") == 3);
  CHECK(d.at("micro_batches") == 1);
  REQUIRE(d.at("stages").size() == 3);
  double busy = 0;
  for (const json& stage : d.at("stages")) {
    CHECK(stage.at("layers") == 2);
    busy += stage.at("busy_s").get<double>();
  }
  // Two steps; of each two hops of 512 values of 2 bytes.
  CHECK(number(three, "/simulated_seconds") == Approx(busy + 2 * 2 * (512e-9 + 100e-9)));
  CHECK(number(three, "/simulated_seconds") > number(one, "/simulated_seconds"));
  // What stages do not prefetch from each other is a small part.
  CHECK(number(three, "/simulated_seconds") < 1.3 * number(one, "/simulated_seconds"));
  // The mean of three devices has a third of the bytes and of the work.
  CHECK(3 * number(three, "/bandwidth/bytes") == Approx(number(one, "/bandwidth/bytes")).epsilon(1e-6));
  CHECK(d.at("sends").get<double>() == Approx(2 * 2 / 3.0));
  CHECK(d.at("link_bytes").get<double>() == Approx(2 * 2 * 1024 / 3.0));
  CHECK(d.at("bubble_share").get<double>() == Approx(2.0 / 3).margin(0.05));
  CHECK(time_of(three, "bubble") == Approx(d.at("bubble_s").get<double>()));
  CHECK(check_passed(three, "DRAM bytes of all stages = those of one device"));
  CHECK(check_passed(three, "bytes sent over links = formula"));
}

TEST_CASE("pipeline run: micro-batches fill the bubbles, at the time per token of the slowest stage") {
  const Runs runs;
  const std::string batch = stages(3) + "--set workload.batch=6 ";
  const json turns = runs.result(batch + "--set devices.micro_batches=1"), filled = runs.result(batch);
  CHECK(filled.at("devices").at("micro_batches") == 3);
  CHECK(filled.at("devices").at("bubble_share").get<double>() <
        0.5 * turns.at("devices").at("bubble_share").get<double>());
  double busiest = 0;
  for (const json& stage : filled.at("devices").at("stages"))
    busiest = std::max(busiest, stage.at("busy_s").get<double>());
  CHECK(number(filled, "/simulated_seconds") >= busiest);
  // Every sequence gets a token each step.
  CHECK(number(filled, "/latency/time_per_output_token_s/mean") == Approx(number(filled, "/simulated_seconds") / 2));
  CHECK(number(filled, "/output_tokens_per_s") == Approx(12 / number(filled, "/simulated_seconds")));
  // Weights are read once for each micro-batch.
  CHECK(number(filled, "/bandwidth/bytes") > 2.5 * number(turns, "/bandwidth/bytes"));
  CHECK(check_passed(filled, "DRAM bytes of all stages = those of one device"));
}

TEST_CASE("pipeline run: chunks of a prefill follow each other through the stages, and spill at their borders") {
  const Runs runs;
  const std::string prefill =
      "--set workload.phase=prefill --set workload.context=2048 --set workload.prefill_chunk_tokens=256 ";
  const json one = runs.result(prefill), two = runs.result(prefill + stages(2));
  // Eight chunks over two stages: half the time and the filling.
  const double share = number(two, "/simulated_seconds") / number(one, "/simulated_seconds");
  CHECK(share > 0.5);
  CHECK(share < 0.65);
  CHECK(number(two, "/latency/time_to_first_token_s/mean") == Approx(number(two, "/simulated_seconds")));
  CHECK(check_passed(two, "DRAM bytes of all stages = those of one device"));
}

TEST_CASE("pipeline run: stages are divided by tensor too, and a GPU's kernels and a sampled run work") {
  const Runs runs;
  const json both = runs.result(stages(2) + "--set devices.tensor=2 --set workload.batch=2");
  // Of the mean device: 1 + 2 * 6 all-reduces for each of two micro-batches and steps, on two stages.
  CHECK(both.at("devices").at("all_reduces").get<double>() == Approx(2 * 2 * 13 / 2.0));
  CHECK(check_passed(both, "values reduced between devices = model shapes"));
  CHECK(check_passed(both, "bytes sent over links = formula"));
  const json gpu = runs.result(stages(2) + "--set accelerator=h100 --set weights=fp16 --set kv=fp16");
  CHECK(check_passed(gpu, "DRAM bytes of all stages = those of one device"));
  const std::string many =
      stages(2) + "--set model.num_hidden_layers=24 --set workload.tokens=12 --set workload.batch=2 ";
  const json full = runs.result(many), sampled = runs.result(many + "--set fidelity=sampled");
  CHECK(number(sampled, "/simulated_seconds") == Approx(number(full, "/simulated_seconds")).epsilon(0.01));
  CHECK(number(sampled, "/bandwidth/bytes") == Approx(number(full, "/bandwidth/bytes")).epsilon(1e-6));
  CHECK(number(sampled, "/devices/link_bytes") == Approx(number(full, "/devices/link_bytes")));
}

TEST_CASE(
    "pipeline run: all stages simulated together take the time of their parts, and what passes between them passes") {
  const Runs runs;
  for (const char* more :
       {"--set devices.pipeline=3 --set workload.batch=3", "--set devices.pipeline=2 --set devices.tensor=2",
        "--set devices.pipeline=2 --set workload.batch=4 --set devices.micro_batches=3 --set "
        "devices.link.buffer_bytes=64 "
        "--set devices.link.message_bytes=64",
        "--set devices.pipeline=3 --set workload.phase=prefill --set workload.context=96 --set "
        "workload.prefill_chunk_tokens=32"}) {
    INFO(more);
    const std::string settings = std::string(more) + " --set devices.link=link.yaml ";
    const json one = runs.result(settings), all = runs.result(settings + "--set devices.fold=false");
    CHECK(all.at("devices").at("simulated").get<int>() ==
          all.at("devices").at("pipeline").get<int>() * all.at("devices").at("tensor").get<int>());
    CHECK(check_passed(all, "time of steps with all stages = by what each stage took"));
    CHECK(check_passed(all, "bytes sent by links' modules from stage to stage"));
    CHECK(check_passed(all, "DRAM bytes of all stages = those of one device"));
    CHECK(number(all, "/bandwidth/bytes") == Approx(number(one, "/bandwidth/bytes")));
    CHECK(number(all, "/simulated_seconds") == Approx(number(one, "/simulated_seconds")).epsilon(0.05));
  }
}

namespace {

std::string trace_of(int requests, double interval_s) {
  std::string trace = "arrival_s,prompt_tokens,output_tokens\n";
  for (int i = 0; i < requests; ++i)
    trace += std::to_string(interval_s * i) + "," + std::to_string(20 + 13 * (i % 5)) + "," +
             std::to_string(9 + i % 4) + "\n";
  return trace;
}

struct Replays : Runs {
  json replay(const std::string& settings) const {
    const Outcome o = run_harmonia(folder,
                                   "run default --set model=model.yaml --set output.timeline=false --data . "
                                   "--set \"workload={trace: trace.csv, max_batch: 4, prefill_chunk_tokens: 64}\" " +
                                       settings + " -o replay");
    INFO(o.err);
    REQUIRE(o.status == 0);
    return json::parse(Scratch::read(folder / "replay/result.json"));
  }
};

}  // namespace

TEST_CASE("pipeline run: a request of a trace that is alone passes all stages for each token") {
  const Replays runs;
  runs.folder.write("trace.csv", trace_of(1, 0));
  const json r = runs.replay(stages(3));
  const json& d = r.at("devices");
  CHECK(d.at("micro_batches") == 3);
  double busy = 0;
  for (const json& stage : d.at("stages")) busy += stage.at("busy_s").get<double>();
  // The prompt of 20 tokens, then eight steps of one; two hops each.
  CHECK(r.at("steps") == 9);
  const double rows = 20 + 8;
  CHECK(number(r, "/simulated_seconds") == Approx(busy + 2 * (rows * 512e-9 + 9 * 100e-9)));
  CHECK(d.at("sends").get<double>() == Approx(9 * 2 / 3.0));
  CHECK(d.at("link_bytes").get<double>() == Approx(rows * 2 * 1024 / 3.0));
  CHECK(time_of(r, "bubble") == Approx(d.at("bubble_s").get<double>()));
  CHECK(time_of(r, "link") == Approx(2 * (rows * 512e-9 + 9 * 100e-9) / 3));
  CHECK(d.at("bubble_share").get<double>() == Approx(2.0 / 3).margin(0.05));
  CHECK(check_passed(r, "DRAM bytes of all stages = those of one device"));
  CHECK(check_passed(r, "bytes sent over links = formula"));
}

TEST_CASE("pipeline run: groups of a trace's sequences are in different stages at a time") {
  const Replays runs;
  runs.folder.write("trace.csv", trace_of(8, 0));
  const json turns = runs.replay(stages(2) + "--set devices.micro_batches=1"), filled = runs.replay(stages(2));
  CHECK(filled.at("devices").at("micro_batches") == 2);
  CHECK(filled.at("serving").at("running_max") == 4);
  CHECK(filled.at("devices").at("bubble_share").get<double>() <
        0.7 * turns.at("devices").at("bubble_share").get<double>());
  CHECK(number(filled, "/simulated_seconds") < number(turns, "/simulated_seconds"));
  CHECK(filled.at("steps").get<int>() > 1.5 * turns.at("steps").get<int>());
  // The same tokens pass, whatever the groups.
  CHECK(filled.at("output_tokens") == turns.at("output_tokens"));
  CHECK(number(filled, "/devices/link_bytes") == Approx(number(turns, "/devices/link_bytes")));
  CHECK(check_passed(filled, "time >= that of the busiest stage"));
}

TEST_CASE("pipeline run: a sampled replay of a trace gives time and bytes of the full one within its estimate") {
  const Replays runs;
  runs.folder.write("trace.csv", trace_of(16, 0));
  for (const char* more : {"", "--set devices.tensor=2 ", "--set devices.micro_batches=4 "}) {
    INFO(more);
    const json full = runs.replay(stages(3) + more), sampled = runs.replay(stages(3) + more + "--set fidelity=sampled");
    CHECK(sampled.at("fidelity").at("steps_simulated").get<int>() < 0.7 * full.at("steps").get<int>());
    double estimate = 1;
    for (const json& e : sampled.at("fidelity").at("estimated_errors"))
      if (e.at("figure") == "simulated_seconds") estimate = e.at("error");
    // More steps are simulated while steps and queue make half of 5 %; what then stays above 5 % is said.
    CHECK(estimate < 0.06);
    if (estimate > 0.05) CHECK_THAT(sampled.at("notices").dump(), ContainsSubstring("simulated_seconds"));
    CHECK(number(sampled, "/simulated_seconds") == Approx(number(full, "/simulated_seconds")).epsilon(estimate));
    CHECK(number(sampled, "/latency/end_to_end_s/mean") ==
          Approx(number(full, "/latency/end_to_end_s/mean")).epsilon(0.05));
    // Every row of the residual stream passes, whatever the steps.
    CHECK(number(sampled, "/devices/link_bytes") == Approx(number(full, "/devices/link_bytes")).epsilon(0.02));
    CHECK(number(sampled, "/bandwidth/bytes") == Approx(number(full, "/bandwidth/bytes")).epsilon(0.05));
    CHECK(check_passed(sampled, "bytes sent over links = formula"));
    CHECK(check_passed(sampled, "DRAM bytes of all stages = those of one device"));
  }
}

TEST_CASE("pipeline run: a model that does not fit one device's memory runs over stages that hold a part each") {
  const Runs runs;
  const std::string large =
      "--set model=llama-3-70b --set weights=kmeans4 --set fidelity=sampled --set workload.tokens=1 ";
  CHECK_THAT(runs.refusal(large), ContainsSubstring("does not fit the DRAM"));
  const json two = runs.result(large + "--set devices.pipeline=2 --set devices.link=ucie");
  for (const json& stage : two.at("devices").at("stages"))
    CHECK(stage.at("memory_bytes").get<double>() < number(two, "/address_map/memory_bytes"));
  // Nor does it fit when a stage is too large.
  CHECK_THAT(
      runs.refusal("--set model=llama-3.1-405b --set weights=kmeans4 --set devices.pipeline=2 --set devices.link=ucie"),
      ContainsSubstring("does not fit the DRAM"));
}

TEST_CASE("pipeline run: the address map is that of each stage, and says which axis divides what") {
  const Runs runs;
  const Outcome o = run_harmonia(runs.folder, runs.command(stages(3) + "--set devices.tensor=2 --print-map"));
  INFO(o.err);
  REQUIRE(o.status == 0);
  CHECK_THAT(o.out, ContainsSubstring("devices.pipeline: stage 0 of 3, with 2 layer(s), the embedding\n"));
  CHECK_THAT(o.out, ContainsSubstring("devices.pipeline: stage 1 of 3, with 2 layer(s)\n"));
  CHECK_THAT(o.out, ContainsSubstring("devices.pipeline: stage 2 of 3, with 2 layer(s), the final norm and lm_head\n"));
  CHECK_THAT(o.out, ContainsSubstring("devices.tensor: each of 2 devices has output columns of q, k, v"));
  // A model that fits no one device has a map too.
  const Outcome large = run_harmonia(runs.folder,
                                     "run default --set model=llama-3-70b --set weights=kmeans4 --print-map "
                                     "--set devices.pipeline=2 --set devices.link=ucie");
  CHECK(large.status == 0);
  CHECK_THAT(run_harmonia(runs.folder, runs.command("--print-map")).out, !ContainsSubstring("devices."));
}

TEST_CASE("pipeline run: stages of listed layers, not all of which attend, move the bytes of one device") {
  const Runs runs;
  runs.folder.write("listed.yaml",
                    std::string("architecture: custom\n") + kModel +
                        "layers:\n  - {count: 4}\n  - {count: 2, num_key_value_heads: 2, intermediate_size: 512}\n");
  const json r = runs.result(stages(3) + "--set model=listed.yaml");
  CHECK(check_passed(r, "DRAM bytes of all stages = those of one device"));
  const json& s = r.at("devices").at("stages");
  CHECK(s[1].at("busy_s").get<double>() > s[2].at("busy_s").get<double>() * 0.5);
  CHECK(s[1].at("weight_bytes").get<double>() > s[2].at("weight_bytes").get<double>() - 2 * 512 * 2048);
}

TEST_CASE("pipeline run: a resolved configuration reads back as the same scenario") {
  const Runs runs;
  const json r = runs.result(stages(2) + "--set workload.batch=3");
  runs.folder.write("again.yaml", r.at("provenance").at("config").dump());
  const Outcome o = run_harmonia(runs.folder, "run ./again.yaml -o again");
  INFO(o.err);
  REQUIRE(o.status == 0);
  CHECK(json::parse(Scratch::read(runs.folder / "again/result.json")).at("simulated_seconds") ==
        r.at("simulated_seconds"));
}

TEST_CASE("pipeline run: what cannot be is refused by name and place") {
  const Runs runs;
  CHECK_THAT(runs.refusal(stages(7)),
             ContainsSubstring("devices.pipeline: is 7, expected at most the model's 6 layers"));
  CHECK_THAT(runs.refusal(stages(2) + "--set devices.micro_batches=2"),
             ContainsSubstring("devices.micro_batches: is 2, expected at most the workload's 1 sequences"));
  CHECK_THAT(runs.refusal(stages(2) + "--set devices.algorithm=ring"),
             ContainsSubstring("devices.algorithm has no effect with tensor: 1 and pipeline: 2"));
  CHECK_THAT(runs.refusal("--set devices.tensor=2 --set devices.link=link.yaml --set devices.micro_batches=1"),
             ContainsSubstring("devices.micro_batches has no effect"));
  CHECK_THAT(
      runs.refusal(stages(2) + "--set devices.tensor=2 --set devices.topology=shared --set devices.algorithm=ring"),
      ContainsSubstring("devices.topology: sends from stage to stage"));
  CHECK_THAT(runs.refusal("--set devices.pipeline=2"), ContainsSubstring("devices.link: is missing"));
  CHECK_THAT(runs.refusal(stages(2) + "--set devices.fold=false --set fidelity=sampled"),
             ContainsSubstring("devices.fold: stages that are simulated together are simulated whole"));
  runs.folder.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,8,2\n");
  const std::string trace = "--set \"workload={trace: trace.csv, max_batch: 4}\" --data . ";
  CHECK_THAT(
      run_harmonia(runs.folder, "run default --set model=model.yaml " + trace + stages(2) + "--set devices.fold=false")
          .err,
      ContainsSubstring("devices.fold: stages that are simulated together end a step before they begin another"));
  CHECK_THAT(run_harmonia(runs.folder,
                          "run default --set model=model.yaml " + trace + stages(2) + "--set devices.micro_batches=5")
                 .err,
             ContainsSubstring("devices.micro_batches: is 5, expected at most the workload's 4 sequences"));
  CHECK_THAT(runs.refusal(stages(2) + "--set fidelity.data=functional"),
             ContainsSubstring("devices.fold: one device has no values of the others"));
  runs.folder.write("stages.yaml", "base: default\nname: stages\ndevices:\n  link: link.yaml\n  pipeline: 99\n");
  const Outcome o = run_harmonia(runs.folder, "run ./stages.yaml");
  CHECK(o.status == 2);
  CHECK_THAT(o.err, ContainsSubstring("stages.yaml:5:13"));
}
