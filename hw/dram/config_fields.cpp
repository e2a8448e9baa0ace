// The one description of a channel's keys, and what follows from it: setting a key from text, and the account of all.
#include <sstream>

#include "harmonia/config/fields.h"
#include "harmonia/hw/dram/config.h"
#include "harmonia/hw/dram/document.h"
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace {

using config::Field;
using config::Fields;
using config::NameTable;
using config::Node;

constexpr int kMaxCycles = 1 << 24;
constexpr const char* kController = "a memory controller's choice, which no standard fixes";

const NameTable<PagePolicy>& page_policies() {
  static const NameTable<PagePolicy> names = {
      {"open", PagePolicy::kOpen}, {"closed", PagePolicy::kClosed}, {"adaptive", PagePolicy::kAdaptive}};
  return names;
}
const NameTable<RefreshPolicy>& refresh_policies() {
  static const NameTable<RefreshPolicy> names = {
      {"none", RefreshPolicy::kNone}, {"all_bank", RefreshPolicy::kAllBank}, {"per_bank", RefreshPolicy::kPerBank}};
  return names;
}
const NameTable<RefreshUrgency>& refresh_urgencies() {
  static const NameTable<RefreshUrgency> names = {{"auto", RefreshUrgency::kAuto},
                                                  {"at_once", RefreshUrgency::kAtOnce},
                                                  {"after_access", RefreshUrgency::kAfterAccess}};
  return names;
}
const NameTable<SchedulerPolicy>& schedulers() {
  static const NameTable<SchedulerPolicy> names = {{"FR-FCFS", SchedulerPolicy::kFrFcfs},
                                                   {"FCFS", SchedulerPolicy::kFcfs}};
  return names;
}
const NameTable<EngineKind>& engines() {
  static const NameTable<EngineKind> names = {{"reference", EngineKind::kReference}, {"fast", EngineKind::kFast}};
  return names;
}
NameTable<const Standard*> standards() {
  NameTable<const Standard*> names;
  for (const Standard& s : all_standards()) {
    names.emplace_back(s.name, &s);
    for (const std::string& extension : s.extensions) names.emplace_back(extension, &s);
  }
  return names;
}

void describe_identity(Config& c, Fields& f) {
  f.add("name", c.name).says("what results call the channel");
  f.add("description", c.description).says("its parts in words");
  f.add("source", c.source).says("where its values come from");
  f.add("assumed", c.assumed).says("keys whose values no public source gives; `currents` stands for all of them");
  f.add("standard", c.standard, standards()).says("which timing rules hold");
}

void describe_organisation(Config& c, Fields& f) {
  f.add("tCK_ps", c.tCK_ps).range(0, 1e6).unit("ps").says("clock period of the command bus");
  f.add("rate_MTs", c.rate_MTs).range(0, 1000000).unit("MT/s").says("transfers per second of a pin");
  f.add("width_bits", c.width_bits).range(0, 4096).unit("bits").says("data bus");
  f.add("BL", c.BL).range(0, 256).unit("beats").says("length of a burst");
  f.add("ranks", c.ranks).range(1, Config::kMaxRanks).power_of_two().says("ranks that share the data bus");
  f.add("pseudo_channels", c.pseudo_channels)
      .range(1, Config::kMaxPseudoChannels)
      .power_of_two()
      .says("pseudo channels that share the command pins; each has a data bus");
  f.add("bankgroups", c.bankgroups).range(1, 16).power_of_two().says("bank groups of a rank or pseudo channel");
  f.add("banks_per_group", c.banks_per_group).range(1, 64).power_of_two().says("banks of a bank group");
  f.add("rows", c.rows).range(0, 1 << 24).says("rows of a bank");
  f.add("columns", c.columns).range(0, 1 << 16).unit("beats").says("length of a row");
}

/// When a parameter plays a part; none: always.
std::pair<const char*, std::function<bool()>> condition_of(Param p, const Config& c) {
  switch (p) {
    case Param::AAD:
      return {"the standard activates in two commands (LPDDR5)", [&c] { return c.standard->split_activate; }};
    case Param::WCKPST:
      return {"the standard has a WCK to bring in step (LPDDR5)", [&c] { return c.standard->wck_sync; }};
    case Param::BLMAX:
      return {"the standard has it (LPDDR5)", [&c] { return c.standard->has_group_burst; }};
    case Param::DQSCK:
      return {"the standard has it (LPDDR4)", [&c] { return c.standard->has_read_strobe_delay; }};
    case Param::RTRS:
      return {"there are several ranks", [&c] { return c.ranks > 1; }};
    case Param::XP:
    case Param::CKE:
      return {"power_down_idle_cycles is above 0", [&c] { return c.power_down_idle_cycles > 0; }};
    case Param::RFCpb:
    case Param::REFIpb:
    case Param::PBR2PBR:
    case Param::RREFD:
      return {"refresh is per_bank", [&c] { return c.refresh == RefreshPolicy::kPerBank; }};
    case Param::RFC:
    case Param::RPREF:
      return {"refresh is all_bank", [&c] { return c.refresh == RefreshPolicy::kAllBank; }};
    case Param::REFI:
      return {"refresh is not none", [&c] { return c.refresh != RefreshPolicy::kNone; }};
    default:
      return {nullptr, {}};
  }
}

void describe_timing(Config& c, Fields& f) {
  for (int i = 0; i < kParamCount; ++i) {
    const auto p = static_cast<Param>(i);
    if (p == Param::RCDRD)
      f.add_shorthand("RCD", {&c[Param::RCDRD], &c[Param::RCDWR]})
          .range(0, kMaxCycles)
          .unit("cycles")
          .says("sets RCDRD and RCDWR");
    Field& field = f.add(param_name(p), c[p]).range(0, kMaxCycles).unit("cycles").says(param_meaning(p));
    if (auto [words, holds] = condition_of(p, c); words != nullptr) field.used_when(words, std::move(holds));
  }
}

void describe_controller(Config& c, Fields& f) {
  const auto cycles = [&f](const char* key, int& value, int low = 0, int high = kMaxCycles) -> Field& {
    return f.add(key, value).range(low, high).unit("cycles").assumed(kController);
  };
  const auto with_refresh = [&c] { return c.refresh == RefreshPolicy::kAllBank; };
  f.add("page_policy", c.page_policy, page_policies()).says("when a row is closed").assumed(kController);
  cycles("page_timeout_cycles", c.page_timeout_cycles, 1)
      .says("an unused row is closed after this long")
      .used_when("page_policy is adaptive", [&c] { return c.page_policy == PagePolicy::kAdaptive; });
  f.add("scheduler", c.scheduler, schedulers()).says("order of commands").assumed(kController);
  f.add("queue_entries", c.queue_entries)
      .range(1, 1 << 16)
      .unit("bursts")
      .says("bursts that wait, for reads and for writes each")
      .assumed(kController);
  cycles("fairness_cap_cycles", c.fairness_cap_cycles)
      .says("a row conflict that waited this long stops further hits of its bank");
  f.add("write_high_watermark", c.write_high_watermark)
      .range(0, 1 << 16)
      .unit("bursts")
      .says("waiting bursts at which a batch of writes starts")
      .assumed(kController);
  f.add("write_low_watermark", c.write_low_watermark)
      .range(0, 1 << 16)
      .unit("bursts")
      .says("waiting bursts at which it ends when reads wait")
      .assumed(kController);
  cycles("write_max_wait_cycles", c.write_max_wait_cycles).says("a write that waited this long starts a batch");
  cycles("write_idle_cycles", c.write_idle_cycles).says("so do waiting writes when no other came for this long");
  Field& refresh = f.add("refresh", c.refresh, refresh_policies()).says("how rows are refreshed").assumed(kController);
  for (const char* yes : {"true", "True", "all-bank"}) refresh.also(yes, "all_bank");
  for (const char* no : {"false", "False"}) refresh.also(no, "none");
  refresh.also("same_bank", "per_bank");
  f.add("refresh_urgency", c.refresh_urgency, refresh_urgencies())
      .says("what a due refresh does to a row just opened for an access")
      .used_when("refresh is not none", [&c] { return c.refresh != RefreshPolicy::kNone; });
  f.add("refresh_postpone", c.refresh_postpone)
      .range(0, 8)
      .says("refreshes that may be late")
      .assumed(kController)
      .used_when("refresh is all_bank", with_refresh);
  f.add("refresh_pull_in", c.refresh_pull_in)
      .range(0, 8)
      .says("refreshes that may be early in idle time")
      .assumed(kController)
      .used_when("refresh is all_bank", with_refresh);
  cycles("power_down_idle_cycles", c.power_down_idle_cycles).says("idle time before power-down; 0: never");
  f.add("mapping", c.mapping.name)
      .one_of({"bgi", "rbc", "cbg", "custom"})
      .says("which address bits select column, bank and row")
      .assumed(kController);
  f.add_pairs("bank_xor", c.mapping.bank_xor)
      .range(0, 47)
      .says("pairs of a bit of the bank index and the row's address bit that flips it");
  f.add("address_bits", c.mapping)
      .says("address bits of each coordinate, least significant first; they make the mapping `custom`");
  cycles("frontend_cycles", c.frontend_cycles, 0, 1000)
      .says("from the offer of a request to the first command that it can cause");
  cycles("backend_cycles", c.backend_cycles, 0, 1000).says("from the last data beat to the reply");
  f.add("engine", c.engine, engines())
      .says("reference: one decision at a time; fast: the same commands and times in less host time");
}

void describe_currents(Config& c, Fields& f) {
  Currents& i = c.currents;
  const auto current = [&](const char* key, double& value) -> Field& {
    return f.add(key, value).range(0, 1e6).unit("mA").says("supply current, data-sheet name");
  };
  const auto energy = [&c] { return c.currents.devices > 0; };
  const auto power_down = [&c] { return c.currents.devices > 0 && c.power_down_idle_cycles > 0; };
  f.add("VDD", i.VDD)
      .range(0, 1e6)
      .unit("V")
      .says("supply voltage")
      .used_when("devices is above 0, for the energy of `harmonia dram`", energy);
  for (const auto& [key, value] : {std::pair<const char*, double*>{"IDD0", &i.IDD0},
                                   {"Ibeta", &i.Ibeta},
                                   {"IDD2N", &i.IDD2N},
                                   {"IDD3N", &i.IDD3N}})
    current(key, *value).used_when("devices is above 0, for the energy of `harmonia dram`", energy);
  for (const auto& [key, value] : {std::pair<const char*, double*>{"IDD2P", &i.IDD2P}, {"IDD3P", &i.IDD3P}})
    current(key, *value)
        .used_when("devices and power_down_idle_cycles are above 0, for the energy of `harmonia dram`", power_down);
  for (const auto& [key, value] :
       {std::pair<const char*, double*>{"IDD4R", &i.IDD4R}, {"IDD4W", &i.IDD4W}, {"IDD5B", &i.IDD5B}})
    current(key, *value).used_when("devices is above 0, for the energy of `harmonia dram`", energy);
  f.add("rho", i.rho)
      .range(0, 1)
      .says("of IDD3N - IDD2N, the share that flows when any bank is open")
      .used_when("devices is above 0, for the energy of `harmonia dram`", energy);
  f.add("devices", i.devices)
      .range(0, 1024)
      .says("chips that make the channel")
      .used_when("currents are given, for the energy of `harmonia dram`; 0: none is computed", energy);
}

/// "[5,6,7]", "5 6 7" and "" as a list.
Node list_of(const Node& text) {
  Node list = Node::list();
  list.where = text.where;
  std::string blanks = text.text;
  for (char& ch : blanks)
    if (ch == '[' || ch == ']' || ch == ',') ch = ' ';
  std::istringstream in(blanks);
  for (std::string word; in >> word;) list.items.push_back(Node::scalar(word, false, text.where));
  return list;
}

std::string text_of(const Node& value, const std::string& key) {
  if (!value.is_list()) return value.text;
  const bool words = key == "assumed";
  std::string text;
  for (const Node& item : value.items) text += (text.empty() ? "" : words ? " " : ",") + item.text;
  return words ? text : "[" + text + "]";
}

constexpr const char* kBits = "address_bits.";

}  // namespace

