#include "harmonia/hw/dram/energy.h"

#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace {

/// Flows while any bank is open.
double shared_current(const Currents& i) { return i.IDD2N + i.rho * (i.IDD3N - i.IDD2N); }

}  // namespace

double open_bank_current(const Config& config) {
  const Currents& i = config.currents;
  const double banks = config.banks_per_unit();
  return (i.IDD3N + (banks - 1) * shared_current(i)) / banks;
}

double idle_power_w(const Config& config) {
  // One interval between refreshes.
  std::array<std::uint64_t, kCmdCount> commands{};
  ActivityMeter::Times times;
  times.precharged = 1;
  if (config.refresh == RefreshPolicy::kAllBank) {
    commands[static_cast<std::size_t>(Cmd::kRef)] = 1;
    times.active = config[Param::RFC];
    times.precharged = config[Param::REFI] - times.active;
    times.bank_open = times.active * config.banks_per_unit();
  } else if (config.refresh == RefreshPolicy::kPerBank) {
    commands[static_cast<std::size_t>(Cmd::kRefPb)] = 1;
    times.precharged = config[Param::REFIpb];
    times.bank_open = config[Param::RFCpb] * config.banks_per_unit() / config.standard->partial_refreshes(config);
  }
  const double seconds = static_cast<double>(times.active + times.precharged) * config.tCK_ps * 1e-12;
  return energy_of(config, commands, 0, times).total() * 1e-12 * config.units() / seconds;
}

Energy energy_of(const Config& config, const std::array<std::uint64_t, kCmdCount>& commands, std::uint64_t precharges,
                 const ActivityMeter::Times& times) {
  Energy e;
  const Currents& i = config.currents;
  if (i.devices == 0) return e;
  const double banks = config.banks_per_unit();
  // mA x V x ns = pJ
  const double unit = i.VDD * config.tCK_ps * 1e-3 * i.devices;
  const auto count = [&](Cmd c) { return static_cast<double>(commands[static_cast<std::size_t>(c)]); };
  const double shared = shared_current(i), one_bank_open = open_bank_current(config);
  const double ras = config[Param::RAS], rp = config[Param::RP];
  e.activate = unit * count(Cmd::kAct) * (i.IDD0 * (ras + rp) - i.Ibeta * rp - one_bank_open * ras);
  e.precharge = unit * static_cast<double>(precharges) * (i.Ibeta - i.IDD2N) * rp;
  e.read = unit * count(Cmd::kRd) * (i.IDD4R - i.IDD3N) * config.burst_cycles();
  e.write = unit * count(Cmd::kWr) * (i.IDD4W - i.IDD3N) * config.burst_cycles();
  // A per-bank refresh is charged the part of IDD5B that its banks are of the whole.
  const double pb_share = 1.0 / config.standard->partial_refreshes(config);
  e.refresh = unit * (i.IDD5B - i.IDD3N) *
              (count(Cmd::kRef) * config[Param::RFC] + count(Cmd::kRefPb) * config[Param::RFCpb] * pb_share);
  e.background_active = unit * (shared * static_cast<double>(times.active) +
                                (1 - i.rho) * (i.IDD3N - i.IDD2N) / banks * static_cast<double>(times.bank_open));
  e.background_precharged = unit * i.IDD2N * static_cast<double>(times.precharged);
  e.background_power_down =
      unit * (i.IDD3P * static_cast<double>(times.active_down) + i.IDD2P * static_cast<double>(times.precharged_down));
  return e;
}

}  // namespace harmonia::dram
