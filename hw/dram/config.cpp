#include "harmonia/hw/dram/config.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>
#include <utility>

#include "harmonia/config/fields.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace {

[[noreturn]] void wrong(const std::string& key, const std::string& what) {
  throw ConfigError({key}, key + ": " + what);
}

/// `what` is the value in words, `keys` the keys that it follows from.
int log2_exact(const std::string& what, std::int64_t v, const std::vector<std::string>& keys) {
  int n = 0;
  while ((std::int64_t{1} << n) < v) ++n;
  if (v < 1 || (std::int64_t{1} << n) != v)
    throw ConfigError(keys, what + " is " + std::to_string(v) + ", expected a power of two");
  return n;
}

}  // namespace

int Config::burst_cycles() const {
  const double beats_per_cycle = rate_MTs * tCK_ps * 1e-6;
  return static_cast<int>(std::lround(BL / beats_per_cycle));
}

Cycle Config::cycle_at(std::int64_t time_in_ps) const {
  const auto whole = static_cast<std::int64_t>(tCK_ps);
  if (static_cast<double>(whole) == tCK_ps && time_in_ps >= 0) return (time_in_ps + whole - 1) / whole;
  Cycle c = static_cast<Cycle>(std::floor(static_cast<double>(time_in_ps) / tCK_ps));
  while (time_ps(c) < time_in_ps) ++c;
  while (c > 0 && time_ps(c - 1) >= time_in_ps) --c;
  return c;
}

std::uint64_t Config::capacity_bytes() const {
  return static_cast<std::uint64_t>(units()) * static_cast<std::uint64_t>(banks_per_unit()) *
         static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns) *
         static_cast<std::uint64_t>(width_bits) / 8;
}

Mapping make_mapping(const Config& c, const std::string& name) {
  const int burst = log2_exact("width_bits * BL / 8", c.burst_bytes(), {"BL", "width_bits"});
  int left_co = log2_exact("columns / BL", c.bursts_per_row(), {"columns", "BL"});
  int left_bg = log2_exact("bankgroups", c.bankgroups, {"bankgroups"});
  int left_ba = log2_exact("banks_per_group", c.banks_per_group, {"banks_per_group"});
  int left_ro = log2_exact("rows", c.rows, {"rows"});
  int left_ra = log2_exact("ranks", c.ranks, {"ranks"});
  int left_pc = log2_exact("pseudo_channels", c.pseudo_channels, {"pseudo_channels"});
  Mapping m;
  m.name = name;
  int bit = burst;
  const auto take = [&bit](std::vector<int>& field, int& left, int count) {
    for (; count > 0 && left > 0; --count, --left) field.push_back(bit++);
  };
  constexpr int kAll = 64;
  if (name == "bgi") {
    take(m.bankgroup, left_bg, kAll);
    take(m.column, left_co, kAll);
  } else if (name == "rbc") {
    take(m.column, left_co, kAll);
    take(m.bankgroup, left_bg, kAll);
  } else if (name == "cbg") {
    take(m.column, left_co, 1);
    take(m.bankgroup, left_bg, kAll);
    take(m.column, left_co, kAll);
  } else {
    wrong("mapping", "'" + name + "' is unknown, expected one of bgi, rbc, cbg, or address_bits");
  }
  take(m.pseudo_channel, left_pc, kAll);
  take(m.bank, left_ba, kAll);
  take(m.rank, left_ra, kAll);
  take(m.row, left_ro, kAll);
  return m;
}

