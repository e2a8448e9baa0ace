#include "harmonia/hw/vector/vector_unit.h"

namespace harmonia::vector {

const char* name_of(Kind kind) {
  static constexpr const char* names[] = {"setup",        "embed",    "norm",    "rope_query",
                                          "rope_key",     "value",    "softmax", "attention_out",
                                          "residual_add", "silu_mul", "logits",  "marker"};
  return names[static_cast<int>(kind)];
}

Cost cost(const Config& config, Kind kind) {
  const auto exp = static_cast<std::uint64_t>(config.exp_cycles_per_element);
  switch (kind) {
    case Kind::norm:
      return {0, 2};
    case Kind::rope_query:
    case Kind::rope_key:
      return {2, 0};
    case Kind::softmax:
      return {1, exp + 1};
    case Kind::silu_mul:
      return {exp, 1};
    case Kind::setup:
    case Kind::marker:
      return {0, 0};
    default:
      return {1, 0};
  }
}

}  // namespace harmonia::vector
