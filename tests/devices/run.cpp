// A run over several devices, as a user makes it: time and bytes between the devices, what stays as it is, what is refused.
#include <cmath>
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
    "hidden_size: 512\nnum_hidden_layers: 8\nnum_attention_heads: 8\nnum_key_value_heads: 4\nhead_dim: 64\n"
    "intermediate_size: 1024\nvocab_size: 4096\n";
// 2 bytes a ns each way, no headers.
constexpr const char* kLink =
    "name: plain\nbandwidth_gb_per_s: 2\nlatency_ns: 100\npayload_bytes: 64\nheader_bytes: 0\ncollective_us: 1\n"
    "eager_bytes: 1 MiB\npj_per_bit: 2\n";

struct Runs : harmonia::test::DeviceRuns {
  Runs() : DeviceRuns(kModel, kLink) {}
};

std::string tensor(int devices) {
  return "--set devices.tensor=" + std::to_string(devices) + " --set devices.link=link.yaml";
}

const json* operation(const json& result, const std::string& name) {
  for (const json& o : result.at("operations"))
    if (o.at("name") == name) return &o;
  return nullptr;
}

bool check_passed(const json& result, const std::string& name) {
  for (const json& c : result.at("checks"))
    if (c.at("name") == name) return c.at("passed");
  return false;
}

}  // namespace

TEST_CASE("devices: time between devices is that of the link's all-reduces, and bytes are those of the formula") {
  const Runs runs;
  const json r = runs.result(tensor(4) + " --set devices.algorithm=ring");
  const json& d = r.at("devices");
  // Two steps: behind the embedding and twice in each of 8 layers, 512 values of 2 bytes.
  CHECK(d.at("all_reduces") == 2 * 17);
  CHECK(d.at("link_bytes").get<double>() == Approx(2 * 17 * 1024 * 2 * 0.75));
  CHECK(d.at("link_wire_bytes") == d.at("link_bytes"));
  CHECK(d.at("link_j").get<double>() == Approx(4 * 8 * 2e-12 * d.at("link_bytes").get<double>()));
  CHECK(d.at("total_j").get<double>() ==
        Approx(4 * r.at("energy").at("total_j").get<double>() + d.at("link_j").get<double>()));
  // A ring of four: 1 us, then 6 steps of 256 bytes at 2 bytes a ns and 100 ns.
  const double each = 1e-6 + 6 * (128e-9 + 100e-9);
  REQUIRE(operation(r, "link") != nullptr);
  CHECK(operation(r, "link")->at("bound") == "link");
  CHECK(operation(r, "link")->at("simulated_s").get<double>() == Approx(34 * each).epsilon(0.02));
  CHECK(check_passed(r, "values reduced between devices = model shapes"));
  CHECK(check_passed(r, "bytes sent over links = formula of the algorithm"));
}

TEST_CASE("devices: a slower link adds its time to the run and nothing else") {
  const Runs runs;
  const json fast = runs.result(tensor(2)), slow = runs.result(tensor(2) + " --set devices.link.collective_us=11");
  const double added = slow.at("simulated_seconds").get<double>() - fast.at("simulated_seconds").get<double>();
  // What the memory does of its own (refreshes) falls elsewhere.
  CHECK(added == Approx(34 * 10e-6).epsilon(0.05));
  CHECK(slow.at("bandwidth").at("bytes_by_class") == fast.at("bandwidth").at("bytes_by_class"));
}

TEST_CASE("devices: one device is the machine without devices") {
  const Runs runs;
  json without = runs.result(""), one = runs.result(tensor(1));
  CHECK(one.at("simulated_seconds") == without.at("simulated_seconds"));
  CHECK_FALSE(one.contains("devices"));
  CHECK(operation(one, "link") == nullptr);
}

