// `harmonia list KIND`: what is built in, and every configuration key.
#include <fmt/format.h>

#include <cstdio>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/config/node.h"
#include "harmonia/config/yaml.h"
#include "harmonia/hw/dram/document.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/hw/formats/format_registry.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/results/metrics.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {
namespace {

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

void print_table(const std::vector<std::vector<std::string>>& rows) { std::cout << table(rows); }

void list_models(const Library& library) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "parameters", "layers", "hidden", "heads", "kv heads", "ffn", "vocabulary", "lm_head"}};
  for (const std::string& name : library.names(BuiltIn::kModel)) {
    const accelerator::ModelShape m = load_model(name, library);
    const double billions = static_cast<double>(m.parameters()) / 1e9;
    rows.push_back({name, billions < 0.1 ? fixed(billions * 1000, 2) + " M" : fixed(billions, 2) + " G",
                    std::to_string(m.num_hidden_layers), std::to_string(m.hidden_size),
                    std::to_string(m.num_attention_heads), std::to_string(m.num_key_value_heads),
                    std::to_string(m.intermediate_size), std::to_string(m.vocab_size),
                    m.tie_word_embeddings ? "tied" : "own"});
  }
  print_table(rows);
}

void list_accelerators(const Library& library) {
  std::vector<std::vector<std::string>> rows = {{"accelerator", "peak TMAC/s", "DRAM", "description"}};
  for (const std::string& name : library.names(BuiltIn::kAccelerator)) {
    const accelerator::AcceleratorConfig a = load_accelerator(name, library);
    rows.push_back({name, fixed(a.peak_macs_per_second() / 1e12, 2),
                    fmt::format("{} x {}", a.dram.channels, a.dram.preset), a.description});
  }
  print_table(rows);
}

void list_drams() {
  std::vector<std::vector<std::string>> rows = {
      {"dram", "standard", "peak GB/s", "burst bytes", "banks", "GiB", "mapping", "organisation"}};
  for (const dram::Config& c : dram::presets())
    rows.push_back({c.name, c.standard->name, fixed(c.peak_GBs(), 1), std::to_string(c.burst_bytes()),
                    std::to_string(c.units() * c.banks_per_unit()),
                    fixed(static_cast<double>(c.capacity_bytes()) / (1 << 30), 1), c.mapping.name, c.description});
  print_table(rows);
  std::cout << "\nsource of each, and what is assumed\n";
  for (const dram::Config& c : dram::presets()) {
    // The configurations that other simulators were measured on are the presets above under another mapping.
    if (c.name.find('.') != std::string::npos) continue;
    std::cout << "  " << c.name << ": " << c.source << "\n      assumed:";
    for (const std::string& key : c.assumed) std::cout << ' ' << key;
    std::cout << '\n';
  }
}

void list_links(const Library& library) {
  std::vector<std::vector<std::string>> rows = {
      {"link", "GB/s each way", "latency ns", "data of a packet", "collective us", "pJ/bit", "description"}};
  for (const std::string& name : library.names(BuiltIn::kLink)) {
    const link::Config l = load_link(name, {}, library);
    rows.push_back({name, fixed(l.bandwidth_gb_per_s, 1), fixed(l.latency_ns, 0),
                    fmt::format("{} of {} B", l.payload_bytes, l.payload_bytes + l.header_bytes),
                    fixed(l.collective_us, 1), fixed(l.pj_per_bit, 1), l.description});
  }
  print_table(rows);
}

void list_scenarios(const Library& library) {
  std::vector<std::vector<std::string>> rows = {{"scenario", "description"}};
  for (const std::string& name : library.names(BuiltIn::kScenario)) {
    const config::Node node = config::read_yaml(library.find(BuiltIn::kScenario, name, {}).string());
    const config::Node* description = node.find("description");
    rows.push_back({name, description ? description->text : ""});
  }
  print_table(rows);
}

