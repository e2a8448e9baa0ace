// harmonia run --record and harmonia log: the same times as without, every connection, and what is refused.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using Json = nlohmann::json;

constexpr const char* kTiny = "run default --set model=stories260k --set workload.context=16 --set workload.tokens=2 ";

Json result_of(const Scratch& s, const std::string& folder) {
  return Json::parse(Scratch::read(s / (folder + "/result.json")));
}

}  // namespace

TEST_CASE("record: a recorded run takes the same time and its records add up") {
  const Scratch s;
  REQUIRE(run_harmonia(s, std::string(kTiny) + "-o plain").status == 0);
  const Outcome o = run_harmonia(s, std::string(kTiny) + "-o recorded --record");
  INFO(o.err);
  REQUIRE(o.status == 0);
  REQUIRE_FALSE(std::filesystem::exists(s / "plain/transactions.jsonl"));
  const Json plain = result_of(s, "plain"), recorded = result_of(s, "recorded");
  for (const char* key : {"latency", "throughput", "bandwidth", "energy", "checks", "units"})
    if (plain.contains(key)) REQUIRE(plain[key] == recorded[key]);
  REQUIRE(plain.contains("bandwidth"));

  std::set<std::string> fibers;
  std::set<std::uint64_t> ids, in_operation, channel;
  std::uint64_t steps = 0, bytes = 0;
  for (const std::string& line : lines_of(Scratch::read(s / "recorded/transactions.jsonl"))) {
    const Json j = Json::parse(line);
    if (j.contains("relation")) {
      if (j["relation"] == "part of") in_operation.insert(j["from"].get<std::uint64_t>());
      continue;
    }
    const auto fiber = j["fiber"].get<std::string>();
    fibers.insert(fiber);
    ids.insert(j["id"].get<std::uint64_t>());
    steps += fiber == "steps";
    if (fiber.rfind("interconnect_to_channel", 0) == 0 && j.contains("address")) {
      bytes += j["bytes"].get<std::uint64_t>();
      channel.insert(j["id"].get<std::uint64_t>());
    }
  }
  REQUIRE(steps == 2);
  for (const char* name : {"weight_dma_to_memory", "decoder_to_pe_array", "sequencer_to_pe_array", "operations"})
    REQUIRE(fibers.count(name) == 1);
  REQUIRE(bytes > 0);
  for (const std::uint64_t id : channel) REQUIRE(in_operation.count(id) == 1);

  if (!std::filesystem::exists(s / "recorded/transactions.ftr")) {
    std::puts("SKIPPED: FTR, this build has no libcbor");
    return;
  }
  const std::string reader = std::string("python3 " HARMONIA_SOURCE "/tests/tlm/read_ftr.py ") +
                             (s / "recorded/transactions.ftr") + " " + (s / "recorded/transactions.jsonl") + " > " +
                             (s / "reader");
  REQUIRE(std::system(reader.c_str()) == 0);
  REQUIRE_THAT(Scratch::read(s / "reader"), ContainsSubstring(std::to_string(ids.size()) + " transactions"));
}

TEST_CASE("log: prints what was asked for, by time") {
  const Scratch s;
  const auto line = [](const char* fiber, int id, int begin, int end) {
    return Json{{"fiber", fiber}, {"kind", "read"}, {"id", id}, {"begin_ps", begin}, {"end_ps", end}, {"address", 4096}}
               .dump() +
           "\n";
  };
  s.write("r/transactions.jsonl",
          line("b", 2, 5000, 6000) + line("a", 1, 1000, 9000) + "{\"relation\":\"part of\",\"from\":1,\"to\":7}\n");
  const Outcome all = run_harmonia(s, "log r");
  INFO(all.err);
  REQUIRE(all.status == 0);
  REQUIRE_THAT(all.out, ContainsSubstring("2 of 2 recorded") && ContainsSubstring("address 0x1000, in #7"));
  REQUIRE(all.out.find("1.000        8.000  a") < all.out.find("5.000        1.000  b"));
  REQUIRE_THAT(run_harmonia(s, "log r --socket b").out, ContainsSubstring("1 of 2 recorded"));
  REQUIRE_THAT(run_harmonia(s, "log r/transactions.jsonl --from 7").out,
               ContainsSubstring("1 of 2 recorded") && !ContainsSubstring("#2"));
  REQUIRE_THAT(run_harmonia(s, "log r --to 4").out, ContainsSubstring("1 of 2 recorded") && !ContainsSubstring("#2"));
}

TEST_CASE("log: what cannot be used is refused by name") {
  const Scratch s;
  s.write("t.jsonl", "{\"relation\":\"part of\",\"from\":1,\"to\":7}\n{\"id\":3}\n");
  const auto refused = [&](const std::string& arguments, const std::string& why) {
    const Outcome o = run_harmonia(s, arguments);
    INFO(o.err);
    REQUIRE(o.status == 2);
    REQUIRE_THAT(o.err, ContainsSubstring(why));
  };
  refused("log t.jsonl", "t.jsonl:2: is no recorded transaction");
  refused("log nothing", "nothing");
  refused("log t.jsonl --from 5 --to 3", "--to is 3, expected at least --from (5)");
  refused(std::string(kTiny) + "--record", "--record is given without -o");
  s.write("u.jsonl", "{\"fiber\":\"near\",\"kind\":\"read\",\"id\":1,\"begin_ps\":0,\"end_ps\":1}\n");
  refused("log u.jsonl --socket neat", "--socket is 'neat'");
}

}  // namespace harmonia::test
