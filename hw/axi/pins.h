// The pins of an AXI4 link as they are sampled at one rising edge of ACLK, and the arithmetic of its bursts.
//
// Models: the five channels of AMBA AXI4 (ARM IHI 0022E, chapters A2 and A3): AW, W, B, AR, R with ids; bursts FIXED, INCR
//   and WRAP, narrow and unaligned; data buses of 8 to 1024 bits.
// Does not model: AxLOCK, AxCACHE, AxPROT, AxQOS, AxREGION and user signals: a memory may leave them unconnected; X and Z.
#pragma once

#include <array>
#include <cstdint>

namespace harmonia::axi {

constexpr unsigned kMaxBusBytes = 128;

enum class BurstType : std::uint8_t { kFixed, kIncr, kWrap, kReserved };
enum Response : std::uint8_t { kOkay, kExokay, kSlverr, kDecerr };

/// What AW or AR carry.
struct Burst {
  std::uint64_t address = 0;
  std::uint32_t id = 0;
  std::uint8_t length = 0;  // AxLEN: beats less one
  std::uint8_t size = 0;    // AxSIZE: log2 of the bytes of a beat
  BurstType type = BurstType::kIncr;

  unsigned beats() const { return length + 1U; }
  unsigned beat_bytes() const { return 1U << (size & 7); }  // AxSIZE has three bits
  bool operator==(const Burst& o) const {
    return address == o.address && id == o.id && length == o.length && size == o.size && type == o.type;
  }
};

/// Driven by the master.
struct MasterPins {
  bool aw_valid = false, w_valid = false, b_ready = false, ar_valid = false, r_ready = false;
  Burst aw, ar;
  std::array<std::uint8_t, kMaxBusBytes> w_data{};
  std::array<std::uint64_t, 2> w_strobes{};  // bit i: byte lane i
  bool w_last = false;
};

/// Driven by the slave.
struct SlavePins {
  bool aw_ready = false, w_ready = false, b_valid = false, ar_ready = false, r_valid = false;
  std::uint32_t b_id = 0, r_id = 0;
  std::uint8_t b_response = 0, r_response = 0;
  std::array<std::uint8_t, kMaxBusBytes> r_data{};
  bool r_last = false;
};

inline bool strobe(const MasterPins& pins, unsigned lane) {
  return (pins.w_strobes[lane / 64] >> (lane % 64) & 1) != 0;
}
inline void set_strobe(MasterPins& pins, unsigned lane) {
  pins.w_strobes[lane / 64] |= std::uint64_t{1} << (lane % 64);
}

/// The bytes that a burst touches: `bytes` from `first`. Of FIXED the bytes of its one beat.
struct Range {
  std::uint64_t first;
  std::uint32_t bytes;
};
Range touched(const Burst& burst);

/// The bytes of one beat: `bytes` from `address`, on the byte lanes from `lane`.
struct Beat {
  std::uint64_t address;
  unsigned lane, bytes;
};
Beat beat_of(const Burst& burst, unsigned index, unsigned bus_bytes);

/// What is wrong with a burst on a bus of so many bytes, as the end of a rule's name ("BOUNDARY", ...); nullptr: nothing.
const char* fault_of(const Burst& burst, unsigned bus_bytes);

}  // namespace harmonia::axi
