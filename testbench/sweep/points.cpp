#include "harmonia/testbench/sweep/points.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdio>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/quality/weight_quality.h"
#include "harmonia/testbench/results/metrics.h"
#include "harmonia/testbench/scenario/portable_name.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

namespace fs = std::filesystem;
using config::InputError;
using config::RunError;
using Json = SweepJson;

namespace {

constexpr int kSchema = 1;

/// Of the program: results of two programs must not be mixed.
std::string program_hash() { return contents_hash("/proc/self/exe"); }

std::vector<std::string> overrides_of(const Sweep& s, const SweepPoint& p) {
  return testbench::overrides_of(s.set, p.settings);
}

}  // namespace

std::uint32_t crc(const std::string& text) {
  return static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

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

Json manifest(const Sweep& s) {
  Json j = {{"schema", kSchema},      {"kind", "sweep"},           {"name", s.name}, {"description", s.description},
            {"scenario", s.scenario}, {"program", program_hash()}, {"keys", s.keys}};
  j["set"] = Json::object();
  for (const auto& [key, value] : s.set) j["set"][key] = value;
  j["built_ins"] = s.built_ins;
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

Json portable(Json j) {
  if (!j.contains("built_ins")) return j;
  const fs::path built_ins = j["built_ins"].get<std::string>();
  j["scenario"] = portable_name(j.at("scenario"), built_ins);
  for (Json& input : j.at("inputs")) input["file"] = portable_name(input.at("file"), built_ins);
  j.erase("built_ins");
  return j;
}

Sweep sweep_of(const Json& j, const fs::path& file) {
  try {
    Sweep s;
    s.name = j.at("name");
    s.description = j.at("description");
    s.scenario = j.at("scenario");
    s.keys = j.at("keys").get<std::vector<std::string>>();
    for (const auto& [key, value] : j.at("set").items()) s.set.emplace_back(key, value.get<std::string>());
    for (const Json& input : j.at("inputs")) s.inputs.emplace_back(input.at("file"), input.at("hash"));
    for (const Json& point : j.at("points")) {
      SweepPoint p;
      for (const auto& [key, value] : point.at("settings").items())
        p.settings.emplace_back(key, value.get<std::string>());
      p.hash = point.at("configuration");
      s.points.push_back(std::move(p));
    }
    return s;
  } catch (const Json::exception& e) {
    throw InputError({file.string()}, std::string("is no sweep.json of harmonia: ") + e.what());
  }
}

bool adopt(Sweep& s, const Json& then) {
  try {
    Json now = manifest(s), same = then;
    same["inputs"] = Json::array();
    for (Json& p : same.at("points")) p["configuration"] = 0;
    if (now != same) return false;
    for (const Json& input : then.at("inputs")) {
      s.inputs.emplace_back(input.at("file"), input.at("hash"));
      if (contents_hash(s.inputs.back().first) != s.inputs.back().second) return false;
    }
    for (std::size_t i = 0; i < s.points.size(); ++i) s.points[i].hash = then.at("points")[i].at("configuration");
    return true;
  } catch (const Json::exception&) {
    return false;
  }
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

/// Results of changed inputs must not be mixed with those of the inputs that the sweep was begun with.
void require_unchanged(const Sweep& s) {
  for (const auto& [file, hash] : s.inputs)
    if (contents_hash(file) != hash)
      throw RunError(config::escaped(file) +
                     " was changed while the sweep ran; its results are not those of one input");
}

void put_in_place(const Sweep& s, const fs::path& target, const fs::path& partial, const Json& manifest_,
                  const std::string& csv) {
  OutputFolder folder(target.string());
  fs::create_directory(folder.path() / "points");
  for (std::size_t i = 0; i < s.points.size(); ++i) {
    const std::string name = point_name(i);
    fs::copy_file(partial / "points" / (name + ".json"), folder.path() / "points" / (name + ".json"));
    const fs::path log = partial / "logs" / (name + ".txt");
    if (!fs::exists(log)) continue;
    fs::create_directories(folder.path() / "logs");
    fs::copy_file(log, folder.path() / "logs" / (name + ".txt"));
  }
  folder.write("sweep.json", portable(manifest_).dump(1) + "\n");
  folder.write("sweep.csv", csv);
  folder.commit();
}

}  // namespace harmonia::testbench
