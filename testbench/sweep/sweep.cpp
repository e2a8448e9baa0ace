#include "harmonia/testbench/sweep/sweep.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/quality/weight_quality.h"
#include "harmonia/testbench/results/metrics.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/sweep/processes.h"
#include "harmonia/testbench/sweep/sweep_folder.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::Location;
using config::Node;
using config::RunError;
using Json = SweepJson;

namespace {

constexpr std::size_t kMostPoints = 100000;
constexpr std::size_t kLargestResult = 512U << 20;
constexpr int kSchema = 1;

std::uint32_t crc(const std::string& text) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

/// Checksum and size of a file's contents; 0 and 0 of one that is not there.
std::string contents_hash(const std::string& file) {
  std::uint32_t hash = 0;
  std::uint64_t bytes = 0;
  if (std::FILE* f = std::fopen(file.c_str(), "rb")) {
    std::vector<unsigned char> block(1 << 16);
    std::size_t n = 0;
    while ((n = std::fread(block.data(), 1, block.size(), f)) > 0) {
      hash = static_cast<std::uint32_t>(::crc32(hash, block.data(), static_cast<uInt>(n)));
      bytes += n;
    }
    std::fclose(f);
  }
  return fmt::format("{}-{}", bytes, hash);
}

/// Of the program: results of two programs must not be mixed.
std::string program_hash() { return contents_hash("/proc/self/exe"); }

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

std::vector<std::string> overrides_of(const Sweep& s, const SweepPoint& p) {
  return testbench::overrides_of(s.set, p.settings);
}

Json manifest(const Sweep& s) {
  Json j = {{"schema", kSchema},      {"kind", "sweep"},           {"name", s.name}, {"description", s.description},
            {"scenario", s.scenario}, {"program", program_hash()}, {"keys", s.keys}};
  j["set"] = Json::object();
  for (const auto& [key, value] : s.set) j["set"][key] = value;
  j["inputs"] = Json::array();
  for (const auto& [file, hash] : s.inputs) j["inputs"].push_back({{"file", file}, {"hash", hash}});
  j["points"] = Json::array();
  for (const SweepPoint& p : s.points) {
    Json settings = Json::object();
    for (const auto& [key, value] : p.settings) settings[key] = value;
    j["points"].push_back({{"settings", settings}, {"configuration", p.hash}});
  }
  return j;
}

Json failed_point(const SweepPoint& p, const std::string& reason, int exit_status) {
  return {{"configuration", p.hash},
          {"status", "failed"},
          {"exit_status", exit_status},
          {"reason", reason},
          {"figures", Json::object()}};
}

Json done_point(const Sweep& s, const SweepPoint& p, const fs::path& result, const Library& library) {
  const Metrics m = read_metrics((result / "result.json").string());
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
    out += fmt::format("{},{},{}", i + 1, rows[i].at("status").get<std::string>(),
                       csv_cell(rows[i].at("reason").get<std::string>()));
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
  const Node* name = document.find("name");
  if (s.name.empty()) s.name = path.stem().string();
  require_folder_name(s.name, name ? name->where : Location{path.string(), 0, 0});
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
    throw InputError(document.where, fmt::format("more than {} points, expected fewer", kMostPoints));

  config::FilesRead read;
  std::set<std::string> traces;
  for (const Settings& own : listed)
    for (const Settings& combination : product(axes)) {
      SweepPoint p;
      p.settings = own;
      p.settings.insert(p.settings.end(), combination.begin(), combination.end());
      for (const auto& [key, value] : p.settings)
        if (std::find(s.keys.begin(), s.keys.end(), key) == s.keys.end()) s.keys.push_back(key);
      try {
        const LoadedScenario loaded = load_scenario(s.scenario, overrides_of(s, p), library);
        p.hash = crc(config::to_json(loaded.resolved, -1));
        if (!loaded.trace_file.empty()) traces.insert(loaded.trace_file);
      } catch (const InputError& e) {
        p.failure = e.what();
        p.hash = crc(p.failure);
      }
      s.points.push_back(std::move(p));
    }
  traces.insert(read.names().begin(), read.names().end());
  for (const std::string& input : traces) s.inputs.emplace_back(input, contents_hash(input));
  return s;
}

namespace {

/// The tasks that are left to run, and the points that they are of.
struct Work {
  std::vector<Task> tasks;
  std::vector<std::size_t> points;
};

Task task_of(const Sweep& s, std::size_t index, const SweepOptions& options, const fs::path& work) {
  Task task{{"run", s.scenario, "-o", (work / point_name(index)).string(), "--set", "output.timeline=false"}};
  for (const std::string& set : overrides_of(s, s.points[index]))
    task.arguments.insert(task.arguments.end(), {"--set", set});
  if (!options.data.empty()) task.arguments.insert(task.arguments.end(), {"--data", options.data});
  if (!options.workloads.empty()) task.arguments.insert(task.arguments.end(), {"--workloads", options.workloads});
  if (options.allow_unknown) task.arguments.emplace_back("--allow-unknown");
  return task;
}

/// What is already there, of an unfinished sweep or of a finished one with points that failed.
std::vector<std::optional<Json>> kept_points(const Sweep& s, const fs::path& points) {
  std::vector<std::optional<Json>> rows(s.points.size());
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    rows[i] = read_point(points / (point_name(i) + ".json"), s.points[i].hash);
    if (rows[i] && !is_final(*rows[i])) rows[i].reset();
  }
  return rows;
}

bool all_there(const std::vector<std::optional<Json>>& rows) {
  return std::all_of(rows.begin(), rows.end(), [](const auto& r) { return r.has_value(); });
}

std::size_t failures(const std::vector<std::optional<Json>>& rows) {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [](const auto& r) { return r && r->at("status") != "ok"; }));
}

