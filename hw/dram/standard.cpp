#include "harmonia/hw/dram/standard.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace harmonia::dram {

const Standard* find_standard(const std::string& name) {
  for (const Standard& s : all_standards())
    if (s.name == name || std::find(s.extensions.begin(), s.extensions.end(), name) != s.extensions.end()) return &s;
  return nullptr;
}

int evaluate(const std::string& formula, const Config& c) {
  int sum = 0, sign = 1;
  bool expect_term = true;
  for (std::size_t i = 0; i < formula.size();) {
    const char ch = formula[i];
    if (ch == ' ') {
      ++i;
    } else if (!expect_term && (ch == '+' || ch == '-')) {
      sign = ch == '+' ? 1 : -1;
      expect_term = true;
      ++i;
    } else if (expect_term && (std::isalnum(static_cast<unsigned char>(ch)) != 0)) {
      std::size_t end = i;
      while (end < formula.size() &&
             (std::isalnum(static_cast<unsigned char>(formula[end])) != 0 || formula[end] == '_'))
        ++end;
      const std::string term = formula.substr(i, end - i);
      i = end;
      expect_term = false;
      if (std::isdigit(static_cast<unsigned char>(term[0])) != 0) {
        sum += sign * std::stoi(term);
        continue;
      }
      if (term == "BURST") {
        sum += sign * c.burst_cycles();
        continue;
      }
      bool known = false;
      for (int p = 0; p < kParamCount && !known; ++p)
        if (term == param_name(static_cast<Param>(p))) {
          sum += sign * c.parameter[static_cast<std::size_t>(p)];
          known = true;
        }
      if (!known) throw std::logic_error("unknown term '" + term + "' in timing rule '" + formula + "'");
    } else {
      throw std::logic_error("malformed timing rule '" + formula + "'");
    }
  }
  if (expect_term) throw std::logic_error("malformed timing rule '" + formula + "'");
  return sum;
}

}  // namespace harmonia::dram
