// All-reduces between the equal devices of a scenario: time, bytes and energy of each size, computed once.
//
// Models: hw/link's timing of the scenario's link, topology and algorithm; all devices begin together, as equal ones do. Does not
//   model: what a device does meanwhile (the sequencer).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "harmonia/testbench/results/run_result.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

class DeviceLink {
 public:
  explicit DeviceLink(const DevicesConfig& config) : config_(config) {}

  struct AllReduce {
    double us = 0;
    double payload_bytes = 0, wire_bytes = 0;  // sent by one device, mean of all
    double formula_bytes = 0;                  // payload by the formula of the algorithm
    link::Algorithm algorithm = link::Algorithm::ring;
  };
  const AllReduce& all_reduce(std::uint64_t values);

 private:
  DevicesConfig config_;
  std::map<std::uint64_t, AllReduce> known_;
};

/// Bytes that all devices send in these all-reduces, by the formula of the algorithm.
double formula_bytes_of_all(const DevicesConfig& devices, const std::vector<std::uint64_t>& all_reduces);
/// What a result says of its devices. all_reduces: values of each that was simulated. reduced_values, count: of the whole run, and how
/// many all-reduces. energy, tokens: of one device.
DevicesResult devices_of(const Scenario& scenario, const std::vector<std::uint64_t>& all_reduces, double reduced_values,
                         double count, const EnergyResult& energy, double tokens);

}  // namespace harmonia::testbench