void list_formats() {
  std::vector<std::vector<std::string>> rows = {{"format", "bits per value with scales and exponents", "meaning"}};
  for (const formats::StorageFormatInfo& f : formats::storage_formats())
    rows.push_back({f.name, fixed(f.bits_per_value, 3), f.summary});
  print_table(rows);
  std::cout << '\n';
  print_table({{"kv", "bits per value with exponents", "meaning"},
               {"fp16", fixed(16, 3), "16-bit keys and values"},
               {"int8", fixed(8.125, 3), "integers, FP16 scale per 128"},
               {"bfp8", fixed(8.0 + 1 + 8.0 / 32, 3), "8-bit mantissa, sign, exponent per 32"},
               {"bfp4", fixed(4.0 + 1 + 8.0 / 32, 3), "4-bit mantissa, sign, exponent per 32"},
               {"bfp4+windows", "5.250 to 9.250", "bfp4, with 8-bit mantissas for the first and the newest tokens"}});
  std::cout << '\n';
  print_table({{"activations", "bits per value", "meaning"},
               {"fp16", fixed(16, 3), "for a 16-bit PE"},
               {"bfp8", fixed(8.0 + 1 + 8.0 / 32, 3), "8-bit mantissa, sign, exponent per 32"}});
}

void list_keys() {
  Scenario scenario;
  config::Fields fields;
  scenario.describe(fields);
  std::cout << fields.markdown();

  dram::ChannelKeys channel;
  channel.config = dram::find_preset(scenario.accelerator.dram.preset);
  config::Fields of_channel;
  channel.describe(of_channel);
  std::cout << "\n### Keys of a DRAM channel\n\n"
               "Of `accelerator.dram.channel`, of a DRAM file and of `harmonia dram --set`. Defaults are those of the "
               "preset: here "
            << channel.config.name << ".\n\n"
            << of_channel.markdown("accelerator.dram.channel");
}

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> names = {"models",    "accelerators", "drams", "links",
                                                 "scenarios", "formats",      "keys",  "figures"};
  return names;
}

[[noreturn]] void refuse_kind(const std::string& what) {
  throw config::InputError({"command line", 0, 0}, "unknown kind '" + config::printable(what) + "'" +
                                                       config::nearest_hint(what, kinds(), "kind"));
}

/// For scripts and shell completion.
void list_names(const std::string& what, const Library& library) {
  static const std::pair<const char*, BuiltIn> files[] = {{"models", BuiltIn::kModel},
                                                          {"accelerators", BuiltIn::kAccelerator},
                                                          {"links", BuiltIn::kLink},
                                                          {"scenarios", BuiltIn::kScenario}};
  for (const auto& [kind, built_in] : files) {
    if (what != kind) continue;
    for (const std::string& name : library.names(built_in)) std::cout << name << '\n';
    return;
  }
  if (what == "drams") {
    for (const dram::Config& c : dram::presets()) std::cout << c.name << '\n';
  } else if (what == "formats") {
    for (const formats::StorageFormatInfo& f : formats::storage_formats()) std::cout << f.name << '\n';
  } else if (what == "keys") {
    // Each row of the table of keys begins with the whole path of one.
    Scenario scenario;
    config::Fields fields;
    scenario.describe(fields);
    std::istringstream rows(fields.markdown());
    for (std::string row; std::getline(rows, row);)
      if (row.compare(0, 3, "| `") == 0) std::cout << row.substr(3, row.find('`', 3) - 3) << '\n';
  } else if (what == "figures") {
    throw config::InputError({"command line", 0, 0},
                             "--names is of no figures, expected `harmonia list figures --json`");
  } else {
    refuse_kind(what);
  }
}

int run_list(const std::vector<std::string>& arguments) {
  CommonOptions common;
  std::string what;
  Arguments a(kListCommand);
  a.folders(common).positional("KIND", what,
                               "models, accelerators, drams, links, scenarios, formats, keys (every configuration key) "
                               "or figures (every figure of a "
                               "result); the last two as Markdown tables",
                               true);
  a.choices(kinds());
  bool json = false, names = false;
  a.flag("names", names, "print names only, one per line");
  a.flag("json", json, "print figures as JSON");
  if (!a.parse(arguments)) return 0;
  const Library library(common.workloads, common.data, common.allow_unknown);
  if (names) {
    list_names(what, library);
  } else if (what == "models") {
    list_models(library);
  } else if (what == "accelerators") {
    list_accelerators(library);
  } else if (what == "drams") {
    list_drams();
  } else if (what == "links") {
    list_links(library);
  } else if (what == "scenarios") {
    list_scenarios(library);
  } else if (what == "formats") {
    list_formats();
  } else if (what == "keys") {
    list_keys();
  } else if (what == "figures") {
    std::cout << (json ? all_json() : all_markdown());
  } else {
    refuse_kind(what);
  }
  return 0;
}

}  // namespace

const Command kListCommand = {"list", "models|accelerators|drams|links|scenarios|formats|keys|figures",
                              "List what is built in, every configuration key or every figure of a result", run_list,
                              "harmonia list models"};

}  // namespace harmonia::testbench
