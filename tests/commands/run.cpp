// What `harmonia run -o DIR` leaves behind, read by decoders that know nothing of the program (outputs.py); and inputs
// that it refuses: place, reason, status 2, nothing written.
#include "harmonia/testbench/commands/run.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "harmonia/config/error.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;
using harmonia::test::Outcome;
using harmonia::test::run_harmonia;
using harmonia::test::Scratch;

namespace {

const std::string kTiny =
    "name: tiny\nmodel: stories260k\naccelerator: harmonia\nweights: kmeans4\n"
    "workload:\n  phase: decode\n  context: 64\n  tokens: 2\nfidelity: full\nseed: 3\n";
const std::string kTraced =
    "name: traced\nmodel: stories260k\naccelerator: harmonia\nweights: kmeans4\n"
    "workload: {trace: trace.csv, max_batch: 4}\nfidelity: full\nseed: 3\n";
const std::string kTrace = "arrival_s,prompt_tokens,output_tokens\n0,40,3\n0.00001,20,5\n0.0001,9,1\n";

/// Runs a scenario into `out` and has the folder decoded; what the decoders found there.
std::string decoded(const Scratch& s, const std::string& arguments) {
  const Outcome o = run_harmonia(s, "run " + arguments + " -o out");
  INFO(o.err << o.out);
  REQUIRE(o.status == 0);
  const std::string command =
      "python3 " HARMONIA_SOURCE "/tests/commands/outputs.py '" + (s / "out") + "' > '" + (s / "decoded") + "' 2>&1";
  const int status = std::system(command.c_str());
  const std::string text = Scratch::read(s / "decoded");
  INFO(text);
  REQUIRE(status == 0);
  return text;
}

nlohmann::json without_cost(const std::string& text) {
  nlohmann::json j = nlohmann::json::parse(text);
  REQUIRE(j.erase("wall_seconds") == 1);
  REQUIRE(j.erase("simulation_events") == 1);
  return j;
}

/// The program refuses it with status 2, this message in front of all, and leaves nothing.
void refused(const Scratch& s, const std::string& arguments, const std::string& begins, const std::string& holds) {
  const Outcome o = run_harmonia(s, "run " + arguments + " -o out");
  INFO(o.err << o.out);
  CHECK(o.status == 2);
  CHECK_THAT(o.err, ContainsSubstring(begins) && ContainsSubstring(holds));
  CHECK(o.out.empty());
  for (const fs::directory_entry& e : fs::directory_iterator(s.path())) {
    INFO(e.path());
    CHECK_FALSE(e.is_directory());
  }
}

}  // namespace

TEST_CASE("time line, waves, bandwidth and result of a run are there for independent readers and agree") {
  const Scratch s;
  s.write("tiny.yaml", kTiny);
  const std::string text = decoded(s, "tiny.yaml --set output.waves=true");
  REQUIRE_THAT(text, ContainsSubstring("timeline:") && ContainsSubstring("waves:"));
}

TEST_CASE("the outputs of prefill, loosely timed and sampled runs keep to the same rules") {
  for (const char* set : {"workload.phase=prefill", "fidelity.timing=lt", "fidelity=sampled"}) {
    const Scratch s;
    s.write("tiny.yaml", kTiny);
    INFO(set);
    REQUIRE_THAT(decoded(s, std::string("tiny.yaml --set output.waves=true --set ") + set),
                 ContainsSubstring("waves:"));
  }
}

TEST_CASE("a replayed trace leaves a line for each request, full and sampled") {
  for (const char* fidelity : {"full", "sampled"}) {
    const Scratch s;
    s.write("traced.yaml", kTraced);
    s.write("trace.csv", kTrace);
    REQUIRE_THAT(decoded(s, std::string("traced.yaml --set fidelity=") + fidelity), ContainsSubstring("requests: 3"));
  }
}

TEST_CASE("a trace whose KV cache would take all that the memory leaves is replayed, whole") {
  // Slots of windows take more a token the shorter the requests are; the room is what the slots of this trace leave.
  const Scratch s;
  s.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,400,3\n0.00001,90,5\n0.0001,300,1\n");
  s.write("traced.yaml", kTraced);
  for (const char* batch : {"1", "3", "32", "100"}) {
    INFO(batch);
    const Outcome o = run_harmonia(s,
                                   "run traced.yaml --set fidelity=sampled --set workload.limit=0 "
                                   "--set accelerator.dram.channel.rows=64 --set accelerator.dram.channels=1 "
                                   "--set workload.max_batch=" +
                                       std::string(batch) + " -o out");
    INFO(o.err << o.out);
    REQUIRE(o.status == 0);
    const nlohmann::json j = nlohmann::json::parse(Scratch::read(s / "out/result.json"));
    REQUIRE(j["address_map"]["regions"].back()["base"].get<std::uint64_t>() <= j["address_map"]["memory_bytes"]);
    REQUIRE(j["requests"].size() == 3);
  }
  HARMONIA_REQUIRE_DATA(data);
  const Outcome hour =
      run_harmonia(s, "run serve-azure --set workload.limit=0 --print-map --data '" + data.string() + "'");
  INFO(hour.err);
  REQUIRE(hour.status == 0);
}

