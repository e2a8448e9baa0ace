// Bytes that one kv head stores, reads and writes, by hand and unit by unit.
#include "harmonia/hw/kv_cache/head.h"

#include "tests/support/catch.h"

namespace {

using namespace harmonia::accelerator;

KvHead head(KvFormat format, int head_dim, int initial = 32, int local = 64) {
  return {KvPolicy{format, initial, local}, head_dim};
}

}  // namespace

TEST_CASE("KV head: a group of 32 is 21 bytes at 4 bit and 16 more at 8") {
  const KvHead h = head(KvFormat::kBfp4Windows, 128);
  REQUIRE(h.key_main_bytes() == 4 * 21);
  REQUIRE(h.key_low_bytes() == 4 * 16);
  REQUIRE(h.value_main_bytes() == 128 * 21);
  REQUIRE(h.value_low_bytes() == 128 * 16);
  // Channels that do not fill a group take a whole one in K, and none more in V.
  REQUIRE(head(KvFormat::kBfp8, 40).key_main_bytes() == 2 * 21);
  REQUIRE(head(KvFormat::kBfp8, 40).value_main_bytes() == 40 * 21);
}

TEST_CASE("KV head: FP16 and INT8 caches hold rows, INT8 with a scale") {
  REQUIRE(head(KvFormat::kFp16, 128).key_main_bytes() == 256);
  REQUIRE(head(KvFormat::kInt8, 128).key_main_bytes() == 130);
  REQUIRE(head(KvFormat::kInt8, 128).value_main_bytes() == 130);
  REQUIRE(head(KvFormat::kInt8, 128).key_low_bytes() == 0);
  REQUIRE(head(KvFormat::kInt8, 128).keys_read(100, 1000) == 100 * 130);
  REQUIRE(head(KvFormat::kInt8, 128).values_read(100, 1000) == 100 * 130);
  REQUIRE(head(KvFormat::kFp16, 128).values_written(7, 5, 12) == 5 * 256);
  REQUIRE(head(KvFormat::kFp16, 128).residual_bytes(7) == 0);
}

TEST_CASE("KV head: a decode step at context 1000 reads every live byte once") {
  const KvHead h = head(KvFormat::kBfp4Windows, 128);
  // 96 tokens of K are wide; of the 32 groups of V four are (policy.cpp).
  REQUIRE(h.keys_read(1000, 1000) == 4 * (21 * 1000 + 16 * 96));
  REQUIRE(h.values_read(1000, 1000) == 128 * (21 * 32 + 16 * 4));
  REQUIRE(h.live_bytes(1000) == 4 * (21 * 1000 + 16 * 96) + 128 * (21 * 32 + 16 * 4));
  // It first grows the group that 999 tokens leave, and writes it back.
  REQUIRE(h.residual_bytes(999) == 128 * 37);
  REQUIRE(h.keys_written(999, 1, 1000) == 4 * 37);
  REQUIRE(h.values_written(999, 1, 1000) == 128 * 37);
  REQUIRE(h.residual_bytes(992) == 0);
}

TEST_CASE("KV head: without windows only the growing group of V is wide") {
  const KvHead h = head(KvFormat::kBfp4, 64);
  REQUIRE(h.keys_read(100, 100) == 2 * 21 * 100);
  REQUIRE(h.values_read(100, 100) == 64 * (21 * 4 + 16));
  REQUIRE(h.values_read(96, 96) == 64 * 21 * 3);
  REQUIRE(h.values_written(0, 100, 100) == 64 * (21 * 4 + 16));
}

TEST_CASE(
    "KV head: a prefill that is written in pieces keeps low planes where they will be read, and of the group that "
    "grows") {
  const KvHead h = head(KvFormat::kBfp4Windows, 64, 32, 64);
  // 200 tokens at once: groups 0 (initial), 4, 5 (local begins at 136) and 6 (grows) of 7 are wide.
  REQUIRE(h.values_written(0, 200, 200) == 64 * (21 * 7 + 16 * 4));
  REQUIRE(h.keys_written(0, 200, 200) == 2 * (21 * 200 + 16 * 96));
  // The first 40 of them: group 1 is not full yet.
  REQUIRE(h.values_written(0, 40, 200) == 64 * (21 * 2 + 16 * 2));
  REQUIRE(h.keys_written(0, 40, 200) == 2 * (21 * 40 + 16 * 32));
  // The next 56 fill groups 1 and 2, which no window touches.
  REQUIRE(h.values_written(40, 56, 200) == 64 * 21 * 2);
  REQUIRE(h.keys_written(40, 56, 200) == 2 * 21 * 56);
  REQUIRE(h.values_written(40, 0, 200) == 0);
}

TEST_CASE("KV head: what is read is the sum over units, whatever part of the context is visible") {
  const KvFormat format =
      GENERATE(KvFormat::kFp16, KvFormat::kInt8, KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows);
  const KvHead h = head(format, 96, 5, 37);
  for (std::uint64_t context = 1; context < 260; context += 11)
    for (std::uint64_t visible = 1; visible <= context; visible += 7) {
      std::uint64_t keys = 0, values = 0;
      for (std::uint64_t t = 0; t < visible; ++t)
        keys += h.key_main_bytes() + (h.policy.wide_key(t, context) ? h.key_low_bytes() : 0);
      for (std::uint64_t u = 0; u * h.value_unit_tokens() < visible; ++u)
        values += h.value_main_bytes() + (h.policy.wide_group(u, context) ? h.value_low_bytes() : 0);
      REQUIRE(h.keys_read(visible, context) == keys);
      REQUIRE(h.values_read(visible, context) == values);
    }
}
