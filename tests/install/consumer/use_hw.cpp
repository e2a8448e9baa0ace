// A DRAM channel's engine: one read of a closed bank takes 1 + RCD + CL + burst cycles.
#include <harmonia/hw/dram/engine.h>

#include <cstdio>
#include <systemc>

int sc_main(int, char**) {
  using namespace harmonia::dram;
  Engine engine(find_preset("ddr4_3200.bgi.noref"));
  engine.push({0, 64, Op::kRead, 7}, 0);
  engine.drain();
  const Completion done = engine.completions().at(0);
  std::printf("done at cycle %lld", static_cast<long long>(done.done));
  return done.tag == 7 && done.done == 1 + 22 + 22 + 4 ? 0 : 1;
}
