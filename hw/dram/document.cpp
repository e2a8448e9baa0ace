#include "harmonia/hw/dram/document.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace {

using config::Assumption;
using config::InputError;
using config::Location;
using config::Node;

constexpr const char* kBitFields[] = {"co", "bg", "ba", "ro", "ra", "pc"};
constexpr const char* kStatedKeys[] = {"burst_bytes", "burst_cycles", "peak_GBs"};
constexpr const char* kCurrentKeys[] = {"VDD",   "IDD0",  "Ibeta", "IDD2N", "IDD3N", "IDD2P",
                                        "IDD3P", "IDD4R", "IDD4W", "IDD5B", "rho",   "devices"};
constexpr const char* kPolicyKeys[] = {"page_policy",
                                       "page_timeout_cycles",
                                       "scheduler",
                                       "queue_entries",
                                       "fairness_cap_cycles",
                                       "write_high_watermark",
                                       "write_low_watermark",
                                       "write_max_wait_cycles",
                                       "write_idle_cycles",
                                       "refresh",
                                       "refresh_postpone",
                                       "refresh_pull_in",
                                       "power_down_idle_cycles",
                                       "mapping",
                                       "frontend_cycles",
                                       "backend_cycles"};
constexpr const char* kPolicySource = "a memory controller's choice, which no standard fixes";

