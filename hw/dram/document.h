// A channel's configuration as a document says it: keys laid over a preset, with the place of every key.
//
// Models: reading one map of keys (of a YAML file, of an accelerator's `dram.channel`), the completion of what it
// leaves out, and the account of both: which values are assumed, by whom and why, and which contradict each other.
// Does not model: finding files and their bases; that is the test bench's.
//
// Keys are those that Config::describe() lists. A document may also say
//   address_bits.bg: [6, 7]                       as well as address_bits: {bg: [6, 7], ...}
//   burst_bytes, burst_cycles, peak_GBs           derived values; checked against the rest
//   sources: {FAW: "JESD209-5C, table 372"}       where values come from; "assumed: ..." keeps one in the assumptions
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/dram/config.h"

namespace harmonia::dram {

/// The name that stands for "no preset": every key must be given.
constexpr const char* kCustom = "custom";

/// A preset before Config::finish(), so that what it leaves to be computed follows the keys laid over it. `kCustom`
/// gives an empty configuration. Throws config::InputError with the nearest name.
Config preset_as_written(const std::string& name);

/// What a document may say: the keys of a configuration, and values that follow from them.
struct ChannelKeys {
  Config config;
  std::optional<int> burst_bytes, burst_cycles;
  std::optional<double> peak_GBs;
  void describe(config::Fields& f);
};

/// Keys as they may be written in the form in which they are described: lists of bits together, texts as lists.
config::Node as_described(const config::Node& keys);
/// Sets the keys of a map. Does not complete the configuration.
void read_keys(Config& c, const config::Node& keys);

struct ReadConfig {
  Config config;  // finished
  /// Contradictions, each naming its rule, with the place of the key where it was given.
  std::vector<std::string> warnings;
  /// Values that are not published and that this configuration uses: flagged in the preset or the document, computed
  /// from others, or a controller's choice.
  std::vector<config::Assumption> assumptions;
};

/// Lays a map of keys on a preset and completes it. Throws config::InputError "file:line:column: ..." on an unknown key
/// (with the nearest one), an unusable value, a contradiction that breaks a definition, a derived value that does not
/// follow.
ReadConfig read_config(const std::string& preset, const config::Node& keys);

}  // namespace harmonia::dram
