// Constrained-random tests: the same seed draws the same, weights and constraints are kept, failures replay alone, and regressions
// group them and merge coverage.
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/random/bench.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using Json = nlohmann::json;
using namespace harmonia::stimulus;

std::vector<formats::Fp16> values(const Tensor& t, std::uint64_t seed, std::size_t count = 3200) {
  Random random(seed);
  std::vector<formats::Fp16> x(count);
  draw(random, t, x.data(), count);
  return x;
}
Tensor only(int Tensor::*kind) {
  Tensor t;
  t.any_bits = t.subnormal = t.zero = t.largest = t.not_finite = t.near_exponent = t.gaussian = 0;
  t.*kind = 1;
  return t;
}
/// A command line in the scratch folder.
Outcome shell(const Scratch& s, const std::string& line) {
  const int status = std::system(("cd '" + s.path().string() + "' && " + line + " > .out 2> .err < /dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Scratch::read(s / ".out"), Scratch::read(s / ".err")};
}
Outcome regress(const Scratch& s, const std::string& arguments) {
  return shell(s, HARMONIA_SOURCE "/scripts/regress --program " HARMONIA_PROGRAM " " + arguments);
}

}  // namespace

TEST_CASE("stimulus: a seed draws the same values, another one others") {
  REQUIRE(values({}, 5) == values({}, 5));
  REQUIRE(values({}, 5) != values({}, 6));
}

TEST_CASE("stimulus: kinds of values keep what they promise") {
  for (const formats::Fp16 x : values(only(&Tensor::subnormal), 1)) REQUIRE((x.bits & 0x7c00) == 0);
  for (const formats::Fp16 x : values(only(&Tensor::largest), 1)) REQUIRE((x.bits & 0x7fff) == 0x7bff);
  for (const formats::Fp16 x : values(only(&Tensor::gaussian), 1)) REQUIRE(std::abs(formats::to_float(x)) < 7);
  std::size_t nonfinite = 0, zeros = 0;
  for (const formats::Fp16 x : values(only(&Tensor::not_finite), 1)) nonfinite += !formats::is_finite(x);
  for (const formats::Fp16 x : values(only(&Tensor::zero), 1)) zeros += (x.bits & 0x7fff) == 0;
  REQUIRE((nonfinite > 200 && nonfinite < 800));
  REQUIRE((zeros > 2000 && zeros < 3200));
  Tensor near = only(&Tensor::near_exponent);
  near.spread = 2;
  const std::vector<formats::Fp16> x = values(near, 1);
  for (std::size_t g = 0; g < x.size(); g += 32) {
    int low = 31, high = 0;
    for (std::size_t i = g; i < g + 32; ++i) {
      low = std::min(low, x[i].bits >> 10 & 31);
      high = std::max(high, x[i].bits >> 10 & 31);
    }
    REQUIRE(high - low <= 2);
  }
}

TEST_CASE("stimulus: outliers have their share and size") {
  Tensor t = only(&Tensor::gaussian);
  t.outlier_share = 0.1;
  t.outlier_doublings = 8;
  std::size_t outliers = 0;
  for (const formats::Fp16 x : values(t, 3)) outliers += std::abs(formats::to_float(x)) > 16;
  REQUIRE((outliers > 200 && outliers < 400));
}

TEST_CASE("stimulus: weighted ranges draw from all of their ranges and from nowhere else") {
  Random random(1);
  std::size_t low = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::int64_t n = draw(random, {{1, 3, 3}, {10, 10, 1}});
    REQUIRE(((n >= 1 && n <= 3) || n == 10));
    low += n <= 3;
  }
  REQUIRE((low > 2850 && low < 3150));
}

TEST_CASE("stimulus: a file sets weights, and what is wrong in it is refused with its place") {
  const Scratch s;
  const Stimulus read =
      read_stimulus(s.write("good.yaml", "transactions: 9\ntensor: {zero: 7}\nlengths: [{from: 2, to: 5}]\n"));
  REQUIRE((read.transactions == 9 && read.tensor.zero == 7 && read.lengths.at(0).to == 5));
  for (const auto& [text, words] : std::map<std::string, std::string>{
           {"tensr: {}\n", "bad.yaml:1:1"},
           {"lengths: [{from: 9, to: 5}]\n", "must not be below `from`"},
           {"stalls: {none: 0, input: 0, output: 0, both: 0, heavy: 0}\n", "one weight must not be 0"}}) {
    INFO(text);
    REQUIRE_THAT(message_of([&, t = text] { read_stimulus(s.write("bad.yaml", t)); }), ContainsSubstring(words));
  }
}