template <class Array>
bool contains(const Array& names, const std::string& name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Where each key was given. A key of a preset has no place.
using Places = std::map<std::string, Location>;

std::string place_text(const Location& where) {
  return where.line > 0 ? where.file + ':' + std::to_string(where.line) : where.file;
}

/// A scalar, or a list (of lists) of scalars separated by blanks: what set_key() reads.
std::string text_of(const std::string& key, const Node& value) {
  if (value.is_scalar()) return value.text;
  if (!value.is_list())
    throw InputError(value.where, key + " is " + config::describe_found(value) + ", expected a value or a list");
  std::string text;
  for (const Node& item : value.items) text += (text.empty() ? "" : " ") + text_of(key, item);
  return text;
}

[[noreturn]] void unknown(const std::string& key, const Location& where) {
  std::vector<std::string> known = config_keys();
  for (const char* k : kStatedKeys) known.emplace_back(k);
  known.insert(known.end(), {"desc", "address_bits", "sources"});
  throw InputError(where, "unknown key '" + config::printable(key) + "'; nearest known key is '" +
                              (config::nearest(key, known).empty() ? nearest_key(key) : config::nearest(key, known)) +
                              "'");
}

bool known(const std::string& key) {
  const std::vector<std::string> keys = config_keys();
  return key == "desc" || contains(keys, key);
}

void set(Config& c, const std::string& key, const Node& value, const Location& where) {
  if (!known(key)) unknown(key, where);
  const std::string text = text_of(key, value);
  try {
    set_key(c, key, text);
  } catch (const InputError& e) {
    throw InputError(value.where.file.empty() ? where : value.where, e.what());
  }
}

/// Order does not matter in a document, but bits replace a mapping's name, and flips belong to either.
int turn(const std::string& key) {
  if (key == "mapping") return 0;
  if (key.compare(0, 12, "address_bits") == 0) return 1;
  if (key == "bank_xor") return 2;
  return 0;
}

struct Flat {
  std::string key;
  const Node* value;
  Location where;
};

std::vector<Flat> flatten(const Node& keys, const Node*& sources) {
  std::vector<Flat> flat;
  for (const config::Member& m : keys.members) {
    const Location where = m.where.file.empty() ? m.value.where : m.where;
    if (m.key == "sources") {
      if (!m.value.is_map())
        throw InputError(m.value.where,
                         "sources is " + config::describe_found(m.value) + ", expected a map of key: where from");
      sources = &m.value;
    } else if (m.key == "address_bits" && m.value.is_map()) {
      for (const config::Member& bits : m.value.members) {
        if (!contains(kBitFields, bits.key))
          throw InputError(bits.where, "unknown key '" + config::printable(bits.key) + "' in address_bits" +
                                           config::nearest_hint(bits.key, {"co", "bg", "ba", "ro", "ra", "pc"}, "key"));
        flat.push_back({"address_bits." + bits.key, &bits.value, bits.where});
      }
    } else {
      flat.push_back({m.key, &m.value, where});
    }
  }
  std::stable_sort(flat.begin(), flat.end(), [](const Flat& a, const Flat& b) { return turn(a.key) < turn(b.key); });
  return flat;
}

/// The place of the key that a message is about: messages name keys of the configuration, the first one given counts.
Location place_of(const std::string& message, const Places& places, const Location& otherwise) {
  std::string word;
  const auto look = [&]() -> const Location* {
    for (const std::string& key : {word, std::string("RCD")}) {
      if (key == "RCD" && word != "RCDRD" && word != "RCDWR") continue;
      if (const auto at = places.find(key); at != places.end()) return &at->second;
    }
    return nullptr;
  };
  for (const char ch : message + ' ') {
    if (std::isalnum(static_cast<unsigned char>(ch)) || ch == '_' || ch == '.') {
      word += ch;
      continue;
    }
    while (!word.empty() && word.back() == '.') word.pop_back();
    if (const Location* at = look()) return *at;
    word.clear();
  }
  return otherwise;
}

void check_stated(const Config& c, const std::string& key, const Node& value) {
  const double follows = key == "burst_bytes"    ? c.burst_bytes()
                         : key == "burst_cycles" ? c.burst_cycles()
                                                 : c.peak_GBs();
  char* end = nullptr;
  const double stated = value.is_scalar() ? std::strtod(value.text.c_str(), &end) : 0;
  const bool number = end && *end == 0 && !value.text.empty();
  if (number && std::abs(stated - follows) <= 1e-3 * follows) return;
  std::ostringstream text;
  text << key << " is " << config::describe_found(value) << ", expected " << follows
       << ", which follows from width_bits, BL, rate_MTs, tCK_ps and pseudo_channels";
  throw InputError(value.where, text.str());
}

/// Why finish() fills a value that was left at 0.
const char* fill_rule(const std::string& key) {
  static const std::map<std::string, const char*> rules = {
      {"RPab", "computed: as RP"},
      {"RPREF", "computed: as RPab; on LPDDR5 RP, as Ramulator 2.1 counts it"},
      {"CCD_L_WR", "computed: as CCD_L"},
      {"BLMAX", "computed: CCD_L on LPDDR5, else the burst"},
      {"RTW", "computed: CL + DQSCK + burst + 2 - CWL"},
      {"PPD", "default: one command a cycle"},
      {"AAD", "default: 8 cycles"},
      {"WCKPST", "default: 1 cycle"},
      {"XP", "default: 8 cycles"},
      {"CKE", "default: 8 cycles"},
      {"RTRS", "default: 1 cycle"},
      {"RREFD", "computed: as RRD_S"},
      {"PBR2PBR", "computed: as RFCpb"},
      {"REFIpb", "computed: REFI over the number of refreshes that cover all banks"},
      {"Ibeta", "computed: as IDD0"}};
  const auto at = rules.find(key);
  return at == rules.end() ? nullptr : at->second;
}

/// Whether a value plays a part in this configuration: an assumption that nothing rests on is none.
bool in_use(const std::string& key, const Config& c) {
  if (key == "AAD") return c.standard->split_activate;
  if (key == "WCKPST") return c.standard->wck_sync;
  if (key == "BLMAX") return c.standard->has_group_burst;
  if (key == "DQSCK") return c.standard->has_read_strobe_delay;
  if (key == "RTRS") return c.ranks > 1;
  if (key == "XP" || key == "CKE") return c.power_down_idle_cycles > 0;
  if (key == "RFCpb" || key == "REFIpb" || key == "PBR2PBR" || key == "RREFD")
    return c.refresh == RefreshPolicy::kPerBank;
  if (key == "RFC" || key == "RPREF") return c.refresh == RefreshPolicy::kAllBank;
  if (key == "REFI") return c.refresh != RefreshPolicy::kNone;
  if (key == "refresh_postpone" || key == "refresh_pull_in") return c.refresh != RefreshPolicy::kNone;
  if (key == "page_timeout_cycles") return c.page_policy == PagePolicy::kAdaptive;
  if (key == "IDD2P" || key == "IDD3P") return c.currents.devices > 0 && c.power_down_idle_cycles > 0;
  if (contains(kCurrentKeys, key)) return c.currents.devices > 0;
  return true;
}

/// "currents" stands for all of them, RCD for both of its halves.
std::vector<std::string> expand(const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  for (const std::string& key : keys) {
    if (key == "currents")
      out.insert(out.end(), std::begin(kCurrentKeys), std::end(kCurrentKeys));
    else if (key == "RCD")
      out.insert(out.end(), {"RCDRD", "RCDWR"});
    else
      out.push_back(key);
  }
  return out;
}

std::string unit_of(const std::string& key) {
  if (key == "VDD") return "V";
  if (key == "tCK_ps") return "ps";
  if (key == "queue_entries" || key == "write_high_watermark" || key == "write_low_watermark") return "bursts";
  if (key == "rho") return "";
  if (contains(kCurrentKeys, key) && key != "devices") return "mA";
  const bool cycles = key.size() > 7 && key.compare(key.size() - 7, 7, "_cycles") == 0;
  for (int i = 0; i < kParamCount; ++i)
    if (key == param_name(static_cast<Param>(i))) return "cycles";
  return cycles ? "cycles" : "";
}

std::string meaning_of(const std::string& key) {
  for (int i = 0; i < kParamCount; ++i)
    if (key == param_name(static_cast<Param>(i))) return param_meaning(static_cast<Param>(i));
  static const std::map<std::string, const char*> meanings = {
      {"page_policy", "when a row is closed"},
      {"page_timeout_cycles", "an unused row is closed after this long"},
      {"scheduler", "order of commands"},
      {"queue_entries", "bursts that wait, for reads and for writes each"},
      {"fairness_cap_cycles", "a row conflict that waited this long stops further hits of its bank"},
      {"write_high_watermark", "waiting bursts at which a batch of writes starts"},
      {"write_low_watermark", "waiting bursts at which it ends when reads wait"},
      {"write_max_wait_cycles", "a write that waited this long starts a batch"},
      {"write_idle_cycles", "so do waiting writes when no other came for this long"},
      {"refresh", "how rows are refreshed"},
      {"refresh_postpone", "refreshes that may be late"},
      {"refresh_urgency", "what a due refresh does to a row just opened for an access"},
      {"refresh_pull_in", "refreshes that may be early in idle time"},
      {"power_down_idle_cycles", "idle time before power-down; 0: never"},
      {"engine", "reference: one decision at a time; fast: the same commands and times in less host time"},
      {"mapping", "which address bits select column, bank and row"},
      {"frontend_cycles", "from the offer of a request to the first command that it can cause"},
      {"backend_cycles", "from the last data beat to the reply"},
      {"VDD", "supply voltage"},
      {"rho", "of IDD3N - IDD2N, the share that flows when any bank is open"},
      {"devices", "chips that make the channel"}};
  if (const auto at = meanings.find(key); at != meanings.end()) return at->second;
  return contains(kCurrentKeys, key) ? "supply current, data-sheet name" : "";
}

class Assumptions {
 public:
  Assumptions(const Config& config, const Places& places, std::vector<Assumption>& out)
      : config_(config), places_(places), out_(out) {
    for (const auto& [key, value] : describe(config)) values_[key] = value;
  }
  void add(const std::string& key, const std::string& source) {
    if (!in_use(key, config_)) return;
    if (std::any_of(out_.begin(), out_.end(), [&](const Assumption& a) { return a.key == key; })) return;
    const auto place = places_.find(key);
    out_.push_back({key, values_[key], unit_of(key), meaning_of(key), source,
                    place == places_.end() ? "default" : place_text(place->second)});
  }

 private:
  const Config& config_;
  const Places& places_;
  std::vector<Assumption>& out_;
  std::map<std::string, std::string> values_;
};

}  // namespace

