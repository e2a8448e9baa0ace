#include "harmonia/hw/dram/config.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <set>
#include <sstream>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/dram/document.h"
#include "harmonia/hw/dram/energy.h"
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace {

using config::InputError;

[[noreturn]] void wrong(const std::string& key, const std::string& what) { throw InputError(key + ": " + what); }

template <class T>
struct Name {
  T value;
  const char* text;
};

constexpr Name<PagePolicy> kPages[] = {
    {PagePolicy::kOpen, "open"}, {PagePolicy::kClosed, "closed"}, {PagePolicy::kAdaptive, "adaptive"}};
constexpr Name<RefreshPolicy> kRefreshes[] = {
    {RefreshPolicy::kNone, "none"}, {RefreshPolicy::kAllBank, "all_bank"}, {RefreshPolicy::kPerBank, "per_bank"}};
constexpr Name<RefreshUrgency> kUrgencies[] = {{RefreshUrgency::kAuto, "auto"},
                                               {RefreshUrgency::kAtOnce, "at_once"},
                                               {RefreshUrgency::kAfterAccess, "after_access"}};
constexpr Name<SchedulerPolicy> kSchedulers[] = {{SchedulerPolicy::kFrFcfs, "FR-FCFS"},
                                                 {SchedulerPolicy::kFcfs, "FCFS"}};
constexpr Name<EngineKind> kEngines[] = {{EngineKind::kReference, "reference"}, {EngineKind::kFast, "fast"}};

template <class T, std::size_t N>
const char* text_of(const Name<T> (&names)[N], T value) {
  for (const Name<T>& n : names)
    if (n.value == value) return n.text;
  return "?";
}

template <class T, std::size_t N>
T value_of(const Name<T> (&names)[N], const std::string& key, const std::string& text) {
  std::string expected;
  for (const Name<T>& n : names) {
    if (text == n.text) return n.value;
    expected += std::string(expected.empty() ? "" : ", ") + n.text;
  }
  wrong(key, "'" + text + "' is unknown, expected one of " + expected);
}

int parse_int(const std::string& key, const std::string& text, int low, int high) {
  errno = 0;
  char* end = nullptr;
  const long v = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end != 0 || errno != 0 || v < low || v > high)
    wrong(key, "'" + text + "' is unusable, expected an integer from " + std::to_string(low) + " to " +
                   std::to_string(high));
  return static_cast<int>(v);
}

double parse_real(const std::string& key, const std::string& text, double low, double high) {
  errno = 0;
  char* end = nullptr;
  const double v = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0 || errno != 0 || !(v >= low && v <= high)) {
    std::ostringstream range;
    range << low << " to " << high;
    wrong(key, "'" + text + "' is unusable, expected a number from " + range.str());
  }
  return v;
}

/// "[5, 6, 7]" or "5 6 7" or "".
std::vector<int> parse_bits(const std::string& key, std::string text) {
  for (char& ch : text)
    if (ch == '[' || ch == ']' || ch == ',') ch = ' ';
  std::istringstream in(text);
  std::vector<int> bits;
  for (std::string word; in >> word;) bits.push_back(parse_int(key, word, 0, 47));
  return bits;
}

std::string text_of(double v) {
  std::ostringstream out;
  out.precision(9);
  out << v;
  return out.str();
}

std::string text_of(const std::vector<int>& bits) {
  std::string text = "[";
  for (std::size_t i = 0; i < bits.size(); ++i) text += (i ? "," : "") + std::to_string(bits[i]);
  return text + "]";
}

int log2_exact(const std::string& key, std::int64_t v) {
  int n = 0;
  while ((std::int64_t{1} << n) < v) ++n;
  if (v < 1 || (std::int64_t{1} << n) != v) wrong(key, std::to_string(v) + " is not a power of two");
  return n;
}

