// From a result folder to report.html: finds and runs the script that draws (scripts/report and its package, Python with
// matplotlib and Jinja2). The same for the studies, which are scripts too.
// Does not model: the drawing.
#pragma once

#include <string>
#include <vector>

namespace harmonia::testbench {

/// The script: $HARMONIA_REPORT, share/harmonia/scripts/report beside the program's prefix, the source tree's.
/// Throws config::RunError when there is none.
std::string report_script();

/// Writes the page of a result folder to `output` (empty: report.html in the folder). Returns the exit status: 0, 1 (no
/// Python, no matplotlib or Jinja2, cannot be written), 2 (no result folder). The script says why on standard error.
int make_report(const std::string& folder, const std::string& output);

/// Runs `require` or `explore`, which are Python (python/harmonia) and call this program for each point they simulate.
/// Returns the exit status: 0, 1 (failed, or no answer), 2 (unusable input). The script says why on standard error.
int run_study(const std::string& command, const std::vector<std::string>& arguments);

}  // namespace harmonia::testbench
