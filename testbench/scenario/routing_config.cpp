#include "harmonia/testbench/scenario/routing_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "harmonia/testbench/files/line_reader.h"

namespace harmonia::testbench {

using config::InputError;

void RoutingConfig::describe(config::Fields& f) {
  f.add("distribution", distribution,
        {{"uniform", RoutingKind::uniform}, {"zipf", RoutingKind::zipf}, {"trace", RoutingKind::trace}})
      .says("of a model with mixtures of experts: how the experts of each token are chosen, by the scenario's seed")
      .assumed("tokens of a trained model favour experts, by how much depends on model and text");
  f.add("exponent", exponent).range(0, 16).says("of zipf: expert e, from 0, is drawn with weight (e + 1)^-exponent");
  f.add("trace", trace).says("of trace: file with the experts of each token in each mixture layer");
  f.check("trace", [this] {
    if ((distribution == RoutingKind::trace) == !trace.empty()) return std::string();
    return std::string(trace.empty() ? "is empty, expected a file for distribution: trace"
                                     : "is given, expected distribution: trace beside it");
  });
}

namespace {

/// Numbers of experts of one line, which must be as many as a token has, all different.
void read_line(const LineReader& reader, const std::string& line, const accelerator::Mixture& mixture,
               std::vector<std::uint32_t>& experts) {
  const std::size_t first = experts.size(), wanted = static_cast<std::size_t>(mixture.experts_per_token);
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(',', begin), line.size());
    std::uint32_t expert = 0;
    const auto [stop, error] = std::from_chars(line.data() + begin, line.data() + end, expert);
    const int column = static_cast<int>(begin) + 1;
    if (error != std::errc() || stop != line.data() + end || expert >= static_cast<std::uint32_t>(mixture.experts))
      throw InputError(reader.here(column), "found '" + config::printable(line.substr(begin, end - begin)) +
                                                fmt::format("', expected an expert from 0 to {}", mixture.experts - 1));
    if (experts.size() - first == wanted)
      throw InputError(reader.here(column), fmt::format("a further expert, expected the {} of a token", wanted));
    if (std::find(experts.begin() + static_cast<std::ptrdiff_t>(first), experts.end(), expert) != experts.end())
      throw InputError(reader.here(column), fmt::format("expert {} is there twice, expected different ones", expert));
    experts.push_back(expert);
    begin = end + 1;
  }
  if (experts.size() - first != wanted)
    throw InputError(reader.here(1),
                     fmt::format("found {} expert(s), expected the {} of a token", experts.size() - first, wanted));
}

}  // namespace

std::vector<std::uint32_t> read_routing_trace(const std::string& file, const accelerator::ModelShape& shape) {
  LineReader reader(file);
  std::vector<std::uint32_t> experts;
  std::uint64_t lines = 0;
  for (std::string line; reader.next(line);) {
    if (!line.empty() && line[0] == '#') continue;
    read_line(reader, line, shape.mixture, experts);
    ++lines;
  }
  const auto layers = static_cast<std::uint64_t>(shape.mixture_layers());
  if (lines == 0 || lines % layers != 0)
    throw InputError(reader.here(),
                     fmt::format("the routing trace has {} line(s), expected a multiple of the model's {} "
                                 "mixture layers",
                                 lines, layers));
  return experts;
}

std::shared_ptr<const accelerator::Routing> make_routing(const RoutingConfig& config,
                                                         const accelerator::ModelShape& shape, std::uint64_t slots,
                                                         std::uint64_t seed) {
  if (shape.mixture.experts == 0) return nullptr;
  if (config.distribution == RoutingKind::trace)
    return std::make_shared<accelerator::TracedRouting>(shape, config.traced, slots);
  const double exponent = config.distribution == RoutingKind::zipf ? config.exponent : 0.0;
  return std::make_shared<accelerator::DrawnRouting>(shape.mixture, exponent, seed);
}

}  // namespace harmonia::testbench
