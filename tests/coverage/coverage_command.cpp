// harmonia coverage: files of runs shown and merged, and what is refused.
#include <nlohmann/json.hpp>

#include "harmonia/testbench/coverage/coverage_result.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using Json = nlohmann::json;

/// Coverage of a run of the channel in the file.
void cover(const Scratch& s, const std::string& file, const std::string& arguments) {
  const Outcome o = run_harmonia(s, "dram " + arguments + " --requests 2000 --coverage " + file);
  INFO(o.err);
  REQUIRE(o.status == 0);
}

}  // namespace

TEST_CASE("coverage: two runs merged have the hits of both") {
  const Scratch s;
  cover(s, "a.xml", "--config DDR4-3200 --traffic seq");
  cover(s, "b.xml", "--config DDR4-3200 --traffic mix");
  const Outcome o = run_harmonia(s, "coverage merge a.xml b.xml -o both");
  INFO(o.err);
  REQUIRE(o.status == 0);
  const auto reads = [&](const std::string& arguments) {
    const Outcome shown = run_harmonia(s, "coverage show " + arguments + " --json");
    REQUIRE(shown.status == 0);
    const Json j = Json::parse(shown.out);
    REQUIRE(j["kind"] == "coverage");
    for (const Json& b : j["groups"][0]["points"][0]["bins"])
      if (b["name"] == "RD") return b["hits"].get<int>();
    return -1;
  };
  REQUIRE(reads("a.xml") == 2000);
  REQUIRE(reads("b.xml") > 0);
  REQUIRE(reads("both/coverage.xml") == reads("a.xml") + reads("b.xml"));
  REQUIRE(Json::parse(Scratch::read(s / "both/result.json"))["runs"].size() == 2);
  // A merged file merges on.
  REQUIRE(run_harmonia(s, "coverage merge both/coverage.xml a.xml -o more").status == 0);
  REQUIRE(reads("more/coverage.xml") == 2 * reads("a.xml") + reads("b.xml"));
}

TEST_CASE("coverage: the summary has the scores and the first holes") {
  const Scratch s;
  cover(s, "a.xml", "--config DDR4-3200 --traffic seq");
  const Outcome o = run_harmonia(s, "coverage show a.xml");
  REQUIRE(o.status == 0);
  REQUIRE_THAT(o.out, ContainsSubstring("dram.commands") && ContainsSubstring("WR after RD") &&
                          ContainsSubstring("more holes (--holes shows all)"));
  REQUIRE_THAT(run_harmonia(s, "coverage show a.xml --holes").out, !ContainsSubstring("more holes"));
}

TEST_CASE("coverage: illegal hits fail the command") {
  const Scratch s;
  cover(s, "a.xml", "--config DDR4-3200 --traffic seq");
  coverage::Database d = testbench::read_coverage({s / "a.xml"});
  for (coverage::Cross::Combination& c : d.groups[0].crosses()[0].combinations())
    if (c.kind == coverage::BinKind::illegal) c.hits = 1;
  s.write("bad.xml", testbench::ucis_of(d));
  const Outcome o = run_harmonia(s, "coverage show bad.xml --holes");
  REQUIRE(o.status == 1);
  REQUIRE_THAT(o.out, ContainsSubstring("none, illegal"));
  REQUIRE_THAT(o.err, ContainsSubstring("the illegal bin '"));
}

TEST_CASE("coverage: what cannot be merged or read is refused, and nothing is written") {
  const Scratch s;
  cover(s, "a.xml", "--config DDR4-3200 --traffic seq");
  cover(s, "closed.xml", "--config DDR4-3200 --traffic seq --set refresh=none");
  const auto refused = [&](const std::string& arguments, const std::string& why) {
    const Outcome o = run_harmonia(s, "coverage " + arguments);
    CAPTURE(arguments, o.err);
    REQUIRE(o.status == 2);
    REQUIRE_THAT(o.err, ContainsSubstring(why));
  };
  refused("merge a.xml closed.xml -o out",
          "closed.xml: covergroup 'dram.commands' of 'DDR4-3200' is defined in two ways");
  refused("merge a.xml ./a.xml -o out", "./a.xml: is named twice");
  refused("merge a.xml", "-o is missing");
  refused("show a.xml -o out", "-o belongs to merge");
  refused("join a.xml", "unknown action 'join', expected show or merge");
  refused("show nosuch.xml", "nosuch.xml");
  s.write("cut.xml", Scratch::read(s / "a.xml").substr(0, 1000));
  refused("merge a.xml cut.xml -o out", "cut.xml:");
  REQUIRE_FALSE(std::filesystem::exists(s / "out"));
}

TEST_CASE("coverage: its file may not replace another output of the run") {
  const Scratch s;
  const Outcome o = run_harmonia(s, "dram --config DDR4-3200 --traffic seq --requests 10 --coverage a --commands a");
  REQUIRE(o.status == 2);
  REQUIRE_THAT(o.err, ContainsSubstring("--coverage names the file of --commands"));
}

}  // namespace harmonia::test
