#include "harmonia/tlm/records/transaction_sink.h"

namespace harmonia::records {

Key Schema::key(std::string_view text) {
  const auto [entry, is_new] = keys_.try_emplace(std::string(text), static_cast<Key>(texts_.size()));
  if (is_new) texts_.emplace_back(text);
  return entry->second;
}

Fiber Schema::fiber(std::string_view name, std::string_view kind) {
  fibers_.push_back({key(name), key(kind)});
  return static_cast<Fiber>(fibers_.size() - 1);
}

Generator Schema::generator(Fiber of, std::string_view name) {
  generators_.push_back({key(name), of});
  return static_cast<Generator>(generators_.size() - 1);
}

}  // namespace harmonia::records
