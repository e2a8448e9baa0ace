// From a result folder to report.html: finds and runs the script that draws (scripts/report and its package, Python with
// matplotlib and Jinja2).
// Does not model: the drawing.
#pragma once

#include <string>

namespace harmonia::testbench {

/// The script: $HARMONIA_REPORT, share/harmonia/scripts/report beside the program's prefix, the source tree's.
/// Throws config::RunError when there is none.
std::string report_script();

/// Writes the page of a result folder to `output` (empty: report.html in the folder). Returns the exit status: 0, 1 (no
/// Python, no matplotlib or Jinja2, cannot be written), 2 (no result folder). The script says why on standard error.
int make_report(const std::string& folder, const std::string& output);

}  // namespace harmonia::testbench
