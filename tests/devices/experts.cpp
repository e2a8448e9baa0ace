// Experts that are whole on one device each, as a user runs them: who reads how many, what all devices read, who waits, what is refused.
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
    "intermediate_size: 1024\nvocab_size: 2048\n"
    "mixture: {experts: 8, experts_per_token: 2, expert_width: 1024, shared_width: 256, dense_layers: 1}\n";
constexpr const char* kLink =
    "name: plain\nbandwidth_gb_per_s: 20\nlatency_ns: 100\npayload_bytes: 64\nheader_bytes: 0\n";

struct Runs : harmonia::test::DeviceRuns {
  Runs() : DeviceRuns(kModel, kLink) {}
};

std::string tensor(int devices, const std::string& experts = "placed") {
  return "--set devices.tensor=" + std::to_string(devices) +
         " --set devices.link=link.yaml --set devices.experts=" + experts + " ";
}

double number(const json& at, const char* pointer) { return at.at(json::json_pointer(pointer)).get<double>(); }

bool check_passed(const json& result, const std::string& begin) {
  for (const json& c : result.at("checks"))
    if (c.at("name").get<std::string>().rfind(begin, 0) == 0) return c.at("passed");
  return false;
}

}  // namespace

TEST_CASE(
    "placed experts: all devices together read the experts that one device reads, the busiest more than the mean") {
  const Runs runs;
  for (const char* batch : {"--set workload.batch=1", "--set workload.batch=5", "--set workload.phase=prefill"}) {
    INFO(batch);
    const json one = runs.result(batch), four = runs.result(tensor(4) + batch);
    const json& d = four.at("devices");
    CHECK(d.at("experts") == "placed");
    CHECK(4 * number(d, "/experts_mean") == Approx(number(one, "/mixture/experts_read")));
    CHECK(number(d, "/experts_most") >= number(d, "/experts_mean"));
    CHECK(number(d, "/experts_most") <= 2);  // of eight on four devices
    // One of the devices stands for all: the one with the most.
    CHECK(number(four, "/mixture/experts_read") == number(d, "/experts_most"));
    // No more than four times those of the one that reads the most, and as much where all read all of theirs.
    CHECK(number(d, "/dram_bytes") <= 4 * number(four, "/bandwidth/bytes"));
    CHECK((number(d, "/dram_bytes") < 4 * number(four, "/bandwidth/bytes")) ==
          (number(d, "/experts_mean") < number(d, "/experts_most")));
    CHECK(number(d, "/total_j") < 4 * number(four, "/energy/total_j") + number(d, "/link_j"));
  }
}

TEST_CASE("placed experts: links carry what they carry for divided ones, and the busiest device takes longer") {
  const Runs runs;
  const json placed = runs.result(tensor(4)), divided = runs.result(tensor(4, "divided"));
  CHECK(divided.at("devices").at("experts") == "divided");
  CHECK_FALSE(divided.at("devices").contains("experts_mean"));
  CHECK(placed.at("devices").at("link_bytes") == divided.at("devices").at("link_bytes"));
  CHECK(placed.at("devices").at("all_reduces") == divided.at("devices").at("all_reduces"));
  CHECK(number(placed, "/simulated_seconds") > number(divided, "/simulated_seconds"));
  CHECK(runs.result("--set devices.tensor=4 --set devices.link=link.yaml").at("simulated_seconds") ==
        divided.at("simulated_seconds"));
}

TEST_CASE("placed experts: all devices simulated take the time, the bytes and the energy of what stands for all") {
  const Runs runs;
  for (const char* more :
       {"", "--set workload.batch=3 ", "--set workload.phase=prefill ", "--set devices.overlap=true ",
        "--set devices.pipeline=2 --set devices.micro_batches=2 --set workload.batch=2 "})
    for (const int devices : {2, 4}) {
      INFO(devices << " devices " << more);
      const std::string settings = tensor(devices) + "--set devices.algorithm=ring --set workload.tokens=1 " + more;
      const json one = runs.result(settings), all = runs.result(settings + "--set devices.fold=false");
      CHECK(number(all, "/simulated_seconds") == Approx(number(one, "/simulated_seconds")).epsilon(0.05));
      CHECK(number(all, "/devices/dram_bytes") == Approx(number(one, "/devices/dram_bytes")));
      CHECK(number(all, "/devices/total_j") == Approx(number(one, "/devices/total_j")).epsilon(0.05));
      CHECK(all.at("devices").at("experts_mean") == one.at("devices").at("experts_mean"));
      CHECK(all.at("devices").at("experts_most") == one.at("devices").at("experts_most"));
      CHECK(check_passed(all, "DRAM bytes of all devices = those of one, times devices, but the experts of each"));
    }
}

