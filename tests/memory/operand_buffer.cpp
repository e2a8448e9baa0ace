// The order of an A operand's bytes, and the time of reading one. No kernel.
#include "harmonia/hw/memory/operand_buffer.h"

#include <vector>

#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::memory;
using Bytes = std::vector<std::uint8_t>;

TEST_CASE("operand buffer function: pieces of rows go to their rows and columns, whatever comes first") {
  // Rows of 4 bytes. Columns 2..3 of rows 1 and 3, then columns 0..1 of the same.
  Bytes operand;
  const Bytes right = {13, 14, 33, 34}, left = {11, 12, 31, 32};
  place_rows({2, 1, 2, 2, 4}, right.data(), right.size(), operand);
  REQUIRE(operand.size() == 16);
  place_rows({2, 1, 2, 0, 4}, left.data(), left.size(), operand);
  REQUIRE(operand == Bytes{0, 0, 0, 0, 11, 12, 13, 14, 0, 0, 0, 0, 31, 32, 33, 34});
}

TEST_CASE("operand buffer function: a row may stand more than 65535 rows behind the one before") {
  Bytes operand;
  const Bytes two = {1, 2};
  place_rows({2, 0, 70000, 0, 1}, two.data(), two.size(), operand);
  REQUIRE(operand.size() == 70001);
  REQUIRE(operand.back() == 2);
}

TEST_CASE("operand buffer function: blocks of columns from memory become rows, the last block may be narrower") {
  OperandDescriptor d;
  d.row_bytes = 5;
  d.rows = 2;
  d.from_memory = 1;
  d.block_rows = 2;
  d.block_bytes = 2;
  const Bytes blocks = {11, 12, 21, 22, 13, 14, 23, 24, 15, 25};
  Bytes rows(d.bytes());
  gather_rows(d, blocks.data(), rows.data());
  REQUIRE(rows == Bytes{11, 12, 13, 14, 15, 21, 22, 23, 24, 25});
}

TEST_CASE("operand buffer descriptor: blocks of columns are 1 byte to the buffer wide and divide the operand") {
  OperandDescriptor d;
  d.operand = 1;
  d.row_bytes = 6;
  d.rows = 2;
  d.from_memory = 1;
  d.block_rows = 2;
  const auto fault = [&](std::uint32_t block_bytes) {
    d.block_bytes = block_bytes;
    return fault_of(d, 64);
  };
  REQUIRE(fault(1) == "");
  REQUIRE(fault(64) == "");
  REQUIRE_THAT(fault(0), ContainsSubstring("block_bytes"));
  REQUIRE_THAT(fault(65), ContainsSubstring("block_bytes"));
  d.block_rows = 5;
  REQUIRE_THAT(fault(1), ContainsSubstring("block_rows"));
}

TEST_CASE("operand buffer timing: the read port takes a cycle for every port width") {
  BufferConfig config;
  config.banks = 8;
  config.bank_bytes_per_cycle = 32;  // half of the banks read: 128 bytes a cycle
  REQUIRE(read_cycles(config, 1) == 1);
  REQUIRE(read_cycles(config, 128) == 1);
  REQUIRE(read_cycles(config, 129) == 2);
  REQUIRE(read_cycles(config, 4096) == 32);
}
