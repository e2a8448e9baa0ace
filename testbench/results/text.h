// Numbers and tables as people read them: SI prefixes (1 GB is 10^9 bytes), columns padded to their widest cell.
#pragma once

#include <string>
#include <vector>

namespace harmonia::testbench {

/// "64.0 GB/s", "75.9 ms", "0 J": `digits` significant digits and an SI prefix.
std::string si(double value, const std::string& unit, int digits = 3);
/// "94.1 %" of a share of 1.
std::string percent(double share);
/// "  Title:   text", a line of the overview that a summary begins with; titles are padded to one column.
std::string entry(std::string title, const std::string& text);
/// Rows of cells, the first row being the heading; columns of numbers are aligned to the right.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::string& indent = {});
/// A cell of a CSV file: quoted when it holds a comma, a quote or a line end. Text that a spreadsheet would take for a
/// formula (it begins with = + - or @ and is no number) gets an apostrophe in front.
std::string csv_cell(const std::string& text);
/// A number with the fewest digits that read back as the same number.
std::string exact(double value);

}  // namespace harmonia::testbench
