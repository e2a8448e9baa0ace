// The benches of bench.h, each in a file of its own.
//
// Models: see bench.h. Does not model: anything else.
#pragma once

#include "harmonia/testbench/random/bench.h"

namespace harmonia::testbench {

RandomOutcome random_converter(const stimulus::Stimulus& s, std::uint64_t seed);
RandomOutcome random_decoder(const stimulus::Stimulus& s, std::uint64_t seed);
RandomOutcome random_pe(const stimulus::Stimulus& s, std::uint64_t seed);
RandomOutcome random_smoother(const stimulus::Stimulus& s, std::uint64_t seed);
RandomOutcome random_channel(const stimulus::Stimulus& s, std::uint64_t seed);
RandomOutcome random_machine(const stimulus::Stimulus& s, std::uint64_t seed);

/// The index of a mode of the bench, by the weights of the stimulus.
std::size_t drawn_mode(stimulus::Random& random, const stimulus::Stimulus& s, const std::vector<std::string>& names);

}  // namespace harmonia::testbench
