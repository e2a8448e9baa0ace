#include "harmonia/testbench/sweep/sweep.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/quality/weight_quality.h"
#include "harmonia/testbench/results/metrics.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/sweep/processes.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::Node;
using config::RunError;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kMostPoints = 100000;
constexpr std::size_t kLargestResult = 512U << 20;
constexpr int kSchema = 1;

std::uint32_t crc(const std::string& text) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

/// Of the program: results of two programs must not be mixed.
std::uint32_t program_hash() {
  std::uint32_t hash = 0;
  if (std::FILE* f = std::fopen("/proc/self/exe", "rb")) {
    std::vector<unsigned char> block(1 << 16);
    std::size_t n = 0;
    while ((n = std::fread(block.data(), 1, block.size(), f)) > 0)
      hash = static_cast<std::uint32_t>(::crc32(hash, block.data(), static_cast<uInt>(n)));
    std::fclose(f);
  }
  return hash;
}

std::string text_value(const Node& map, const char* key) {
  const Node* n = map.find(key);
  if (!n) return {};
  if (!n->is_scalar())
    throw InputError(n->where, std::string(key) + " is " + config::describe_found(*n) + ", expected text");
  return n->text;
}

std::string value_text(const Node& node) {
  return node.is_scalar() && !node.quoted ? node.text : config::to_json(node, -1);
}

Axis axis_of(const config::Member& m) {
  require_known_key(m.key, m.where);
  if (!m.value.is_list() || m.value.items.empty())
    throw InputError(m.value.where, "grid." + m.key + " is " +
                                        (m.value.is_list() ? "an empty list" : config::describe_found(m.value)) +
                                        ", expected a list of values");
  Axis axis{m.key, {}};
  for (const Node& v : m.value.items) axis.values.push_back(value_text(v));
  return axis;
}

Settings settings_of(const Node& map, const std::string& what) {
  if (!map.is_map())
    throw InputError(map.where, what + " is " + config::describe_found(map) + ", expected a map of settings");
  Settings settings = flatten(map);
  for (const auto& [key, value] : settings) require_known_key(key, map.where);
  return settings;
}

std::string point_name(std::size_t index) {
  char text[32];
  std::snprintf(text, sizeof text, "%06zu", index + 1);
  return text;
}

std::vector<std::string> overrides_of(const Sweep& s, const SweepPoint& p) {
  return testbench::overrides_of(s.set, p.settings);
}

Json manifest(const Sweep& s) {
  Json j = {{"schema", kSchema},      {"kind", "sweep"},           {"name", s.name}, {"description", s.description},
            {"scenario", s.scenario}, {"program", program_hash()}, {"keys", s.keys}};
  j["set"] = Json::object();
  for (const auto& [key, value] : s.set) j["set"][key] = value;
  j["points"] = Json::array();
  for (const SweepPoint& p : s.points) {
    Json settings = Json::object();
    for (const auto& [key, value] : p.settings) settings[key] = value;
    j["points"].push_back({{"settings", settings}, {"configuration", p.hash}});
  }
  return j;
}

/// Why a folder belongs to another sweep; empty when it belongs to this one.
std::string difference(const fs::path& folder, const Json& now) {
  Json then;
  try {
    then = Json::parse(config::read_text_file((folder / "sweep.json").string(), kLargestResult));
    if (then.at("points").size() != now.at("points").size())
      return "it has " + std::to_string(then.at("points").size()) + " points, this sweep " +
             std::to_string(now.at("points").size());
    for (std::size_t i = 0; i < now.at("points").size(); ++i)
      if (then["points"][i] != now["points"][i]) return "point " + std::to_string(i + 1) + " was another";
    if (then.at("program") != now.at("program")) return "it was begun with another build of harmonia";
  } catch (const std::exception& e) {
    return std::string("its sweep.json cannot be read: ") + e.what();
  }
  return {};
}

/// One sweep in a folder at a time.
class Lock {
 public:
  explicit Lock(const fs::path& file) : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (fd_ < 0) throw RunError("cannot write " + file.string() + ": " + std::strerror(errno));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      throw RunError(file.parent_path().string() + " is in use by another sweep that is running");
    }
  }
  ~Lock() { ::close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

std::optional<Json> finished_point(const fs::path& file, const SweepPoint& p) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  try {
    Json j = Json::parse(config::read_text_file(file.string(), kLargestResult));
    if (j.at("configuration") == p.hash) return j;
  } catch (const std::exception&) {
    // Not whole: as if it were absent.
  }
  return std::nullopt;
}

Json failed_point(const SweepPoint& p, const std::string& reason) {
  return {{"configuration", p.hash}, {"status", "failed"}, {"reason", reason}, {"figures", Json::object()}};
}

