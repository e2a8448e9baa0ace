// Addresses and byte lanes of bursts, from the equations of the AXI4 specification (A3.4.1) worked by hand.
#include "harmonia/hw/axi/pins.h"
#include "tests/support/catch.h"

namespace {

using namespace harmonia::axi;

Burst burst(std::uint64_t address, unsigned beats, unsigned size, BurstType type) {
  Burst b;
  b.address = address;
  b.length = static_cast<std::uint8_t>(beats - 1);
  b.size = static_cast<std::uint8_t>(size);
  b.type = type;
  return b;
}

void check(const Beat& beat, std::uint64_t address, unsigned lane, unsigned bytes) {
  CHECK(beat.address == address);
  CHECK(beat.lane == lane);
  CHECK(beat.bytes == bytes);
}

}  // namespace

TEST_CASE("AXI bursts: an unaligned INCR burst begins with a short beat") {
  const Burst b = burst(0x1003, 3, 2, BurstType::kIncr);  // 4 bytes a beat on a bus of 8
  CHECK(touched(b).first == 0x1003);
  CHECK(touched(b).bytes == 9);
  check(beat_of(b, 0, 8), 0x1003, 3, 1);
  check(beat_of(b, 1, 8), 0x1004, 4, 4);
  check(beat_of(b, 2, 8), 0x1008, 0, 4);
}

TEST_CASE("AXI bursts: a WRAP burst goes round its container") {
  const Burst b = burst(0x34, 4, 2, BurstType::kWrap);  // the container is 0x30 to 0x3f
  CHECK(touched(b).first == 0x30);
  CHECK(touched(b).bytes == 16);
  check(beat_of(b, 0, 4), 0x34, 0, 4);
  check(beat_of(b, 1, 4), 0x38, 0, 4);
  check(beat_of(b, 2, 4), 0x3c, 0, 4);
  check(beat_of(b, 3, 4), 0x30, 0, 4);
}

TEST_CASE("AXI bursts: every beat of a FIXED burst has the same bytes") {
  const Burst b = burst(0x12, 5, 2, BurstType::kFixed);
  CHECK(touched(b).first == 0x12);
  CHECK(touched(b).bytes == 2);
  for (unsigned i = 0; i < 5; ++i) check(beat_of(b, i, 8), 0x12, 2, 2);
}

TEST_CASE("AXI bursts: what is forbidden is named") {
  const auto fault = [](const Burst& b, unsigned bus_bytes) {
    return std::string(fault_of(b, bus_bytes) ? fault_of(b, bus_bytes) : "");
  };
  CHECK(fault(burst(0xfc0, 8, 3, BurstType::kIncr), 8) == "");
  CHECK(fault(burst(0xfc1, 8, 3, BurstType::kIncr), 8) == "");
  CHECK(fault(burst(0xfc8, 8, 3, BurstType::kIncr), 8) == "BOUNDARY");
  CHECK(fault(burst(0, 1, 3, BurstType::kIncr), 4) == "SIZE");
  CHECK(fault(burst(0, 3, 2, BurstType::kWrap), 8) == "WRAP_LEN");
  CHECK(fault(burst(2, 4, 2, BurstType::kWrap), 8) == "WRAP_ALIGN");
  CHECK(fault(burst(0, 17, 2, BurstType::kFixed), 8) == "FIXED_LEN");
  CHECK(fault(burst(0, 1, 2, BurstType::kReserved), 8) == "BURST");
}
