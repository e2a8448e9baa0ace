// Configuration of one DRAM channel: organisation, timing parameters with their source, policies, mapping, currents.
//
// Models: everything the engine reads. Keys, units, ranges and meanings are described once, in Config::describe().
// Does not model: documents laid over presets (document.h); files, which are the test bench's.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::config {
class Fields;
}

namespace harmonia::dram {

struct Standard;  // standard.h

enum class PagePolicy : std::uint8_t { kOpen, kClosed, kAdaptive };
enum class RefreshPolicy : std::uint8_t { kNone, kAllBank, kPerBank };
/// What a refresh that is due does to a row that was just opened for a waiting access: closes it as soon as it may be
/// closed (as DRAMSys), or lets the access go when it is ready before that (as Ramulator2).
enum class RefreshUrgency : std::uint8_t { kAuto, kAtOnce, kAfterAccess };
enum class SchedulerPolicy : std::uint8_t { kFrFcfs, kFcfs };
/// How the engine computes: one decision at a time with nothing remembered (the reference model), or with decisions kept
/// and runs of row hits advanced in closed form. Commands and times are the same; only the host time differs.
enum class EngineKind : std::uint8_t { kReference, kFast };

const char* to_string(PagePolicy p);
const char* to_string(RefreshPolicy p);
const char* to_string(RefreshUrgency p);
const char* to_string(SchedulerPolicy p);
const char* to_string(EngineKind k);

/// Which address bits (of the byte address) make each coordinate, least significant first. `column` counts bursts.
struct Mapping {
  std::string name = "custom";
  std::vector<int> column, bankgroup, bank, row, rank, pseudo_channel;
  /// Each pair flips bit `first` of the flat bank index (bank group bits above bank bits) when address bit `second`
  /// is 1.
  std::vector<std::pair<int, int>> bank_xor;
  /// The lists of address bits: co, bg, ba, ro, ra, pc.
  void describe(config::Fields& f);
};

/// Supply currents of one device in mA and volts, data-sheet names. Zero devices: no energy is computed. finish() refuses
/// currents of which the energy formulas (energy.h) would make a negative term.
struct Currents {
  double VDD = 0, IDD0 = 0, Ibeta = 0 /* current of a precharge; 0: IDD0 */, IDD2N = 0, IDD3N = 0, IDD2P = 0, IDD3P = 0,
         IDD4R = 0, IDD4W = 0, IDD5B = 0;
  /// Of IDD3N - IDD2N the share that flows when any bank is open; the rest goes with the number of open banks. Data
  /// sheets measure IDD3N with all banks open and IDD0 with one at a time: what IDD0 leaves bounds it.
  double rho = 0.5;
  int devices = 0;
};

/// Two or more values that do not go together, and their keys, the likeliest mistake first.
struct Contradiction {
  std::vector<std::string> keys;
  std::string rule;
};

/// A configuration that cannot be. what() begins with the first of the keys that it is about.
class ConfigError : public config::InputError {
 public:
  ConfigError(std::vector<std::string> keys, const std::string& message)
      : InputError(message), keys_(std::move(keys)) {}
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  std::vector<std::string> keys_;
};

struct Config {
  // --- identity
  std::string name;         // e.g. "DDR4-3200"
  std::string description;  // organisation in words
  std::string source;       // where the values come from
  /// Keys whose value is not taken from a public source but assumed or scaled; reported with every result.
  std::vector<std::string> assumed;
  const Standard* standard = nullptr;  // of all_standards(); finish() demands one

  // --- organisation of one channel
  double tCK_ps = 0;   // command-clock period; take times from absolute cycle counts (time_ps), never by adding periods
  int rate_MTs = 0;    // transfers per second per pin, in millions
  int width_bits = 0;  // data bus
  int BL = 0;          // beats of a burst
  int ranks = 1;
  int pseudo_channels = 1;  // HBM: pseudo channels that share the command buses; each has its own data bus
  int bankgroups = 1;
  int banks_per_group = 1;
  int rows = 0;
  int columns = 0;  // of a row, in beats (width_bits each)

  std::array<int, kParamCount> parameter{};  // by Param, cycles
  int operator[](Param p) const { return parameter[static_cast<std::size_t>(p)]; }
  int& operator[](Param p) { return parameter[static_cast<std::size_t>(p)]; }

