// The golden KV cache: stored groups are the prefix of their from-scratch conversion that the policy keeps, and the live
// bytes are those of the rules.
#include <algorithm>
#include <vector>

#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/golden/golden_kv_cache.h"
#include "tests/support/catch.h"

namespace {

using namespace harmonia;
using namespace harmonia::accelerator;
using formats::Fp16;
using formats::kBfp4;
using formats::kBfp8;

}  // namespace

TEST_CASE("golden KV cache: groups of 4 and 8 bits are those of a conversion from scratch") {
  ModelShape shape;
  shape.num_attention_heads = 4;
  shape.num_key_value_heads = 2;
  shape.head_dim = 40;
  GoldenSettings settings;
  settings.kv = GENERATE(KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows);
  settings.n_initial = 5;
  settings.n_local = 37;
  GoldenKvCache cache(shape, settings);
  const std::size_t width = 80, head_dim = 40, total = 150;
  formats::GaussianSource random(4);
  std::vector<Fp16> keys(total * width), values(total * width);
  for (Fp16& v : keys) v = formats::to_fp16(random.next());
  for (Fp16& v : values) v = formats::to_fp16(random.next());

  // Prefill in one step, then token by token.
  std::size_t context = 61;
  cache.append(keys.data(), values.data(), context);
  for (; context < total; ++context) {
    cache.append(keys.data() + context * width, values.data() + context * width, 1);
    const std::size_t tokens = cache.tokens();
    REQUIRE(tokens == context + 1);
    REQUIRE(cache.live_bytes() == 2 * KvHead(settings.kv_policy(), 40).live_bytes(tokens));
    if (context % 10 != 0) continue;
    for (std::size_t t = 0; t < tokens; ++t) {
      const bool wide = settings.kv_policy().wide_key(t, tokens);
      const formats::BfpFormat& format = wide ? kBfp8 : kBfp4;
      std::vector<std::uint8_t> row(format.row_bytes(head_dim));
      formats::encode_row(format, keys.data() + t * width + head_dim, head_dim, row.data());
      for (std::size_t g = 0; g < 2; ++g) {
        const GoldenKvCache::Stored stored = cache.key_group(1, t, g);
        REQUIRE(std::vector<std::uint8_t>(stored.data, stored.data + stored.bytes) ==
                std::vector<std::uint8_t>(row.begin() + static_cast<std::ptrdiff_t>(g * format.group_bytes()),
                                          row.begin() + static_cast<std::ptrdiff_t>((g + 1) * format.group_bytes())));
      }
    }
    for (std::size_t g = 0; g < cache.value_groups(); ++g) {
      const formats::BfpFormat& format = settings.kv_policy().wide_group(g, tokens) ? kBfp8 : kBfp4;
      std::vector<Fp16> column(32);
      for (std::size_t t = 32 * g; t < std::min<std::size_t>(tokens, 32 * g + 32); ++t)
        column[t - 32 * g] = values[t * width + head_dim + 7];
      std::vector<std::uint8_t> group(format.group_bytes());
      formats::encode_row(format, column.data(), 32, group.data());
      const GoldenKvCache::Stored stored = cache.value_group(1, 7, g);
      REQUIRE(std::vector<std::uint8_t>(stored.data, stored.data + stored.bytes) == group);
    }
  }
}

TEST_CASE("golden KV cache: on a BFP array an INT8 cache multiplies what it reads back") {
  ModelShape shape;
  shape.num_attention_heads = shape.num_key_value_heads = 1;
  shape.head_dim = 32;
  GoldenSettings settings;
  settings.kv = KvFormat::kInt8;
  GoldenKvCache cache(shape, settings);
  // Scale 1: codes are the values.
  std::vector<Fp16> key(32), value(32);
  key[0] = formats::to_fp16(127.0F);
  key[1] = formats::to_fp16(-3.0F);
  cache.append(key.data(), value.data(), 1);
  std::vector<Fp16> query(32);
  query[0] = formats::to_fp16(1.0F);
  query[1] = formats::to_fp16(2.0F);
  std::vector<std::uint8_t> operand(kBfp8.row_bytes(32));
  formats::encode_row(kBfp8, query.data(), 32, operand.data());
  Fp16 score;
  cache.scores(operand.data(), 0, 0, 1, &score);
  // 127 and -3 share an exponent in 8 bits without loss.
  REQUIRE(formats::to_float(score) == 121.0F);
}
