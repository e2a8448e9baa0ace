#include "harmonia/hw/vector/vector_unit.h"

namespace harmonia::vector {
namespace {

std::uint64_t on_lanes(const Config& config, std::uint64_t passes) {
  const auto lanes = static_cast<std::uint64_t>(config.lanes);
  return (passes + lanes - 1) / lanes;
}

std::uint64_t rows_of(const Rows& kind) { return kind.rows; }
std::uint64_t rows_of(const Setup& /*kind*/) { return 0; }
std::uint64_t rows_of(const Marker& /*kind*/) { return 0; }

}  // namespace

std::uint64_t results(const Kind& kind) {
  return std::visit([](const auto& k) { return k.results(); }, kind);
}

std::uint64_t operand_bytes(const Kind& kind) {
  return std::visit([](const auto& k) { return k.operand_bytes(); }, kind);
}

std::uint64_t own_elements(const Kind& kind) {
  return std::visit([](const auto& k) { return k.results() == 0 ? k.elements() : 0; }, kind);
}

std::uint64_t arriving_cycles(const Config& config, const Kind& kind, std::uint64_t elements) {
  return std::visit([&](const auto& k) { return on_lanes(config, elements * k.cost(config).arriving); }, kind);
}

std::uint64_t final_cycles(const Config& config, const Kind& kind) {
  return std::visit(
      [&](const auto& k) {
        const Cost c = k.cost(config);
        return on_lanes(config,
                        k.elements() * (c.afterwards + (k.results() == 0 ? c.arriving : 0)) + rows_of(k) * c.of_row);
      },
      kind);
}

}  // namespace harmonia::vector
