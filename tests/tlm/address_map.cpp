#include "harmonia/tlm/address_map.h"

#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

#include "tests/support/catch.h"

using harmonia::bus::AddressMap;
using harmonia::bus::Interleave;
using harmonia::bus::Region;

namespace {

std::vector<Interleave::Piece> pieces_of(const Interleave& interleave, std::uint64_t address, unsigned length) {
  std::vector<Interleave::Piece> pieces;
  interleave.split(address, length, [&](const Interleave::Piece& piece) { pieces.push_back(piece); });
  return pieces;
}

}  // namespace

TEST_CASE("4 KiB at 256 B over 4 channels is four pieces of 1 KiB") {
  const Interleave interleave(4, 256);
  const auto pieces = pieces_of(interleave, 0x10000, 4096);
  REQUIRE(pieces.size() == 4);
  for (unsigned channel = 0; channel < 4; ++channel) {
    REQUIRE(pieces[channel].channel == channel);
    REQUIRE(pieces[channel].local == 0x4000);
    REQUIRE(pieces[channel].length_bytes == 1024);
  }
}

TEST_CASE("three channels - a hand-worked unaligned request") {
  const Interleave interleave(3, 100);
  // Bytes 250..699: block 2 from 50, blocks 3, 4, 5, 6 whole; row 0 holds blocks 0..2, row 1 3..5, row 2 6..8.
  const auto pieces = pieces_of(interleave, 250, 450);
  REQUIRE(pieces.size() == 3);
  REQUIRE((pieces[0].channel == 2 && pieces[0].local == 50 && pieces[0].length_bytes == 150));
  REQUIRE((pieces[1].channel == 0 && pieces[1].local == 100 && pieces[1].length_bytes == 200));
  REQUIRE((pieces[2].channel == 1 && pieces[2].local == 100 && pieces[2].length_bytes == 100));
}

TEST_CASE("interleave is a bijection and pieces cover every byte once") {
  const unsigned seed = 20240611;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < 3000; ++trial) {
    const auto channels = static_cast<unsigned>(1 + random() % 12);
    const std::uint64_t granularity = random() % 2 ? std::uint64_t{1} << (random() % 9) : 1 + random() % 300;
    const Interleave interleave(channels, granularity, random() % 2);
    const std::uint64_t address = random() % 2 ? random() % 5000 : random() >> 8;
    const auto length = static_cast<unsigned>(1 + random() % 3000);
    CAPTURE(channels, granularity, address, length);
    std::vector<int> seen(length, 0);
    std::vector<bool> met(channels, false);
    unsigned total = 0;
    const auto pieces = pieces_of(interleave, address, length);
    for (const Interleave::Piece& piece : pieces) {
      REQUIRE_FALSE(met[piece.channel]);
      met[piece.channel] = true;
      total += piece.length_bytes;
      interleave.runs(piece, address, [&](unsigned in_request, unsigned in_piece, unsigned bytes) {
        REQUIRE(in_request + bytes <= length);
        for (unsigned i = 0; i < bytes; ++i) {
          ++seen[in_request + i];
          if (i != 0 && i + 1 != bytes) continue;
          const Interleave::Location at = interleave.locate(address + in_request + i);
          REQUIRE(at.channel == piece.channel);
          REQUIRE(at.local == piece.local + in_piece + i);
          REQUIRE(interleave.address_of(at.channel, at.local) == address + in_request + i);
        }
      });
    }
    REQUIRE(total == length);
    REQUIRE(seen == std::vector<int>(length, 1));
    // One piece at a block's inside is what whole() promises; it may say no to a request that meets one channel twice.
    if (interleave.whole(address, length)) REQUIRE(pieces.size() == 1);
  }
}

TEST_CASE("hashing spreads a stride that plain interleave sends to one channel") {
  for (const unsigned channels : {4U, 6U}) {
    const Interleave plain(channels, 256), hashed(channels, 256, true);
    std::vector<int> plain_count(channels), hashed_count(channels);
    for (std::uint64_t i = 0; i < 360; ++i) {
      ++plain_count[plain.locate(i * 256 * channels).channel];
      ++hashed_count[hashed.locate(i * 256 * channels).channel];
    }
    REQUIRE(plain_count[0] == 360);
    for (const int count : hashed_count) REQUIRE(count >= 360 / static_cast<int>(channels) / 2);
  }
}

TEST_CASE("an address map refuses what cannot be decoded") {
  const auto region = [](const char* name, std::uint64_t base, std::uint64_t size) {
    Region made;
    made.name = name;
    made.base = base;
    made.size_bytes = size;
    return made;
  };
  REQUIRE_THROWS_AS(AddressMap({region("a", 0, 16), region("b", 15, 16)}), std::invalid_argument);
  REQUIRE_THROWS_AS(AddressMap({region("a", 0, 0)}), std::invalid_argument);
  REQUIRE_THROWS_AS(AddressMap({region("a", ~std::uint64_t{0} - 3, 5)}), std::invalid_argument);
  REQUIRE_THROWS_AS(Interleave(0, 64), std::invalid_argument);
  REQUIRE_THROWS_AS(Interleave(2, 0), std::invalid_argument);
  const AddressMap map({region("high", ~std::uint64_t{0} - 3, 4), region("low", 16, 16)});
  REQUIRE(map.find(16, 16)->name == "low");
  REQUIRE(map.find(31, 1)->name == "low");
  REQUIRE(map.find(31, 2) == nullptr);
  REQUIRE(map.find(15, 1) == nullptr);
  REQUIRE(map.find(~std::uint64_t{0}, 1)->name == "high");
  REQUIRE(map.find(~std::uint64_t{0}, 2) == nullptr);
}
