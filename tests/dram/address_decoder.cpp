// The address decoder alone: bursts to banks and rows, and requests to runs, against the lists of address bits.
#include "harmonia/hw/dram/engine/address_decoder.h"

#include <random>
#include <set>
#include <tuple>

#include "tests/dram/checked.h"

using namespace harmonia;
using namespace harmonia::dram;
using namespace harmonia::test;

namespace {

/// The bank over all units and the row, bit by bit from the mapping.
BankRow expected_place(const Config& c, std::uint64_t burst) {
  const std::uint64_t address = burst * static_cast<std::uint64_t>(c.burst_bytes());
  const auto gather = [address](const std::vector<int>& bits) {
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < bits.size(); ++i) v |= static_cast<std::uint32_t>((address >> bits[i]) & 1) << i;
    return v;
  };
  const Mapping& m = c.mapping;
  std::uint32_t bank = gather(m.bankgroup) * static_cast<std::uint32_t>(c.banks_per_group) + gather(m.bank);
  for (const auto& [bank_bit, address_bit] : m.bank_xor) bank ^= gather({address_bit}) << bank_bit;
  const std::uint32_t unit = gather(m.rank) * static_cast<std::uint32_t>(c.pseudo_channels) + gather(m.pseudo_channel);
  return {unit * static_cast<std::uint32_t>(c.banks_per_unit()) + bank, gather(m.row)};
}

std::vector<Config> mapped_configs() {
  return {configured("ddr4_3200.bgi"), configured("hbm2_2000.rbc"), configured("lpddr5_6400.cbg"),
          configured("LPDDR5-6400", {{"ranks", "4"}, {"mapping", "cbg"}}),
          configured("DDR4-3200", {{"mapping", "rbc"}, {"bank_xor", "0,17,1,18"}})};
}

}  // namespace

TEST_CASE("Address decoder: a burst's bank and row are those of the mapping's bits") {
  for (const Config& c : mapped_configs()) {
    INFO(c.name << " " << c.mapping.name);
    const AddressDecoder decoder(c, Organisation(c));
    std::mt19937_64 random(7);
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t burst = random() & decoder.address_mask();
      const BankRow found = decoder.bank_row(burst), expected = expected_place(c, burst);
      REQUIRE(found.bank == expected.bank);
      REQUIRE(found.row == expected.row);
    }
  }
}

TEST_CASE("Address decoder: the next column stays in the row and goes through all of them") {
  for (const Config& c : mapped_configs()) {
    INFO(c.name);
    const AddressDecoder decoder(c, Organisation(c));
    std::uint64_t burst = decoder.address_mask() & ~decoder.column().mask();
    const BankRow place = decoder.bank_row(burst);
    for (int column = 0; column < c.bursts_per_row(); ++column) {
      REQUIRE(decoder.column().extract(burst) == static_cast<std::uint64_t>(column));
      REQUIRE(decoder.bank_row(burst).row == place.row);
      burst = decoder.next_column(burst);
    }
    CHECK(decoder.column().extract(burst) == 0);
  }
}

TEST_CASE("Address decoder: runs of a request hold each of its bursts once, in its own bank and row") {
  for (const Config& c : mapped_configs()) {
    INFO(c.name << " " << c.mapping.name);
    const AddressDecoder decoder(c, Organisation(c));
    std::mt19937_64 random(3);
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t low = random() & decoder.address_mask();
      const std::uint64_t high = std::min(low + random() % (i < 150 ? 20 : 700), decoder.address_mask());
      std::set<std::uint64_t> seen;
      std::uint64_t before = 0;
      decoder.split(low, high, [&](BankRow place, std::uint64_t first, std::uint64_t last, std::uint32_t count) {
        REQUIRE(first >= before);  // in order of the first burst
        before = first;
        std::uint64_t burst = first;
        for (std::uint32_t k = 0; k < count; ++k, burst = decoder.next_column(burst)) {
          REQUIRE(decoder.bank_row(burst).bank == place.bank);
          REQUIRE(decoder.bank_row(burst).row == place.row);
          REQUIRE(seen.insert(burst).second);
          if (k + 1 == count) REQUIRE(burst == last);
        }
      });
      REQUIRE(seen.size() == high - low + 1);
      REQUIRE(*seen.begin() == low);
      REQUIRE(*seen.rbegin() == high);
    }
  }
}
