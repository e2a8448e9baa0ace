#include "harmonia/testbench/program/program.h"

#include <exception>
#include <iostream>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/config/utf8.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/commands/description.h"
#include "harmonia/testbench/commands/version.h"
#include "harmonia/testbench/files/terminal.h"

namespace harmonia::testbench {

namespace {

/// Arguments come back in results and messages; what is no text would spoil those after the work is done.
void require_text(const std::vector<std::string>& arguments) {
  for (const std::string& a : arguments) config::require_text(a, {"command line", 0, 0});
}

int dispatch(const std::vector<std::string>& arguments) {
  require_text(arguments);
  if (arguments.empty()) {
    std::cerr << program_help();
    return 2;
  }
  std::string name = arguments[0];
  std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (name == "--help" || name == "-h" || name == "help") {
    if (rest.empty()) {
      std::cout << program_help();
      return 0;
    }
    name = rest[0];
    rest = {"--help"};
  }
  if (name == "--version") {
    std::cout << version_text();
    return 0;
  }
  std::vector<std::string> names;
  for (const Command* c : commands()) {
    if (name == c->name) return c->run(rest);
    names.push_back(c->name);
  }
  throw config::InputError({"command line", 0, 0}, "unknown command '" + config::printable(name) + "'" +
                                                       config::nearest_hint(name, names, "command"));
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  try {
    const int status = dispatch(arguments);
    // A full disk or a closed pipe must not look like a finished run.
    std::cout.flush();
    if (!std::cout) {
      std::cerr << decorated_error("harmonia: standard output cannot be written") << '\n';
      return status == 0 ? 1 : status;
    }
    return status;
  } catch (const config::InputError& e) {
    std::cerr << decorated_error(e.what()) << '\n';
    return 2;
  } catch (const std::exception& e) {
    std::cerr << decorated_error(std::string("harmonia: ") + e.what()) << '\n';
    return 1;
  }
}

}  // namespace harmonia::testbench
