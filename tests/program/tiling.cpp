// Tiles and strips worked out by hand.
#include "harmonia/hw/program/tiling.h"

#include "harmonia/config/error.h"
#include "tests/program/support.h"
#include "tests/support/catch.h"

using namespace plan_test;

namespace {

/// A of 100 rows of 50 bytes; one matrix of 300 rows of 20 bytes, handed on by 60.
LinearShape linear_of_100_by_300() {
  LinearShape s;
  s.rows = 100;
  s.k = 40;
  s.columns = {300};
  s.unit_columns = 60;
  s.a_row = 50;
  s.b_row = 20;
  s.a_resident = false;
  return s;
}

}  // namespace

TEST_CASE("Tiling: strips cover all rows, and the last one is what is left") {
  const std::vector<Strip> strips = strips_of(70, 32);
  REQUIRE(strips.size() == 3);
  REQUIRE(strips[1].first == 32);
  REQUIRE(strips[2].first == 64);
  REQUIRE(strips[2].rows == 6);
  REQUIRE(strips_of(0, 32).empty());
}

TEST_CASE("Tiling: units are cut into equal tiles that the buffer and the array hold") {
  OnChip chip;  // an array of 16 x 8
  chip.operand_bytes = 10000;
  chip.weight_tile_bytes = 50 * 20;  // 50 rows of B
  REQUIRE(tile_linear(linear_of_100_by_300(), chip).tile_rows == 30);
  chip.weight_tile_bytes = 5000;
  REQUIRE(tile_linear(linear_of_100_by_300(), chip).tile_rows == 60);
  chip.pe_cols = 2;  // 32 results at a time
  REQUIRE(tile_linear(linear_of_100_by_300(), chip).tile_rows == 30);
}

TEST_CASE("Tiling: a strip of A is whole rounds of the array's rows, and half as large when strips stream by") {
  OnChip chip;
  chip.weight_tile_bytes = 5000;
  chip.operand_bytes = 40 * 50;  // 40 rows of A: two rounds of 16
  chip.order = LoopOrder::row_first;
  LinearTiling t = tile_linear(linear_of_100_by_300(), chip);
  REQUIRE_FALSE(t.column_first);
  REQUIRE(t.strips.size() == 4);
  REQUIRE(t.strips[0].rows == 32);
  REQUIRE(t.strips[3].rows == 4);
  chip.order = LoopOrder::column_first;
  t = tile_linear(linear_of_100_by_300(), chip);
  REQUIRE(t.column_first);
  REQUIRE(t.strips.size() == 7);  // 20 rows, one round of 16
}

TEST_CASE("Tiling: the order follows from the bytes") {
  // Row-first 100 x 50 + 4 x 300 x 20 = 29000, column-first 5 x 100 x 50 + 300 x 20 = 31000.
  OnChip chip;
  chip.weight_tile_bytes = 5000;
  chip.operand_bytes = 40 * 50;
  REQUIRE_FALSE(tile_linear(linear_of_100_by_300(), chip).column_first);
  // With 16 rows of A there are 7 strips: 5000 + 42000.
  chip.operand_bytes = 20 * 50;
  REQUIRE(tile_linear(linear_of_100_by_300(), chip).column_first);
  // A strip of B that does not fit cannot stay.
  chip.weight_tile_bytes = 59 * 20;
  REQUIRE_FALSE(tile_linear(linear_of_100_by_300(), chip).column_first);
}

TEST_CASE("Tiling: what does not fit is refused with the key and the bytes") {
  OnChip chip;
  chip.operand_bytes = 2000;
  chip.weight_tile_bytes = 19;
  REQUIRE_THROWS_AS(tile_linear(linear_of_100_by_300(), chip), config::InputError);
  chip.weight_tile_bytes = 20;
  chip.operand_bytes = 49;
  REQUIRE_THROWS_AS(tile_linear(linear_of_100_by_300(), chip), config::InputError);
}

// A unit of K is 8 of 40 values: 10 bytes of A, 4 of B.
TEST_CASE("Tiling: a K that does not fit comes in equal parts") {
  LinearShape linear = linear_of_100_by_300();
  linear.k_unit = 8;
  linear.a_unit = 10;
  linear.b_unit = 4;
  OnChip chip;
  chip.operand_bytes = 2000;
  chip.weight_tile_bytes = 19;  // four units of B: five become three and two
  REQUIRE(tile_linear(linear, chip).k_part == 24);
  REQUIRE(tile_linear(linear, chip).strips.size() == 2);  // 66 rows of 30 bytes, four rounds of 16
  chip.operand_bytes = 29;                                // two units of A
  REQUIRE(tile_linear(linear, chip).k_part == 16);
  chip.weight_tile_bytes = 20;
  chip.operand_bytes = 50;
  REQUIRE(tile_linear(linear, chip).k_part == 40);
  // Not one unit.
  chip.weight_tile_bytes = 3;
  REQUIRE_THROWS_WITH(tile_linear(linear, chip),
                      ContainsSubstring("8 weights of a row") && ContainsSubstring("4 bytes"));
  chip.weight_tile_bytes = 20;
  chip.operand_bytes = 9;
  REQUIRE_THROWS_WITH(tile_linear(linear, chip), ContainsSubstring("8 values take 10 bytes"));
}

TEST_CASE("Tiling: rows of the output head come in strips when not all of them fit") {
  const ModelShape shape = small_shape();  // a row of 256 values: 8 groups of 37 bytes
  OnChip chip;
  chip.operand_bytes = 10 * 296;
  REQUIRE(head_strip_rows(shape, chip, 10) == 10);
  REQUIRE(head_strip_rows(shape, chip, 11) == 5);
}

TEST_CASE("Tiling: a strip of queries is whole groups of tokens, and one token at least") {
  const ModelShape shape = small_shape();
  const StepWork work = one_sequence(0, 200);
  // Scores of a token: 2 heads x 200 tokens x 2 bytes, in half of the scratch memory.
  OnChip chip = small_chip(1 << 20);
  chip.scratch_bytes = 2 * 50 * 800;
  REQUIRE(query_tokens_per_strip(shape, chip, work, work.sequences[0], false) == 32);
  chip.scratch_bytes = 2 * 20 * 800;
  REQUIRE(query_tokens_per_strip(shape, chip, work, work.sequences[0], false) == 20);
  chip.scratch_bytes = 800;
  REQUIRE(query_tokens_per_strip(shape, chip, work, work.sequences[0], false) == 1);
  // Operands of a token: 2 heads x (2 groups of the query + 7 of the probabilities) x 37 bytes = 666.
  chip.operand_bytes = 665;
  REQUIRE_THROWS_AS(query_tokens_per_strip(shape, chip, work, work.sequences[0], false), config::InputError);
}

TEST_CASE("Tiling: the longest context is the last one whose probabilities fit beside their queries") {
  const ModelShape shape = small_shape();
  OnChip chip = small_chip(1 << 20);
  chip.operand_bytes = 2 * 37 * (2 + 5) + 10;
  REQUIRE(longest_context(shape, chip) == 160);
  StepWork work = one_sequence(159, 1);
  REQUIRE(query_tokens_per_strip(shape, chip, work, work.sequences[0], false) == 1);
  work = one_sequence(160, 1);
  REQUIRE_THROWS_AS(query_tokens_per_strip(shape, chip, work, work.sequences[0], false), config::InputError);
}
