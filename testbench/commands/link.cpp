// `harmonia link`: time and bytes of a collective between devices over a bare link.
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/link/network.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {
namespace {

constexpr const char* kFastest = "fastest";

[[noreturn]] void fail(const std::string& message) { throw config::InputError({"command line", 0, 0}, message); }

template <class E>
E named(const char* option, const config::NameTable<E>& names, const std::string& given) {
  std::vector<std::string> known;
  for (const auto& [name, value] : names) {
    if (name == given) return value;
    known.push_back(name);
  }
  fail(fmt::format("--{} is '{}'{}", option, config::printable(given), config::nearest_hint(given, known, option)));
}

struct Options {
  CommonOptions common;
  std::string link, collective = "all_reduce", algorithm = kFastest, topology = "switch", reduction = "fp16";
  std::vector<std::string> set;
  std::int64_t devices = 2, bytes = 0;
  bool json = false;
};

bool parse(const std::vector<std::string>& arguments, Options& o) {
  Arguments a(kLinkCommand);
  a.positional("LINK", o.link, "built-in name (`harmonia list links`) or file", true)
      .integer("devices", o.devices, 2, 1024, "N", "devices that take part (2)")
      .integer("bytes", o.bytes, 1, std::int64_t{1} << 40, "B", "size of the vector that is reduced, gathered or sent")
      .text("collective", o.collective, "KIND", "all_reduce (default), reduce_scatter, all_gather or send_receive")
      .text("algorithm", o.algorithm, "NAME", "ring, direct, direct_two_step, tree, or the fastest of them (default)")
      .text("topology", o.topology, "NAME", "switch (default), full, ring or shared")
      .text("reduction", o.reduction, "FORMAT", "values on the wires and sums: fp16 (default) or fp32")
      .texts("set", o.set, "KEY=VALUE", "replace one key of the link; later ones win")
      .flag("json", o.json, "print JSON instead of a table")
      .folders(o.common);
  if (!a.parse(arguments)) return false;
  if (o.bytes == 0) fail("--bytes is missing, expected the size of the vector");
  return true;
}

link::Request request_of(const Options& o, const link::Config& config) {
  link::Request r;
  r.collective = named("collective", link::collective_names(), o.collective);
  r.topology = named("topology", link::topology_names(), o.topology);
  r.reduction = named("reduction", link::reduction_names(), o.reduction);
  r.devices = static_cast<unsigned>(o.devices);
  const unsigned width = link::element_bytes(r.reduction);
  if (o.bytes % width != 0) fail(fmt::format("--bytes is {}, expected a multiple of {}, whole values", o.bytes, width));
  r.elements = static_cast<std::uint64_t>(o.bytes) / width;
  if (config.message_bytes < width)
    throw config::InputError(
        fmt::format("message_bytes is {}, expected room for one value of {} bytes", config.message_bytes, width));
  if (o.algorithm != kFastest) {
    r.algorithm = named("algorithm", link::algorithm_names(), o.algorithm);
  } else if (r.collective == link::Collective::all_reduce) {
    r.algorithm = link::fastest(config, r);
  } else {
    const bool neighbours = r.topology == link::Topology::ring || r.topology == link::Topology::shared;
    const bool ring = neighbours && r.collective != link::Collective::send_receive;
    r.algorithm = ring ? link::Algorithm::ring : link::Algorithm::direct;
  }
  const std::string why = link::refusal(r.collective, r.algorithm, r.topology, r.devices);
  if (!why.empty()) fail(why);
  return r;
}

int run_link(const std::vector<std::string>& arguments) {
  Options o;
  if (!parse(arguments, o)) return 0;
  const Library library(o.common.workloads, o.common.data, o.common.allow_unknown);
  const link::Config config = load_link(o.link, o.set, library);
  const link::Request request = request_of(o, config);
  const link::Cost cost = link::cost_of(config, request);
  const double seconds = 1e-12 * static_cast<double>(cost.time), devices = request.devices;
  const double payload = static_cast<double>(cost.payload_bytes) / devices;
  const double wire = static_cast<double>(cost.wire_bytes) / devices;
  const double formula = link::elements_sent(request.collective, request.algorithm, request.devices, request.elements) *
                         link::element_bytes(request.reduction);
  if (std::abs(payload - formula) > 1e-6 * formula + 1)
    throw std::runtime_error(
        fmt::format("a device sent {} bytes, by the formula of the algorithm they are {}", payload, formula));
  const double joules = 8e-12 * config.pj_per_bit * static_cast<double>(cost.wire_bytes);
  const std::string algorithm = config::name_of(link::algorithm_names(), request.algorithm);
  if (o.json) {
    const nlohmann::ordered_json document = {{"link", config.name},
                                             {"collective", o.collective},
                                             {"algorithm", algorithm},
                                             {"topology", o.topology},
                                             {"devices", request.devices},
                                             {"bytes", o.bytes},
                                             {"simulated_s", seconds},
                                             {"sent_bytes_per_device", payload},
                                             {"wire_bytes_per_device", wire},
                                             {"raw_bytes_per_s", 1e9 * config.bandwidth_gb_per_s},
                                             {"energy_j", joules}};
    std::cout << document.dump(2) << '\n';
    return 0;
  }
  std::cout << table(
      {{"collective", "algorithm", "devices", "vector", "time", "sent per device", "on the wires", "rate per device",
        "energy"},
       {o.collective, algorithm, std::to_string(request.devices), si(static_cast<double>(o.bytes), "B"),
        si(seconds, "s", 4), si(payload, "B"), si(wire, "B"), si(payload / seconds, "B/s"), si(joules, "J")}});
  return 0;
}

}  // namespace

const Command kLinkCommand = {"link", "LINK --devices N --bytes B [--collective KIND] [--algorithm NAME]",
                              "Print the time and the traffic of a collective operation between devices over a link",
                              run_link, "harmonia link nvlink4 --devices 8 --bytes 1048576"};

}  // namespace harmonia::testbench
