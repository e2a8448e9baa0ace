#include "harmonia/testbench/results/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace harmonia::testbench {

std::string si(double value, const std::string& unit, int digits) {
  static constexpr const char* kPrefixes[] = {"f", "p", "n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  char text[64];
  if (value == 0 || !std::isfinite(value)) {
    std::snprintf(text, sizeof text, "%g ", value);
    return text + unit;
  }
  // Rounded to its digits first: 999.96 with 3 digits is 1000, which belongs to the next prefix.
  std::snprintf(text, sizeof text, "%.*e", digits - 1, value);
  const double rounded = std::strtod(text, nullptr);
  const int exponent = static_cast<int>(std::floor(std::log10(std::fabs(rounded)) + 1e-9));
  const int step = std::clamp(static_cast<int>(std::floor(exponent / 3.0)), -5, 6);
  const double scaled = rounded / std::pow(10.0, 3 * step);
  const int decimals = std::max(0, digits - 1 - (exponent - 3 * step));
  std::snprintf(text, sizeof text, "%.*f ", decimals, scaled);
  return std::string(text) + kPrefixes[step + 5] + unit;
}

std::string percent(double share) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

std::string entry(std::string title, const std::string& text) {
  constexpr std::size_t kColumn = 26;
  title += ':';
  title.resize(std::max<std::size_t>(title.size() + 1, kColumn), ' ');
  return "  " + title + text + '\n';
}

std::string table(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
  std::vector<std::size_t> widths;
  std::vector<bool> numeric;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      if (c == widths.size()) {
        widths.push_back(0);
        numeric.push_back(true);
      }
      const std::string& cell = rows[r][c];
      widths[c] = std::max(widths[c], cell.size());
      if (r > 0 && !cell.empty() && cell != "-" && cell[0] != '-' && (cell[0] < '0' || cell[0] > '9'))
        numeric[c] = false;
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line = indent;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string pad(widths[c] - row[c].size(), ' ');
      if (c > 0) line += "  ";
      line += numeric[c] ? pad + row[c] : row[c] + pad;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

namespace {

bool is_number(const std::string& text) {
  const std::size_t sign = text[0] == '+' || text[0] == '-' ? 1 : 0;
  double value = 0;
  const char *begin = text.data() + sign, *end = text.data() + text.size();
  return begin != end && std::from_chars(begin, end, value).ptr == end && *begin != '-';
}

}  // namespace

std::string csv_cell(const std::string& text) {
  if (!text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos && !is_number(text))
    return csv_cell("'" + text);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string exact(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace harmonia::testbench
