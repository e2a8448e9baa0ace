#include "harmonia/testbench/runs/estimated_error.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/testbench/runs/energy.h"
#include "harmonia/testbench/runs/figures.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kClasses = accelerator::operation_class_count;
constexpr std::size_t kBytesFigure = 1, kEnergyFigure = 2, kClassTime = 3, kClassBytes = kClassTime + kClasses;

}  // namespace

std::vector<double> error_figures(const Totals& t, const Scenario& s) {
  std::vector<double> figures = {t.seconds(), t.pin_bytes(), energy_of(t, s.accelerator, t.seconds()).total_j};
  for (const ClassTotals& c : t.classes) figures.push_back(c.elapsed_ps * 1e-12);
  for (const ClassTotals& c : t.classes) figures.push_back(c.bytes);
  return figures;
}

namespace {

/// Of a class's figure the run's figure that it is a part of, as a share of it; 1 of other figures.
double share_of_run(std::size_t figure, const std::vector<double>& of_run) {
  if (figure < kClassTime) return 1;
  double all = of_run[kTimeFigure];
  if (figure >= kClassBytes) all = std::accumulate(of_run.begin() + kClassBytes, of_run.end(), 0.0);
  return all > 0 ? of_run[figure] / all : 0;
}

}  // namespace

std::vector<bool> figures_that_count(const std::vector<double>& of_run) {
  std::vector<bool> counts;
  for (std::size_t f = 0; f < of_run.size(); ++f) counts.push_back(share_of_run(f, of_run) >= 0.01);
  return counts;
}

double error_of_run(std::size_t figure, double error, const std::vector<double>& of_run) {
  return error * share_of_run(figure, of_run);
}

std::string figure_path(std::size_t figure, bool single_linear) {
  if (figure == kTimeFigure) return "simulated_seconds";
  if (figure == kBytesFigure) return "bandwidth.bytes";
  if (figure == kEnergyFigure) return "energy.total_j";
  const auto c = static_cast<accelerator::OperationClass>((figure - kClassTime) % kClasses);
  return std::string("operations[") + operation_name(c, single_linear) +
         (figure < kClassBytes ? "].simulated_s" : "].bytes");
}

namespace {

/// Seconds from one refresh of a channel to the next.
double refresh_interval(const dram::Config& c) {
  using dram::Param;
  const auto of = [&](Param p) { return c[p] * c.tCK_ps * 1e-12; };
  if (c.refresh != dram::RefreshPolicy::kPerBank) return of(Param::REFI);
  return c[Param::REFIpb] > 0 ? of(Param::REFIpb) : of(Param::REFI) / c.banks_per_unit();
}

/// What a refresh more or less in each channel makes of the energy of what was simulated: as many as the square root of
/// their number, and one at least.
double refresh_energy_noise(const Scenario& s, const Totals& simulated) {
  const dram::Config c = accelerator::channel_config(s.accelerator);
  const double seconds = simulated.seconds(), joules = energy_of(simulated, s.accelerator, seconds).total_j;
  if (c.refresh == dram::RefreshPolicy::kNone || c.currents.devices == 0 || seconds <= 0 || joules <= 0) return 0;
  const double precharged_w = c.currents.VDD * c.currents.IDD2N * 1e-3 * c.currents.devices;
  const double refresh_w = std::max(0.0, dram::idle_power_w(c) - precharged_w), interval = refresh_interval(c);
  const double count = std::sqrt(std::max(1.0, seconds / interval));
  return std::min(1.0, refresh_w * interval * count * s.accelerator.dram.channels / joules);
}

}  // namespace

double refresh_noise(const accelerator::AcceleratorConfig& config, double seconds) {
  using dram::Param;
  const dram::Config c = accelerator::channel_config(config);
  if (c.refresh == dram::RefreshPolicy::kNone || seconds <= 0) return 0;
  const bool per_bank = c.refresh == dram::RefreshPolicy::kPerBank;
  const double refresh = c[per_bank ? Param::RFCpb : Param::RFC] * c.tCK_ps * 1e-12, interval = refresh_interval(c);
  return interval > 0 ? std::min(1.0, refresh / std::sqrt(interval * seconds)) : 0;
}

double border_noise(const ClassTotals& simulated) {
  return simulated.tiles > 0 ? std::min(1.0, std::sqrt(simulated.turns) / simulated.tiles) : 0;
}

double chance(std::size_t figure, const Totals& simulated, const Scenario& s) {
  if (figure == kTimeFigure) return refresh_noise(s.accelerator, simulated.seconds());
  if (figure == kEnergyFigure) return refresh_energy_noise(s, simulated);
  if (figure < kClassTime || figure >= kClassBytes) return 0;
  const ClassTotals& c = simulated.classes[figure - kClassTime];
  return refresh_noise(s.accelerator, c.elapsed_ps * 1e-12) + border_noise(c);
}

namespace {

template <typename Combine>
void each_error(RunErrors& a, const RunErrors& b, const Combine& combine) {
  a.figures.resize(std::max(a.figures.size(), b.figures.size()));
  for (std::size_t f = 0; f < b.figures.size(); ++f) combine(a.figures[f], b.figures[f]);
  a.latencies = a.latencies || b.latencies;
  combine(a.first_token, b.first_token);
  combine(a.per_token, b.per_token);
  combine(a.end_to_end, b.end_to_end);
}

}  // namespace

void RunErrors::add(const RunErrors& other) {
  each_error(*this, other, [](double& mine, double its) { mine += its; });
}

void RunErrors::widen(const RunErrors& other) {
  each_error(*this, other, [](double& mine, double its) { mine = std::max(mine, its); });
}

void HeldOut::add(double weight, std::vector<double> predicted, std::vector<double> simulated) {
  weights_.push_back(weight);
  predicted_.push_back(std::move(predicted));
  simulated_.push_back(std::move(simulated));
}

double HeldOut::error(std::size_t figure) const {
  if (count() == 0) return 0;
  const double own = own_error(figure);
  if (own >= 0) return own;
  double largest = 0;
  for (std::size_t f = 0; f < figures(); ++f) largest = std::max(largest, own_error(f));
  return largest;
}

/// Negative when no step that counts has anything of the figure.
double HeldOut::own_error(std::size_t figure) const {
  double off_by = 0, sum = 0, squares = 0;
  for (std::size_t i = 0; i < count(); ++i) {
    const double share = weights_[i] * simulated_[i][figure];
    off_by += weights_[i] * off(i, figure);
    sum += share;
    squares += share * share;
  }
  return sum > 0 ? off_by / sum * (1 + 2 * std::sqrt(squares) / sum) : -1;
}

double HeldOut::chance(std::size_t figure) const {
  double squares = 0, sum = 0;
  for (std::size_t i = 0; i < count(); ++i) {
    squares += off(i, figure) * off(i, figure);
    sum += simulated_[i][figure];
  }
  return sum > 0 ? std::sqrt(squares) / sum : 0;
}

double HeldOut::off(std::size_t i, std::size_t figure) const {
  return std::abs(predicted_[i][figure] - simulated_[i][figure]);
}

double HeldOut::residual(std::size_t i, std::size_t figure) const {
  const double simulated = simulated_[i][figure];
  return simulated > 0 ? predicted_[i][figure] / simulated - 1 : 0;
}

}  // namespace harmonia::testbench