ReadConfig read_config(const std::string& preset, const Node& keys) {
  ReadConfig out;
  Config& c = out.config;
  c = preset_as_written(preset);
  const std::vector<std::string> preset_assumed = expand(c.assumed);
  const std::string preset_source = "assumed in preset " + preset;
  c.assumed.clear();

  const Node* sources = nullptr;
  Places places;
  std::vector<const Flat*> stated;
  const std::vector<Flat> flat = flatten(keys, sources);
  for (const Flat& f : flat) {
    const auto [earlier, is_new] = places.emplace(f.key, f.where);
    if (!is_new) throw InputError(f.where, f.key + " is given twice, expected it once");
    if (contains(kStatedKeys, f.key))
      stated.push_back(&f);
    else
      set(c, f.key, *f.value, f.where);
  }
  if (preset == kCustom && places.find("standard") == places.end())
    throw InputError(keys.where, "standard is missing, expected it, or a base whose standard is taken");
  const auto bits = places.lower_bound("address_bits");
  if (bits != places.end() && bits->first.compare(0, 12, "address_bits") == 0 &&
      (c.mapping.column.empty() || c.mapping.row.empty()))
    throw InputError(bits->second,
                     "address_bits lack columns or rows, expected a list for each of co, ro and what else "
                     "the organisation has: bg, ba, ra, pc");
  const std::vector<std::string> document_assumed = expand(c.assumed);
  for (const std::string& key : document_assumed)
    if (!known(key)) throw InputError(places["assumed"], "assumed: '" + config::printable(key) + "' is no key");

  const Config written = c;
  try {
    for (std::string& w : c.finish()) {
      const Location at = place_of(w, places, {});
      out.warnings.push_back(at.file.empty() ? std::move(w) : place_text(at) + ": " + w);
    }
  } catch (const InputError& e) {
    throw InputError(place_of(e.what(), places, keys.where), e.what());
  }
  for (const Flat* s : stated) check_stated(c, s->key, *s->value);

  Assumptions assumptions(c, places, out.assumptions);
  const auto given = [&](const std::string& key) {
    return places.count(key) > 0 || ((key == "RCDRD" || key == "RCDWR") && places.count("RCD") > 0) ||
           (key == "mapping" && places.lower_bound("address_bits") != places.end() &&
            places.lower_bound("address_bits")->first.compare(0, 12, "address_bits") == 0);
  };
  std::map<std::string, std::string> sourced;
  if (sources)
    for (const config::Member& m : sources->members) {
      if (!known(m.key) && m.key != "currents") unknown(m.key, m.where);
      if (!m.value.is_scalar())
        throw InputError(m.value.where, "sources." + m.key + " is " + config::describe_found(m.value) +
                                            ", expected a text that says where the value comes from");
      for (const std::string& key : expand({m.key})) sourced[key] = m.value.text;
    }
  for (const auto& [key, source] : sourced)
    if (source.compare(0, 7, "assumed") == 0) assumptions.add(key, source);
  for (const std::string& key : document_assumed)
    if (sourced.count(key) == 0) assumptions.add(key, c.source.empty() ? "assumed" : c.source);
  for (const std::string& key : preset_assumed)
    if (!given(key) && sourced.count(key) == 0) assumptions.add(key, preset_source);
  const auto before = describe(written), after = describe(c);
  for (std::size_t i = 0; i < after.size(); ++i) {
    const char* rule = fill_rule(after[i].first);
    if (rule && before[i].second == "0" && after[i].second != "0") assumptions.add(after[i].first, rule);
  }
  if (!given("rho") && sourced.count("rho") == 0) assumptions.add("rho", "default: half, as DRAMPower 5 takes it");
  for (const char* key : kPolicyKeys)
    if (!given(key) && sourced.count(key) == 0) assumptions.add(key, kPolicySource);

  // What stays assumed, for readers of the configuration itself.
  c.assumed.clear();
  for (const Assumption& a : out.assumptions)
    if (!contains(kPolicyKeys, a.key)) c.assumed.push_back(a.key);
  return out;
}

}  // namespace harmonia::dram
