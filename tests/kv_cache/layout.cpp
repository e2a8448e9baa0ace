// Where the KV cache lies: pieces hold the bytes that the rules give, and nothing that is still needed is overwritten.
#include "harmonia/hw/kv_cache/layout.h"

#include <map>
#include <string>
#include <utility>

#include "tests/support/catch.h"

namespace {

using namespace harmonia::accelerator;

ModelShape shape() {
  ModelShape s;
  s.head_dim = 64;
  s.num_key_value_heads = 3;
  s.num_attention_heads = 6;
  s.num_hidden_layers = 2;
  return s;
}

std::uint64_t sum(const std::vector<Segment>& pieces) {
  std::uint64_t bytes = 0;
  for (const Segment& s : pieces) bytes += s.bytes;
  return bytes;
}

/// A memory that knows of every byte which unit wrote it last.
class Memory {
 public:
  using Owner = std::pair<char, std::uint64_t>;  // 'k' token, 'v' group or token, and 'K', 'V' for low parts

  void write(std::uint64_t address, std::uint64_t bytes, Owner owner) {
    for (std::uint64_t a = address; a < address + bytes; ++a) owner_[a] = owner;
  }
  bool holds(std::uint64_t address, std::uint64_t bytes, Owner owner) const {
    for (std::uint64_t a = address; a < address + bytes; ++a) {
      const auto at = owner_.find(a);
      if (at == owner_.end() || at->second != owner) return false;
    }
    return true;
  }

 private:
  std::map<std::uint64_t, Owner> owner_;
};

}  // namespace

TEST_CASE("KV layout: areas of slots, layers and heads do not overlap and end where the cache ends") {
  const KvCacheLayout kv(shape(), {}, 200, 3, 4097, 4096);
  REQUIRE(kv.base() == 8192);
  REQUIRE(kv.capacity_tokens() == 224);
  std::uint64_t end = kv.base();
  for (std::uint64_t slot = 0; slot < 3; ++slot)
    for (int layer = 0; layer < 2; ++layer)
      for (int head = 0; head < 3; ++head) {
        const KvCacheLayout::Place p{slot, layer, head};
        REQUIRE(kv.k_main_address(p, 0) == end);
        const std::uint64_t low = kv.k_low_address(p, 0), v = kv.v_main_address(p, 0), v_low = kv.v_low_address(p, 0);
        REQUIRE(kv.k_main_address(p, 224) <= low);
        REQUIRE(low + (32 + 64) * kv.head().key_low_bytes() <= v);
        REQUIRE(kv.v_main_address(p, 7) <= v_low);
        end =
            kv.base() + kv.slot_bytes() * slot + kv.slot_bytes() / 6 * static_cast<std::uint64_t>(layer * 3 + head + 1);
        REQUIRE(v_low + (1 + 3) * kv.head().value_low_bytes() <= end);
      }
  REQUIRE(kv.base() + kv.bytes() == end);
}

TEST_CASE("KV layout: slots laid over each other fit into the region, and one slot always fits") {
  KvCacheLayout kv(shape(), {}, 256, 5, 0, 4096);
  const std::uint64_t slot = kv.slot_bytes();
  kv.overlap_slots(3 * slot, 4096);
  REQUIRE(kv.bytes() <= 3 * slot);
  REQUIRE(kv.bytes() > 3 * slot - 5 * 4096);
  kv.overlap_slots(slot / 2, 4096);
  REQUIRE(kv.bytes() == slot);
}

TEST_CASE("KV layout: the pieces that a step reads and writes hold the bytes that the rules give") {
  const KvFormat format =
      GENERATE(KvFormat::kFp16, KvFormat::kInt8, KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows);
  const KvCacheLayout kv(shape(), {format, 5, 37}, 512, 1, 0, 64);
  const KvHead& head = kv.head();
  const KvCacheLayout::Place p{0, 1, 2};
  for (std::uint64_t context = 1; context <= 512; context += 13)
    for (std::uint64_t first = 0; first < context; first += 17) {
      const std::uint64_t count = (context - first + 1) / 2, visible = first + count;
      std::vector<Segment> pieces;
      kv.k_read(p, context, visible, pieces, pieces);
      REQUIRE(sum(pieces) == head.keys_read(visible, context));
      pieces.clear();
      kv.v_read(p, context, visible, pieces, pieces);
      REQUIRE(sum(pieces) == head.values_read(visible, context));
      pieces.clear();
      kv.k_write(p, first, count, context, pieces, pieces);
      REQUIRE(sum(pieces) == head.keys_written(first, count, context));
      pieces.clear();
      kv.v_write(p, first, count, context, pieces, pieces);
      REQUIRE(sum(pieces) == head.values_written(first, count, context));
      pieces.clear();
      kv.v_residual(p, first, pieces, pieces);
      REQUIRE(sum(pieces) == head.residual_bytes(first));
    }
}

TEST_CASE("KV layout: token by token, every part that is read was written last by what it belongs to") {
  const KvFormat format =
      GENERATE(KvFormat::kFp16, KvFormat::kInt8, KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows);
  const KvPolicy policy{format, GENERATE(0, 5, 32), GENERATE(0, 1, 40)};
  const KvCacheLayout kv(shape(), policy, 256, 1, 0, 64);
  const KvHead& head = kv.head();
  const KvCacheLayout::Place p{0, 0, 0};
  Memory memory;
  for (std::uint64_t context = 1; context <= 256; ++context) {
    const std::uint64_t token = context - 1, unit = token / head.value_unit_tokens();
    memory.write(kv.k_main_address(p, token), head.key_main_bytes(), {'k', token});
    memory.write(kv.v_main_address(p, unit), head.value_main_bytes(), {'v', unit});
    if (head.wide_keys_written(token, 1, context).contains(token))
      memory.write(kv.k_low_address(p, token), head.key_low_bytes(), {'K', token});
    if (head.wide_groups_written(token, 1, context).contains(unit))
      memory.write(kv.v_low_address(p, unit), head.value_low_bytes(), {'V', unit});
    if (context % 7 != 0) continue;
    for (std::uint64_t t = 0; t < context; ++t) {
      REQUIRE(memory.holds(kv.k_main_address(p, t), head.key_main_bytes(), {'k', t}));
      if (policy.wide_key(t, context)) REQUIRE(memory.holds(kv.k_low_address(p, t), head.key_low_bytes(), {'K', t}));
    }
    for (std::uint64_t u = 0; u < head.value_units(context); ++u) {
      REQUIRE(memory.holds(kv.v_main_address(p, u), head.value_main_bytes(), {'v', u}));
      if (policy.wide_group(u, context))
        REQUIRE(memory.holds(kv.v_low_address(p, u), head.value_low_bytes(), {'V', u}));
    }
  }
}