  // --- policies
  Mapping mapping;
  PagePolicy page_policy = PagePolicy::kOpen;
  int page_timeout_cycles = 200;  // adaptive: an unused row is closed after this long
  SchedulerPolicy scheduler = SchedulerPolicy::kFrFcfs;
  int queue_entries = 64;  // bursts that wait, for reads and for writes each
  /// A row conflict that has waited this long stops further hits of its bank (0: never).
  int fairness_cap_cycles = 2000;
  int write_high_watermark = 0;       // bursts; a batch of writes starts at it (0: 70 % of queue_entries)
  int write_low_watermark = 0;        // bursts; and ends at it when reads wait (0: 40 % of queue_entries)
  int write_max_wait_cycles = 12000;  // a write that waited this long starts a batch (0: no bound)
  int write_idle_cycles = 300;        // so do waiting writes when no other came for this long (0: never)
  RefreshPolicy refresh = RefreshPolicy::kAllBank;
  /// auto: as the standard says (after_access on LPDDR5 and HBM3, which only Ramulator2 models in the open).
  RefreshUrgency refresh_urgency = RefreshUrgency::kAuto;
  int refresh_postpone = 0;        // refreshes that may be late, 0..8
  int refresh_pull_in = 0;         // refreshes that may be early in idle time, 0..8
  int power_down_idle_cycles = 0;  // idle time before power-down (0: never)
  /// Cycles from the offer of a request to the first command it can cause, and from the last data beat to the reply.
  /// DRAMSys 5.1 and Ramulator 2.1 both spend one cycle in front and none behind.
  int frontend_cycles = 1;
  int backend_cycles = 0;

  EngineKind engine = EngineKind::kFast;

  Currents currents;

  // --- derived
  int burst_bytes() const { return width_bits * BL / 8; }
  int burst_cycles() const;  // data-bus time of a burst in tCK
  static constexpr int kMaxRanks = 8, kMaxPseudoChannels = 4;
  int units() const { return ranks * pseudo_channels; }
  int banks_per_unit() const { return bankgroups * banks_per_group; }
  int bursts_per_row() const { return columns / BL; }
  std::int64_t time_ps(Cycle c) const {
    return static_cast<std::int64_t>(std::floor(static_cast<double>(c) * tCK_ps + 0.5));
  }
  /// First cycle that does not begin before a time.
  Cycle cycle_at(std::int64_t time_in_ps) const;
  /// Bytes behind one channel (all ranks and pseudo channels).
  std::uint64_t capacity_bytes() const;
  double peak_GBs() const { return static_cast<double>(rate_MTs) * width_bits * pseudo_channels / 8000.0; }

  /// Every key: its name, unit, range and meaning, and when it plays a part.
  void describe(config::Fields& f);

  /// Completes what is left at 0 and says what is wrong: throws ConfigError. The returned contradictions are warnings
  /// (FAW below 4 RRD_S and the like).
  std::vector<Contradiction> finish();
};

/// How finish() computes a value that is left at 0, in words; nullptr when it does not.
const char* computed_as(const std::string& key);

/// Sets one key from text ("RCD", "queue_entries", "page_policy", "mapping" = bgi|rbc|cbg, ...), of a configuration that
/// may be finished already: what followed from the key follows again with the next finish(). Throws config::InputError
/// naming the nearest known key or the expected values.
void set_key(Config& c, const std::string& key, const std::string& value);
std::vector<std::string> config_keys();
/// Every key with its value as text, in a fixed order: the resolved configuration stored beside results.
std::vector<std::pair<std::string, std::string>> describe(const Config& c);

/// Named mappings from the organisation, least significant first above the burst: "bgi" bank group, column, bank, row;
/// "rbc" column, bank group, bank, row; "cbg" one column bit, bank group, rest of column, bank, row; pseudo channel
/// bits lie below the bank bits and rank bits below the row.
Mapping make_mapping(const Config& c, const std::string& name);

/// Built-in presets. Names as "DDR4-3200"; the reference configurations as "ddr4_3200.bgi", with ".noref" for refresh
/// off. find throws config::InputError with the nearest name.
/// All are finished. The vector's order is that of the documentation.
const std::vector<Config>& presets();
const Config& find_preset(std::string_view name);

}  // namespace harmonia::dram