TEST_CASE("a request that grows beyond what the model was trained for is named with its line") {
  const Scratch s;
  s.write("trace.csv", kTrace);
  s.write("traced.yaml", kTraced);
  for (const char* command : {"run", "check"}) {
    const Outcome o = run_harmonia(
        s, std::string(command) +
               (command[0] == 'r' ? " traced.yaml --set model.max_position_embeddings=42" : " traced.yaml"));
    INFO(o.err << o.out);
    REQUIRE(o.status == 0);
    if (command[0] == 'r')
      REQUIRE_THAT(o.out, ContainsSubstring("1 request(s) of the trace grow beyond the 42 tokens") &&
                              ContainsSubstring("trace.csv:2:3"));
  }
}

TEST_CASE("the address map is printed, and is in the result, of a fixed workload and of a replayed trace") {
  for (const char* name : {"tiny.yaml", "traced.yaml"}) {
    INFO(name);
    const Scratch s;
    s.write("tiny.yaml", kTiny);
    s.write("traced.yaml", kTraced);
    s.write("trace.csv", kTrace);
    const Outcome printed = run_harmonia(s, std::string("run ") + name + " --print-map");
    INFO(printed.err << printed.out);
    REQUIRE(printed.status == 0);
    decoded(s, name);
    const nlohmann::json map = nlohmann::json::parse(Scratch::read(s / "out/result.json"))["address_map"];
    REQUIRE_THAT(printed.out, ContainsSubstring("interleaved every " + map["interleave_bytes"].dump() + " bytes") &&
                                  ContainsSubstring(map["kv_slots"].dump() + " slot(s)"));
    std::uint64_t end = 0;
    std::set<std::string> names;
    for (const auto& region : map["regions"]) {
      const auto base = region["base"].get<std::uint64_t>(), bytes = region["bytes"].get<std::uint64_t>();
      char hex[16];
      std::snprintf(hex, sizeof hex, "0x%010llx", static_cast<unsigned long long>(base));
      REQUIRE_THAT(printed.out, ContainsSubstring(hex) && ContainsSubstring(std::to_string(bytes) + "\n"));
      REQUIRE(base % map["region_alignment_bytes"].get<std::uint64_t>() == 0);
      REQUIRE(base >= end);
      end = base + bytes;
      names.insert(region["name"]);
    }
    REQUIRE(end <= map["memory_bytes"]);
    REQUIRE(names == std::set<std::string>{"embedding", "weights", "lm_head", "kv_cache", "activations"});
  }
}

TEST_CASE("a buffer that takes in less than the memory gives is named") {
  const Scratch s;
  s.write("tiny.yaml", kTiny);
  REQUIRE_THAT(run_harmonia(s, "run tiny.yaml").out, !ContainsSubstring("takes in at most"));
  REQUIRE_THAT(run_harmonia(s, "run tiny.yaml --set accelerator.kv_buffer.banks=2").out,
               ContainsSubstring("accelerator.kv_buffer takes in at most 16.0 GB/s"));
}
TEST_CASE("time line and waves can be left out") {
  const Scratch s;
  s.write("tiny.yaml", kTiny);
  decoded(s, "tiny.yaml --set output.timeline=false");
  REQUIRE_FALSE(fs::exists(s / "out/timeline.pftrace"));
  REQUIRE_FALSE(fs::exists(s / "out/waves.vcd"));
}

TEST_CASE("the same scenario and seed give the same result but for what it took to compute") {
  const Scratch s;
  s.write("tiny.yaml", kTiny);
  for (const char* folder : {"a", "b"}) REQUIRE(run_harmonia(s, std::string("run tiny.yaml -o ") + folder).status == 0);
  REQUIRE(without_cost(Scratch::read(s / "a/result.json")) == without_cost(Scratch::read(s / "b/result.json")));
  for (const char* file : {"bandwidth.csv", "timeline.pftrace"})
    REQUIRE(Scratch::read(s / "a/" + file) == Scratch::read(s / "b/" + file));
}