namespace {

/// What a parameter that was left at 0 is taken to be, in the order in which one rests on another, and how results say
/// it. A standard may have defaults of its own.
constexpr struct {
  Param parameter;
  const char* formula;
  int least;
  const char* why;
} kDefaults[] = {
    {Param::RPab, "RP", 0, "computed: as RP"},
    {Param::RPREF, "RPab", 0, "computed: as RPab; on LPDDR5 RP, as Ramulator 2.1 counts it"},
    {Param::CCD_L_WR, "CCD_L", 0, "computed: as CCD_L"},
    {Param::BLMAX, "BURST", 0, "computed: CCD_L on LPDDR5, else the burst"},
    {Param::RTW, "CL + DQSCK + BURST + 2 - CWL", 1, "computed: CL + DQSCK + burst + 2 - CWL"},
    {Param::PPD, "1", 0, "default: that of the standard, else one command a cycle"},
    {Param::AAD, "8", 0, "default: 8 cycles"},
    {Param::WCKPST, "0", 0, "default: 1 cycle"},
    {Param::XP, "8", 0, "default: 8 cycles"},
    {Param::CKE, "8", 0, "default: 8 cycles"},
    {Param::RTRS, "2", 0, "default: 2 cycles, as in every preset"},
    {Param::RREFD, "RRD_S", 0, "computed: as RRD_S"},
    {Param::PBR2PBR, "RFCpb", 1, "computed: as RFCpb"},
};

void fill_parameters(Config& c) {
  for (const auto& d : kDefaults) {
    if (c[d.parameter] != 0) continue;
    const char* formula = d.formula;
    for (const ParameterDefault& own : c.standard->defaults)
      if (own.parameter == d.parameter) formula = own.formula;
    c[d.parameter] = std::max(d.least, evaluate(formula, c));
  }
  if (c[Param::REFIpb] == 0) c[Param::REFIpb] = std::max(1, c[Param::REFI] / c.standard->partial_refreshes(c));
}

std::string text_of(double v) {
  std::ostringstream out;
  out.precision(9);
  out << v;
  return out.str();
}

/// Every difference that energy_of() takes is at least 0: no command and no state gives energy back.
void check_currents(const Config& c) {
  const Currents& i = c.currents;
  if (i.devices == 0) return;
  if (i.VDD <= 0)
    throw ConfigError({"VDD", "devices"},
                      "VDD: missing, the energy of " + std::to_string(i.devices) + " devices needs it");
  const auto at_least = [](const std::string& key, double value, const std::string& than_key, double than,
                           const char* why) {
    if (value < than)
      throw ConfigError({key, than_key}, key + ": " + key + " < " + than_key + " (" + text_of(value) + " < " +
                                             text_of(than) + " mA): " + why);
  };
  at_least("IDD3N", i.IDD3N, "IDD2N", i.IDD2N, "open banks would draw less than closed ones");
  at_least("Ibeta", i.Ibeta, "IDD2N", i.IDD2N, "a precharge would give energy back");
  at_least("IDD4R", i.IDD4R, "IDD3N", i.IDD3N, "a read would give energy back");
  at_least("IDD4W", i.IDD4W, "IDD3N", i.IDD3N, "a write would give energy back");
  at_least("IDD5B", i.IDD5B, "IDD3N", i.IDD3N, "a refresh would give energy back");
  const double ras = c[Param::RAS], rp = c[Param::RP];
  const double least = (i.Ibeta * rp + open_bank_current(c) * ras) / (ras + rp);
  if (i.IDD0 < least - 1e-9)
    throw ConfigError({"IDD0", "Ibeta", "rho", "IDD3N", "IDD2N"},
                      "IDD0: " + text_of(i.IDD0) + " mA is less than the " + text_of(least) +
                          " mA that the precharge (Ibeta) and the background of one open bank (between IDD2N and "
                          "IDD3N by rho) take within it: an activate would give energy back");
}

}  // namespace

const char* computed_as(const std::string& key) {
  for (const auto& d : kDefaults)
    if (key == param_name(d.parameter)) return d.why;
  if (key == param_name(Param::REFIpb)) return "computed: REFI over the number of refreshes that cover all banks";
  if (key == "Ibeta") return "computed: as IDD0";
  return nullptr;
}

