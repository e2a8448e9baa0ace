#include "harmonia/testbench/random/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/random/benches.h"

namespace harmonia::testbench {

const std::vector<RandomBench>& random_benches() {
  static const std::vector<RandomBench> benches = {
      {"converter",
       "FP16-to-BFP converter, RTL beside its model",
       {"bfp8", "bfp4", "merge"},
       false,
       true,
       random_converter},
      {"decoder",
       "K-means LUT decoder, RTL beside its model",
       {"n1", "n2", "n4", "int4", "int4z"},
       false,
       true,
       random_decoder},
      {"pe",
       "processing element, RTL beside its model",
       {"M8W4", "M8M4", "M8M8", "M8L5", "M8L8", "M8B1"},
       false,
       true,
       random_pe},
      {"smoother", "outlier smoother, RTL beside its model", {}, false, true, random_smoother},
      {"channel",
       "DRAM channel behind random stalls, against what was written",
       {"read", "write"},
       true,
       false,
       random_channel},
      {"machine",
       "small functional machine with a random mix of requests and stalls, against the golden model",
       {"kmeans1", "kmeans2", "kmeans4", "int4"},
       true,
       false,
       random_machine},
  };
  return benches;
}

bool random_benches_have_rtl() {
#ifdef HARMONIA_HAS_RTL
  return true;
#else
  return false;
#endif
}

RandomOutcome run_random(const RandomBench& bench, const stimulus::Stimulus& stimulus, std::uint64_t seed) {
  if (bench.rtl && !random_benches_have_rtl())
    throw config::InputError(
        fmt::format("{} needs RTL, which this program was built without (no Verilator)", bench.name));
  for (const stimulus::Mode& m : stimulus.modes)
    if (std::find(bench.modes.begin(), bench.modes.end(), m.name) == bench.modes.end())
      throw config::InputError(fmt::format("modes: '{}' is no mode of {}{}", config::printable(m.name), bench.name,
                                           config::nearest_hint(m.name, bench.modes, "mode")));
  RandomOutcome outcome = bench.run(stimulus, seed);
  outcome.signature = outcome.passed ? "" : std::string(bench.name) + ": " + signature_of(outcome.message);
  return outcome;
}

std::string signature_of(const std::string& message) {
  std::string text = message.substr(0, message.find('\n'));
  text = std::regex_replace(text, std::regex("\\b(0x)?[0-9][0-9a-fA-F]*(\\.[0-9]+)?\\b"), "N");
  return std::regex_replace(text, std::regex("N( N)+"), "N");
}

std::size_t drawn_mode(stimulus::Random& random, const stimulus::Stimulus& s, const std::vector<std::string>& names) {
  if (s.modes.empty()) return stimulus::draw_below(random, names.size());
  std::vector<int> weights;
  for (const stimulus::Mode& m : s.modes) weights.push_back(m.weight);
  const std::string& name = s.modes[stimulus::draw_weighted(random, weights)].name;
  return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
}

#ifndef HARMONIA_HAS_RTL
namespace {
RandomOutcome without_rtl() { throw config::InputError("this program was built without RTL"); }
}  // namespace
RandomOutcome random_converter(const stimulus::Stimulus&, std::uint64_t) { return without_rtl(); }
RandomOutcome random_decoder(const stimulus::Stimulus&, std::uint64_t) { return without_rtl(); }
RandomOutcome random_pe(const stimulus::Stimulus&, std::uint64_t) { return without_rtl(); }
RandomOutcome random_smoother(const stimulus::Stimulus&, std::uint64_t) { return without_rtl(); }
#endif

}  // namespace harmonia::testbench