struct IntKey {
  const char* key;
  int Config::*field;
  int low, high;
};
constexpr int kMaxCycles = 1 << 24;
const IntKey kIntKeys[] = {
    {"rate_MTs", &Config::rate_MTs, 1, 1000000},
    {"width_bits", &Config::width_bits, 1, 4096},
    {"BL", &Config::BL, 1, 256},
    {"ranks", &Config::ranks, 1, Config::kMaxRanks},
    {"pseudo_channels", &Config::pseudo_channels, 1, Config::kMaxPseudoChannels},
    {"bankgroups", &Config::bankgroups, 1, 16},
    {"banks_per_group", &Config::banks_per_group, 1, 64},
    {"rows", &Config::rows, 1, 1 << 24},
    {"columns", &Config::columns, 1, 1 << 16},
    {"page_timeout_cycles", &Config::page_timeout_cycles, 1, kMaxCycles},
    {"queue_entries", &Config::queue_entries, 1, 1 << 16},
    {"fairness_cap_cycles", &Config::fairness_cap_cycles, 0, kMaxCycles},
    {"write_high_watermark", &Config::write_high_watermark, 0, 1 << 16},
    {"write_low_watermark", &Config::write_low_watermark, 0, 1 << 16},
    {"write_max_wait_cycles", &Config::write_max_wait_cycles, 0, kMaxCycles},
    {"write_idle_cycles", &Config::write_idle_cycles, 0, kMaxCycles},
    {"refresh_postpone", &Config::refresh_postpone, 0, 8},
    {"refresh_pull_in", &Config::refresh_pull_in, 0, 8},
    {"power_down_idle_cycles", &Config::power_down_idle_cycles, 0, kMaxCycles},
    {"frontend_cycles", &Config::frontend_cycles, 0, 1000},
    {"backend_cycles", &Config::backend_cycles, 0, 1000},
};

struct CurrentKey {
  const char* key;
  double Currents::*field;
};
const CurrentKey kCurrentKeys[] = {
    {"VDD", &Currents::VDD},     {"IDD0", &Currents::IDD0},   {"Ibeta", &Currents::Ibeta}, {"IDD2N", &Currents::IDD2N},
    {"IDD3N", &Currents::IDD3N}, {"IDD2P", &Currents::IDD2P}, {"IDD3P", &Currents::IDD3P}, {"IDD4R", &Currents::IDD4R},
    {"IDD4W", &Currents::IDD4W}, {"IDD5B", &Currents::IDD5B}};

struct BitsKey {
  const char* key;
  std::vector<int> Mapping::*field;
};
const BitsKey kBitsKeys[] = {{"address_bits.co", &Mapping::column}, {"address_bits.bg", &Mapping::bankgroup},
                             {"address_bits.ba", &Mapping::bank},   {"address_bits.ro", &Mapping::row},
                             {"address_bits.ra", &Mapping::rank},   {"address_bits.pc", &Mapping::pseudo_channel}};

int edit_distance(const std::string& a, const std::string& b) {
  std::vector<int> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int same =
          std::tolower(static_cast<unsigned char>(a[i - 1])) == std::tolower(static_cast<unsigned char>(b[j - 1]));
      const int next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (same ? 0 : 1)});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  int distance = 1 << 20;
  for (const std::string& k : known) {
    const int d = edit_distance(word, k);
    if (d < distance) distance = d, best = k;
  }
  return best;
}

}  // namespace

const char* to_string(PagePolicy p) { return text_of(kPages, p); }
const char* to_string(RefreshPolicy p) { return text_of(kRefreshes, p); }
const char* to_string(RefreshUrgency p) { return text_of(kUrgencies, p); }
const char* to_string(SchedulerPolicy p) { return text_of(kSchedulers, p); }
const char* to_string(EngineKind k) { return text_of(kEngines, k); }

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
  const int burst = log2_exact("burst_bytes", c.burst_bytes());
  int left_co = log2_exact("columns / BL", c.bursts_per_row());
  int left_bg = log2_exact("bankgroups", c.bankgroups);
  int left_ba = log2_exact("banks_per_group", c.banks_per_group);
  int left_ro = log2_exact("rows", c.rows);
  int left_ra = log2_exact("ranks", c.ranks);
  int left_pc = log2_exact("pseudo_channels", c.pseudo_channels);
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

