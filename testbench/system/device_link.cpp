#include "harmonia/testbench/system/device_link.h"

#include <set>
#include <string>

#include "harmonia/hw/link/network.h"

namespace harmonia::testbench {

const DeviceLink::AllReduce& DeviceLink::all_reduce(std::uint64_t values) {
  const auto found = known_.find(values);
  if (found != known_.end()) return found->second;
  link::Request request;
  request.topology = config_.topology;
  request.devices = static_cast<unsigned>(config_.tensor);
  request.elements = values;
  request.reduction = config_.reduction;
  request.algorithm =
      config_.algorithm == kFastestAlgorithm ? link::fastest(config_.link, request) : config_.named_algorithm();
  const link::Cost cost = link::cost_of(config_.link, request);
  AllReduce a;
  a.us = 1e-6 * static_cast<double>(cost.time);
  a.payload_bytes = static_cast<double>(cost.payload_bytes) / request.devices;
  a.wire_bytes = static_cast<double>(cost.wire_bytes) / request.devices;
  a.formula_bytes = link::element_bytes(request.reduction) *
                    link::elements_sent(request.collective, request.algorithm, request.devices, values);
  a.algorithm = request.algorithm;
  return known_.emplace(values, a).first->second;
}

const DeviceLink::Cost& DeviceLink::send(std::uint64_t values) {
  const auto found = sent_.find(values);
  if (found != sent_.end()) return found->second;
  link::Request request;
  request.collective = link::Collective::send_receive;
  request.algorithm = link::Algorithm::direct;
  request.elements = values;
  const link::Cost cost = link::cost_of(config_.link, request);
  Cost c;
  c.us = 1e-6 * static_cast<double>(cost.time);
  c.payload_bytes = static_cast<double>(cost.payload_bytes);
  c.wire_bytes = static_cast<double>(cost.wire_bytes);
  c.formula_bytes = 2.0 * static_cast<double>(values);
  return sent_.emplace(values, c).first->second;
}

double formula_bytes_of_all(const DevicesConfig& devices, const std::vector<std::uint64_t>& all_reduces) {
  DeviceLink link(devices);
  double bytes = 0;
  for (const std::uint64_t values : all_reduces) bytes += link.all_reduce(values).formula_bytes;
  return bytes * devices.tensor;
}

DevicesResult devices_of(const Scenario& s, const std::vector<std::uint64_t>& all_reduces, const LinkWork& work,
                         const EnergyResult& energy, double tokens) {
  DeviceLink link(s.devices);
  double values = 0, payload = 0, wire = 0, formula = 0;
  std::set<std::string> algorithms;
  for (const std::uint64_t size : all_reduces) {
    const DeviceLink::AllReduce& a = link.all_reduce(size);
    values += static_cast<double>(size);
    payload += a.payload_bytes;
    wire += a.wire_bytes;
    formula += a.formula_bytes;
    algorithms.insert(config::name_of(link::algorithm_names(), a.algorithm));
  }
  DevicesResult r;
  r.tensor = static_cast<std::uint64_t>(s.devices.tensor);
  r.pipeline = static_cast<std::uint64_t>(s.devices.pipeline);
  r.micro_batches = static_cast<std::uint64_t>(s.devices.micro_batches);
  r.simulated = s.devices.fold ? 1 : r.tensor;
  r.link = s.devices.link.name;
  r.topology = config::name_of(link::topology_names(), s.devices.topology);
  for (const std::string& name : algorithms) r.algorithm += (r.algorithm.empty() ? "" : ", ") + name;
  r.all_reduces = work.all_reduces;
  r.sends = work.sends;
  const double of_run = values > 0 ? work.reduced_values / values : 0;
  r.link_bytes = payload * of_run + work.sent_bytes;
  r.link_wire_bytes = wire * of_run + work.sent_wire_bytes;
  r.link_formula_bytes = formula * of_run + 2 * work.sent_values;
  const double devices = s.devices.count();
  r.link_j = 8e-12 * s.devices.link.pj_per_bit * r.link_wire_bytes * devices;
  r.total_j = devices * energy.total_j + r.link_j;
  r.per_token_j = tokens > 0 ? r.total_j / tokens : 0;
  r.link_bytes_per_token = tokens > 0 ? r.link_bytes * devices / tokens : 0;
  r.phy_mm2 = s.devices.link.phy_mm2;
  return r;
}

}  // namespace harmonia::testbench