Json done_point(const Sweep& s, const SweepPoint& p, const fs::path& result, const Library& library) {
  const Metrics m =
      metrics_of(nlohmann::json::parse(config::read_text_file((result / "result.json").string(), kLargestResult)));
  Json figures = Json::object();
  for (const auto& [name, value] : row_of(m)) figures[name] = value;
  const WeightQuality q = weight_quality(load_scenario(s.scenario, overrides_of(s, p), library).scenario, library);
  figures["snr_db"] = exact(q.snr_db);
  figures["effective_parameters"] = exact(q.effective_parameters);
  return {{"configuration", p.hash}, {"status", "ok"}, {"reason", ""}, {"figures", figures}};
}

std::string csv_of(const Sweep& s, const std::vector<Json>& rows) {
  std::vector<std::string> figures = row_names();
  figures.insert(figures.end(), {"snr_db", "effective_parameters"});
  std::string out = "point,status,reason";
  for (const std::string& k : s.keys) out += "," + csv_cell(k);
  for (const std::string& f : figures) out += "," + f;
  out += "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out += std::to_string(i + 1) + "," + rows[i].at("status").get<std::string>() + "," +
           csv_cell(rows[i].at("reason").get<std::string>());
    for (const std::string& k : s.keys) {
      out += ",";
      for (const auto& [key, value] : s.points[i].settings)
        if (key == k) out += csv_cell(value);
    }
    const Json& f = rows[i].at("figures");
    for (const std::string& name : figures)
      out += "," + (f.contains(name) ? csv_cell(f.at(name).get<std::string>()) : "");
    out += "\n";
  }
  return out;
}

}  // namespace

Sweep load_sweep(const std::string& file, const std::vector<std::string>& overrides, const Library& library) {
  fs::path path = file;
  std::error_code ignored;
  if (file.find('/') == std::string::npos && !fs::exists(path, ignored))
    path = library.folder() / "sweeps" / (file + ".yaml");
  const Node document = config::read_yaml(fs::exists(path, ignored) ? path.string() : file);
  if (!document.is_map())
    throw InputError(document.where,
                     "this is " + config::describe_found(document) + ", expected a map of keys that describes a sweep");
  static const std::vector<std::string> known = {"name", "description", "scenario", "set", "points", "grid"};
  for (const config::Member& m : document.members)
    if (std::find(known.begin(), known.end(), m.key) == known.end())
      throw InputError(m.where,
                       "unknown key '" + config::printable(m.key) + "'" + config::nearest_hint(m.key, known, "key"));

  Sweep s;
  s.file = path.string();
  s.name = text_value(document, "name");
  if (s.name.empty()) s.name = path.stem().string();
  s.description = text_value(document, "description");
  s.scenario = text_value(document, "scenario");
  if (s.scenario.empty()) s.scenario = "default";
  const Node* named = document.find("scenario");
  s.scenario = library.find(BuiltIn::kScenario, s.scenario, named ? named->where : document.where).string();
  if (const Node* set = document.find("set"); set && !set->is_null()) s.set = settings_of(*set, "set");
  for (const std::string& text : overrides) {
    const std::size_t equals = text.find('=');
    require_known_key(config::parse_override(text).path, {"--set " + config::printable(text)});
    s.set.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }

  std::vector<Settings> listed(1);
  if (const Node* points = document.find("points")) {
    if (!points->is_list() || points->items.empty())
      throw InputError(points->where, std::string("points is ") +
                                          (points->is_list() ? "an empty list" : config::describe_found(*points)) +
                                          ", expected a list of settings");
    listed.clear();
    for (const Node& p : points->items) listed.push_back(settings_of(p, "a point"));
  }
  std::vector<Axis> axes;
  if (const Node* grid = document.find("grid")) {
    if (!grid->is_map() || grid->members.empty())
      throw InputError(grid->where, "grid is " +
                                        (grid->is_map() ? std::string("an empty map") : config::describe_found(*grid)) +
                                        ", expected keys with lists of values");
    for (const config::Member& m : grid->members) axes.push_back(axis_of(m));
  }
  if (axes.empty() && !document.find("points"))
    throw InputError(document.where, "neither points nor grid, expected at least one of them");
  double count = static_cast<double>(listed.size());
  for (const Axis& axis : axes) count *= static_cast<double>(axis.values.size());
  if (count > static_cast<double>(kMostPoints))
    throw InputError(document.where, "more than " + std::to_string(kMostPoints) + " points, expected fewer");

  for (const Settings& own : listed)
    for (const Settings& combination : product(axes)) {
      SweepPoint p;
      p.settings = own;
      p.settings.insert(p.settings.end(), combination.begin(), combination.end());
      for (const auto& [key, value] : p.settings)
        if (std::find(s.keys.begin(), s.keys.end(), key) == s.keys.end()) s.keys.push_back(key);
      try {
        p.hash = crc(config::to_json(load_scenario(s.scenario, overrides_of(s, p), library).resolved, -1));
      } catch (const InputError& e) {
        p.failure = e.what();
        p.hash = crc(p.failure);
      }
      s.points.push_back(std::move(p));
    }
  return s;
}