// Four of 24 layers are simulated; what the others read is not the mean of these.
TEST_CASE(
    "placed experts: a sampled run gives the time, the bytes and the energy of the full one, as of divided ones") {
  const Runs runs;
  for (const char* experts : {"placed", "divided"})
    for (const int batch : {1, 4}) {
      const std::string settings =
          tensor(4, experts) + "--set model.num_hidden_layers=24 --set workload.batch=" + std::to_string(batch);
      const json full = runs.result(settings), sampled = runs.result(settings + " --set fidelity=sampled");
      INFO(batch << " sequences, experts " << experts);
      CHECK(number(sampled, "/simulated_seconds") == Approx(number(full, "/simulated_seconds")).epsilon(0.025));
      CHECK(number(sampled, "/devices/total_j") == Approx(number(full, "/devices/total_j")).epsilon(0.015));
      CHECK(number(sampled, "/devices/dram_bytes") == Approx(number(full, "/devices/dram_bytes")));
      CHECK(sampled.at("mixture").at("experts_read") == full.at("mixture").at("experts_read"));
    }
}

TEST_CASE("placed experts: a replay of a trace has them too") {
  const Runs runs;
  std::string trace = "arrival_s,prompt_tokens,output_tokens\n";
  for (int i = 0; i < 6; ++i) trace += std::to_string(1e-3 * i) + "," + std::to_string(20 + 13 * (i % 5)) + ",6\n";
  runs.folder.write("trace.csv", trace);
  const auto replay = [&](const std::string& more) {
    const Outcome o = run_harmonia(runs.folder,
                                   "run default --set model=model.yaml --set output.timeline=false --data . --set "
                                   "\"workload={trace: trace.csv, max_batch: 4, prefill_chunk_tokens: 64}\" " +
                                       tensor(2) + more + " -o replay");
    INFO(o.err);
    REQUIRE(o.status == 0);
    return json::parse(Scratch::read(runs.folder / "replay/result.json"));
  };
  const json full = replay(""), sampled = replay("--set fidelity=sampled");
  CHECK(number(full, "/devices/experts_most") > number(full, "/devices/experts_mean"));
  CHECK(number(sampled, "/simulated_seconds") == Approx(number(full, "/simulated_seconds")).epsilon(0.05));
  CHECK(number(sampled, "/devices/dram_bytes") == Approx(number(full, "/devices/dram_bytes")).epsilon(0.05));
}

TEST_CASE("placed experts: the address map says that they are whole, and has the experts of one device") {
  const Runs runs;
  const auto map = [&](const std::string& experts) {
    const Outcome o = run_harmonia(runs.folder, runs.command(tensor(4, experts) + "--print-map"));
    REQUIRE(o.status == 0);
    return o.out;
  };
  CHECK_THAT(map("placed"),
             ContainsSubstring("2 whole experts of each layer's 8 (devices.experts: placed), of the shared "
                               "ones a part, of the router all"));
  CHECK_THAT(map("divided"), ContainsSubstring("of each expert a part, of the router all"));
}

TEST_CASE("placed experts: the summary says that devices differ, and which of them is simulated") {
  const Runs runs;
  const auto summary = [&](const std::string& settings) {
    const Outcome o = run_harmonia(runs.folder, runs.command(settings));
    INFO(o.err);
    REQUIRE(o.status == 0);
    return o.out;
  };
  CHECK_THAT(summary(tensor(4)),
             ContainsSubstring("4 devices, equal but for their experts, of each layer the busiest one simulated"));
  CHECK_THAT(summary(tensor(2) + "--set devices.fold=false"),
             ContainsSubstring("2 devices, equal but for their experts, all of them simulated"));
  CHECK_THAT(summary(tensor(4, "divided")), ContainsSubstring("4 identical devices, one of them simulated"));
}

TEST_CASE("placed experts: what has no effect or does not divide is refused by name and place") {
  const Runs runs;
  CHECK_THAT(runs.refusal(tensor(4) + "--set model.mixture.experts=6"),
             ContainsSubstring("devices.experts: 6 experts (mixture.experts) cannot be placed on 4 devices"));
  CHECK_THAT(run_harmonia(runs.folder, "run default --set model=llama-3-8b " + tensor(4)).err,
             ContainsSubstring("devices.experts has no effect on a dense model"));
  CHECK_THAT(runs.refusal("--set devices.pipeline=2 --set devices.link=link.yaml --set devices.experts=placed"),
             ContainsSubstring("devices.experts has no effect with tensor: 1 and pipeline: 2"));
  CHECK_THAT(runs.refusal(tensor(4, "shared")), ContainsSubstring("devices.experts"));
  CHECK_THAT(runs.result("--set devices.experts=placed").at("notices").dump(),
             ContainsSubstring("no other key of `devices` has an effect"));
}
