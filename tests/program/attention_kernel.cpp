// The attention kernel of a machine that stands for a GPU, worked out by hand.
#include "harmonia/hw/program/attention_kernel.h"

#include "tests/program/support.h"
#include "tests/support/catch.h"

using namespace plan_test;

namespace {

/// 128 multiprocessors of 100 KiB, as an RTX 4090 has: a thread block of heads of 128 channels takes 81 KiB.
KernelConfig card() {
  KernelConfig c;
  c.multiprocessors = 128;
  return c;
}

/// Sequences that decode a token each, 32 heads on 8 kv heads of 128 channels; keys: with the token's own.
AttentionWork decoding(std::size_t sequences, std::uint64_t keys) {
  AttentionWork w;
  w.sequences.assign(sequences, {1, keys});
  w.heads = 32;
  w.kv_heads = 8;
  w.head_dim = 128;
  return w;
}

}  // namespace

TEST_CASE("Attention kernel: a context of one block of keys is not split") {
  const AttentionGrid one = attention_grid(card(), decoding(1, 128));
  CHECK(one.splits == 1);
  CHECK(one.thread_blocks == 8);  // the queries of a kv head are rows of one block
  CHECK(one.waves == 1);
  CHECK(!one.regrouped);
  const AttentionGrid two = attention_grid(card(), decoding(1, 129));
  CHECK(two.splits == 2);
  CHECK(two.thread_blocks == 16);
}

TEST_CASE("Attention kernel: a context is split into the fewest parts that use the waves well") {
  // 9 blocks of keys: 72 of 256 places, nothing uses them better.
  CHECK(attention_grid(card(), decoding(1, 1025)).splits == 9);
  CHECK(attention_grid(card(), decoding(1, 1025)).waves == 1);
  // 17: 136 thread blocks, one at a time on each of 128 multiprocessors.
  CHECK(attention_grid(card(), decoding(1, 2049)).splits == 17);
  CHECK(attention_grid(card(), decoding(1, 2049)).waves == 2);
  // 33: 33 parts leave a second wave nearly empty, 17 parts of two blocks use one to 0.53.
  CHECK(attention_grid(card(), decoding(1, 4097)).splits == 17);
  // 16 sequences: 128 thread blocks; 2 parts fill both places of each multiprocessor.
  CHECK(attention_grid(card(), decoding(16, 513)).splits == 2);
  // 32 sequences: 256 thread blocks fill them without.
  CHECK(attention_grid(card(), decoding(32, 513)).splits == 1);
  CHECK(attention_grid(card(), decoding(32, 513)).waves == 2);
}

TEST_CASE("Attention kernel: a short context beside a long one has fewer parts") {
  AttentionWork w = decoding(2, 1025);
  w.sequences[1].keys = 100;
  const AttentionGrid grid = attention_grid(card(), w);
  CHECK(grid.splits == 9);
  CHECK(grid.thread_blocks == 8 * (9 + 1));
}

TEST_CASE("Attention kernel: rows of a prompt are those of one head, 64 to a thread block") {
  AttentionWork w = decoding(1, 512);
  w.sequences[0].queries = 512;
  const AttentionGrid grid = attention_grid(card(), w);
  CHECK(grid.thread_blocks == 32 * 8);
  CHECK(grid.splits == 1);
  CHECK(!grid.regrouped);
}

TEST_CASE("Attention kernel: shared memory sets how many thread blocks a multiprocessor holds") {
  KernelConfig c = card();
  CHECK(attention_grid(c, decoding(32, 100)).waves == 2);
  c.shared_memory_bytes = 164 * 1024;  // two of 81 KiB
  CHECK(attention_grid(c, decoding(32, 100)).waves == 1);
  c.shared_memory_bytes = 16 * 1024;  // one in any case
  CHECK(attention_grid(c, decoding(32, 100)).waves == 2);
}

TEST_CASE("Attention kernel: queries of several sequences change their order where heads share keys") {
  CHECK(attention_grid(card(), decoding(2, 100)).regrouped);
  AttentionWork own = decoding(2, 100);
  own.kv_heads = 32;
  CHECK(!attention_grid(card(), own).regrouped);
}

TEST_CASE("Attention kernel: each wave begins with a time in which no keys come, and has a least time") {
  KernelConfig c = card();
  c.attention_us = 3;
  c.attention_wave_us = 5;
  c.attention_fill_us = 2;
  const AttentionGrid grid = attention_grid(c, decoding(32, 100));
  CHECK(attention_idle_us(c, grid) == Approx(3 + 2 * 2));
  CHECK(attention_work_us(c, grid) == Approx(2 * 3));
}
