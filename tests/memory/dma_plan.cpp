// Descriptors and their splitting into memory transactions.
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "harmonia/hw/memory/dma.h"
#include "tests/support/catch.h"

using namespace harmonia::memory;
using harmonia::bus::TrafficClass;

namespace {

DmaSegment contiguous(std::uint64_t address, std::uint32_t bytes) {
  DmaSegment segment;
  segment.address = address;
  segment.row_bytes = bytes;
  return segment;
}

std::vector<DmaTransaction> all(DmaPlan plan) {
  std::vector<DmaTransaction> list;
  while (!plan.done()) list.push_back(plan.next());
  return list;
}

}  // namespace

TEST_CASE("dma plan: transactions end at multiples of their size") {
  DmaDescriptor descriptor;
  descriptor.add(contiguous(4000, 9000));
  const auto list = all(DmaPlan(descriptor, 4096));
  REQUIRE(list.size() == 4);
  REQUIRE(list[0].address == 4000);
  REQUIRE(list[0].bytes == 96);
  REQUIRE(list[0].first);
  REQUIRE_FALSE(list[0].last);
  REQUIRE(list[1].address == 4096);
  REQUIRE(list[1].bytes == 4096);
  REQUIRE(list[2].bytes == 4096);
  REQUIRE(list[3].bytes == 9000 - 96 - 8192);
  REQUIRE(list[3].last);
}

TEST_CASE("dma plan: strided rows") {
  DmaDescriptor descriptor;
  DmaSegment segment = contiguous(100, 64);
  segment.rows = 3;
  segment.stride_bytes = 1000;
  descriptor.add(segment);
  const auto list = all(DmaPlan(descriptor, 4096));
  REQUIRE(list.size() == 3);
  REQUIRE(list[1].address == 1100);
  REQUIRE(list[2].address == 2100);
  REQUIRE(list[2].bytes == 64);
}

TEST_CASE("dma plan: elements of the transactions add up whatever the cuts") {
  // BFP4 groups: 32 values in 18 bytes (an exponent and 32 nibbles, padded), cut at 64 bytes.
  DmaDescriptor descriptor;
  DmaSegment segment = contiguous(10, 18 * 50);
  segment.group_bytes = 18;
  segment.group_elements = 32;
  descriptor.add(segment);
  std::uint64_t elements = 0;
  for (const auto& transaction : all(DmaPlan(descriptor, 64))) elements += transaction.elements;
  REQUIRE(elements == 32 * 50);
}

TEST_CASE("dma plan: paced segments keep ahead of the last one in proportion") {
  // 64 KiB of scales for 1 MiB of indices: one scale transaction for 16 index transactions, and it comes before them.
  DmaDescriptor descriptor;
  descriptor.add(contiguous(1 << 24, 64 << 10)).add(contiguous(0, 1 << 20));
  descriptor.paced = true;
  const auto list = all(DmaPlan(descriptor, 4096));
  REQUIRE(list.size() == 16 + 256);
  std::uint64_t scales = 0, indices = 0;
  for (const auto& transaction : list) {
    (transaction.segment == 0 ? scales : indices) += transaction.bytes;
    REQUIRE(scales * 16 >= indices);               // every index byte's scale came before it
    REQUIRE(scales * 16 <= indices + 16 * 4096u);  // and is read ahead by no more than one transaction
  }
  for (std::size_t i = 0; i < list.size(); ++i) REQUIRE(list[i].segment == (i % 17 == 0 ? 0 : 1));
  // Without pacing: one after the other.
  descriptor.paced = false;
  const auto plain = all(DmaPlan(descriptor, 4096));
  for (std::size_t i = 0; i < plain.size(); ++i) REQUIRE(plain[i].segment == (i < 16 ? 0 : 1));
}

TEST_CASE("dma plan: every byte once, over random descriptors") {
  constexpr std::uint64_t kSeed = 99;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 500; ++round) {
    DmaDescriptor descriptor;
    descriptor.paced = random() % 2;
    const std::size_t segments = 1 + random() % DmaDescriptor::kMaxSegments;
    for (std::size_t i = 0; i < segments; ++i) {
      DmaSegment segment = contiguous((std::uint64_t{i} << 32) + random() % 5000, 1 + random() % 700);
      segment.rows = 1 + random() % 8;
      segment.stride_bytes = segment.row_bytes + random() % 100;
      descriptor.add(segment);
    }
    const std::uint32_t size = std::uint32_t{1} << (4 + random() % 9);
    std::vector<std::vector<std::pair<std::uint64_t, std::uint32_t>>> pieces(segments);
    DmaPlan plan(descriptor, size);
    while (!plan.done()) {
      const DmaTransaction t = plan.next();
      REQUIRE(t.bytes > 0);
      REQUIRE(t.address / size == (t.address + t.bytes - 1) / size);
      pieces[t.segment].push_back({t.address, t.bytes});
    }
    for (std::size_t i = 0; i < segments; ++i) {
      std::size_t piece = 0;
      for (std::uint32_t row = 0; row < descriptor.segments[i].rows; ++row) {
        std::uint64_t at = descriptor.segments[i].address + row * descriptor.segments[i].stride_bytes;
        const std::uint64_t end = at + descriptor.segments[i].row_bytes;
        while (at < end) {
          REQUIRE(pieces[i].at(piece).first == at);
          at += pieces[i][piece++].second;
        }
        REQUIRE(at == end);
      }
      REQUIRE(piece == pieces[i].size());
    }
  }
}

TEST_CASE("dma descriptor: survives the command socket, and bad ones are refused with a reason") {
  DmaDescriptor descriptor;
  descriptor.operation = 5;
  descriptor.paced = true;
  descriptor.add(contiguous(1, 2)).add(contiguous(3, 4));
  DmaDescriptor back;
  REQUIRE(decode(&descriptor, descriptor.encoded_bytes(), &back).empty());
  REQUIRE(back.operation == 5);
  REQUIRE(back.paced);
  REQUIRE(back.segments[1].row_bytes == 4);
  REQUIRE(back.segments[2].row_bytes == 0);

  const auto refused = [&back](const DmaDescriptor& bad) { return decode(&bad, bad.encoded_bytes(), &back); };
  REQUIRE_THAT(decode(&descriptor, 10, &back), ContainsSubstring("10 bytes"));
  REQUIRE_THAT(decode(&descriptor, descriptor.encoded_bytes() - 1, &back), ContainsSubstring("exactly"));
  DmaDescriptor bad = descriptor;
  bad.segments[1].row_bytes = 0;
  REQUIRE_THAT(refused(bad), ContainsSubstring("segments[1].row_bytes is 0"));
  bad = descriptor;
  bad.segments[0].address = ~std::uint64_t{0};
  REQUIRE_THAT(refused(bad), ContainsSubstring("wrap around"));
  bad = descriptor;
  bad.segments[0].rows = 3;
  bad.segments[0].stride_bytes = ~std::uint64_t{0} / 2;
  bad.segments[0].address = 3;
  REQUIRE_THAT(refused(bad), ContainsSubstring("wrap around"));
  bad = descriptor;
  bad.segments[0].traffic = static_cast<TrafficClass>(200);
  REQUIRE_THAT(refused(bad), ContainsSubstring("segments[0].traffic is 200"));
  std::vector<unsigned char> raw(descriptor.encoded_bytes());
  std::memcpy(raw.data(), &descriptor, raw.size());
  raw[offsetof(DmaDescriptor, paced)] = 7;
  REQUIRE_THAT(decode(raw.data(), raw.size(), &back), ContainsSubstring("paced is 7"));
}