TEST_CASE("run refuses bad input with its place and writes nothing") {
  const Scratch s;
  const auto with = [&](const std::string& line, const std::string& instead) {
    std::string text = kTiny;
    const std::size_t at = text.find(line);
    REQUIRE(at != std::string::npos);
    s.write("bad.yaml", text.replace(at, line.size(), instead));
  };
  SECTION("an unknown key") {
    with("  context: 64", "  contxt: 64");
    refused(s, "bad.yaml", "bad.yaml:7:3: ", "context");
  }
  SECTION("a negative size") {
    with("  context: 64", "  context: -64");
    refused(s, "bad.yaml", "bad.yaml:7:12: ", "workload.context");
  }
  SECTION("a model that does not fit: the line of the model") {
    with("model: stories260k", "model: llama-3.1-405b");
    refused(s, "bad.yaml", "bad.yaml:2:1: ", "does not fit the DRAM");
  }
  SECTION("a context whose KV cache does not fit: the line of the context") {
    with("  context: 64", "  context: 60000000");
    refused(s, "bad.yaml", "bad.yaml:7:12: ", "does not fit the DRAM");
  }
  SECTION("activations that the default of a key does not hold: the line of the section") {
    with("  context: 64", "  context: 2000000");
    refused(s, "bad.yaml", "bad.yaml:3:1: accelerator.activation_buffer.capacity_bytes: ", "do not fit on chip");
  }
  SECTION("more KV tokens than there is room for: the line that wants them") {
    s.write("trace.csv", kTrace);
    s.write("bad.yaml", "model: stories260k\nworkload:\n  trace: trace.csv\n  kv_capacity_tokens: 100000000\n");
    refused(s, "bad.yaml", "bad.yaml:4:23: ", "the KV cache overflows the DRAM");
  }
  SECTION("a name that leads out of the results folder, that is no text, or of two lines") {
    s.write("tiny.yaml", kTiny);
    with("name: tiny", "name: ../../escaped");
    refused(s, "bad.yaml", "bad.yaml:1:7: name is '../../escaped'", "without '/'");
    with("name: tiny", "name: ..");
    refused(s, "bad.yaml", "bad.yaml:1:7: ", "without '/'");
    with("name: tiny", "name: \"\xC0\x80\"");
    refused(s, "bad.yaml", "bad.yaml:1:8: ", "a byte that is not UTF-8");
    with("name: tiny", "name: \"a\\nb\"");
    refused(s, "bad.yaml", "bad.yaml:1:7: ", "a control character");
    refused(s, "tiny.yaml --set name=../x", "--set name=../x: ", "without '/'");
    refused(s, "tiny.yaml --set 'name=\xE9'", "command line: ", "not UTF-8");
    s.write("sweep.yaml", "name: ../../escaped\nscenario: ./tiny.yaml\npoints: [{seed: 1}]\n");
    for (const char* command : {"sweep sweep.yaml", "check sweep.yaml"}) {
      const Outcome o = run_harmonia(s, command);
      CHECK(o.status == 2);
      CHECK_THAT(o.err, ContainsSubstring("sweep.yaml:1:7: name is '../../escaped'"));
    }
  }
  SECTION("a broken line of a trace") {
    s.write("trace.csv", kTrace + "1,many,1\n");
    s.write("bad.yaml", kTraced);
    refused(s, "bad.yaml", "trace.csv:5:3: ", "prompt_tokens is 'many'");
  }
  SECTION("a value that --set gives: the place is the option") {
    s.write("tiny.yaml", kTiny);
    refused(s, "tiny.yaml --set model=llama-3.1-405b", "--set model=llama-3.1-405b", "does not fit the DRAM");
  }
}

TEST_CASE("outputs: a failed check fails the run by name, with and without a result folder") {
  harmonia::testbench::RunResult result;
  result.checks.push_back({"steps", false, 2, 1, "steps", "equal"});
  const auto deliver = [&](harmonia::testbench::OutputFolder* folder) {
    return harmonia::test::message_of([&] { harmonia::testbench::deliver(result, folder); });
  };
  REQUIRE(deliver(nullptr) == "check 'steps' failed: 1 steps, expected equal 2");
  const Scratch s;
  harmonia::testbench::OutputFolder folder(s / "out");
  REQUIRE(deliver(&folder) == "check 'steps' failed: 1 steps, expected equal 2");
  // What failed can be looked at.
  REQUIRE(nlohmann::json::parse(Scratch::read(s / "out/result.json"))["checks"][0]["passed"] == false);
  result.checks.clear();
  REQUIRE(harmonia::testbench::deliver(result, nullptr) == 0);
}
