// Coverage of one run or of many: read from files, merged, and written as text and as a result.
//
// Models: reading and merging of UCIS files (tlm/coverage/ucis.h) in the order in which they are named; scores and holes.
// Does not model: weights of covergroups; a score is bins hit often enough over bins that count.
#pragma once

#include <string>
#include <vector>

#include "harmonia/tlm/coverage/coverage.h"

namespace harmonia::testbench {

/// Throws config::InputError with the place of what is wrong; covergroups that the files define in two ways are refused
/// with the name of the file, and so is a file that is named twice.
coverage::Database read_coverage(const std::vector<std::string>& files);

/// UCIS XML.
std::string ucis_of(const coverage::Database& database);

/// A table of the covergroups with their scores, then the holes: `most` of them, all when it is 0.
std::string coverage_summary(const coverage::Database& database, std::size_t most);

/// result.json of kind "coverage" (docs/coverage.md).
std::string coverage_json(const coverage::Database& database);

}  // namespace harmonia::testbench
