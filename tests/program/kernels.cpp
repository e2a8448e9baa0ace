// Kernels of a machine that stands for a GPU, worked out by hand.
#include "harmonia/hw/program/kernels.h"

#include "tests/program/support.h"
#include "tests/support/catch.h"

using namespace plan_test;

namespace {

/// Ten multiprocessors of 100 multiply-accumulates a cycle each, tiles of 64 x 32.
KernelConfig ten() {
  KernelConfig c;
  c.multiprocessors = 10;
  c.tile_rows = 64;
  c.tile_columns = 32;
  return c;
}

}  // namespace

TEST_CASE("Kernels: a product takes whole waves of tiles") {
  const KernelConfig c = ten();
  const double tile = 64.0 * 32 * 1000 / 100;                          // cycles of one tile of depth 1000
  CHECK(product_cycles(c, 1000, 64, 320, 1000) == Approx(tile));       // ten tiles
  CHECK(product_cycles(c, 1000, 64, 321, 1000) == Approx(2 * tile));   // eleven
  CHECK(product_cycles(c, 1000, 65, 160, 1000) == Approx(tile));       // two rows of five
  CHECK(product_cycles(c, 1000, 128, 320, 1000) == Approx(2 * tile));  // twenty
}

TEST_CASE("Kernels: few rows take the least tile that holds them, from 16") {
  const KernelConfig c = ten();
  const double whole = product_cycles(c, 1000, 64, 320, 1000);
  CHECK(product_cycles(c, 1000, 33, 320, 1000) == Approx(whole));
  CHECK(product_cycles(c, 1000, 32, 320, 1000) == Approx(whole / 2));
  CHECK(product_cycles(c, 1000, 16, 320, 1000) == Approx(whole / 4));
  CHECK(product_cycles(c, 1000, 1, 320, 1000) == Approx(whole / 4));
}

TEST_CASE("Kernels: the depth is split while multiprocessors would be idle") {
  KernelConfig c = ten();
  const double one = product_cycles(c, 1000, 64, 96, 1000);  // three tiles
  c.split_k = 2;
  CHECK(product_cycles(c, 1000, 64, 96, 1000) == Approx(one / 2));
  c.split_k = 7;
  CHECK(product_cycles(c, 1000, 64, 96, 1000) == Approx(one / 3));  // nine of ten
  CHECK(product_cycles(c, 1000, 64, 192, 1000) == Approx(one));     // six tiles: not twice
}

TEST_CASE("Kernels: a share of the peak is that much slower") {
  KernelConfig c = ten();
  const double whole = product_cycles(c, 1000, 64, 320, 1000);
  c.efficiency = 0.5;
  CHECK(product_cycles(c, 1000, 64, 320, 1000) == Approx(2 * whole));
}

TEST_CASE("Kernels: weights are expanded for each block of rows that one expansion serves") {
  KernelConfig c = ten();
  c.decode_rows = 32;
  c.decode_factor = 1.5;
  CHECK(expansions(c, 1, true) == 1);
  CHECK(expansions(c, 2, true) == 1.5);
  CHECK(expansions(c, 33, true) == 3);
  CHECK(expansions(c, 64, false) == 1);  // integers: by tiles of rows
  CHECK(expansions(c, 65, false) == 2);
  CHECK(expansions(KernelConfig{}, 1000, true) == 1);
}

TEST_CASE("Kernels: passes over activations are at the rate of the cache or of the memory, behind a constant") {
  KernelConfig c = ten();
  c.elementwise_us = 2;
  c.l2_bytes = 10000;
  c.l2_bytes_per_cycle = 100;
  c.memory_bytes_per_cycle = 10;
  CHECK(elementwise_us(c, 1000, 10000) == Approx(2.1));
  CHECK(elementwise_us(c, 1000, 20000) == Approx(4));
}

TEST_CASE("Kernels: parts of a context are put together but for one short sequence") {
  KernelConfig c = ten();
  c.combine_us = 3;
  c.single_pass_tokens = 64;
  CHECK(combine_us(c, 1, 64) == 0);
  CHECK(combine_us(c, 1, 65) == 3);
  CHECK(combine_us(c, 2, 10) == 3);
}