TEST_CASE("stimulus: a signature has no numbers of the seed") {
  REQUIRE(testbench::signature_of("pe: cycle 123: byte 0x1f is 7\nmore") == "pe: cycle N: byte N is N");
}

TEST_CASE("random: tests pass, the same seed covers the same") {
  const Scratch s;
  for (const char* test : {"channel", "machine"}) {
    INFO(test);
    const std::string command = std::string("random ") + test + " --seed 11 --coverage ";
    const Outcome o = run_harmonia(s, command + "a.xml");
    INFO(o.out << o.err);
    REQUIRE(o.status == 0);
    REQUIRE_THAT(o.out, ContainsSubstring("passed: ") && ContainsSubstring("with seed 11"));
    REQUIRE(run_harmonia(s, command + "b.xml").status == 0);
    REQUIRE(Scratch::read(s / "a.xml") == Scratch::read(s / "b.xml"));
  }
}

TEST_CASE("random: unknown tests and modes are refused by name") {
  const Scratch s;
  REQUIRE_THAT(run_harmonia(s, "random chanel").err, ContainsSubstring("TEST is 'chanel'"));
  s.write("modes.yaml", "modes: [{name: bfp9}]\n");
  const Outcome o = run_harmonia(s, "random channel --stimulus modes.yaml");
  REQUIRE(o.status == 2);
  REQUIRE_THAT(o.err, ContainsSubstring("'bfp9' is no mode of channel"));
}

TEST_CASE("regression: coverage of N runs merged equals that of the runs, and the report is what CI reads") {
  const Scratch s;
  const Outcome o = regress(s, "channel machine -n 4 --seed 5 -j 2 --transactions 300 -o r");
  INFO(o.out << o.err);
  REQUIRE(o.status == 0);
  REQUIRE_THAT(o.out, ContainsSubstring("4 of 4 tests passed"));
  const Json report = Json::parse(Scratch::read(s / "r/regression.json"));
  REQUIRE((report["tests"] == 4 && report["passed"] == 4));
  pugi::xml_document junit;
  REQUIRE(junit.load_file((s / "r/junit.xml").c_str()));
  REQUIRE(junit.select_nodes("//testcase").size() == 4);
  REQUIRE(junit.select_nodes("//failure").empty());
  std::string files;
  int i = 0;
  for (const auto& c : junit.select_nodes("//testcase")) {
    const std::string test = std::string(c.node().attribute("classname").value()).substr(7),
                      seed = std::string(c.node().attribute("name").value()).substr(5),
                      file = "c" + std::to_string(i++) + ".xml";
    REQUIRE(run_harmonia(s, "random " + test + " --seed " + seed + " --transactions 300 --coverage " + file).status ==
            0);
    files += " " + file;
  }
  REQUIRE(run_harmonia(s, "coverage merge" + files + " -o m").status == 0);
  const auto scores = [&](const std::string& file) {
    return Json::parse(run_harmonia(s, "coverage show --json " + file).out)["score"];
  };
  REQUIRE(scores("r/coverage.xml") == scores("m/coverage.xml"));
}

TEST_CASE("regression: failures of one kind are one group with a command that replays the first") {
  const Scratch s;
  // A program that fails as a test does: two kinds of failures.
  s.write("program",
          "#!/bin/sh\n"
          "case \"$2\" in --list) echo 'one  a test'; exit 0;; esac\n"
          "if [ $(($4 % 2)) = 0 ]; then echo 'signature: one: byte N differs'; else echo 'signature: one: no end'; fi\n"
          "exit 1\n");
  std::filesystem::permissions(s / "program", std::filesystem::perms::owner_all);
  const Outcome o = shell(s, HARMONIA_SOURCE "/scripts/regress --program ./program -n 12 -o r");
  REQUIRE(o.status == 1);
  const Json report = Json::parse(Scratch::read(s / "r/regression.json"));
  REQUIRE(report["failures"].size() == 2);
  REQUIRE(report["failures"][0]["count"].get<int>() + report["failures"][1]["count"].get<int>() == 12);
  const std::string seed = std::to_string(report["failures"][0]["seeds"][0].get<std::int64_t>());
  REQUIRE(report["failures"][0]["replay"] == "harmonia random one --seed " + seed);
  REQUIRE_THAT(o.out, ContainsSubstring("0 of 12 tests passed") &&
                          ContainsSubstring("replay: harmonia random one --seed " + seed));
}

}  // namespace harmonia::test
