#include "harmonia/testbench/program/program.h"

#include <exception>
#include <iostream>

#include "harmonia/config/error.h"

namespace harmonia::testbench {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {};
  return table;
}

namespace {

void print_help(std::ostream& out) {
  out << "usage: harmonia COMMAND [ARGUMENT...]\n\n";
  for (const Command& c : commands()) out << "  " << c.name << ' ' << c.synopsis << "\n      " << c.summary << '\n';
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    print_help(arguments.empty() ? std::cerr : std::cout);
    return arguments.empty() ? 2 : 0;
  }
  try {
    for (const Command& c : commands())
      if (arguments[0] == c.name) return c.run({arguments.begin() + 1, arguments.end()});
    std::cerr << "harmonia: unknown command '" << arguments[0] << "'; `harmonia help` lists them\n";
    return 2;
  } catch (const config::InputError& e) {
    std::cerr << e.what() << '\n';
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "harmonia: " << e.what() << '\n';
    return 1;
  }
}

}  // namespace harmonia::testbench
