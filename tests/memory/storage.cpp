// Sparse storage: what was written is read, nothing else changes, and no access leaves the range.
#include "harmonia/hw/memory/storage.h"

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "harmonia/config/error.h"
#include "tests/support/catch.h"

using harmonia::memory::ByteEnable;
using harmonia::memory::Storage;

namespace {
constexpr std::uint64_t kPage = Storage::kPageBytes;
}

TEST_CASE("storage: bytes never written read as the fill value and cost no memory") {
  Storage storage(std::uint64_t{1} << 40, 0xA5);
  std::vector<std::uint8_t> out(300, 0);
  REQUIRE(storage.read((std::uint64_t{1} << 40) - 300, out.data(), 300));
  REQUIRE(out == std::vector<std::uint8_t>(300, 0xA5));
  REQUIRE(storage.resident_bytes() == 0);
  const std::uint8_t one = 1;
  REQUIRE(storage.write(kPage * 5 + 7, &one, 1));
  REQUIRE(storage.resident_bytes() == kPage);
  REQUIRE(storage.read(kPage * 5 + 6, out.data(), 3));
  REQUIRE(out[0] == 0xA5);
  REQUIRE(out[1] == 1);
  REQUIRE(out[2] == 0xA5);
}

TEST_CASE("storage: an access that leaves the range is refused whole, and no address wraps around") {
  Storage storage(2 * kPage + 100);
  std::vector<std::uint8_t> data(200, 7);
  REQUIRE(storage.write(2 * kPage, data.data(), 100));
  REQUIRE_FALSE(storage.write(2 * kPage, data.data(), 101));
  REQUIRE_FALSE(storage.write(2 * kPage + 99, data.data(), 2));
  REQUIRE_FALSE(storage.write(~std::uint64_t{0}, data.data(), 2));
  REQUIRE_FALSE(storage.write(~std::uint64_t{0} - 99, data.data(), 200));
  REQUIRE_FALSE(storage.read(2 * kPage + 100, data.data(), 1));
  REQUIRE_FALSE(storage.contains(10, ~std::uint64_t{0}));
  std::uint8_t first = 99;
  REQUIRE(storage.read(0, &first, 1));
  REQUIRE(first == 0);  // the refused writes did not come round to address 0
}

TEST_CASE("storage: byte enables repeat over the access and cross pages") {
  Storage storage(4 * kPage);
  const std::uint8_t enable[3] = {0xFF, 0, 0xFF};
  std::vector<std::uint8_t> in(10);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::uint8_t>(i + 1);
  REQUIRE(storage.write(kPage - 4, in.data(), in.size(), {enable, 3}));
  std::vector<std::uint8_t> out(10, 0);
  REQUIRE(storage.read(kPage - 4, out.data(), out.size()));
  REQUIRE((out == std::vector<std::uint8_t>{1, 0, 3, 4, 0, 6, 7, 0, 9, 10}));
  std::vector<std::uint8_t> masked(10, 0xEE);
  REQUIRE(storage.read(kPage - 4, masked.data(), masked.size(), {enable, 3}));
  REQUIRE((masked == std::vector<std::uint8_t>{1, 0xEE, 3, 4, 0xEE, 6, 7, 0xEE, 9, 10}));
}

TEST_CASE("storage: pages for direct access alias the stored bytes and end with the range") {
  Storage storage(kPage + 10);
  std::uint8_t* page = storage.page(kPage + 3);
  page[3] = 42;
  std::uint8_t out = 0;
  REQUIRE(storage.read(kPage + 3, &out, 1));
  REQUIRE(out == 42);
  REQUIRE(Storage::page_begin(kPage + 3) == kPage);
  REQUIRE(storage.page_end(kPage + 3) == kPage + 9);
  REQUIRE(storage.page_end(3) == kPage - 1);
}

TEST_CASE("storage: random reads and writes agree with a map of bytes") {
  constexpr std::uint64_t kSeed = 20240611;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  Storage storage(6 * kPage + 123);
  std::map<std::uint64_t, std::uint8_t> model;
  for (int step = 0; step < 300; ++step) {
    const std::uint64_t address = random() % (storage.size_bytes() + 50);
    const std::uint64_t length = random() % 5 == 0 ? random() % (2 * kPage) : random() % 200;
    std::vector<std::uint8_t> enable(random() % 3 == 0 ? 1 + random() % 9 : 0);
    for (auto& byte : enable) byte = random() % 2 ? 0xFF : 0;
    const ByteEnable mask{enable.empty() ? nullptr : enable.data(), enable.size()};
    std::vector<std::uint8_t> data(length);
    for (auto& byte : data) byte = static_cast<std::uint8_t>(random());
    const bool inside = address < storage.size_bytes() && address + length <= storage.size_bytes();
    auto enabled = [&](std::uint64_t i) { return enable.empty() || enable[i % enable.size()] != 0; };
    if (random() % 2) {
      REQUIRE(storage.write(address, data.data(), length, mask) == inside);
      if (inside) {
        for (std::uint64_t i = 0; i < length; ++i) {
          if (enabled(i)) model[address + i] = data[i];
        }
      }
    } else {
      std::vector<std::uint8_t> expected = data;
      if (inside) {
        for (std::uint64_t i = 0; i < length; ++i) {
          const auto found = model.find(address + i);
          if (enabled(i)) expected[i] = found == model.end() ? std::uint8_t{0} : found->second;
        }
      }
      REQUIRE(storage.read(address, data.data(), length, mask) == inside);
      REQUIRE(data == expected);
    }
  }
}

TEST_CASE("storage: an impossible size is an input error") {
  REQUIRE_THROWS_AS(Storage(0), harmonia::config::InputError);
  REQUIRE_THROWS_AS(Storage(Storage::kMaxBytes + 1), harmonia::config::InputError);
}
