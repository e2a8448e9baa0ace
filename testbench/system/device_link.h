// All-reduces between the equal devices of a scenario, and what goes from stage to stage: time, bytes and energy of each size,
// computed once.
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

  struct Cost {
    double us = 0;
    double payload_bytes = 0, wire_bytes = 0;  // sent by one device, mean of all
    double formula_bytes = 0;                  // payload by the formula of the algorithm
  };
  struct AllReduce : Cost {
    link::Algorithm algorithm = link::Algorithm::ring;
  };
  const AllReduce& all_reduce(std::uint64_t values);
  /// So many FP16 values from a device to its counterpart in the next stage, over a link that is theirs.
  const Cost& send(std::uint64_t values);

 private:
  DevicesConfig config_;
  std::map<std::uint64_t, AllReduce> known_;
  std::map<std::uint64_t, Cost> sent_;
};

/// Bytes that all devices send in these all-reduces, by the formula of the algorithm.
double formula_bytes_of_all(const DevicesConfig& devices, const std::vector<std::uint64_t>& all_reduces);
/// Of a whole run, by one device: all-reduces and sends to the next stage.
struct LinkWork {
  double all_reduces = 0, reduced_values = 0;
  double sends = 0, sent_values = 0, sent_bytes = 0, sent_wire_bytes = 0;
};
/// What a result says of its devices, but for the stages of a pipeline and what they read. all_reduces: values of each that was
/// simulated. energy: of the mean device.
DevicesResult devices_of(const Scenario& scenario, const std::vector<std::uint64_t>& all_reduces, const LinkWork& work,
                         const EnergyResult& energy, double tokens);

}  // namespace harmonia::testbench