TEST_CASE("devices: a machine of kernels and a prefill that spills run over several devices too") {
  const Runs runs;
  const json gpu = runs.result(tensor(2) + " --set accelerator=h100 --set weights=fp16 --set kv=fp16");
  CHECK(gpu.at("devices").at("all_reduces") == 34);
  const json prefill = runs.result(tensor(2) + " --set workload.phase=prefill --set workload.context=600");
  CHECK(prefill.at("devices").at("all_reduces").get<double>() >= 17);
  CHECK(check_passed(prefill, "values reduced between devices = model shapes"));
}

TEST_CASE("devices: all simulated take the time of one that stands for all") {
  const Runs runs;
  for (const char* more :
       {"--set devices.tensor=2 --set devices.algorithm=ring", "--set devices.tensor=4 --set devices.algorithm=ring",
        "--set devices.tensor=2 --set devices.algorithm=direct --set devices.topology=full",
        "--set devices.tensor=4 --set devices.algorithm=direct_two_step --set devices.topology=full",
        "--set devices.tensor=2 --set devices.algorithm=ring --set accelerator=h100 --set weights=fp16 --set kv=fp16",
        "--set devices.tensor=2 --set devices.algorithm=ring --set devices.overlap=true",
        "--set devices.tensor=2 --set devices.algorithm=ring --set fidelity=sampled"}) {
    INFO(more);
    const std::string settings = std::string(more) + " --set devices.link=link.yaml --set workload.tokens=1";
    const json one = runs.result(settings), all = runs.result(settings + " --set devices.fold=false");
    CHECK(one.at("devices").at("simulated") == 1);
    CHECK(all.at("devices").at("simulated") == all.at("devices").at("tensor"));
    CHECK(all.at("simulated_seconds") == one.at("simulated_seconds"));
    CHECK(all.at("bandwidth") == one.at("bandwidth"));
    CHECK(all.at("devices").at("total_j").get<double>() == Approx(one.at("devices").at("total_j").get<double>()));
    CHECK(check_passed(all, "DRAM bytes of all devices = those of one, times devices"));
    CHECK(check_passed(all, "bytes sent by links' modules = formula of the algorithm"));
  }
}

TEST_CASE("devices: weights that are read during all-reduces shorten the run and move the same bytes") {
  const Runs runs;
  const json waits = runs.result(tensor(4)), ahead = runs.result(tensor(4) + " --set devices.overlap=true");
  CHECK(ahead.at("simulated_seconds").get<double>() < 0.99 * waits.at("simulated_seconds").get<double>());
  CHECK(ahead.at("bandwidth").at("bytes_by_class") == waits.at("bandwidth").at("bytes_by_class"));
  CHECK(ahead.at("devices").at("link_bytes") == waits.at("devices").at("link_bytes"));
}

TEST_CASE("devices: a sampled run gives the time of the full one within half a percent") {
  const Runs runs;
  const std::string large = "--set model=llama-3-8b --set devices.tensor=4 --set devices.link=nvlink4";
  const json full = runs.result(large), sampled = runs.result(large + " --set fidelity=sampled");
  CHECK(sampled.at("simulated_seconds").get<double>() ==
        Approx(full.at("simulated_seconds").get<double>()).epsilon(0.005));
  CHECK(sampled.at("devices").at("link_bytes").get<double>() ==
        Approx(full.at("devices").at("link_bytes").get<double>()));
}

