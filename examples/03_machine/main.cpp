// The whole machine in a testbench of your own: two decode steps of a small model.
//
// A scenario says what the machine and its workload are; the host in front of it starts a step and waits for its end. What a run of
// the program adds (sampling, checks, reports) is not needed for that.
#include <cstdio>
#include <systemc>

#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/system/machine.h"

namespace tb = harmonia::testbench;
namespace accelerator = harmonia::accelerator;

int sc_main(int, char**) {
  const tb::LoadedScenario loaded = tb::load_scenario(
      "default", {"model=stories260k", "weights=kmeans2", "workload.context=100", "workload.tokens=2"}, tb::Library());
  const tb::Scenario& scenario = loaded.scenario;

  tb::Capacity capacity;
  capacity.tokens_per_slot = 128;
  tb::Machine machine(
      scenario, capacity,
      [](tb::Host& host) {
        for (std::uint64_t step = 0; step < 2; ++step) {
          accelerator::StepWork work;
          accelerator::SequenceStep sequence;
          sequence.cached = 100 + step;
          work.sequences.push_back(sequence);
          const sc_core::sc_time begin = sc_core::sc_time_stamp();
          host.step(work);
          std::printf("step %d with %d tokens in the cache: %.1f us\n", static_cast<int>(step),
                      static_cast<int>(sequence.cached), (sc_core::sc_time_stamp() - begin).to_seconds() * 1e6);
        }
      },
      tb::machine_options(scenario));
  machine.simulate();

  std::uint64_t bytes = 0;
  for (const auto& channel : machine.accelerator->channels)
    for (const std::uint64_t of_class : channel->counts().pin_bytes) bytes += of_class;
  std::printf("%d channels moved %llu bytes\n", static_cast<int>(machine.accelerator->channels.size()),
              static_cast<unsigned long long>(bytes));
  return bytes > 0 ? 0 : 1;
}
