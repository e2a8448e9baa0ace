// Runs a master against a slave, edge by edge, under the checker.
#pragma once

#include <cstdint>

#include "harmonia/hw/axi/axi_checker.h"
#include "tests/axi/random_master.h"
#include "tests/support/catch.h"

namespace harmonia::test {

/// `slave(resetn, pins)` returns what the slave drives after the edge. Four edges of reset come first.
template <typename Slave>
void run_link(RandomMaster& master, axi::AxiChecker& checker, Slave&& slave, std::int64_t most_edges) {
  axi::SlavePins driven;
  for (std::int64_t edge = 0; !master.done() && edge < most_edges; ++edge) {
    const bool resetn = edge >= 4;
    const axi::MasterPins pins = edge > 4 ? master.drive() : axi::MasterPins{};
    checker.clock(resetn, pins, driven);
    const axi::SlavePins next = slave(resetn, pins);
    if (edge > 4) master.sampled(edge, driven);
    driven = next;
  }
  INFO("edges: " << checker.cycles());
  CHECK(master.done());
  for (const axi::Violation& v : checker.violations())
    UNSCOPED_INFO("cycle " << v.cycle << ": " << v.rule << ": " << v.text);
  CHECK(checker.total() == 0);
  for (const std::string& fault : master.faults()) UNSCOPED_INFO(fault);
  CHECK(master.faults().empty());
}

}  // namespace harmonia::test
