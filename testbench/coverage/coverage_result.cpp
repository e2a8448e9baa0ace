#include "harmonia/testbench/coverage/coverage_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/mapped_file.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/tlm/coverage/ucis.h"

namespace harmonia::testbench {

using coverage::BinKind;
using coverage::Cross;
using coverage::Database;
using coverage::Group;
using coverage::Hole;
using coverage::Point;
using coverage::Score;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* kKinds[] = {"counted", "ignored", "illegal"};  // in the order of BinKind

std::vector<std::string> score_cells(const Score& s) {
  return {fmt::format("{} of {}", s.covered, s.counted), percent(s.share()), std::to_string(s.illegal_hits)};
}

Json score_json(const Score& s) {
  return {{"covered", s.covered}, {"counted", s.counted}, {"share", s.share()}, {"illegal_hits", s.illegal_hits}};
}

Json group_json(const Group& g) {
  Json j = {{"type", g.type()}, {"instance", g.instance()}, {"score", score_json(g.score())}};
  j["points"] = Json::array();
  for (const Point& p : g.points()) {
    Json point = {
        {"name", p.name()}, {"meaning", p.meaning()}, {"at_least", p.at_least()}, {"score", score_json(p.score())}};
    point["bins"] = Json::array();
    for (const coverage::Bin& b : p.bins())
      point["bins"].push_back({{"name", b.name}, {"kind", kKinds[static_cast<std::size_t>(b.kind)]}, {"hits", b.hits}});
    j["points"].push_back(std::move(point));
  }
  j["crosses"] = Json::array();
  for (const Cross& c : g.crosses())
    j["crosses"].push_back({{"name", c.name()}, {"at_least", c.at_least()}, {"score", score_json(c.score())}});
  return j;
}

}  // namespace

Database read_coverage(const std::vector<std::string>& files) {
  Database all;
  std::set<std::filesystem::path> read;
  for (const std::string& file : files) {
    std::error_code ignored;
    if (!read.insert(std::filesystem::weakly_canonical(file, ignored)).second)
      throw config::InputError({file, 0, 0}, "is named twice; its hits would count twice");
    const MappedFile mapped(file);
    const Bytes& bytes = mapped.bytes();
    const std::string text(reinterpret_cast<const char*>(bytes.data), bytes.size);
    const Database one = coverage::read_ucis(text, file);
    try {
      all.merge(one);
    } catch (const std::invalid_argument& e) {
      throw config::InputError({file, 0, 0}, fmt::format("{} from the files before", e.what()));
    }
  }
  return all;
}

std::string ucis_of(const Database& database) {
  std::ostringstream out;
  coverage::write_ucis(database, out);
  return out.str();
}

std::string coverage_summary(const Database& database, std::size_t most) {
  std::vector<std::vector<std::string>> rows = {{"instance", "covergroup", "bins", "covered", "illegal hits"}};
  const auto add = [&](const std::string& instance, const std::string& name, const Score& s) {
    std::vector<std::string> row = {instance, name};
    for (std::string& cell : score_cells(s)) row.push_back(std::move(cell));
    rows.push_back(std::move(row));
  };
  for (const Group& g : database.groups) {
    add(g.instance(), g.type(), g.score());
    for (const Point& p : g.points()) add("", "  " + p.name(), p.score());
    for (const Cross& c : g.crosses()) add("", "  " + c.name(), c.score());
  }
  add("all", fmt::format("{} run{}", database.runs.size(), database.runs.size() == 1 ? "" : "s"), database.score());
  std::string text = table(rows);
  const std::vector<Hole> holes = coverage::holes_of(database);
  if (holes.empty()) return text + "\nNo holes.\n";
  const std::size_t shown = most == 0 ? holes.size() : std::min(most, holes.size());
  rows = {{"hole", "bin", "hits", "expected"}};
  for (std::size_t i = 0; i < shown; ++i)
    rows.push_back({holes[i].group + ", " + holes[i].point, holes[i].bin, std::to_string(holes[i].hits),
                    holes[i].at_least == 0 ? "none, illegal" : fmt::format("at least {}", holes[i].at_least)});
  text += "\n" + table(rows);
  if (shown < holes.size()) text += fmt::format("... and {} more holes (--holes shows all)\n", holes.size() - shown);
  return text;
}

std::string coverage_json(const Database& database) {
  Json j = {{"schema", 1}, {"kind", "coverage"}, {"score", score_json(database.score())}};
  j["runs"] = Json::array();
  for (const coverage::Run& r : database.runs)
    j["runs"].push_back({{"name", r.name}, {"seed", r.seed}, {"passed", r.passed}, {"command", r.command}});
  j["groups"] = Json::array();
  for (const Group& g : database.groups) j["groups"].push_back(group_json(g));
  j["holes"] = Json::array();
  for (const Hole& h : coverage::holes_of(database))
    j["holes"].push_back(
        {{"group", h.group}, {"point", h.point}, {"bin", h.bin}, {"hits", h.hits}, {"at_least", h.at_least}});
  return j.dump(2) + "\n";
}

}  // namespace harmonia::testbench
