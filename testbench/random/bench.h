// Random tests of one part each: stimulus from a seed, checked, with the functional coverage of what was met.
//
// Models: RTL twins of the four blocks against their models (where the program has them), a DRAM channel behind stalls against
//   what was written, a small functional machine against the golden model.
// Does not model: parts without an answer to compare with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/testbench/random/stimulus.h"
#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::testbench {

/// What a failing test says. `signature` is the same for failures of one kind: no numbers of the seed in it.
struct RandomOutcome {
  bool passed = true;
  std::uint64_t transactions = 0;
  std::string signature, message;
  std::vector<coverage::Group> groups;
};

struct RandomBench {
  const char* name;
  const char* what;                // one line
  std::vector<std::string> modes;  // names that a stimulus file may weigh; empty: it has none
  bool systemc;                    // elaborates: once in a process
  bool rtl;                        // needs a program with RTL
  RandomOutcome (*run)(const stimulus::Stimulus& stimulus, std::uint64_t seed);
};
/// In the order of the documentation.
const std::vector<RandomBench>& random_benches();
/// Whether the program has RTL.
bool random_benches_have_rtl();

/// Runs it. Throws config::InputError for a mode that the bench does not have, or a bench that the program cannot run.
RandomOutcome run_random(const RandomBench& bench, const stimulus::Stimulus& stimulus, std::uint64_t seed);

/// A text without what changes from seed to seed: numbers in decimal and hexadecimal become N, runs of bytes are cut.
std::string signature_of(const std::string& message);

}  // namespace harmonia::testbench