void set_key(Config& c, const std::string& key, const std::string& value) {
  if (key == "RCD") {
    c[Param::RCDRD] = c[Param::RCDWR] = parse_int(key, value, 0, kMaxCycles);
    return;
  }
  for (int i = 0; i < kParamCount; ++i)
    if (key == param_name(static_cast<Param>(i))) {
      c.parameter[static_cast<std::size_t>(i)] = parse_int(key, value, 0, kMaxCycles);
      return;
    }
  for (const IntKey& k : kIntKeys)
    if (key == k.key) {
      c.*k.field = parse_int(key, value, k.low, k.high);
      // The watermarks follow the queue unless they are set after it.
      if (k.field == &Config::queue_entries) c.write_high_watermark = c.write_low_watermark = 0;
      return;
    }
  for (const CurrentKey& k : kCurrentKeys)
    if (key == k.key) {
      c.currents.*k.field = parse_real(key, value, 0, 1e6);
      return;
    }
  for (const BitsKey& k : kBitsKeys)
    if (key == k.key) {
      // The first list of bits replaces a mapping that was made from a name.
      if (c.mapping.name != "custom") c.mapping = Mapping{};
      c.mapping.*k.field = parse_bits(key, value);
      return;
    }
  if (key == "bank_xor") {
    const std::vector<int> bits = parse_bits(key, value);
    if (bits.size() % 2 != 0) wrong(key, "expected pairs of (bit of the bank index, address bit)");
    c.mapping.bank_xor.clear();
    for (std::size_t i = 0; i < bits.size(); i += 2) c.mapping.bank_xor.emplace_back(bits[i], bits[i + 1]);
  } else if (key == "devices") {
    c.currents.devices = parse_int(key, value, 0, 1024);
  } else if (key == "rho") {
    c.currents.rho = parse_real(key, value, 0, 1);
  } else if (key == "tCK_ps") {
    c.tCK_ps = parse_real(key, value, 1, 1e6);
  } else if (key == "standard") {
    c.standard = find_standard(value);
    if (c.standard == nullptr) {
      std::string expected;
      for (const Standard& s : all_standards()) expected += (expected.empty() ? "" : ", ") + s.name;
      wrong(key, "'" + value + "' is unknown, expected one of " + expected);
    }
  } else if (key == "page_policy") {
    c.page_policy = value_of(kPages, key, value);
  } else if (key == "scheduler") {
    c.scheduler = value_of(kSchedulers, key, value);
  } else if (key == "refresh") {
    if (value == "true" || value == "True" || value == "all-bank")
      c.refresh = RefreshPolicy::kAllBank;
    else if (value == "false" || value == "False")
      c.refresh = RefreshPolicy::kNone;
    else if (value == "same_bank")
      c.refresh = RefreshPolicy::kPerBank;
    else
      c.refresh = value_of(kRefreshes, key, value);
  } else if (key == "refresh_urgency") {
    c.refresh_urgency = value_of(kUrgencies, key, value);
  } else if (key == "engine") {
    c.engine = value_of(kEngines, key, value);
  } else if (key == "mapping") {
    // Bits come with finish(), when the organisation is complete.
    const std::vector<std::pair<int, int>> flips = c.mapping.bank_xor;
    c.mapping = Mapping{};
    c.mapping.name = value;
    c.mapping.bank_xor = flips;
  } else if (key == "name") {
    c.name = value;
  } else if (key == "desc" || key == "description") {
    c.description = value;
  } else if (key == "source") {
    c.source = value;
  } else if (key == "assumed") {
    std::istringstream in(value);
    c.assumed.clear();
    for (std::string word; in >> word;) c.assumed.push_back(word);
  } else {
    throw InputError(key + ": unknown key, did you mean '" + nearest_key(key) + "'?");
  }
}

std::vector<std::string> config_keys() {
  std::vector<std::string> keys = {"name", "description", "source", "assumed", "standard", "tCK_ps"};
  for (const IntKey& k : kIntKeys) keys.emplace_back(k.key);
  keys.emplace_back("RCD");
  for (int i = 0; i < kParamCount; ++i) keys.emplace_back(param_name(static_cast<Param>(i)));
  for (const char* k : {"page_policy", "scheduler", "refresh", "refresh_urgency", "engine", "mapping", "bank_xor"})
    keys.emplace_back(k);
  for (const BitsKey& k : kBitsKeys) keys.emplace_back(k.key);
  for (const CurrentKey& k : kCurrentKeys) keys.emplace_back(k.key);
  keys.emplace_back("rho");
  keys.emplace_back("devices");
  return keys;
}

std::string nearest_key(const std::string& key) { return nearest(key, config_keys()); }

