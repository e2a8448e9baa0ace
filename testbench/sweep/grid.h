// Points of a comparison or a sweep: which keys take which values.
//
// Models: `--over key=a,b,c` with values that hold commas, products of axes, the flattening of maps to dotted keys.
// Does not model: what the keys mean; a point is checked by loading its scenario.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "harmonia/config/node.h"

namespace harmonia::testbench {

/// One `path.to.key` and the YAML text of its value, as --set takes them.
using Setting = std::pair<std::string, std::string>;
using Settings = std::vector<Setting>;

/// One key and the values that it takes.
struct Axis {
  std::string key;
  std::vector<std::string> values;
};

/// Splits at the commas that stand outside of (), [], {}, '' and "". A value keeps its quotes: it is YAML. Throws
/// config::InputError at `where` for brackets or quotes that do not close, and for empty values.
std::vector<std::string> split_values(const std::string& text, const config::Location& where);

/// "key=a,b,c". Throws config::InputError ("--over ...") when there is no key or no value.
Axis parse_over(const std::string& text);

/// Throws config::InputError when a scenario has no such key, with the nearest known one.
void require_known_key(const std::string& path, const config::Location& where);

/// Every combination, the last axis varying fastest.
std::vector<Settings> product(const std::vector<Axis>& axes);

/// A map of (nested) keys as settings: {workload: {batch: 2}} is workload.batch=2. Lists stay values.
Settings flatten(const config::Node& map);

/// What --set gets: settings of all points, then a point's own, but a key before the keys below it, wherever it is set:
/// `accelerator=NAME` of a point must not undo `accelerator.pe.rows=32` of all.
std::vector<std::string> overrides_of(const Settings& common, const Settings& own);
/// The same for settings that are "key=value" texts already.
std::vector<std::string> overrides_of(const std::vector<std::string>& common, const Settings& own);

/// "weights=kmeans4, workload.batch=2": what names a point in tables.
std::string label_of(const Settings& settings);

}  // namespace harmonia::testbench
