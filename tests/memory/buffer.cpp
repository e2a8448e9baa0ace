// Stream buffer timing, worked by hand.
#include "harmonia/hw/memory/buffer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "harmonia/config/error.h"
#include "tests/support/catch.h"

using namespace harmonia::memory;

namespace {

/// 64 bytes a cycle in and out, halves of 512 bytes, latency 2.
StreamBufferConfig small(BufferMode mode) {
  StreamBufferConfig config;
  config.capacity_bytes = 1024;
  config.banks = 4;
  config.bank_bytes_per_cycle = 32;
  config.latency_cycles = 2;
  config.mode = mode;
  return config;
}

}  // namespace

TEST_CASE("stream buffer, tiles: a tile is read when its last byte is written, halves alternate") {
  StreamBufferTiming buffer(small(BufferMode::kTiles));
  // Tile 0: chunks of 256, 256 bytes: 4 cycles each. Arrivals 10 and 11.
  REQUIRE(buffer.admit(10, 256, false) == 14u);  // 10 + 4
  REQUIRE_FALSE(buffer.can_present());           // tile not complete
  REQUIRE(buffer.admit(14, 256, true) == 18u);
  REQUIRE(buffer.can_present());
  REQUIRE(buffer.present() == 18 + 4 + 2);  // readable 18, 4 cycles of port, 2 latency
  buffer.taken(24);
  // Tile 1 goes into the other half at once, though tile 0 is still being read.
  REQUIRE(buffer.admit(20, 64, true) == 21u);
  REQUIRE(buffer.present() == 22 + 4 + 2);  // the port was free at 22: the latency is pipelined
  // Tile 2 needs tile 0's half; tile 0's last chunk has not been taken yet: unknown, and asking changes nothing.
  REQUIRE_FALSE(buffer.admit(21, 512, true).has_value());
  REQUIRE_FALSE(buffer.admit(21, 512, true).has_value());
  buffer.taken(40);                             // the consumer was 12 cycles late
  REQUIRE(buffer.admit(21, 512, true) == 48u);  // half free at 40, 512 / 64 = 8 cycles
  // Tile 1 (64 bytes, readable at 21): the port was held until the consumer came, 26 + 12 = 38.
  REQUIRE(buffer.present() == 38 + 1 + 2);
  buffer.taken(41);
  REQUIRE(buffer.present() == 48 + 8 + 2);
  buffer.taken(58);
  REQUIRE_FALSE(buffer.can_present());
  REQUIRE(buffer.resident_chunks() == 0);

  const StreamBufferStatistics s = buffer.statistics();
  REQUIRE(s.chunks == 4);
  REQUIRE(s.bytes == 256 + 256 + 64 + 512);
  REQUIRE(s.tiles == 3);
  REQUIRE(s.write_busy == 4 + 4 + 1 + 8);
  REQUIRE(s.write_no_input == 10 + 2);  // until 10, and from 18 to 20
  REQUIRE(s.write_no_room == 40 - 21);  // tile 2 stood at the door from 21 to 40
  REQUIRE(s.write_busy + s.write_no_input + s.write_no_room == 48);
  REQUIRE(s.read_busy == 17);
  REQUIRE(s.read_blocked == 12);
  REQUIRE(s.read_no_data == 18 + (48 - 39));
  REQUIRE(s.read_busy + s.read_blocked + s.read_no_data == 56);  // the port's last cycle; 58 is after the latency
  // At 40 tile 0 has left: 64 + 512. At 20: 256 + 256 + 64.
  REQUIRE(s.peak_bytes == 576);
  REQUIRE(s.byte_cycles == 256 * (24 - 10) + 256 * (40 - 14) + 64 * (41 - 20) + 512 * (58 - 40));
}

TEST_CASE("stream buffer, streaming: a chunk is read as soon as it is written and its room returns when it is taken") {
  StreamBufferTiming buffer(small(BufferMode::kStreaming));
  REQUIRE(buffer.admit(0, 512, false) == 8u);
  REQUIRE(buffer.present() == 8 + 8 + 2);
  REQUIRE(buffer.admit(8, 512, false) == 16u);
  REQUIRE_FALSE(buffer.admit(16, 64, true).has_value());  // 1024 of 1024 held, the first departure not known
  buffer.taken(30);
  REQUIRE(buffer.admit(16, 64, true) == 31u);  // room from 30
  REQUIRE(buffer.present() == 28 + 8 + 2);     // port: 16, held to 28 by the late consumer
  buffer.taken(38);
  REQUIRE(buffer.present() == 36 + 1 + 2);
  buffer.taken(39);
  REQUIRE(buffer.statistics().peak_bytes == 1024);
}