std::vector<std::pair<std::string, std::string>> describe(const Config& c) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&out](const std::string& key, const std::string& value) { out.emplace_back(key, value); };
  std::string assumed;
  for (const std::string& a : c.assumed) assumed += (assumed.empty() ? "" : " ") + a;
  add("name", c.name);
  add("description", c.description);
  add("source", c.source);
  add("assumed", assumed);
  add("standard", c.standard ? c.standard->name : "");
  add("tCK_ps", text_of(c.tCK_ps));
  for (const IntKey& k : kIntKeys) add(k.key, std::to_string(c.*k.field));
  for (int i = 0; i < kParamCount; ++i)
    add(param_name(static_cast<Param>(i)), std::to_string(c.parameter[static_cast<std::size_t>(i)]));
  add("page_policy", to_string(c.page_policy));
  add("scheduler", to_string(c.scheduler));
  add("refresh", to_string(c.refresh));
  add("refresh_urgency", to_string(c.refresh_urgency));
  add("engine", to_string(c.engine));
  add("mapping", c.mapping.name);
  std::vector<int> flips;
  for (const auto& f : c.mapping.bank_xor) flips.insert(flips.end(), {f.first, f.second});
  add("bank_xor", text_of(flips));
  for (const BitsKey& k : kBitsKeys) add(k.key, text_of(c.mapping.*k.field));
  for (const CurrentKey& k : kCurrentKeys) add(k.key, text_of(c.currents.*k.field));
  add("rho", text_of(c.currents.rho));
  add("devices", std::to_string(c.currents.devices));
  return out;
}

