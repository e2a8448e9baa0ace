// A figure is described once, and every output follows from its description.
#include "harmonia/testbench/results/figures.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/results/metrics.h"
#include "tests/results/example.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace tb = harmonia::testbench;
using harmonia::test::example;
using harmonia::test::message_of;
using harmonia::test::Scratch;
using Json = nlohmann::ordered_json;

namespace {

struct Pump {
  std::string name;
  std::uint64_t strokes = 0;
  double work_j = 0, idle = 0, pressure = 0;
};

tb::Record<Pump> pumps() {
  return tb::Record<Pump>()
      .value({"name", "pump", "", "its name"}, &Pump::name)
      .value({"strokes", "strokes", "strokes", "up and down", tb::Adds::sum}, &Pump::strokes)
      .value({"work_j", "work", "J", "done on the water", tb::Adds::sum}, &Pump::work_j)
      .value({"idle", "idle", "share", "of the time", tb::Adds::mean}, &Pump::idle)
      .value({"pressure", "pressure", "bar", "at the outlet", tb::Adds::maximum}, &Pump::pressure);
}

const std::vector<Pump> kPumps = {{"left, old", 3, 1500, 0.25, 2}, {"right", 4, 500, 0.75, 7.5}};

/// Paths of a JSON document as descriptions write them; `names` are the objects whose keys are data.
void collect_paths(const nlohmann::json& j, const std::string& at, const std::set<std::string>& names,
                   std::set<std::string>& paths) {
  for (const auto& [key, value] : j.items()) {
    const std::string path =
        at + (names.count(at.substr(0, at.size() - std::min<std::size_t>(1, at.size()))) ? "NAME" : key);
    paths.insert(path);
    if (key == "config") continue;
    if (value.is_object()) collect_paths(value, path + ".", names, paths);
    if (value.is_array())
      for (const auto& item : value)
        if (item.is_object()) collect_paths(item, path + "[].", names, paths);
  }
}

}  // namespace

TEST_CASE("a figure that is described once is in JSON, CSV, tables, documentation and the description for programs") {
  const tb::Record<Pump> record = pumps();
  REQUIRE(record.json(kPumps[0]).dump() ==
          R"({"name":"left, old","strokes":3,"work_j":1500.0,"idle":0.25,"pressure":2.0})");
  REQUIRE(record.csv(kPumps) ==
          "name,strokes,work_j,idle,pressure\n\"left, old\",3,1500,0.25,2\nright,4,500,0.75,7.5\n");
  REQUIRE(record.title("work_j") == "work");
  REQUIRE(record.cell("work_j", kPumps[0]) == "1.50 kJ");
  REQUIRE(record.cell("idle", kPumps[0]) == "25.0 %");
  REQUIRE(record.cell("strokes", kPumps[0]) == "3");
  REQUIRE(record.cell("pressure", kPumps[1]) == "7.50");
  const std::string page = tb::figures_markdown(record.figures());
  REQUIRE(page.find("| `work_j` | J | done on the water | sum |\n") != std::string::npos);
  REQUIRE(page.find("| `pressure` | bar | at the outlet | maximum |\n") != std::string::npos);
  REQUIRE(
      tb::figures_json(record.figures())[2] ==
      Json({{"path", "work_j"}, {"title", "work"}, {"unit", "J"}, {"meaning", "done on the water"}, {"adds", "sum"}}));
}

TEST_CASE("objects, lists and names inside a described struct are described with it") {
  struct Station {
    Pump main;
    std::vector<Pump> all;
    std::vector<std::pair<std::string, double>> valves;
  };
  tb::Record<Station> record;
  record.object({"main", "main pump", "", "the first"}, pumps(), &Station::main)
      .list({"all", "pumps", "", "all of them"}, pumps(), &Station::all)
      .by_name({"valves", "valves", "share", "open, by name"}, &Station::valves)
      .only_if([](const Station& s) { return !s.valves.empty(); });
  std::vector<std::string> paths;
  for (const tb::Figure& f : record.figures()) paths.push_back(f.path);
  REQUIRE(paths == std::vector<std::string>{"main", "main.name", "main.strokes", "main.work_j", "main.idle",
                                            "main.pressure", "all", "all[].name", "all[].strokes", "all[].work_j",
                                            "all[].idle", "all[].pressure", "valves", "valves.NAME"});
  Station s{kPumps[0], kPumps, {}};
  REQUIRE_FALSE(record.json(s).contains("valves"));
  s.valves = {{"inlet", 0.5}};
  REQUIRE(record.json(s)["valves"]["inlet"] == 0.5);
  REQUIRE(record.json(s)["all"][1]["pressure"] == 7.5);
  s.all[1].idle = std::numeric_limits<double>::infinity();
  REQUIRE(message_of([&] { record.json(s); }) == "result: all[1].idle is not a finite number");
  REQUIRE(tb::figures_markdown(record.figures()).find("### `all[]`") != std::string::npos);
}

