// A DRAM channel by name: a built-in preset, a YAML (or JSON) file, or one of several in a file.
//
// A file is a map of the keys of dram/config.h (see dram/document.h for what else it may say) and
//   base: PRESET|FILE     what it is laid over; without it every key that has no default must be given, `standard`
//   first name: TEXT            else the file's own name
// FILE:NAME takes the map under NAME of a file that holds several.
#pragma once

#include <string>
#include <vector>

#include "harmonia/config/node.h"
#include "harmonia/hw/dram/document.h"

namespace harmonia::testbench {

/// What a name stands for: keys (bases merged) over a built-in preset or over dram::kCustom.
struct ChannelDocument {
  std::string preset;
  config::Node keys = config::Node::map();
};

/// Whether a name can only be a file's: it has a slash or ends in .yaml, .yml or .json (with or without :NAME).
bool is_channel_file(const std::string& name);

/// Looks a channel up; a file is sought beside `where.file`, then in the working directory. Throws config::InputError
/// at `where`, or in the file.
ChannelDocument find_channel(const std::string& name_or_file, const config::Location& where);

/// Lays keys on others. A mapping, named or by bits, replaces the other kind, and derived values that were stated for
/// what lies below no longer hold.
void lay_over(config::Node& keys, const config::Node& over);

/// The whole way: name, "--set key=value" overrides, completion. Throws config::InputError.
dram::ReadConfig load_channel(const std::string& name_or_file, const std::vector<std::string>& overrides = {});

/// Keys of a file that describes a channel.
std::vector<std::string> channel_file_keys();

}  // namespace harmonia::testbench
