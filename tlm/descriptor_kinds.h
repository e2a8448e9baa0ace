// Descriptors of several kinds: a variant with one struct for each kind, and what blocks ask of it. No SystemC.
#pragma once

#include <type_traits>
#include <variant>

namespace harmonia::bus {

/// One function object of several, for std::visit.
template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

/// What kinds that are derived from `Base` share; null when the kind at hand is none of them.
template <class Base, class... Kinds>
const Base* as(const std::variant<Kinds...>& kind) {
  return std::visit(
      [](const auto& k) -> const Base* {
        if constexpr (std::is_base_of_v<Base, std::decay_t<decltype(k)>>)
          return &k;
        else
          return nullptr;
      },
      kind);
}

}  // namespace harmonia::bus
