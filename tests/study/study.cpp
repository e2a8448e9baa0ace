// Study files: what they say, and what of them is refused, with its place.
#include "harmonia/testbench/study/study.h"

#include "harmonia/testbench/scenario/library.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using namespace harmonia::testbench;
using Texts = std::vector<std::string>;

const char* kStudy =
    "parameters:\n"
    "  weights: [kmeans4, {format: kmeans1, codebook: int5}]\n"
    "  accelerator.pe.rows: {from: 4, to: 33, factor: 2}\n"
    "  accelerator.dram.channels: {from: 2, to: 6, step: 2}\n"
    "  accelerator.weight_buffer.capacity_bytes: [64 KiB, 128 KiB]\n"
    "  memory: {choices: {LPDDR5: {dram.preset: LPDDR5-6400}, HBM2: {dram.preset: HBM2-2000, accelerator.clock_mhz: "
    "800}}}\n"
    "constraints: {area_mm2: {at_most: 50}, tokens_per_s: {at_least: 10, at_most: 1000}}\n"
    "objectives: {tokens_per_s: most, power_w: least}\n";

struct Files {
  Scratch scratch;
  Library library;
  Study read(const std::string& text, const Texts& set = {}) {
    scratch.write("s.yaml", text);
    return read_study(scratch / "s.yaml", set, library);
  }
  std::string refusal(const std::string& text) {
    std::string said = message_of([&] { read(text); });
    const std::size_t at = said.find("s.yaml");
    return at == std::string::npos ? said : said.substr(at);
  }
};

/// The study with one line in place of another.
std::string with(const std::string& key, const std::string& line) {
  std::string out;
  for (const std::string& l : lines_of(kStudy)) out += (l.find(key) != std::string::npos ? line : l) + "\n";
  return out;
}

TEST_CASE("a study lists the values of its parameters, its constraints and its objectives") {
  Files f;
  const Study s = f.read(kStudy, {"workload.tokens=1"});
  REQUIRE(s.name == "s");
  REQUIRE(s.points() == 2 * 4 * 3 * 2 * 2);
  REQUIRE(s.set == Settings{{"workload.tokens", "1"}});
  Texts labels;
  for (const Parameter::Value& v : s.parameters[1].values) labels.push_back(v.label);
  REQUIRE(labels == Texts{"4", "8", "16", "32"});
  REQUIRE(s.parameters[2].values[2].settings == Settings{{"accelerator.dram.channels", "6"}});
  REQUIRE(s.parameters[4].values[1].settings.size() == 2);
  std::vector<bool> ordered;
  for (const Parameter& p : s.parameters) ordered.push_back(p.ordered);
  REQUIRE(ordered == std::vector<bool>{false, true, true, true, false});
  REQUIRE(s.constraints[1].second.at_least == 10.0);
  REQUIRE(s.constraints[1].second.at_most == 1000.0);
  REQUIRE(s.objectives[1] == std::pair<std::string, Goal>{"power_w", Goal::least});
  const nlohmann::ordered_json j = to_json(s);
  REQUIRE(j["constraints"].size() == 3);
  REQUIRE(j["search"]["seed"] == 1);
}

TEST_CASE("a study that says something unknown or impossible is refused with its place") {
  Files f;
  const auto refused = [&](const std::string& key, const std::string& line, const std::string& why) {
    INFO(line);
    REQUIRE_THAT(f.refusal(with(key, line)), ContainsSubstring(why));
  };
  refused("pe.rows", "  accelerator.pe.rowz: [1, 2]",
          "s.yaml:3:3: unknown key 'accelerator.pe.rowz'; nearest known key is 'rows'");
  refused("pe.rows", "  accelerator.pe.rows: {from: 8, to: 4, step: 1}",
          "s.yaml:3:38: parameters.accelerator.pe.rows.to: is less");
  refused("pe.rows", "  accelerator.pe.rows: {from: 8, to: 16}", "is missing, expected `step` or `factor`");
  refused("pe.rows", "  accelerator.pe.rows: {from: 0, to: 16, factor: 2}", "`from` more than 0");
  refused("pe.rows", "  accelerator.pe.rows: {from: 8, to: 16, factor: 0.5}", "has to be more than 1");
  refused("pe.rows", "  accelerator.pe.rows: {from: 8, to: 16, step: 2, factor: 2}", "is given beside `factor`");
  refused("pe.rows", "  accelerator.pe.rows: {from: 1, to: 2000, step: 1}", "has more than 1000 values");
  refused("pe.rows", "  accelerator.pe.rows: {from: 1, till: 2}", "unknown key");
  refused("pe.rows", "  accelerator.pe.rows: []", "is an empty list, expected a list of values");
  refused("pe.rows", "  accelerator.pe.rows: 4", "is '4', expected a list of values");
  refused("pe.rows", "  accelerator.pe.rows: [4, 8, 4]", "the value 4 is there twice");
  refused("pe.rows", "  accelerator.clock_mhz: [500, 800]",
          "parameters.memory: sets accelerator.clock_mhz, which accelerator.clock_mhz sets too");
  refused("memory", "  memory: {choices: {a: {accelerator.dram.presed: x}}}", "nearest known key is 'preset'");
  refused("memory", "  memory: {choices: {}}", "choices is an empty map");
  refused("constraints", "constraints: {area: {at_most: 5}}", "s.yaml:7:15: constraints.area: is no figure of a point");
  refused("constraints", "constraints: {area_mm: {at_most: 5}}", "nearest known figure is 'area_mm2'");
  refused("constraints", "constraints: {area_mm2: {}}", "has neither at_least nor at_most");
  refused("constraints", "constraints: {area_mm2: {most: 4}}", "unknown key 'constraints.area_mm2.most'");
  refused("constraints", "constraints: {perplexity: {at_most: 4}}",
          "constraints.perplexity: needs a model to measure it on");
  refused("objectives", "objectives: {tokens_per_s: max}", "objectives.tokens_per_s");
  refused("objectives", "objectives: {}", "expected one to four figures");
  refused("objectives", "", "expected one to four figures");
  refused("objectives", "objectives: {tokens_per_s: most}\nsearch: {simulations: 0}", "search.simulations");
  refused("objectives", "objectives: {tokens_per_s: most}\nmap: {of: weights, over: [memory]}",
          "expected `of` with one parameter");
  refused("objectives", "objectives: {tokens_per_s: most}\nmap: {of: weights, over: [memory, channels]}",
          "map: channels is no parameter");
  refused("objectives", "objectives: {tokens_per_s: most}\nmap: {of: weights, over: [memory, memory]}",
          "names a parameter twice");
  refused("objectives", "objectives: {tokens_per_s: most}\nbudget: 4", "unknown key 'budget'");
  REQUIRE_THAT(f.refusal("objectives: {tokens_per_s: most}\n"), ContainsSubstring("parameters: is missing or empty"));
}

TEST_CASE("harmonia explore --dry-run prints the study and harmonia check knows the file") {
  const Scratch s;
  s.write("s.yaml", kStudy);
  const Outcome o = run_harmonia(s, "explore s.yaml --dry-run");
  REQUIRE(o.status == 0);
  REQUIRE(nlohmann::json::parse(o.out)["parameters"].size() == 5);
  REQUIRE_THAT(run_harmonia(s, "check s.yaml").out,
               ContainsSubstring("a study: 96 points over 5 parameters, 2 objectives"));
  const Outcome none = run_harmonia(s, "explore nothing.yaml");
  REQUIRE(none.status == 2);
  REQUIRE_THAT(none.err, ContainsSubstring("nothing.yaml"));
}

}  // namespace
}  // namespace harmonia::test
