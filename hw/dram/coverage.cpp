#include "harmonia/hw/dram/coverage.h"

#include <algorithm>

#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {
namespace {

using coverage::Group;
using coverage::Point;

enum State : std::int64_t { closed, same_row, other_row, all_closed, some_open };
enum Place : std::int64_t { same_bank, same_group, other_group, other_rank };

constexpr std::int64_t kMost = std::int64_t{1} << 62;

bool is_column(Cmd c) { return c == Cmd::kRd || c == Cmd::kWr; }

/// Commands that the configuration can give, PREA aside: whether it is needed hangs on the refresh.
std::vector<Cmd> commands_of(const Config& c) {
  std::vector<Cmd> all = {Cmd::kAct};
  if (c.standard->split_activate) all.push_back(Cmd::kAct2);
  all.insert(all.end(), {Cmd::kPre, Cmd::kRd, Cmd::kWr});
  if (c.refresh == RefreshPolicy::kAllBank) all.insert(all.end(), {Cmd::kPreAll, Cmd::kRef});
  if (c.refresh == RefreshPolicy::kPerBank) all.push_back(Cmd::kRefPb);
  if (c.standard->wck_sync) all.insert(all.end(), {Cmd::kCasRd, Cmd::kCasWr});
  if (c.power_down_idle_cycles > 0) all.insert(all.end(), {Cmd::kPdEnter, Cmd::kPdExit});
  return all;
}

bool needs_bank(Cmd c) {
  return c == Cmd::kAct || c == Cmd::kAct2 || c == Cmd::kPre || c == Cmd::kRefPb || is_column(c);
}

/// In which states of a bank, or of all banks, a command may come.
bool allowed(Cmd c, std::int64_t state) {
  switch (c) {
    case Cmd::kAct:
    case Cmd::kRefPb:
      return state == closed;
    case Cmd::kAct2:
    case Cmd::kRd:
    case Cmd::kWr:
      return state == same_row;
    case Cmd::kPre:
      return state == other_row || state == closed;
    case Cmd::kRef:
      return state == all_closed;
    default:
      return state == all_closed || state == some_open;
  }
}

Group commands_group(const Config& c, const std::string& instance) {
  Group g("dram.commands", instance);
  Point& command = g.point("command", "command on the bus");
  const std::vector<Cmd> commands = commands_of(c);
  for (const Cmd cmd : commands) command.bin(cmd_name(cmd, c.standard->split_activate), static_cast<std::int64_t>(cmd));
  // PRE says no row: `other row` stands for any open one.
  const std::pair<const char*, std::int64_t> states[] = {{"bank closed", closed},
                                                         {"the command's row open", same_row},
                                                         {"a row open", other_row},
                                                         {"all banks closed", all_closed},
                                                         {"some banks open", some_open}};
  Point& state = g.point("state", "state of the bank, or of all banks where the command names none");
  for (const auto& [name, value] : states)
    if (std::any_of(commands.begin(), commands.end(), [v = value](Cmd cmd) { return allowed(cmd, v); }))
      state.bin(name, value);
  g.cross("command x state", {"command", "state"});
  for (const Cmd cmd : commands)
    for (const auto& [name, value] : states) {
      const std::vector<coverage::PointBin> bins = {{"command", cmd_name(cmd, c.standard->split_activate)},
                                                    {"state", name}};
      const bool exists = value != all_closed && value != some_open ? needs_bank(cmd) : !needs_bank(cmd);
      if (std::none_of(g.points()[1].bins().begin(), g.points()[1].bins().end(),
                       [n = name](const coverage::Bin& b) { return b.name == n; }))
        continue;
      // Precharging a closed bank is legal and the controller has no reason to; CAS and power-down look at no bank.
      const bool pointless = (cmd == Cmd::kPre && value == closed) || (cmd == Cmd::kPreAll && value == all_closed) ||
                             cmd == Cmd::kCasRd || cmd == Cmd::kCasWr || cmd == Cmd::kPdEnter || cmd == Cmd::kPdExit;
      if (!exists || (allowed(cmd, value) && pointless))
        g.ignore("command x state", bins);
      else if (!allowed(cmd, value))
        g.illegal("command x state", bins);
    }
  return g;
}

Group columns_group(const Config& c, const std::string& instance) {
  Group g("dram.columns", instance);
  g.point("pair", "a column command after the one before it on the same data bus")
      .bin("RD after RD", 0)
      .bin("WR after RD", 1)
      .bin("RD after WR", 2)
      .bin("WR after WR", 3);
  Point& place = g.point("place", "where the second command goes");
  place.bin("same bank", same_bank);
  if (c.banks_per_group > 1) place.bin("other bank of the group", same_group);
  if (c.bankgroups > 1) place.bin("other bank group", other_group);
  if (c.ranks > 1) place.bin("other rank", other_rank);
  // The least gap of each pair hangs on its place; that of one direction on one bank is the burst or CCD_L.
  const int least = std::max(c.burst_cycles(), c[Param::CCD_S]);
  g.point("gap", "clocks between the two")
      .bin("as close as data allow", 0, least)
      .bin("up to four bursts", least + 1, 4 * least)
      .bin("longer", 4 * least + 1, kMost);
  g.cross("pair x place", {"pair", "place"});
  return g;
}

Group rows_group(const Config& c, const std::string& instance) {
  Group g("dram.rows", instance);
  Point& columns = g.point("columns", "column commands to a row while it is open");
  columns.bin("one", 1).bin("2 to 7", 2, 7);
  if (c.bursts_per_row() >= 8) columns.bin("8 and more", 8, kMost);
  g.point("use", "what they were").bin("reads", 1).bin("writes", 2).bin("both", 3);
  g.cross("columns x use", {"columns", "use"});
  g.ignore("columns x use", {{"columns", "one"}, {"use", "both"}});
  return g;
}

Group writes_group(const std::string& instance) {
  Group g("dram.write_runs", instance);
  g.point("writes", "writes on a data bus between two reads")
      .bin("one", 1)
      .bin("2 to 15", 2, 15)
      .bin("16 and more", 16, kMost);
  return g;
}

Group refreshes_group(const Config& c, const std::string& instance) {
  Group g("dram.refreshes", instance);
  if (c.refresh == RefreshPolicy::kNone) return g;
  g.point("collision", "what the refreshed banks did before")
      .bin("had been closed for longer than RP", 0)
      .bin("were closed for the refresh", 1);
  return g;
}

Group activates_group(const Config& c, const std::string& instance) {
  Group g("dram.activates", instance);
  if (c.banks_per_unit() < 4) return g;
  Point& p = g.point("window", "activates of a rank or pseudo channel in the last FAW clocks, this one included");
  for (int i = 1; i <= 4; ++i) p.bin(std::to_string(i), i);
  p.illegal("more than four", 5, kMost);
  return g;
}

}  // namespace

