// The points of a sweep as its folder keeps them: what each is, what came of it, the CSV of all.
//
// Models: the manifest (sweep.json), the record of a finished point, the row that it becomes; the same records make the
//   same CSV, whoever ran the points in whichever order.
// Does not model: who runs a point, and where (sweep.cpp, shard.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harmonia/testbench/sweep/processes.h"
#include "harmonia/testbench/sweep/sweep.h"
#include "harmonia/testbench/sweep/sweep_folder.h"

namespace harmonia::testbench {

std::uint32_t crc(const std::string& text);
/// Size and checksum of a file's contents; 0-0 of one that is not there.
std::string contents_hash(const std::string& file);

SweepJson manifest(const Sweep& sweep);
/// The manifest of a finished sweep: built-ins by their names and other files by relative paths, since what reads them is
/// over. That of an unfinished sweep has the paths by which its workers find them.
SweepJson portable(SweepJson manifest);
/// The sweep that a manifest describes; why a point cannot start is not in it. Throws config::InputError.
Sweep sweep_of(const SweepJson& manifest, const std::filesystem::path& file);
/// Takes hashes and inputs of the points from the manifest of the same sweep, instead of resolving every point again.
/// False when the manifest is of another sweep or build, or an input has changed.
bool adopt(Sweep& sweep, const SweepJson& manifest);

SweepJson failed_point(const SweepPoint& point, const std::string& reason, int exit_status);
/// Of the result folder of `harmonia run`.
SweepJson done_point(const Sweep& sweep, const SweepPoint& point, const std::filesystem::path& result,
                     const Library& library);
std::string csv_of(const Sweep& sweep, const std::vector<SweepJson>& rows);

/// The process that runs a point; its result folder is in `work`.
Task task_of(const Sweep& sweep, std::size_t index, const SweepOptions& options, const std::filesystem::path& work);

/// The records in a folder that need not be made again: those of this sweep that are final.
std::vector<std::optional<SweepJson>> kept_points(const Sweep& sweep, const std::filesystem::path& points);
bool all_there(const std::vector<std::optional<SweepJson>>& rows);
std::size_t failures(const std::vector<std::optional<SweepJson>>& rows);

/// Throws config::RunError when an input is not what it was when the sweep was begun: results of both must not be mixed.
void require_unchanged(const Sweep& sweep);

/// Makes the finished sweep of an unfinished one: points, logs of failed points, sweep.json, sweep.csv.
void put_in_place(const Sweep& sweep, const std::filesystem::path& target, const std::filesystem::path& partial,
                  const SweepJson& manifest, const std::string& csv);

}  // namespace harmonia::testbench