namespace {

/// What parameters that were left at 0 are taken to be, in the order in which one rests on another. A standard may have
/// defaults of its own.
constexpr struct {
  Param parameter;
  const char* formula;
  int least;
} kDefaults[] = {
    {Param::RPab, "RP", 0},
    {Param::RPREF, "RPab", 0},
    {Param::CCD_L_WR, "CCD_L", 0},
    {Param::BLMAX, "BURST", 0},
    {Param::RTW, "CL + DQSCK + BURST + 2 - CWL", 1},
    {Param::PPD, "1", 0},
    {Param::AAD, "8", 0},
    {Param::WCKPST, "0", 0},
    {Param::XP, "8", 0},
    {Param::CKE, "8", 0},
    {Param::RTRS, "1", 0},
    {Param::RREFD, "RRD_S", 0},
    {Param::PBR2PBR, "RFCpb", 1},
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

/// Every difference that energy_of() takes is at least 0: no command and no state gives energy back.
void check_currents(const Config& c) {
  const Currents& i = c.currents;
  if (i.devices == 0) return;
  if (i.VDD <= 0) wrong("VDD", "missing, the energy of " + std::to_string(i.devices) + " devices needs it");
  const auto at_least = [](const char* key, double value, const char* than_key, double than, const char* why) {
    if (value < than)
      wrong(key, std::string(key) + " < " + than_key + " (" + text_of(value) + " < " + text_of(than) + " mA): " + why);
  };
  at_least("IDD3N", i.IDD3N, "IDD2N", i.IDD2N, "open banks would draw less than closed ones");
  at_least("Ibeta", i.Ibeta, "IDD2N", i.IDD2N, "a precharge would give energy back");
  at_least("IDD4R", i.IDD4R, "IDD3N", i.IDD3N, "a read would give energy back");
  at_least("IDD4W", i.IDD4W, "IDD3N", i.IDD3N, "a write would give energy back");
  at_least("IDD5B", i.IDD5B, "IDD3N", i.IDD3N, "a refresh would give energy back");
  const double ras = c[Param::RAS], rp = c[Param::RP];
  const double least = (i.Ibeta * rp + open_bank_current(c) * ras) / (ras + rp);
  if (i.IDD0 < least - 1e-9)
    wrong("IDD0", text_of(i.IDD0) + " mA is less than the " + text_of(least) +
                      " mA that the precharge (Ibeta) and the background of one open bank (between IDD2N and IDD3N by "
                      "rho) take within it: an activate would give energy back");
}

}  // namespace

std::vector<std::string> Config::finish() {
  Config& c = *this;
  std::vector<std::string> warnings;
  const auto require = [&](bool ok, const char* key, const char* what) {
    if (!ok) wrong(key, what);
  };
  require(standard != nullptr, "standard", "missing");
  require(tCK_ps > 0, "tCK_ps", "missing");
  require(rate_MTs > 0, "rate_MTs", "missing");
  require(width_bits >= 8 && width_bits % 8 == 0, "width_bits", "missing or not whole bytes");
  require(BL > 0, "BL", "missing");
  require(rows > 0, "rows", "missing");
  require(columns > 0 && columns % BL == 0, "columns", "missing or not a multiple of BL");
  log2_exact("width_bits * BL / 8", burst_bytes());
  log2_exact("columns / BL", bursts_per_row());
  log2_exact("bankgroups", bankgroups);
  log2_exact("banks_per_group", banks_per_group);
  log2_exact("rows", rows);
  log2_exact("ranks", ranks);
  log2_exact("pseudo_channels", pseudo_channels);
  require(banks_per_unit() <= 64, "banks_per_group", "more than 64 banks in a rank or pseudo channel");
  const int burst = burst_cycles();
  require(burst >= 1, "tCK_ps", "a burst takes less than one clock at this rate");
  const double exact = BL / (rate_MTs * tCK_ps * 1e-6);
  if (std::abs(exact - burst) > 0.01 * burst)
    wrong("tCK_ps", "BL / (rate_MTs x tCK) is " + text_of(exact) + " clocks, expected a whole number");

  for (Param p : {Param::CL, Param::CWL, Param::RCDRD, Param::RCDWR, Param::RP, Param::RAS, Param::RC, Param::WR,
                  Param::RTP, Param::CCD_S, Param::CCD_L, Param::RRD_S, Param::RRD_L, Param::FAW})
    if (c[p] <= 0) wrong(param_name(p), std::string("missing (") + param_meaning(p) + ")");
  if (refresh != RefreshPolicy::kNone && c[Param::REFI] <= 0) wrong("REFI", "missing (or set refresh to none)");
  if (refresh == RefreshPolicy::kAllBank && c[Param::RFC] <= 0) wrong("RFC", "missing (or set refresh to none)");
  if (refresh == RefreshPolicy::kPerBank && c[Param::RFCpb] <= 0) wrong("RFCpb", "missing, per-bank refresh needs it");

  fill_parameters(c);
  if (refresh_urgency == RefreshUrgency::kAuto) refresh_urgency = standard->refresh_urgency;
  if (currents.Ibeta == 0) currents.Ibeta = currents.IDD0;
  check_currents(c);

  // Contradictions. A parameter that can never bind is legal and likely a typing error; one that breaks a definition is
  // not.
  const auto warn = [&](bool contradictory, const std::string& rule) {
    if (contradictory) warnings.push_back(rule);
  };
  warn(c[Param::RC] < c[Param::RAS] + c[Param::RP], "RC < RAS + RP (" + std::to_string(c[Param::RC]) + " < " +
                                                        std::to_string(c[Param::RAS]) + " + " +
                                                        std::to_string(c[Param::RP]) + "): RC never binds");
  warn(c[Param::FAW] < 4 * c[Param::RRD_S], "FAW < 4 RRD_S (" + std::to_string(c[Param::FAW]) + " < 4 x " +
                                                std::to_string(c[Param::RRD_S]) + "): FAW never binds");
  warn(c[Param::RAS] < std::max(c[Param::RCDRD], c[Param::RCDWR]),
       "RAS < RCD: a row could close before it is accessed");
  warn(c[Param::RPab] < c[Param::RP], "RPab < RP: closing all banks would be faster than closing one");
  warn(c[Param::WTR_L] < c[Param::WTR_S], "WTR_L < WTR_S");
  warn(c[Param::CCD_S] > burst, "CCD_S > burst (" + std::to_string(c[Param::CCD_S]) + " > " + std::to_string(burst) +
                                    "): the data bus can never be full");
  warn(c[Param::RTW] < c[Param::CL] + burst - c[Param::CWL], "RTW < CL + burst - CWL: read and write data overlap");
  if (c[Param::FAW] < c[Param::RRD_S])
    wrong("FAW", "FAW < RRD_S: a window of four activates is shorter than the distance of two");
  if (c[Param::CCD_S] < burst) wrong("CCD_S", "CCD_S < burst: data of successive bursts overlap");
  if (c[Param::CCD_L] < c[Param::CCD_S]) wrong("CCD_L", "CCD_L < CCD_S");
  if (c[Param::RRD_L] < c[Param::RRD_S]) wrong("RRD_L", "RRD_L < RRD_S");
  if (refresh == RefreshPolicy::kAllBank && c[Param::RFC] >= c[Param::REFI])
    wrong("RFC", "RFC >= REFI: the channel would do nothing but refresh");
  if (refresh == RefreshPolicy::kAllBank &&
      c[Param::RFC] + c[Param::RPab] + std::max(c[Param::RCDRD], c[Param::RCDWR]) >= c[Param::REFI])
    wrong("RFC", "RFC + RPab + RCD >= REFI: no access fits between two refreshes");
  if (refresh == RefreshPolicy::kPerBank && c[Param::PBR2PBR] > c[Param::REFIpb])
    warnings.push_back("PBR2PBR > REFIpb: per-bank refresh cannot keep up");

  if (write_high_watermark == 0) write_high_watermark = std::max(1, queue_entries * 7 / 10);
  if (write_low_watermark == 0) write_low_watermark = std::min(queue_entries * 4 / 10, write_high_watermark - 1);
  if (write_low_watermark >= write_high_watermark)
    wrong("write_low_watermark", "expected less than write_high_watermark");
  if (write_high_watermark > queue_entries) wrong("write_high_watermark", "expected at most queue_entries");

  if (mapping.column.empty() && mapping.row.empty()) {
    const std::vector<std::pair<int, int>> flips = mapping.bank_xor;
    const std::string wanted = mapping.name == "custom" ? "rbc" : mapping.name;
    mapping = make_mapping(c, wanted);
    mapping.bank_xor = flips;
  }
  const int low = log2_exact("burst_bytes", burst_bytes());
  std::set<int> used;
  const auto field = [&](const char* key, const std::vector<int>& bits, std::int64_t size) {
    const int expected = log2_exact(key, size);
    if (static_cast<int>(bits.size()) != expected)
      wrong(std::string("address_bits.") + key, std::to_string(bits.size()) + " bits given, expected " +
                                                    std::to_string(expected) + " for " + std::to_string(size));
    for (int b : bits) {
      if (b < low) wrong(std::string("address_bits.") + key, "bit " + std::to_string(b) + " lies inside a burst");
      if (!used.insert(b).second)
        wrong(std::string("address_bits.") + key, "bit " + std::to_string(b) + " is used twice");
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

namespace {

Config from_text(const Standard& standard, const Preset& text) {
  Config c;
  c.standard = &standard;
  c.name = text.name;
  c.description = text.description;
  c.source = text.source;
  set_key(c, "assumed", text.assumed);
  std::istringstream in(text.values);
  for (std::string word; in >> word;) {
    const std::size_t split = word.find('=');
    set_key(c, word.substr(0, split), word.substr(split + 1));
  }
  return c;
}

// As they are written: what they leave at 0 is not filled in yet.
std::vector<Config> written_presets() {
  std::vector<Config> all, measured;
  for (const Standard& s : all_standards())
    for (const Preset& p : s.presets) {
      const Config c = all.emplace_back(from_text(s, p));
      if (p.measured_as == nullptr) continue;
      const std::string name = p.measured_as;
      for (bool with_refresh : {true, false}) {
        Config& m = measured.emplace_back(c);
        m.name = name + (with_refresh ? "" : ".noref");
        set_key(m, "mapping", name.substr(name.rfind('.') + 1));
        if (!with_refresh) m.refresh = RefreshPolicy::kNone;
      }
    }
  std::sort(measured.begin(), measured.end(), [](const Config& a, const Config& b) { return a.name < b.name; });
  all.insert(all.end(), measured.begin(), measured.end());
  return all;
}

const Config& named(const std::vector<Config>& all, const std::string& name) {
  std::vector<std::string> names;
  for (const Config& c : all) {
    if (c.name == name) return c;
    names.push_back(c.name);
  }
  throw InputError("unknown DRAM preset '" + config::printable(name) + "', did you mean '" + nearest(name, names) +
                   "'?");
}

}  // namespace

const std::vector<Config>& presets() {
  static const std::vector<Config> all = [] {
    std::vector<Config> finished = written_presets();
    for (Config& c : finished) c.finish();
    return finished;
  }();
  return all;
}

const Config& find_preset(std::string_view name) { return named(presets(), std::string(name)); }

Config preset_as_written(const std::string& name) {
  static const std::vector<Config> all = written_presets();
  if (name != kCustom) return named(all, name);
  Config c;
  c.name = kCustom;
  return c;
}

}  // namespace harmonia::dram