std::vector<Contradiction> Config::finish() {
  Config& c = *this;
  std::vector<Contradiction> warnings;
  const auto refuse = [](bool contradictory, std::vector<std::string> keys, const std::string& rule) {
    if (contradictory) throw ConfigError(keys, keys.front() + ": " + rule);
  };
  const auto require = [&](bool ok, const char* key, const char* what) { refuse(!ok, {key}, what); };
  require(standard != nullptr, "standard", "missing");
  require(tCK_ps > 0, "tCK_ps", "missing");
  require(rate_MTs > 0, "rate_MTs", "missing");
  require(width_bits >= 8 && width_bits % 8 == 0, "width_bits", "missing or not whole bytes");
  require(BL > 0, "BL", "missing");
  require(rows > 0, "rows", "missing");
  refuse(columns <= 0 || columns % BL != 0, {"columns", "BL"}, "missing or not a multiple of BL");
  log2_exact("width_bits * BL / 8", burst_bytes(), {"BL", "width_bits"});
  log2_exact("columns / BL", bursts_per_row(), {"columns", "BL"});
  log2_exact("bankgroups", bankgroups, {"bankgroups"});
  log2_exact("banks_per_group", banks_per_group, {"banks_per_group"});
  log2_exact("rows", rows, {"rows"});
  log2_exact("ranks", ranks, {"ranks"});
  log2_exact("pseudo_channels", pseudo_channels, {"pseudo_channels"});
  require(banks_per_unit() <= 64, "banks_per_group", "more than 64 banks in a rank or pseudo channel");
  const int burst = burst_cycles();
  require(burst >= 1, "tCK_ps", "a burst takes less than one clock at this rate");
  const double exact = BL / (rate_MTs * tCK_ps * 1e-6);
  if (std::abs(exact - burst) > 0.01 * burst)
    throw ConfigError({"tCK_ps", "rate_MTs", "BL"},
                      "tCK_ps: BL / (rate_MTs x tCK) is " + text_of(exact) + " clocks, expected a whole number");

  for (Param p : {Param::CL, Param::CWL, Param::RCDRD, Param::RCDWR, Param::RP, Param::RAS, Param::RC, Param::WR,
                  Param::RTP, Param::CCD_S, Param::CCD_L, Param::RRD_S, Param::RRD_L, Param::FAW})
    if (c[p] <= 0) wrong(param_name(p), std::string("missing (") + param_meaning(p) + ")");
  refuse(refresh != RefreshPolicy::kNone && c[Param::REFI] <= 0, {"REFI", "refresh"},
         "missing (or set refresh to none)");
  refuse(refresh == RefreshPolicy::kAllBank && c[Param::RFC] <= 0, {"RFC", "refresh"},
         "missing (or set refresh to none)");
  refuse(refresh == RefreshPolicy::kPerBank && c[Param::RFCpb] <= 0, {"RFCpb", "refresh"},
         "missing, per-bank refresh needs it");

  fill_parameters(c);
  if (refresh_urgency == RefreshUrgency::kAuto) refresh_urgency = standard->refresh_urgency;
  if (currents.Ibeta == 0) currents.Ibeta = currents.IDD0;
  check_currents(c);

  // Contradictions. A parameter that can never bind is legal and likely a typing error; one that breaks a definition is
  // not.
  const auto p = [&c](Param param) { return std::to_string(c[param]); };
  const auto warn = [&](bool contradictory, std::vector<std::string> keys, const std::string& rule) {
    if (contradictory) warnings.push_back({std::move(keys), rule});
  };
  warn(c[Param::RC] < c[Param::RAS] + c[Param::RP], {"RC", "RAS", "RP"},
       "RC < RAS + RP (" + p(Param::RC) + " < " + p(Param::RAS) + " + " + p(Param::RP) + "): RC never binds");
  warn(c[Param::FAW] < 4 * c[Param::RRD_S], {"FAW", "RRD_S"},
       "FAW < 4 RRD_S (" + p(Param::FAW) + " < 4 x " + p(Param::RRD_S) + "): FAW never binds");
  warn(c[Param::RAS] < std::max(c[Param::RCDRD], c[Param::RCDWR]), {"RAS", "RCDRD", "RCDWR"},
       "RAS < RCD: a row could close before it is accessed");
  warn(c[Param::RPab] < c[Param::RP], {"RPab", "RP"}, "RPab < RP: closing all banks would be faster than closing one");
  warn(c[Param::WTR_L] < c[Param::WTR_S], {"WTR_L", "WTR_S"}, "WTR_L < WTR_S");
  warn(c[Param::CCD_S] > burst, {"CCD_S"},
       "CCD_S > burst (" + p(Param::CCD_S) + " > " + std::to_string(burst) + "): the data bus can never be full");
  warn(c[Param::RTW] < c[Param::CL] + burst - c[Param::CWL], {"RTW", "CL", "CWL"},
       "RTW < CL + burst - CWL: read and write data overlap");
  refuse(c[Param::FAW] < c[Param::RRD_S], {"FAW", "RRD_S"},
         "FAW < RRD_S: a window of four activates is shorter than the distance of two");
  refuse(c[Param::CCD_S] < burst, {"CCD_S"}, "CCD_S < burst: data of successive bursts overlap");
  refuse(c[Param::CCD_L] < c[Param::CCD_S], {"CCD_L", "CCD_S"}, "CCD_L < CCD_S");
  refuse(c[Param::RRD_L] < c[Param::RRD_S], {"RRD_L", "RRD_S"}, "RRD_L < RRD_S");
  if (refresh == RefreshPolicy::kAllBank) {
    refuse(c[Param::RFC] >= c[Param::REFI], {"RFC", "REFI"}, "RFC >= REFI: the channel would do nothing but refresh");
    refuse(c[Param::RFC] + c[Param::RPab] + std::max(c[Param::RCDRD], c[Param::RCDWR]) >= c[Param::REFI],
           {"RFC", "RPab", "RCDRD", "RCDWR", "REFI"}, "RFC + RPab + RCD >= REFI: no access fits between two refreshes");
  }
  warn(refresh == RefreshPolicy::kPerBank && c[Param::PBR2PBR] > c[Param::REFIpb], {"PBR2PBR", "REFIpb"},
       "PBR2PBR > REFIpb: per-bank refresh cannot keep up");

  if (write_high_watermark == 0) write_high_watermark = std::max(1, queue_entries * 7 / 10);
  if (write_low_watermark == 0) write_low_watermark = std::min(queue_entries * 4 / 10, write_high_watermark - 1);
  refuse(write_low_watermark >= write_high_watermark, {"write_low_watermark", "write_high_watermark"},
         "expected less than write_high_watermark");
  refuse(write_high_watermark > queue_entries, {"write_high_watermark", "queue_entries"},
         "expected at most queue_entries");

  if (mapping.column.empty() && mapping.row.empty()) {
    const std::vector<std::pair<int, int>> flips = mapping.bank_xor;
    const std::string wanted = mapping.name == "custom" ? "rbc" : mapping.name;
    mapping = make_mapping(c, wanted);
    mapping.bank_xor = flips;
  }
  const int low = log2_exact("width_bits * BL / 8", burst_bytes(), {"BL", "width_bits"});
  std::set<int> used;
  const auto field = [&](const std::string& coordinate, const std::vector<int>& bits, std::int64_t size) {
    const std::string key = "address_bits." + coordinate;
    const int expected = log2_exact(key, size, {key});
    if (static_cast<int>(bits.size()) != expected)
      wrong(key, std::to_string(bits.size()) + " bits given, expected " + std::to_string(expected) + " for " +
                     std::to_string(size));
    for (int b : bits) {
      if (b < low) wrong(key, "bit " + std::to_string(b) + " lies inside a burst");
      if (!used.insert(b).second) wrong(key, "bit " + std::to_string(b) + " is used twice");
    }
  };
  field("co", mapping.column, bursts_per_row());
  field("bg", mapping.bankgroup, bankgroups);
  field("ba", mapping.bank, banks_per_group);
  field("ro", mapping.row, rows);
  field("ra", mapping.rank, ranks);
  field("pc", mapping.pseudo_channel, pseudo_channels);
  if (!used.empty() && *used.rbegin() != low + static_cast<int>(used.size()) - 1)
    wrong("address_bits", "the bits leave holes between the burst and the highest bit");
  if (!std::is_sorted(mapping.column.begin(), mapping.column.end()))
    wrong("address_bits.co", "column bits must ascend (permuting columns of a row changes no timing)");
  const std::set<int> column_bits(mapping.column.begin(), mapping.column.end());
  for (const auto& f : mapping.bank_xor) {
    if (f.first < 0 || (1 << f.first) >= banks_per_unit())
      wrong("bank_xor", "bank bit " + std::to_string(f.first) + " does not exist");
    if (std::find(mapping.row.begin(), mapping.row.end(), f.second) == mapping.row.end())
      wrong("bank_xor",
            "address bit " + std::to_string(f.second) + " is not a row bit, the mapping would not be one to one");
  }
  return warnings;
}

}  // namespace harmonia::dram