const char* to_string(PagePolicy p) {
  for (const auto& [name, value] : page_policies())
    if (value == p) return name.c_str();
  return "?";
}
const char* to_string(RefreshPolicy p) {
  for (const auto& [name, value] : refresh_policies())
    if (value == p) return name.c_str();
  return "?";
}
const char* to_string(RefreshUrgency p) {
  for (const auto& [name, value] : refresh_urgencies())
    if (value == p) return name.c_str();
  return "?";
}
const char* to_string(SchedulerPolicy p) {
  for (const auto& [name, value] : schedulers())
    if (value == p) return name.c_str();
  return "?";
}
const char* to_string(EngineKind k) {
  for (const auto& [name, value] : engines())
    if (value == k) return name.c_str();
  return "?";
}

void Mapping::describe(Fields& f) {
  const auto bits = [&f](const char* key, std::vector<int>& value, const char* meaning) {
    f.add(key, value).range(0, 47).says(meaning);
  };
  bits("co", column, "column, in bursts");
  bits("bg", bankgroup, "bank group");
  bits("ba", bank, "bank of the group");
  bits("ro", row, "row");
  bits("ra", rank, "rank");
  bits("pc", pseudo_channel, "pseudo channel");
}

void Config::describe(Fields& f) {
  describe_identity(*this, f);
  describe_organisation(*this, f);
  describe_timing(*this, f);
  describe_controller(*this, f);
  describe_currents(*this, f);
}