Work work_left(const Sweep& s, const SweepOptions& options, const SweepFolder& folder,
               std::vector<std::optional<Json>>& rows) {
  Work left;
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    if (rows[i]) continue;
    if (s.points[i].failure.empty()) {
      left.tasks.push_back(task_of(s, i, options, folder.work()));
      left.points.push_back(i);
    } else {
      rows[i] = failed_point(s.points[i], s.points[i].failure, 2);
      folder.write_point(i, *rows[i]);
    }
  }
  return left;
}

/// Results of changed inputs must not be mixed with those of the inputs that the sweep was begun with.
void require_unchanged(const Sweep& s) {
  for (const auto& [file, hash] : s.inputs)
    if (contents_hash(file) != hash)
      throw RunError(config::escaped(file) +
                     " was changed while the sweep ran; its results are not those of one input");
}

void put_in_place(const Sweep& s, const fs::path& target, const SweepFolder& points, const Json& manifest_,
                  const std::string& csv) {
  OutputFolder folder(target.string());
  fs::create_directory(folder.path() / "points");
  for (std::size_t i = 0; i < s.points.size(); ++i)
    fs::copy_file(points.point_file(i), folder.path() / "points" / (point_name(i) + ".json"));
  folder.write("sweep.json", manifest_.dump(1) + "\n");
  folder.write("sweep.csv", csv);
  folder.commit();
}

}  // namespace

SweepOutcome run_sweep(const Sweep& s, const SweepOptions& options) {
  const Library library(options.workloads, options.data, options.allow_unknown);
  fs::path target = fs::absolute(options.output).lexically_normal();
  if (target.filename().empty()) target = target.parent_path();
  const Json now = manifest(s);
  SweepOutcome outcome;
  outcome.points = s.points.size();
  outcome.folder = target.string();

  std::error_code ignored;
  std::vector<std::optional<Json>> rows(s.points.size());
  if (fs::exists(target / "sweep.json", ignored) && options.resume && !SweepFolder::is_unfinished(target)) {
    const std::string why = difference(target, now);
    if (!why.empty())
      throw InputError({target.string()},
                       "is a finished sweep and not this one: " + why + "; expected its own sweep file, or another -o");
    rows = kept_points(s, target / "points");
    if (all_there(rows)) {
      SweepFolder::remove_remains(target);
      outcome.kept = s.points.size();
      outcome.failed = failures(rows);
      outcome.complete = true;
      outcome.csv = config::read_text_file((target / "sweep.csv").string(), kLargestResult);
      return outcome;
    }
  }
  const InterruptGuard guard;
  { const OutputFolder vetted(target.string()); }  // refuses what is no result of ours, before any work
  SweepFolder folder(target, now, options.resume);
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i]) folder.write_point(i, *rows[i]);
  if (options.resume) rows = kept_points(s, folder.points());
  outcome.kept =
      static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [](const auto& r) { return r.has_value(); }));

  const Work left = work_left(s, options, folder, rows);
  {
    Progress progress("points", static_cast<double>(left.tasks.size()));
    run_tasks(
        left.tasks, options.jobs, folder.work().string(),
        [&](std::size_t t, const TaskOutcome& o) {
          const std::size_t i = left.points[t];
          const fs::path result = folder.work() / point_name(i);
          rows[i] =
              o.succeeded ? done_point(s, s.points[i], result, library) : failed_point(s.points[i], o.reason, o.status);
          folder.write_point(i, *rows[i]);
          fs::remove_all(result, ignored);
          ++outcome.ran;
        },
        [&] { progress.update(static_cast<double>(outcome.ran)); });
  }
  fs::remove_all(folder.work(), ignored);
  outcome.complete = all_there(rows);
  if (!outcome.complete) {
    outcome.folder = folder.path().string();
    return outcome;
  }
  require_unchanged(s);
  outcome.failed = failures(rows);
  std::vector<Json> all;
  for (auto& row : rows) all.push_back(std::move(*row));
  outcome.csv = csv_of(s, all);
  put_in_place(s, target, folder, now, outcome.csv);
  folder.remove();
  return outcome;
}

}  // namespace harmonia::testbench
