// `harmonia check FILE...`: what kind of file is it, and is it usable?
#include "harmonia/testbench/commands/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/config/node.h"
#include "harmonia/config/yaml.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/hw/kv_cache/head.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/dram/address_trace.h"
#include "harmonia/testbench/dram/channel_file.h"
#include "harmonia/testbench/dram/foreign_file.h"
#include "harmonia/testbench/files/line_reader.h"
#include "harmonia/testbench/models/model_config.h"
#include "harmonia/testbench/replay/request_trace.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/runs/replay.h"
#include "harmonia/testbench/scenario/scenario.h"
#include "harmonia/testbench/study/study.h"
#include "harmonia/testbench/sweep/sweep.h"

namespace harmonia::testbench {
namespace {

std::string with_notices(std::string text, const std::vector<std::string>& notices) {
  for (const std::string& n : notices) text += "\n  note: " + n;
  return text;
}

std::string check_scenario(const std::string& file, const Library& library) {
  const LoadedScenario loaded = load_scenario(file, {}, library);
  std::vector<std::string> notices = loaded.notices;
  if (!loaded.trace_file.empty()) {
    const RequestTrace trace = read_request_trace(loaded.trace_file, loaded.scenario.workload.limit);
    for (std::string notice : {trace.notice(), check_trace_contexts(loaded.scenario.model, trace.file, trace.requests)})
      if (!notice.empty()) notices.push_back(std::move(notice));
  }
  return with_notices("a scenario: " + loaded.scenario.model.name + " on " + loaded.scenario.accelerator.name, notices);
}

/// What a token behind so many others reads of a KV cache in FP16.
std::uint64_t kv_bytes(const accelerator::ModelShape& m, std::uint64_t context) {
  const accelerator::KvHead head({accelerator::KvFormat::kFp16}, m.head_dim);
  std::uint64_t bytes = 0;
  for (int l = 0; l < m.num_hidden_layers; ++l)
    bytes += static_cast<std::uint64_t>(m.cached_heads(l)) * head.live_bytes(context, m.window_of(l));
  return bytes;
}

std::string check_model(const std::string& file, const Library& library) {
  constexpr std::uint64_t context = 8192;
  std::vector<std::string> notices;
  const accelerator::ModelShape m = load_model(file, library, &notices);
  return with_notices(
      fmt::format("a model: {}, {} parameters ({}), an FP16 KV cache of {} tokens takes {} bytes", m.name,
                  si(static_cast<double>(m.parameters()), ""), m.parameters(), context, kv_bytes(m, context)),
      notices);
}

std::string check_sweep(const std::string& file, const Library& library) {
  const Sweep sweep = load_sweep(file, {}, library);
  for (const SweepPoint& p : sweep.points)
    if (!p.failure.empty()) throw config::InputError({file}, "the point " + label_of(p.settings) + ": " + p.failure);
  return fmt::format("a sweep: {} points over {} keys", sweep.points.size(), sweep.keys.size());
}

std::string check_accelerator(const std::string& file, const Library& library) {
  const accelerator::AcceleratorConfig a = load_accelerator(file, library);
  return "an accelerator: " + a.name;
}

std::string check_request_trace(const std::string& file) {
  const RequestTrace t = read_request_trace(file);
  char text[160];
  std::snprintf(text, sizeof text, ", %zu requests in %.1f s, %lld prompt and %lld output tokens", t.requests.size(),
                t.seconds(), static_cast<long long>(t.prompt_tokens()), static_cast<long long>(t.output_tokens()));
  const std::string notice = t.notice();
  return with_notices(std::string("a request trace: ") + name_of(t.format) + text,
                      notice.empty() ? std::vector<std::string>{} : std::vector<std::string>{notice});
}

std::string check_address_trace(const std::string& file) {
  AddressTraceOptions options;
  options.any_channel = true;
  AddressTrace trace(file, dram::presets().front(), options);
  for (TrafficRequest r; trace.next(r);) {
  }
  std::string text = fmt::format("an address trace: {}, {} requests, {} of them writes", name_of(trace.format()),
                                 trace.requests(), trace.writes());
  if (trace.has_cycles()) text += fmt::format(", up to cycle {}", trace.last_cycle());
  return text;
}

std::string check_study(const std::string& file, const Library& library) {
  const Study study = read_study(file, {}, library);
  return fmt::format("a study: {:.0f} points over {} parameters, {} objectives", study.points(),
                     study.parameters.size(), study.objectives.size());
}

std::string check_channel(const std::string& file, const Library&) {
  const dram::ReadConfig read = load_channel(file);
  const dram::Config& c = read.config;
  std::vector<std::string> notes;
  for (const std::string& w : read.warnings) notes.push_back("warning: " + w);
  return with_notices(fmt::format("a DRAM channel: {}, {}, {}, {} assumed inputs", c.name, c.standard->name,
                                  si(c.peak_GBs() * 1e9, "B/s"), read.assumptions.size()),
                      notes);
}

template <class T>
std::vector<std::string> keys_of() {
  T value;
  config::Fields fields;
  value.describe(fields);
  return fields.keys();
}

// A bare name would be looked up among the built-ins; what is checked is this file.
std::string as_path(const std::string& file) {
  const std::string extension = std::filesystem::path(file).extension().string();
  const bool bare =
      file.find('/') == std::string::npos && extension != ".yaml" && extension != ".yml" && extension != ".json";
  return bare ? "./" + file : file;
}

// YAML and JSON files are told apart by which kind knows most of their keys.
std::string check_document(const std::string& file, const Library& library) {
  const config::Node node = config::read_yaml(file);
  refuse_foreign(file, node);
  if (is_model_config(node)) return check_model(as_path(file), library);
  struct Kind {
    std::vector<std::string> keys;
    std::string (*check)(const std::string&, const Library&);
  };
  std::vector<std::string> scenario_keys = keys_of<Scenario>();
  scenario_keys.push_back("dram");
  const Kind kinds[] = {{scenario_keys, check_scenario},
                        {keys_of<accelerator::ModelShape>(), check_model},
                        {keys_of<accelerator::AcceleratorConfig>(), check_accelerator},
                        {channel_file_keys(), check_channel},
                        {{"scenario", "set", "points", "grid"}, check_sweep},
                        {{"scenario", "set", "parameters", "constraints", "objectives", "search"}, check_study}};
  // A file may hold several DRAM channels, each under its name.
  if (!node.members.empty() && std::all_of(node.members.begin(), node.members.end(), [&](const config::Member& m) {
        return m.value.is_map() && (m.value.find("tCK_ps") || m.value.find("base"));
      })) {
    std::string text = fmt::format("{} DRAM channels", node.members.size());
    for (const config::Member& m : node.members)
      text += "\n  " + m.key + ": " + check_channel(as_path(file) + ':' + m.key, library);
    return text;
  }
  const Kind* best = nullptr;
  long best_known = 0;
  for (const Kind& kind : kinds) {
    const long known = std::count_if(node.members.begin(), node.members.end(), [&](const config::Member& m) {
      return m.key != "name" && m.key != "description" &&
             std::find(kind.keys.begin(), kind.keys.end(), m.key) != kind.keys.end();
    });
    if (known > best_known) {
      best = &kind;
      best_known = known;
    }
  }
  if (!best)
    throw config::InputError(
        node.where,
        "no key of a scenario, model, accelerator, DRAM channel, sweep or study, expected one of these "
        "files (`harmonia list keys`)");
  return best->check(as_path(file), library);
}

int run_check(const std::vector<std::string>& arguments) {
  CommonOptions common;
  std::vector<std::string> files;
  Arguments a(kCheckCommand);
  a.folders(common).positionals("FILE", files,
                                "scenarios, models (config.json too), accelerators, DRAM channels, sweeps, studies, "
                                "request traces, address traces",
                                true);
  if (!a.parse(arguments)) return 0;
  const Library library(common.workloads, common.data, common.allow_unknown);
  bool all_fine = true;
  for (const std::string& file : files) {
    try {
      const std::string what = check_file(file, library);
      std::cout << file << ": " << what << std::endl;
    } catch (const config::InputError& e) {
      std::cerr << e.what() << std::endl;
      all_fine = false;
    }
  }
  return all_fine ? 0 : 2;
}

}  // namespace

std::string check_file(const std::string& file, const Library& library) {
  std::string first;
  {
    LineReader lines(file);
    // Comments begin alike in YAML and in traces.
    const auto says_nothing = [&] {
      const std::size_t at = first.find_first_not_of(" \t");
      return at == std::string::npos || first[at] == '#';
    };
    while (lines.next(first) && says_nothing()) {
    }
  }
  const auto ends_with = [&](const std::string& end) {
    return file.size() > end.size() && file.compare(file.size() - end.size(), end.size(), end) == 0;
  };
  for (const LineFileKind& kind : line_file_kinds())
    if (kind.recognises(first)) return kind.check(file);
  refuse_foreign(file, first);
  for (const char* end : {".csv", ".csv.gz", ".jsonl", ".jsonl.gz"})
    if (ends_with(end)) return check_request_trace(file);
  return check_document(file, library);
}

const std::vector<LineFileKind>& line_file_kinds() {
  static const std::vector<LineFileKind> kinds = {
      {is_request_trace_line, check_request_trace},
      {is_address_trace_line, check_address_trace},
  };
  return kinds;
}

const Command kCheckCommand = {"check", "FILE...",
                               "Tell of each file what it is and whether it can be used, or what is wrong where",
                               run_check, "harmonia check scenario.yaml"};

}  // namespace harmonia::testbench