CommandCoverage::CommandCoverage(const Config& config, const std::string& instance)
    : config_(config),
      commands_(commands_group(config, instance)),
      columns_(columns_group(config, instance)),
      rows_(rows_group(config, instance)),
      writes_(writes_group(instance)),
      refreshes_(refreshes_group(config, instance)),
      activates_(activates_group(config, instance)),
      units_(static_cast<std::size_t>(config.units())),
      last_(static_cast<std::size_t>(config.pseudo_channels)),
      written_(static_cast<std::size_t>(config.pseudo_channels)) {
  for (Unit& u : units_) u.banks.resize(static_cast<std::size_t>(config.banks_per_unit()));
}

void CommandCoverage::on_command(const Command& c) {
  Unit& unit = units_[static_cast<std::size_t>(c.unit)];
  Bank* bank = nullptr;
  if (c.bankgroup >= 0 && c.bank_in_group >= 0 && needs_bank(c.cmd))
    bank = &unit.banks[static_cast<std::size_t>(c.bankgroup * config_.banks_per_group + c.bank_in_group)];
  sample_state(c, bank, unit);
  switch (c.cmd) {
    case Cmd::kAct:
      activate(unit, *bank, c);
      break;
    case Cmd::kPre:
      close(*bank, c.cycle);
      break;
    case Cmd::kPreAll:
      for (Bank& b : unit.banks) close(b, c.cycle);
      break;
    case Cmd::kRd:
    case Cmd::kWr:
      column(*bank, c);
      break;
    case Cmd::kRef:
    case Cmd::kRefPb:
      refresh(unit, c);
      break;
    default:
      break;
  }
}