Node as_described(const Node& keys) {
  if (!keys.is_map()) return keys;
  const std::string bits = kBits;
  Node out = Node::map();
  out.where = keys.where;
  Node address_bits = Node::map();
  const auto once = [](const Node& map, const std::string& key, const config::Location& where,
                       const std::string& name) {
    if (map.find(key) != nullptr) throw config::InputError(where, name + " is given twice, expected it once");
  };
  const auto add_bits = [&](const std::string& key, const config::Member& m) {
    once(address_bits, key, m.where, bits + key);
    if (address_bits.members.empty()) address_bits.where = m.where;
    address_bits.set(key, m.value.is_scalar() ? list_of(m.value) : m.value, m.where);
  };
  for (const config::Member& m : keys.members) {
    if (m.key == "address_bits" && m.value.is_map()) {
      for (const config::Member& field : m.value.members) add_bits(field.key, field);
    } else if (m.key.compare(0, bits.size(), bits) == 0) {
      add_bits(m.key.substr(bits.size()), m);
    } else {
      const std::string key = m.key == "desc" ? "description" : m.key;
      once(out, key, m.where, key);
      const bool list = key == "assumed" || key == "bank_xor";
      out.set(key, list && m.value.is_scalar() ? list_of(m.value) : m.value, m.where);
    }
  }
  if (!address_bits.members.empty()) {
    const config::Location where = address_bits.where;
    out.set("address_bits", std::move(address_bits), where);
  }
  return out;
}