TEST_CASE("stream buffer: what does not fit is refused") {
  StreamBufferTiming buffer(small(BufferMode::kTiles));
  REQUIRE(buffer.refusal(513, true) == StreamBufferTiming::Refusal::kTileTooLarge);
  REQUIRE(buffer.admit(0, 512, false).has_value());
  REQUIRE(buffer.refusal(1, false) == StreamBufferTiming::Refusal::kTileTooLarge);
  REQUIRE(buffer.refusal(1, true) == StreamBufferTiming::Refusal::kTileNotEnded);
  StreamBufferTiming ring(small(BufferMode::kStreaming));
  REQUIRE(ring.refusal(1024, false) == StreamBufferTiming::Refusal::kNone);
  REQUIRE(ring.refusal(1025, false) == StreamBufferTiming::Refusal::kTileTooLarge);
}

TEST_CASE("stream buffer, a single tile: as large as the buffer, and the next one waits for its end") {
  StreamBufferTiming buffer(small(BufferMode::kSingleTile));
  REQUIRE(buffer.refusal(1024, true) == StreamBufferTiming::Refusal::kNone);
  REQUIRE(buffer.refusal(1025, true) == StreamBufferTiming::Refusal::kTileTooLarge);
  REQUIRE(buffer.admit(0, 1024, true) == 16u);  // 64 bytes a cycle
  REQUIRE_FALSE(buffer.admit(16, 64, true).has_value());
  REQUIRE(buffer.present() == 16 + 16 + 2);
  buffer.taken(34);
  REQUIRE(buffer.admit(16, 64, true) == 34 + 1u);
}

TEST_CASE("stream buffer: impossible configurations are input errors that name the key") {
  StreamBufferConfig config = small(BufferMode::kTiles);
  config.banks = 3;
  REQUIRE_THROWS_WITH(StreamBufferTiming(config), ContainsSubstring("banks"));
  config = small(BufferMode::kTiles);
  config.capacity_bytes = 0;
  REQUIRE_THROWS_WITH(StreamBufferTiming(config), ContainsSubstring("capacity_bytes"));
}

TEST_CASE("stream buffer: over random streams no byte of room is used twice and the ports' shares add up") {
  constexpr std::uint64_t kSeed = 7;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (const BufferMode mode : {BufferMode::kTiles, BufferMode::kStreaming}) {
    StreamBufferTiming buffer(small(mode));
    struct Life {
      Cycle begin, written, taken;
      std::uint64_t bytes;
    };
    std::vector<Life> lives;
    std::size_t next_out = 0;
    Cycle arrival = 0, last_taken = 0;
    std::uint64_t tile_left = 0;
    for (int chunk = 0; chunk < 5000; ++chunk) {
      if (tile_left == 0) tile_left = 1 + random() % 512;
      const std::uint64_t bytes = 1 + random() % tile_left;
      tile_left -= bytes;
      arrival += random() % 12;
      std::optional<Cycle> accept;
      const auto consume = [&] {
        const Cycle ready = buffer.present();
        REQUIRE(ready >= lives[next_out].written + 1);
        REQUIRE(ready > last_taken);
        last_taken = ready + (random() % 3 == 0 ? random() % 20 : 0);
        lives[next_out++].taken = last_taken;
        buffer.taken(last_taken);
      };
      while (!(accept = buffer.admit(arrival, bytes, tile_left == 0))) {
        REQUIRE(buffer.can_present());  // never stuck
        consume();
      }
      const Cycle duration = (bytes + 63) / 64;
      REQUIRE(*accept >= arrival + duration);
      arrival = *accept;
      lives.push_back({*accept - duration, *accept, ~Cycle{0}, bytes});
      if (random() % 2 && buffer.can_present()) consume();
    }
    // Occupancy at every admission, from the outside.
    std::uint64_t peak = 0;
    for (std::size_t i = 0; i < lives.size(); ++i) {
      std::uint64_t held = 0;
      for (std::size_t j = i + 1; j-- > 0 && i - j < 1100;) {
        if (lives[j].taken > lives[i].begin) held += lives[j].bytes;
      }
      REQUIRE(held <= 1024);
      peak = std::max(peak, held);
    }
    REQUIRE(buffer.statistics().peak_bytes == peak);
    const StreamBufferStatistics s = buffer.statistics();
    REQUIRE(s.write_busy + s.write_no_input + s.write_no_room == lives.back().written);
  }
}