void CommandCoverage::sample_state(const Command& c, const Bank* bank, const Unit& unit) {
  std::int64_t state = closed;
  if (bank != nullptr) {
    if (bank->row >= 0) state = c.cmd != Cmd::kPre && bank->row == c.row ? same_row : other_row;
    // A read says only its column where the row is known to be open.
    if (is_column(c.cmd) && c.row < 0 && bank->row >= 0) state = same_row;
  } else {
    const bool open = std::any_of(unit.banks.begin(), unit.banks.end(), [](const Bank& b) { return b.row >= 0; });
    state = open ? some_open : all_closed;
  }
  commands_.sample({static_cast<std::int64_t>(c.cmd), state});
}

void CommandCoverage::close(Bank& bank, Cycle cycle) {
  if (bank.row < 0) return;
  if (bank.columns > 0)
    rows_.sample({std::int64_t{bank.columns}, std::int64_t{bank.read ? 1 : 0} + (bank.written ? 2 : 0)});
  bank = {};
  bank.closed = cycle;
}

void CommandCoverage::activate(Unit& unit, Bank& bank, const Command& c) {
  bank.row = c.row;
  if (activates_.points().empty()) return;
  unit.activates.push_back(c.cycle);
  unit.activates.erase(unit.activates.begin(), std::find_if(unit.activates.begin(), unit.activates.end(), [&](Cycle a) {
                         return a > c.cycle - config_[Param::FAW];
                       }));
  activates_.sample({static_cast<std::int64_t>(unit.activates.size())});
}

void CommandCoverage::column(Bank& bank, const Command& c) {
  ++bank.columns;
  (c.cmd == Cmd::kRd ? bank.read : bank.written) = true;
  const auto bus = static_cast<std::size_t>(c.unit % config_.pseudo_channels);
  Column& before = last_[bus];
  if (before.unit >= 0) {
    Place place = other_group;
    if (before.unit != c.unit)
      place = other_rank;
    else if (before.bankgroup == c.bankgroup)
      place = before.bank == c.bank_in_group ? same_bank : same_group;
    const std::int64_t pair = (before.cmd == Cmd::kWr ? 2 : 0) + (c.cmd == Cmd::kWr ? 1 : 0);
    columns_.sample({pair, place, c.cycle - before.cycle});
  }
  if (c.cmd == Cmd::kWr) {
    ++written_[bus];
  } else if (written_[bus] > 0) {
    writes_.sample({written_[bus]});
    written_[bus] = 0;
  }
  before = {c.cmd, c.unit, c.bankgroup, c.bank_in_group, c.cycle};
}

void CommandCoverage::refresh(Unit& unit, const Command& c) {
  if (refreshes_.points().empty()) return;
  Cycle last = -1;
  for (std::size_t b = 0; b < unit.banks.size(); ++b) {
    const auto group = static_cast<std::int16_t>(b / static_cast<std::size_t>(config_.banks_per_group));
    const auto in_group = static_cast<std::int16_t>(b % static_cast<std::size_t>(config_.banks_per_group));
    const bool refreshed =
        c.cmd == Cmd::kRef || ((c.bankgroup < 0 || c.bankgroup == group) && c.bank_in_group == in_group);
    if (refreshed) last = std::max(last, unit.banks[b].closed);
  }
  const int precharge = std::max({config_[Param::RP], config_[Param::RPab], config_[Param::RPREF]});
  refreshes_.sample({last >= 0 && c.cycle - last <= precharge ? 1 : 0});
}

std::vector<Group> CommandCoverage::finish() {
  for (Unit& u : units_)
    for (Bank& b : u.banks) close(b, 0);
  for (std::int64_t& w : written_) {
    if (w > 0) writes_.sample({w});
    w = 0;
  }
  std::vector<Group> all;
  for (const Group* g : {&commands_, &columns_, &rows_, &writes_, &refreshes_, &activates_})
    if (!g->points().empty()) all.push_back(*g);
  return all;
}

}  // namespace harmonia::dram