void read_keys(Config& c, const Node& keys) {
  Fields f;
  c.describe(f);
  f.read(as_described(keys));
}

void set_key(Config& c, const std::string& key, const std::string& value) {
  // What may have followed from the key is to follow again.
  if (key == "queue_entries") c.write_high_watermark = c.write_low_watermark = 0;
  if (key == "mapping") {
    Mapping anew;
    anew.bank_xor = c.mapping.bank_xor;
    c.mapping = anew;
  }
  if (key.compare(0, std::string(kBits).size(), kBits) == 0 && c.mapping.name != "custom") c.mapping = Mapping{};
  Node keys = Node::map();
  keys.set(key, Node::scalar(value));
  read_keys(c, keys);
}

std::vector<std::string> config_keys() {
  Config c;
  Fields f;
  c.describe(f);
  std::vector<std::string> keys;
  for (const auto& field : f.all()) {
    if (!field->is_section()) keys.push_back(field->key());
    if (field->is_section())
      for (const std::string& key : field->children()->keys()) keys.push_back(field->key() + "." + key);
  }
  return keys;
}

std::vector<std::pair<std::string, std::string>> describe(const Config& c) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const config::Member& m : config::dump(c).members) {
    if (!m.value.is_map()) out.emplace_back(m.key, text_of(m.value, m.key));
    for (const config::Member& inner : m.value.members)
      out.emplace_back(m.key + "." + inner.key, text_of(inner.value, inner.key));
  }
  return out;
}

}  // namespace harmonia::dram
