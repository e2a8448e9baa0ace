// Which tokens and groups of the KV cache keep 8 bits: the specification's rule, and its closed forms held against it.
#include "harmonia/hw/kv_cache/policy.h"

#include <algorithm>
#include <set>

#include "harmonia/hw/formats/bfp.h"
#include "tests/support/catch.h"

namespace {

using namespace harmonia::accelerator;
using harmonia::formats::BfpFormat;
using harmonia::formats::Rounding;

/// The rule in the words of the specification, token by token.
bool token_keeps_8_bits(const KvPolicy& p, std::uint64_t token, std::uint64_t context) {
  if (p.format == KvFormat::kBfp8) return true;
  if (p.format != KvFormat::kBfp4Windows) return false;
  const bool initial = token < static_cast<std::uint64_t>(p.n_initial);
  const bool local = token + static_cast<std::uint64_t>(p.n_local) >= context;
  return initial || local;
}

bool group_keeps_8_bits(const KvPolicy& p, std::uint64_t group, std::uint64_t context, std::uint64_t present) {
  if (p.format == KvFormat::kFp16 || p.format == KvFormat::kInt8) return false;
  if (p.format == KvFormat::kBfp8) return true;
  if ((group + 1) * 32 > present) return true;  // it still grows
  for (std::uint64_t t = 32 * group; t < 32 * group + 32; ++t)
    if (token_keeps_8_bits(p, t, context)) return true;
  return false;
}

std::set<std::uint64_t> units_of(const WideUnits& wide) {
  std::set<std::uint64_t> all;
  for (std::uint64_t u = wide.initial.from; u < wide.initial.to; ++u) all.insert(u);
  for (std::uint64_t u = wide.local.from; u < wide.local.to; ++u) REQUIRE(all.insert(u).second);
  REQUIRE(all.size() == wide.count());
  return all;
}

KvPolicy any_policy() {
  KvPolicy p;
  p.format = GENERATE(KvFormat::kFp16, KvFormat::kInt8, KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows);
  if (p.format != KvFormat::kBfp4Windows) return p;
  p.n_initial = GENERATE(0, 1, 32, 40);
  p.n_local = GENERATE(0, 1, 31, 64);
  return p;
}

}  // namespace

TEST_CASE("KV policy: names and formats belong together, and an unknown name lists the known ones") {
  for (const KvFormat f : {KvFormat::kFp16, KvFormat::kInt8, KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows})
    REQUIRE(kv_format(name(f)) == f);
  REQUIRE_THROWS_WITH(kv_format("bfp6"), ContainsSubstring("'bfp6'") && ContainsSubstring("bfp4+windows"));
}

TEST_CASE("KV policy: 32 initial and 64 local tokens keep 8 bits, and the groups of 32 that they touch") {
  const KvPolicy policy;
  const std::uint64_t context = 1000;
  for (std::uint64_t t = 0; t < context; ++t) REQUIRE(policy.wide_key(t, context) == (t < 32 || t >= 936));
  // Local tokens 936 .. 999 touch groups 29 (928 .. 959) and 30, and group 31 (992 ..) still grows.
  for (std::uint64_t g = 0; g < 32; ++g) REQUIRE(policy.wide_group(g, context) == (g == 0 || g >= 29));
  REQUIRE(policy.wide_keys({0, context}, context).count() == 96);
  REQUIRE(policy.wide_groups({0, 32}, context).count() == 4);
  for (const std::uint64_t small : {1, 63, 96}) {
    REQUIRE(policy.wide_keys({0, small}, small).count() == small);
    REQUIRE(policy.wide_groups({0, kv_groups(small)}, small).count() == kv_groups(small));
  }
  REQUIRE(policy.wide_keys({0, 97}, 97).count() == 96);
}

TEST_CASE("KV policy: rules and closed forms are those of the specification at every context") {
  const KvPolicy policy = any_policy();
  for (std::uint64_t context = 1; context < 300; context += 3) {
    const std::uint64_t from = context / 3, to = context - context / 4;
    std::set<std::uint64_t> all, some;
    for (std::uint64_t t = 0; t < context; ++t) {
      REQUIRE(policy.wide_key(t, context) == token_keeps_8_bits(policy, t, context));
      if (!token_keeps_8_bits(policy, t, context)) continue;
      all.insert(t);
      if (t >= from && t < to) some.insert(t);
    }
    REQUIRE(units_of(policy.wide_keys({0, context}, context)) == all);
    REQUIRE(units_of(policy.wide_keys({from, to}, context)) == some);
    // While the step appends, only `to` tokens are present.
    all.clear();
    some.clear();
    for (std::uint64_t g = 0; g < kv_groups(context); ++g) {
      REQUIRE(policy.wide_group(g, context) == group_keeps_8_bits(policy, g, context, context));
      if (group_keeps_8_bits(policy, g, context, context)) all.insert(g);
      if (g >= from / 32 && g < kv_groups(to) && group_keeps_8_bits(policy, g, context, to)) some.insert(g);
    }
    REQUIRE(units_of(policy.wide_groups({0, kv_groups(context)}, context)) == all);
    REQUIRE(units_of(policy.wide_groups({from / 32, kv_groups(to)}, context, to)) == some);
  }
}

TEST_CASE(
    "KV policy: once a complete unit is narrow it stays narrow, so that demotion drops planes and never adds one") {
  const KvPolicy policy = any_policy();
  if (!policy.grouped()) return;
  for (std::uint64_t unit = 0; unit < 6; ++unit) {
    bool key = true, group = true;
    for (std::uint64_t context = 32 * unit + 32; context < 400; ++context) {
      REQUIRE((key || !policy.wide_key(unit, context)));
      REQUIRE((group || !policy.wide_group(unit, context)));
      key = policy.wide_key(unit, context);
      group = policy.wide_group(unit, context);
    }
  }
}

TEST_CASE("KV policy: 3.05 times less than FP16 at context 4096 with a 5-bit exponent") {
  // Number formats, section 1: K and V of one channel group of 32, or of 32 tokens of one channel.
  const KvPolicy policy;
  const std::uint64_t context = 4096, groups = context / 32;
  const auto ratio = [&](int exponent_bits) {
    const BfpFormat wide{32, 8, Rounding::kTruncate, exponent_bits}, narrow{32, 4, Rounding::kTruncate, exponent_bits};
    const std::uint64_t keys = policy.wide_keys({0, context}, context).count(),
                        values = policy.wide_groups({0, groups}, context).count();
    // Per 32 channels: `context` groups of K, and 32 channels of `groups` groups of V.
    const std::uint64_t stored = keys * wide.group_bits() + (context - keys) * narrow.group_bits() +
                                 32 * (values * wide.group_bits() + (groups - values) * narrow.group_bits());
    return 2.0 * 32 * 16 * static_cast<double>(context) / static_cast<double>(stored);
  };
  REQUIRE(ratio(5) == Approx(3.05).margin(0.005));
  REQUIRE(ratio(8) == Approx(16.0 / (5.25 + 4.0 * 96 / 4096)));
}
