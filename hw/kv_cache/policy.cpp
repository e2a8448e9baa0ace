#include "harmonia/hw/kv_cache/policy.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace harmonia::accelerator {
namespace {

struct Name {
  KvFormat format;
  const char* name;
};
constexpr Name names[] = {{KvFormat::kFp16, "fp16"},
                          {KvFormat::kInt8, "int8"},
                          {KvFormat::kBfp8, "bfp8"},
                          {KvFormat::kBfp4, "bfp4"},
                          {KvFormat::kBfp4Windows, "bfp4+windows"}};

/// Splits `units` where the initial window ends and where the local one begins.
WideUnits split(UnitRange units, std::uint64_t initial_end, std::uint64_t local_begin) {
  const std::uint64_t end = std::clamp(initial_end, units.from, units.to);
  return {{units.from, end}, {std::clamp(local_begin, end, units.to), units.to}};
}

}  // namespace

const char* name(KvFormat format) noexcept {
  for (const Name& n : names)
    if (n.format == format) return n.name;
  return "?";
}

KvFormat kv_format(std::string_view name) {
  std::string known;
  for (const Name& n : names) {
    if (name == n.name) return n.format;
    known += known.empty() ? n.name : std::string(", ") + n.name;
  }
  throw std::invalid_argument("unknown KV format '" + std::string(name) + "', expected one of " + known);
}

bool KvPolicy::wide_key(std::uint64_t token, std::uint64_t context) const {
  if (format == KvFormat::kBfp8) return true;
  if (format != KvFormat::kBfp4Windows) return false;
  return token < static_cast<std::uint64_t>(n_initial) || token + static_cast<std::uint64_t>(n_local) >= context;
}

bool KvPolicy::wide_group(std::uint64_t group, std::uint64_t context) const {
  if (!grouped()) return false;
  const std::uint64_t first = group * kv_group, last = first + kv_group - 1;
  return last >= context || wide_key(first, context) || wide_key(last, context);
}

/// First token of the local window.
std::uint64_t KvPolicy::local_begin(std::uint64_t context) const {
  return context - std::min(context, static_cast<std::uint64_t>(n_local));
}

WideUnits KvPolicy::wide_keys(UnitRange tokens, std::uint64_t context) const {
  if (format == KvFormat::kBfp8) return split(tokens, tokens.to, tokens.to);
  if (format != KvFormat::kBfp4Windows) return split(tokens, 0, tokens.to);
  return split(tokens, static_cast<std::uint64_t>(n_initial), local_begin(context));
}

WideUnits KvPolicy::wide_groups(UnitRange groups, std::uint64_t context, std::uint64_t present) const {
  if (format == KvFormat::kBfp8) return split(groups, groups.to, groups.to);
  const std::uint64_t growing = present / kv_group;
  if (format == KvFormat::kBfp4) return split(groups, 0, growing);
  if (format != KvFormat::kBfp4Windows) return split(groups, 0, groups.to);
  // A group that holds the local window's first token ends within the window.
  return split(groups, kv_groups(static_cast<std::uint64_t>(n_initial)),
               std::min(local_begin(context) / kv_group, growing));
}

}  // namespace harmonia::accelerator
