// `harmonia random`: one constrained-random test, with its coverage.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/coverage/coverage_result.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/random/bench.h"

namespace harmonia::testbench {
namespace {

int random_command(const std::vector<std::string>& arguments) {
  std::string name, file, coverage_file;
  std::int64_t seed = 1, transactions = 0;
  bool list = false;
  std::vector<std::string> names;
  for (const RandomBench& b : random_benches()) names.emplace_back(b.name);
  Arguments a(kRandomCommand);
  a.positional("TEST", name, "name of the test; --list shows all")
      .choices(names)
      .integer("seed,s", seed, 0, std::int64_t{1} << 62, "S", "seed of all random choices (1)")
      .integer("transactions,n", transactions, 1, 100000000, "N",
               "number of transactions, instead of that in the stimulus file (600)")
      .text("stimulus", file, "FILE", "weights and constraints in YAML (docs/random.md)")
      .text("coverage", coverage_file, "FILE", "write functional coverage as UCIS XML")
      .flag("list", list, "list the tests and their modes, and exit");
  if (!a.parse(arguments)) return 0;
  if (list) {
    for (const RandomBench& b : random_benches()) {
      std::string modes;
      for (const std::string& m : b.modes) modes += (modes.empty() ? "; modes " : ", ") + m;
      const char* skipped = b.rtl && !random_benches_have_rtl() ? " (not in this program: no Verilator)" : "";
      std::cout << fmt::format("{:<10} {}{}{}\n", b.name, b.what, modes, skipped);
    }
    return 0;
  }
  const auto bench = std::find_if(random_benches().begin(), random_benches().end(),
                                  [&](const RandomBench& b) { return name == b.name; });
  if (bench == random_benches().end())
    throw config::InputError({"command line", 0, 0},
                             name.empty() ? std::string("TEST is missing; `harmonia random --list` shows them")
                                          : fmt::format("TEST is '{}'{}", config::printable(name),
                                                        config::nearest_hint(name, names, "test")));
  stimulus::Stimulus s = file.empty() ? stimulus::Stimulus() : stimulus::read_stimulus(file);
  if (transactions != 0) s.transactions = transactions;
  const std::string command = fmt::format("harmonia random {} --seed {}{}{}", name, seed,
                                          transactions != 0 ? fmt::format(" --transactions {}", transactions) : "",
                                          file.empty() ? "" : " --stimulus " + file);
  const RandomOutcome outcome = run_random(*bench, s, static_cast<std::uint64_t>(seed));
  if (!coverage_file.empty()) {
    coverage::Database d;
    d.runs.push_back({fmt::format("{} {}", name, seed), command, static_cast<std::uint64_t>(seed), outcome.passed});
    for (const coverage::Group& g : outcome.groups) d.merge({{}, {g}});
    OutputFile out(coverage_file);
    out.write(ucis_of(d));
    out.commit();
  }
  if (outcome.passed) {
    std::cout << fmt::format("passed: {} with seed {}, {} transactions\n", name, seed, outcome.transactions);
    std::cout.flush();
    return 0;
  }
  std::cout << fmt::format("failed: {} with seed {}, after {} transactions\nsignature: {}\nreplay: {}\n{}\n", name,
                           seed, outcome.transactions, outcome.signature, command, outcome.message);
  std::cout.flush();
  return 1;
}

}  // namespace

const Command kRandomCommand = {"random", "TEST [--seed S] [--stimulus FILE] [--coverage FILE]",
                                "Run one constrained-random test, and collect its functional coverage", random_command,
                                "harmonia random channel --seed 7"};

}  // namespace harmonia::testbench