TEST_CASE("values of parts add up as their description says") {
  const tb::Record<Pump> record = pumps();
  REQUIRE(record.over("strokes", kPumps) == 7);
  REQUIRE(record.over("work_j", kPumps) == 2000);
  REQUIRE(record.over("idle", kPumps) == 0.5);
  REQUIRE(record.over("pressure", kPumps) == 7.5);
  REQUIRE(record.over("idle", {}) == 0);
  REQUIRE_THROWS_AS(tb::whole_of({"x", "", "", "", tb::Adds::never}, {1}), std::logic_error);
  REQUIRE_THROWS_AS(record.over("nothing", kPumps), std::logic_error);
}

TEST_CASE("every key of result.json is described, and every description has its key, a title and a meaning") {
  tb::RunResult r = example();
  r.serving.requests = 1;
  r.mixture.layers = 1;
  r.devices.tensor = 2;
  r.devices.pipeline = 2;
  r.devices.stages.emplace_back();
  r.devices.experts = "placed";
  r.devices.experts_mean = 1;
  r.address_map.regions.push_back({"weights", 0, 1});
  std::set<std::string> written, described;
  const nlohmann::json j = nlohmann::json::parse(tb::to_json(r));
  collect_paths(j, "", {"channels[].commands", "units[].stalled"}, written);
  for (const tb::Figure& f : tb::run_figures().figures()) {
    CAPTURE(f.path);
    REQUIRE(described.insert(f.path).second);
    CHECK_FALSE(f.title.empty());
    CHECK_FALSE(f.meaning.empty());
    CHECK(written.count(f.path) == 1);
  }
  for (const std::string& path : written) {
    CAPTURE(path);
    CHECK(described.count(path) == 1);
  }
}

TEST_CASE("units in the names of figures are those of their descriptions") {
  std::vector<std::pair<std::string, std::string>> names;
  for (const tb::Figure& f : tb::run_figures().figures())
    names.emplace_back(f.path.substr(f.path.rfind('.') + 1), f.unit);
  for (const tb::Column& c : tb::columns()) names.emplace_back(c.name, c.figure.unit);
  const auto ends_with = [](const std::string& text, const std::string& end) {
    return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
  };
  for (const auto& [name, unit] : names) {
    CAPTURE(name, unit);
    if (ends_with(name, "_j")) CHECK(unit == "J");
    if (ends_with(name, "_mm2")) CHECK(unit == "mm2");
    if (ends_with(name, "_bytes")) CHECK(unit == "B");
    if (ends_with(name, "bytes_per_s")) CHECK(unit == "B/s");
    if (ends_with(name, "tokens_per_s")) CHECK(unit == "token/s");
    if (ends_with(name, "_s") && !ends_with(name, "_per_s")) CHECK(unit == "s");
  }
}

TEST_CASE("a row states what result.json states") {
  tb::RunResult r = example();
  r.operations[1].name = "attention_scores";
  r.energy.components = {{"dram", 0.4}, {"pe_array", 0.1}};
  const nlohmann::json j = nlohmann::json::parse(tb::to_json(r));
  const tb::Metrics m = tb::metrics_of(j);
  for (const tb::Column& c : tb::columns()) {
    CAPTURE(c.name, c.figure.path);
    if (c.text) continue;
    if (!c.figure.path.empty()) CHECK(c.value(m) == tb::value_at(j, c.figure));
  }
  const auto row = tb::row_of(m);
  const auto value = [&row](const std::string& name) {
    for (const auto& [key, text] : row)
      if (key == name) return text;
    return std::string("no such column");
  };
  CHECK(value("bound") == "memory");
  CHECK(value("tokens") == "4");
  CHECK(value("simulated_s") == "0.32");
  CHECK(value("time_per_token_s") == "0.08");
  CHECK(value("tokens_per_s") == "12.5");
  CHECK(value("bits_per_weight") == "4.25");
  CHECK(value("bytes_kv_read") == "50");
  CHECK(value("utilisation") == "0.9375");
  CHECK(value("energy_pe_array_j") == "0.1");
  CHECK(value("energy_static_j") == "0");
  CHECK(value("memory_least_s") == "0.24");
  CHECK(value("compute_least_s") == "0.16");
  CHECK(value("time_qkv_s") == "0.2");
  CHECK(value("time_attention_scores_s") == "0.12");
  CHECK(value("time_lm_head_s") == "0");
  CHECK(tb::cell("time_per_token_s", m) == "80.0 ms");
  CHECK(tb::cell("bits_per_weight", m) == "4.250");
  CHECK(tb::cell("utilisation", m) == "93.8 %");
}

TEST_CASE("a document that is no result is refused, and the key that is missing is named") {
  nlohmann::json j = nlohmann::json::parse(tb::to_json(example()));
  j["bandwidth"].erase("utilisation");
  REQUIRE(message_of([&] { tb::metrics_of(j); }).find("utilisation") != std::string::npos);
  j["schema"] = 2;
  REQUIRE(message_of([&] { tb::metrics_of(j); }) == "result.json is of schema 2, expected 1");
}

TEST_CASE("the documentation and the reports have the figures as they are described") {
  // Regenerate with scripts/make-docs.
  const std::string head = Scratch::read(HARMONIA_SOURCE "/docs/result-schema.head.md");
  REQUIRE(Scratch::read(HARMONIA_SOURCE "/docs/result-schema.md") == head + tb::all_markdown());
  REQUIRE(Scratch::read(HARMONIA_SOURCE "/scripts/harmonia_report/figures.json") == tb::all_json());
}