SweepOutcome run_sweep(const Sweep& s, const SweepOptions& options) {
  const Library library(options.workloads, options.data, options.allow_unknown);
  fs::path target = fs::absolute(options.output).lexically_normal();
  if (target.filename().empty()) target = target.parent_path();
  const fs::path partial = target.string() + ".partial", points = partial / "points", work = partial / "work";
  const Json now = manifest(s);
  SweepOutcome outcome;
  outcome.points = s.points.size();
  outcome.folder = target.string();

  std::error_code ignored;
  if (fs::exists(target / "sweep.json", ignored) && options.resume && !fs::exists(partial, ignored)) {
    const std::string why = difference(target, now);
    if (!why.empty())
      throw InputError({target.string()},
                       "is a finished sweep and not this one: " + why + "; expected its own sweep file, or another -o");
    outcome.kept = s.points.size();
    outcome.complete = true;
    outcome.csv = config::read_text_file((target / "sweep.csv").string(), kLargestResult);
    for (std::size_t i = 0; i < s.points.size(); ++i)
      if (const auto row = finished_point(target / "points" / (point_name(i) + ".json"), s.points[i]);
          row && row->at("status") != "ok")
        ++outcome.failed;
    return outcome;
  }
  { const OutputFolder vetted(target.string()); }  // refuses what is no result of ours, before any work
  if (fs::exists(partial, ignored)) {
    if (!options.resume)
      throw InputError({partial.string()},
                       "holds an unfinished sweep, expected --resume to go on with it, or its removal");
    if (fs::exists(partial / "sweep.json", ignored)) {
      const std::string why = difference(partial, now);
      if (!why.empty())
        throw InputError({partial.string()}, "holds another sweep than " + s.file + " describes: " + why +
                                                 "; expected the same sweep, or another -o");
    }
  }
  fs::create_directories(points, ignored);
  const Lock lock(partial / "lock");
  fs::remove_all(work, ignored);
  fs::create_directories(work, ignored);
  write_file(partial / "sweep.json", now.dump(1) + "\n", OutputFile::Durability::kDisk);

  std::vector<std::optional<Json>> rows(s.points.size());
  std::vector<Task> tasks;
  std::vector<std::size_t> point_of;
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    const SweepPoint& p = s.points[i];
    const fs::path file = points / (point_name(i) + ".json");
    rows[i] = finished_point(file, p);
    if (rows[i]) {
      ++outcome.kept;
      continue;
    }
    if (!p.failure.empty()) {
      rows[i] = failed_point(p, p.failure);
      write_file(file, rows[i]->dump(1) + "\n", OutputFile::Durability::kDisk);
      continue;
    }
    Task task{{"run", s.scenario, "-o", (work / point_name(i)).string(), "--set", "output.timeline=false"}};
    for (const std::string& set : overrides_of(s, p)) task.arguments.insert(task.arguments.end(), {"--set", set});
    if (!options.data.empty()) task.arguments.insert(task.arguments.end(), {"--data", options.data});
    if (!options.workloads.empty()) task.arguments.insert(task.arguments.end(), {"--workloads", options.workloads});
    if (options.allow_unknown) task.arguments.emplace_back("--allow-unknown");
    tasks.push_back(std::move(task));
    point_of.push_back(i);
  }
  {
    const InterruptGuard guard;
    Progress progress("points", static_cast<double>(tasks.size()));
    run_tasks(
        tasks, options.jobs, work.string(),
        [&](std::size_t t, const TaskOutcome& o) {
          const std::size_t i = point_of[t];
          const fs::path result = work / point_name(i);
          rows[i] = o.succeeded ? done_point(s, s.points[i], result, library) : failed_point(s.points[i], o.reason);
          write_file(points / (point_name(i) + ".json"), rows[i]->dump(1) + "\n", OutputFile::Durability::kDisk);
          fs::remove_all(result, ignored);
          ++outcome.ran;
        },
        [&] { progress.update(static_cast<double>(outcome.ran)); });
  }
  fs::remove_all(work, ignored);
  outcome.complete = std::all_of(rows.begin(), rows.end(), [](const auto& r) { return r.has_value(); });
  if (!outcome.complete) {
    outcome.folder = partial.string();
    return outcome;
  }
  std::vector<Json> all;
  for (auto& row : rows) {
    outcome.failed += row->at("status") == "ok" ? 0 : 1;
    all.push_back(std::move(*row));
  }
  outcome.csv = csv_of(s, all);
  OutputFolder folder(target.string());
  fs::copy(points, folder.path() / "points", fs::copy_options::recursive);
  folder.write("sweep.json", now.dump(1) + "\n");
  folder.write("sweep.csv", outcome.csv);
  folder.commit();
  fs::remove_all(partial, ignored);
  return outcome;
}

}  // namespace harmonia::testbench
