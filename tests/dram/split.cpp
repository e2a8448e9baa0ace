// A request of any length at any alignment is split over banks and rows without losing or doubling a burst.
#include <cstdint>
#include <random>
#include <vector>

#include "harmonia/hw/dram/engine.h"
#include "tests/support/catch.h"

using namespace harmonia::dram;

TEST_CASE("engine: every burst of a request is issued once, whatever the mapping interleaves") {
  std::mt19937_64 random(20261125);
  for (const Config& preset : presets()) {
    for (const char* mapping : {"bgi", "rbc", "cbg"}) {
      Config config = preset;
      set_key(config, "mapping", mapping);
      config.finish();
      Engine engine(config);
      const auto burst = static_cast<std::uint64_t>(config.burst_bytes());
      Cycle now = 0;
      std::uint64_t expected = 0;
      for (std::uint64_t tag = 0; tag < 50; ++tag) {
        Request request;
        request.address = random() % config.capacity_bytes();
        request.length = static_cast<std::uint32_t>(1 + random() % 5000);
        request.op = random() % 3 == 0 ? Op::kWrite : Op::kRead;
        request.tag = tag;
        expected += (request.address + request.length - 1) / burst - request.address / burst + 1;
        engine.push(request, now);
        now = engine.drain();
      }
      CAPTURE(preset.name, mapping);
      CHECK(engine.completions().size() == 50);
      engine.finish(now);
      CHECK(engine.statistics().bursts[0] + engine.statistics().bursts[1] == expected);
    }
  }
}