TEST_CASE("devices: a sampled replay of a trace gives time and bytes of the full one") {
  const Runs runs;
  std::string trace = "arrival_s,prompt_tokens,output_tokens\n";
  for (int i = 0; i < 12; ++i)
    trace +=
        std::to_string(1e-3 * i) + "," + std::to_string(20 + 13 * (i % 5)) + "," + std::to_string(9 + i % 4) + "\n";
  runs.folder.write("trace.csv", trace);
  const std::string settings =
      "--set \"workload={trace: trace.csv, max_batch: 4, prefill_chunk_tokens: 64}\" " + tensor(2) + " --data .";
  const auto replay = [&](const std::string& more) {
    const Outcome o = run_harmonia(runs.folder, "run default --set model=model.yaml --set output.timeline=false " +
                                                    settings + more + " -o replay");
    INFO(o.err);
    REQUIRE(o.status == 0);
    return json::parse(Scratch::read(runs.folder / "replay/result.json"));
  };
  const json full = replay(""), sampled = replay(" --set fidelity=sampled");
  CHECK(sampled.at("fidelity").at("steps_simulated").get<int>() < full.at("steps").get<int>());
  CHECK(sampled.at("simulated_seconds").get<double>() ==
        Approx(full.at("simulated_seconds").get<double>()).epsilon(0.05));
  CHECK(sampled.at("devices").at("link_bytes").get<double>() ==
        Approx(full.at("devices").at("link_bytes").get<double>()).epsilon(0.05));
  CHECK(sampled.at("devices").at("all_reduces").get<double>() == Approx(17 * sampled.at("steps").get<double>()));
  CHECK(check_passed(sampled, "values reduced between devices = model shapes"));
}

TEST_CASE("devices: a resolved configuration reads back as the same scenario") {
  const Runs runs;
  const json r = runs.result(tensor(4));
  runs.folder.write("again.yaml", r.at("provenance").at("config").dump());
  const Outcome o = run_harmonia(runs.folder, "run ./again.yaml -o again");
  INFO(o.err);
  REQUIRE(o.status == 0);
  CHECK(json::parse(Scratch::read(runs.folder / "again/result.json")).at("simulated_seconds") ==
        r.at("simulated_seconds"));
}

TEST_CASE("devices: comparing over the number of devices gives a row for each") {
  const Runs runs;
  const Outcome o =
      run_harmonia(runs.folder,
                   "compare default --set model=model.yaml --set workload.context=64 --set workload.tokens=1 "
                   "--set devices.link=link.yaml --over devices.tensor=1,2,4 -o table");
  INFO(o.err);
  REQUIRE(o.status == 0);
  CHECK_THAT(o.out, ContainsSubstring("tensor=4"));
}

TEST_CASE("devices: what is not modelled or does not divide is refused by name") {
  const Runs runs;
  CHECK_THAT(runs.refusal(tensor(3)), ContainsSubstring("3 devices do not divide the model's num_attention_heads (8)"));
  CHECK_THAT(runs.refusal("--set devices.tensor=2"), ContainsSubstring("devices.link: is missing"));
  CHECK_THAT(runs.refusal(tensor(2) + " --set fidelity.data=functional"),
             ContainsSubstring("devices.fold: one device has no values of the others to add"));
  CHECK_THAT(runs.refusal(tensor(2) +
                          " --set fidelity.data=functional --set devices.fold=false --set workload.phase=prefill --set "
                          "workload.context=2000"),
             ContainsSubstring("values that several devices sum"));
  CHECK_THAT(
      runs.refusal(tensor(2) + " --set devices.overlap=true --set accelerator=h100 --set weights=fp16 --set kv=fp16"),
      ContainsSubstring("devices.overlap: kernels of a GPU"));
  CHECK_THAT(runs.refusal(tensor(4) + " --set devices.topology=ring --set devices.algorithm=direct"),
             ContainsSubstring("a ring of 4 has none"));
  CHECK_THAT(runs.refusal("--set devices.tensor=2 --set devices.link=nvlnk4"),
             ContainsSubstring("nearest known link is 'nvlink4'"));
  CHECK_THAT(run_harmonia(runs.folder, "run gemv-l40s " + tensor(2)).err,
             ContainsSubstring("(phase gemv) is not divided"));
  // It does not fit even when it is divided.
  CHECK_THAT(runs.refusal("--set model=llama-3.1-405b --set devices.tensor=2 --set devices.link=nvlink4"),
             ContainsSubstring("does not fit the DRAM"));
}
