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
/// `without_scripts` leaves out what sorts tables and makes plots interactive.
int make_report(const std::string& folder, const std::string& output, bool without_scripts);

/// Serves the results below `folder` at a port of 127.0.0.1 (0: a free one), which is printed, until an interrupt: this
/// process becomes the script scripts/view. Throws config::RunError when that cannot be started.
int view_results(const std::string& folder, int port);

/// Runs `require` or `explore`, which are Python (python/harmonia) and call this program for each point they simulate.
/// Returns the exit status: 0, 1 (failed, or no answer), 2 (unusable input). The script says why on standard error.
int run_study(const std::string& command, const std::vector<std::string>& arguments);

}  // namespace harmonia::testbench
