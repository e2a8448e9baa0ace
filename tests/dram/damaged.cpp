// Damaged traces and channel files are refused or run; nothing crashes, hangs or asks for memory that a file claims.
#include <cstdint>
#include <random>
#include <string>

#include "harmonia/config/error.h"
#include "harmonia/config/yaml.h"
#include "harmonia/hw/dram/document.h"
#include "harmonia/hw/dram/engine.h"
#include "harmonia/testbench/dram/address_trace.h"
#include "harmonia/testbench/dram/channel_file.h"
#include "harmonia/testbench/dram/traffic.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace tb = harmonia::testbench;
namespace dram = harmonia::dram;
using harmonia::config::InputError;
using harmonia::test::Scratch;

namespace {

std::string damaged(const std::string& whole, std::mt19937& random) {
  std::string text = whole;
  for (std::uint32_t e = 0; e < 1 + random() % 3; ++e) {
    const std::size_t at = random() % text.size();
    switch (random() % 5) {
      case 0:
        text[at] = static_cast<char>(random() % 256);
        break;
      case 1:
        text.erase(at, 1 + random() % 8);
        break;
      case 2:
        text.insert(at, text.substr(random() % text.size(), random() % 30));
        break;
      case 3:
        text.insert(at, (random() % 2 ? "-" : "") + std::to_string(std::uint64_t{random()} * random()));
        break;
      default:
        text.resize(1 + random() % text.size());
    }
    if (text.empty()) text = "0";
  }
  return text;
}

}  // namespace

TEST_CASE("dram: damaged traces are refused or run") {
  constexpr std::uint32_t kSeed = 31;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  const Scratch s;
  const dram::Config& channel = dram::find_preset("HBM2-2000");
  const std::string wholes[] = {"0x40 READ 1\n0x80 WRITE 5\n0xc0 READ 100\n", "LD 0x40\nST 128\nLD 0x1000\n",
                                "R 0,0,1,2,3,4\nW 0,0,0,0,7,9\nR 0,0,3,3,1,0\n",
                                "1: read 0x40\n7: (128) write 0x80 0xab\n9: read 0x100\n", "op,addr_hex\nR,40\nW,80\n"};
  int refused = 0, read = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::string file = s.write("t", damaged(wholes[random() % 5], random));
    try {
      tb::AddressTrace trace(file, channel);
      dram::Engine engine(channel);
      tb::TrafficRequest r;
      // Times far ahead are legal; the refreshes up to them would take the test's time.
      while (trace.next(r))
        if (r.not_before < 1000000) REQUIRE(r.address + r.length <= channel.capacity_bytes());
      ++read;
    } catch (const InputError& e) {
      REQUIRE(std::string(e.what()).find(file) == 0);
      ++refused;
    }
  }
  CHECK(read > 150);
  CHECK(refused > 1000);
}

TEST_CASE("dram: damaged channel files are refused with their place, or describe a channel that runs") {
  constexpr std::uint32_t kSeed = 37;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  std::string bases[7];
  const char* const presets[] = {"DDR4-3200", "DDR5-4800", "LPDDR4-3200", "LPDDR5-6400",
                                 "HBM2-2000", "HBM3-6400", "GDDR6-16000"};
  for (int i = 0; i < 7; ++i) {
    // What a result says of its channel reads back as a file.
    for (const auto& [key, value] : dram::describe(dram::find_preset(presets[i])))
      if (!value.empty() && key != "assumed") {
        const bool text = key == "name" || key == "description" || key == "source";
        bases[i] += key + ": " + (text ? "'" + value + "'" : value) + "\n";
      }
    CAPTURE(bases[i]);
    const dram::ReadConfig same = dram::read_config(dram::kCustom, harmonia::config::parse_yaml(bases[i], "c.yaml"));
    for (const auto& [key, value] : dram::describe(dram::find_preset(presets[i])))
      for (const auto& [other, again] : dram::describe(same.config))
        if (key == other && key != "assumed" && key != "mapping") CHECK(value == again);
  }
  int refused = 0, run = 0;
  for (int round = 0; round < 2000; ++round) {
    const std::string text = damaged(bases[random() % 7], random);
    try {
      const dram::Config c = dram::read_config(dram::kCustom, harmonia::config::parse_yaml(text, "c.yaml")).config;
      if (c.capacity_bytes() < (std::uint64_t{512} << 20)) continue;
      dram::Engine engine(c);
      const auto source = tb::make_traffic("mix", 300);
      const tb::TrafficResult r = tb::run_traffic(engine, *source, {}, {});
      CAPTURE(text);
      REQUIRE(r.requests == 300);
      ++run;
    } catch (const InputError& e) {
      REQUIRE(std::string(e.what()).find("c.yaml") == 0);
      ++refused;
    }
  }
  CHECK(run > 30);
  CHECK(refused > 500);
}
