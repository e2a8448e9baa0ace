// Colours of what people read on a terminal.
//
// Models: bold headings, red failures and yellow notices on a terminal; plain text into files and pipes, with $NO_COLOR set
//   (https://no-color.org), on a terminal that is "dumb", and after forbid_colour(). The text is the same without colour.
// Does not model: widths of terminals.
#pragma once

#include <string>

namespace harmonia::testbench {

/// From now on nothing is coloured: --no-color.
void forbid_colour();

/// Whether what goes to this descriptor (1: standard output, 2: standard error) may be coloured.
bool colours(int descriptor);

/// A table or summary for standard output: the first line of each block is bold, lines that begin with FAILED are red, those
/// that begin with Note are yellow. Unchanged where there are no colours.
std::string decorated(const std::string& text);

/// A message for standard error, red where there are colours.
std::string decorated_error(const std::string& message);

}  // namespace harmonia::testbench
