// Where the tokens of a mixture of experts go, as a scenario says it.
// Models: a distribution over the experts, or a routing trace. Does not model: routing by values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/hw/program/routing.h"

namespace harmonia::testbench {

enum class RoutingKind : std::uint8_t { uniform, zipf, trace };

struct RoutingConfig {
  RoutingKind distribution = RoutingKind::uniform;
  double exponent = 1.0;
  std::string trace;
  /// What the trace holds, [token][mixture layer][expert of the token]; read with the scenario.
  std::vector<std::uint32_t> traced;

  void describe(config::Fields& f);
};

/// Reads a routing trace: a line of numbers, separated by commas, for each token and mixture layer, the layers of a token one
/// after the other; a line that begins with # is a remark. Throws config::InputError with line and column where it does not
/// have the model's shape.
std::vector<std::uint32_t> read_routing_trace(const std::string& file, const accelerator::ModelShape& shape);

/// The routing of a scenario; null for a dense model. slots: sequences in flight.
std::shared_ptr<const accelerator::Routing> make_routing(const RoutingConfig& config,
                                                         const accelerator::ModelShape& shape, std::uint64_t slots,
                                                         std::uint64_t seed);

}  // namespace harmonia::testbench
