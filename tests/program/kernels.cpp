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
  c.tile_rows = c.least_tile_rows = 64;
  c.tile_columns = c.least_tile_columns = 32;
  return c;
}

double cycles(const KernelConfig& c, std::uint64_t m, std::uint64_t n) {
  return product_kernel(c, 1000, {m, n, 1000, 1e6, false}).cycles;
}

double expansions(const KernelConfig& c, std::uint64_t m, bool looked_up) {
  return product_kernel(c, 1000, {m, 320, 1000, 1e6, looked_up}).expansions;
}

}  // namespace

TEST_CASE("Kernels: a product takes whole waves of tiles") {
  const KernelConfig c = ten();
  const double tile = 64.0 * 32 * 1000 / 100;      // cycles of one tile of depth 1000
  CHECK(cycles(c, 64, 320) == Approx(tile));       // ten tiles
  CHECK(cycles(c, 64, 321) == Approx(2 * tile));   // eleven
  CHECK(cycles(c, 65, 160) == Approx(tile));       // two rows of five
  CHECK(cycles(c, 128, 320) == Approx(2 * tile));  // twenty
}

TEST_CASE("Kernels: few rows take the least tile that holds them, from 16") {
  const KernelConfig c = ten();
  const double whole = cycles(c, 64, 320);
  CHECK(cycles(c, 33, 320) == Approx(whole));
  CHECK(cycles(c, 32, 320) == Approx(whole / 2));
  CHECK(cycles(c, 16, 320) == Approx(whole / 4));
  CHECK(cycles(c, 1, 320) == Approx(whole / 4));
}

TEST_CASE("Kernels: the depth is split while multiprocessors would be idle") {
  KernelConfig c = ten();
  const double one = cycles(c, 64, 96);  // three tiles
  c.split_k = 2;
  CHECK(cycles(c, 64, 96) == Approx(one / 2));
  c.split_k = 7;
  CHECK(cycles(c, 64, 96) == Approx(one / 3));  // nine of ten
  CHECK(cycles(c, 64, 192) == Approx(one));     // six tiles: not twice
}

TEST_CASE("Kernels: a share of the peak is that much slower") {
  KernelConfig c = ten();
  const double whole = cycles(c, 64, 320);
  c.efficiency = 0.5;
  CHECK(cycles(c, 64, 320) == Approx(2 * whole));
}

TEST_CASE("Kernels: a product takes the shape of tile that leaves the least idle") {
  KernelConfig c = ten();
  c.least_tile_rows = 32;
  c.least_tile_columns = 16;
  const double tile = 64.0 * 32 * 1000 / 100;
  const auto taken = [&](std::uint64_t m, std::uint64_t n) {
    return product_kernel(c, 1000, {m, n, 1000, 1e6, false});
  };
  // Ten whole tiles: nothing is gained by smaller ones.
  CHECK(taken(64, 320).tile_rows == 64);
  CHECK(taken(64, 320).tile_columns == 32);
  // Eleven would take two waves; 42 quarters take five quarter waves.
  CHECK(taken(64, 330).cycles == Approx(1.25 * tile));
  CHECK(taken(64, 330).tile_rows == 32);
  CHECK(taken(64, 330).tile_columns == 16);
  // 30 halves of rows in three half waves, where 20 whole ones take two.
  CHECK(taken(96, 320).cycles == Approx(1.5 * tile));
  CHECK(taken(96, 320).tile_rows == 32);
  // Fewer rows than the least: the tile that holds them.
  CHECK(taken(10, 320).tile_rows == 16);
}

TEST_CASE("Kernels: smaller tiles of rows are not taken where expanding weights for each of them takes longer") {
  KernelConfig c = ten();
  c.least_tile_rows = 32;
  const auto taken = [&](double rate, bool looked_up) {
    return product_kernel(c, 1000, {96, 320, 1000, rate, looked_up});
  };
  CHECK(taken(1e6, false).tile_rows == 32);
  CHECK(taken(1e6, false).expansions == 3);
  CHECK(taken(20, false).tile_rows == 64);  // 320000 weights: 32000 cycles for two expansions, 48000 for three
  CHECK(taken(20, false).expansions == 2);
  CHECK(taken(20, true).tile_rows == 32);  // of a codebook, whatever the tile is
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
  CHECK(cycles(KernelConfig{}, 1000, 320) == 0);
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
