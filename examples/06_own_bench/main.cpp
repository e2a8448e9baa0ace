// A bench of your own around a block: constrained-random stimulus, a scoreboard, functional coverage.
//
// The block is the FP16-to-BFP converter's golden function; put your own in its place. Stimulus comes from a seed, weights and
// constraints (harmonia/testbench/random/stimulus.h), the scoreboard holds a property that any block floating point has, and the
// covergroups go to a file that `harmonia coverage show` reads.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/testbench/random/stimulus.h"
#include "harmonia/tlm/coverage/ucis.h"

namespace coverage = harmonia::coverage;
namespace formats = harmonia::formats;
namespace stimulus = harmonia::stimulus;

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  stimulus::Random random(seed);
  stimulus::Tensor tensor;
  tensor.not_finite = 0;         // this bench asks about finite values,
  tensor.any_bits = 0;           // and any bit pattern may be none
  tensor.outlier_share = 0.05;   // one in twenty is
  tensor.outlier_doublings = 5;  // 32 times larger

  coverage::Group groups("bench.groups", "converter");
  groups.point("mantissa", "mantissa bits").bin("8", 8).bin("4", 4);
  groups.point("vanished", "elements that became 0").bin("none", 0).bin("some", 1, 31).bin("all but one", 31);
  groups.cross("mantissa x vanished", {"mantissa", "vanished"});

  int wrong = 0;
  for (int transaction = 0; transaction < 20000; ++transaction) {
    const bool wide = stimulus::draw_weighted(random, {1, 1}) == 0;
    const formats::BfpFormat& format = wide ? formats::kBfp8 : formats::kBfp4;
    formats::Fp16 x[32];
    stimulus::draw(random, tensor, x, 32);
    formats::BfpGroup group;
    formats::encode(format, x, 32, &group);
    // Scoreboard: what is stored lies below the value, and by less than one unit of the group's last place.
    const double unit = std::ldexp(1.0, group.exponent - 15 - (format.mantissa_bits - 1));
    int vanished = 0;
    for (int i = 0; i < 32; ++i) {
      const double value = std::abs(static_cast<double>(formats::to_float(x[i]))), stored = group.magnitude[i] * unit;
      if (stored > value || value - stored >= unit) {
        std::printf("seed %llu, transaction %d, element %d: %g is stored as %g\n",
                    static_cast<unsigned long long>(seed), transaction, i, value, stored);
        ++wrong;
      }
      vanished += value != 0 && stored == 0;
    }
    groups.sample({format.mantissa_bits, vanished});
  }
  coverage::Database database;
  database.runs.push_back({"own bench", "example_06_own_bench", seed, wrong == 0});
  database.groups.push_back(groups);
  std::ofstream file("own_bench.xml");
  coverage::write_ucis(database, file);
  const coverage::Score score = database.score();
  std::printf("20000 groups scored, %d elements wrong, %llu of %llu bins covered\n", wrong,
              static_cast<unsigned long long>(score.covered), static_cast<unsigned long long>(score.counted));
  return wrong == 0 ? 0 : 1;
}
