// harmonia inject: every fault has an answer, the numbers add up, the same seed gives the same report, and the report's fault replays alone.
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using Json = nlohmann::json;

Json campaign(const Scratch& s, const std::string& arguments) {
  const Outcome o = run_harmonia(s, "inject " + arguments + " --json");
  INFO(o.err);
  REQUIRE(o.status == 0);
  return Json::parse(o.out);
}

}  // namespace

TEST_CASE("inject: every fault is seen or shown to be masked, and the numbers add up") {
  const Scratch s;
  const Json j = campaign(s, "--faults 320 --seed 3 -o faults");
  REQUIRE(j["faults"] == 320);
  int all = 0;
  for (const auto& [who, count] : j["seen"].items()) all += count.get<int>();
  REQUIRE(all == 320);
  REQUIRE(j["seen"]["not injected"] == 0);
  REQUIRE(j["seen"]["crash"] == 0);
  std::map<std::string, int> by_line;
  for (const std::string& line : lines_of(Scratch::read(s / "faults/faults.jsonl"))) {
    const Json f = Json::parse(line);
    ++by_line[f["seen"]];
    // Who saw it is named, and says what.
    const bool masked = f["seen"].get<std::string>().compare(0, 6, "masked") == 0;
    REQUIRE(f["checker"].get<std::string>().empty() == masked);
    REQUIRE(f["text"].get<std::string>().empty() == masked);
  }
  for (const auto& [who, count] : j["seen"].items()) REQUIRE(by_line[who] == count);
  for (const auto& [kind, seen] : j["kinds"].items()) {
    int of_kind = 0;
    for (const auto& [who, count] : seen.items()) of_kind += count.get<int>();
    INFO(kind);
    REQUIRE(of_kind == 40);
  }
}

TEST_CASE("inject: what must be seen is seen") {
  const Scratch s;
  // A response that is lost or doubled or says that it failed leaves no run that ends well.
  for (const char* kind : {"lost", "doubled", "error_status"}) {
    INFO(kind);
    const Json j = campaign(s, std::string("--faults 60 --kind ") + kind);
    REQUIRE(j["seen"]["golden outputs"] == 0);
    REQUIRE(j["seen"]["golden cache"] == 0);
  }
  // A late response changes no byte.
  const Json late = campaign(s, "--faults 60 --kind late");
  REQUIRE(late["seen"]["masked"].get<int>() + late["seen"]["masked, other time"].get<int>() == 60);
  // Most flipped bits change what comes out, and the comparison with the golden model is who sees it.
  REQUIRE(campaign(s, "--faults 60 --kind flipped_cell")["seen"]["golden outputs"] > 20);
}

TEST_CASE("inject: no bit of a command crashes the machine or keeps it at work") {
  const Scratch s;
  std::string sockets;
  for (const char* block : {"converter", "decoder", "kv_dma", "kv_write_dma", "operand_buffer", "pe_array",
                            "residual_dma", "smoother", "vector_dma", "vector_unit", "weight_dma"})
    sockets += std::string(" --socket sequencer_to_") + block;
  const Json j = campaign(s, "--every-bit -n 240 --seed 5 -o bits" + sockets);
  REQUIRE(j["faults"] == 240);
  REQUIRE(j["seen"]["crash"] == 0);
  REQUIRE(j["seen"]["not injected"] == 0);
  REQUIRE(j["seen"]["block"].get<int>() > 25);
  for (const std::string& line : lines_of(Scratch::read(s / "bits/faults.jsonl"))) {
    const Json f = Json::parse(line);
    INFO(line);
    // Beyond the simulated time that a run may take, and not beyond that of the processor.
    if (f["seen"] == "time limit") REQUIRE_THAT(f["text"].get<std::string>(), ContainsSubstring("times the time"));
    REQUIRE(f["fault"].get<std::string>().compare(0, 25, "flipped_bit:sequencer_to_") == 0);
  }
}

TEST_CASE("inject: a field of a descriptor that is beyond the step or the clock is refused by name") {
  const Scratch s;
  for (const auto& [fault, words] :
       std::map<std::string, std::string>{{"sequencer_to_pe_array:5:419", "Weights::cycles is"},
                                          {"sequencer_to_pe_array:4:427", "Cache::least_cycles is"},
                                          {"sequencer_to_vector_unit:14:150", "row_begin is"},
                                          {"sequencer_to_vector_unit:44:86", "row_begin is"}}) {
    const Outcome o = run_harmonia(s, "inject --fault flipped_bit:" + fault);
    INFO(o.err << o.out);
    REQUIRE(o.status == 0);
    REQUIRE_THAT(o.out, ContainsSubstring("\"seen\":\"block\",\"checker\":\"/harmonia/bus/refused\""));
    REQUIRE_THAT(o.out, ContainsSubstring(words));
  }
}

TEST_CASE("inject: a seed gives the same report, and a fault of it replays alone") {
  const Scratch s;
  REQUIRE(run_harmonia(s, "inject --faults 40 --seed 9 -o a").status == 0);
  REQUIRE(run_harmonia(s, "inject --faults 40 --seed 9 -j 2 -o b").status == 0);
  const std::string faults = Scratch::read(s / "a/faults.jsonl");
  REQUIRE(faults == Scratch::read(s / "b/faults.jsonl"));
  for (const std::string& line : lines_of(faults)) {
    const Json f = Json::parse(line);
    if (f["seen"] == "masked") continue;
    const Outcome o = run_harmonia(s, "inject --seed 9 --fault " + f["fault"].get<std::string>() + " -o one");
    INFO(o.err);
    REQUIRE(o.status == 0);
    REQUIRE(Scratch::read(s / "one/faults.jsonl") == line + "\n");
    break;
  }
}

TEST_CASE("inject: what cannot be injected is refused by name") {
  const Scratch s;
  for (const auto& [arguments, words] : std::map<std::string, std::string>{
           {"--kind flip", "--kind is 'flip'"},
           {"--socket pe", "the socket to strike is 'pe'"},
           {"--every-bit --kind late", "--every-bit goes without --kind"},
           {"--socket decoder_to_pe_array --fault late:decoder_to_pe_array:0:1", "--socket goes without --fault"},
           {"--every-bit --socket out_dma_to_memory", "no transaction of the run"},
           {"--fault late:a_to_b:0:1", "the fault's socket is 'a_to_b'"},
           {"--fault late:decoder_to_pe_array:99999:1", "expected less than"},
           {"--fault flipped_cell:decoder_to_pe_array:0:1", "cannot have a fault of kind flipped_cell"},
           {"--fault late", "expected KIND:SOCKET:TRANSACTION:AMOUNT"}}) {
    INFO(arguments);
    const Outcome o = run_harmonia(s, "inject " + arguments);
    REQUIRE(o.status == 2);
    REQUIRE_THAT(o.err, ContainsSubstring(words));
  }
}

}  // namespace harmonia::test
