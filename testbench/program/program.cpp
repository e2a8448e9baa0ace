#include "harmonia/testbench/program/program.h"

#include <exception>
#include <iostream>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/config/utf8.h"
#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {

namespace {

void print_help(std::ostream& out) {
  out << "usage: harmonia COMMAND [ARGUMENT...]\n\n";
  for (const Command* c : commands())
    out << "  harmonia " << c->name << ' ' << c->synopsis << "\n      " << c->summary << '\n';
  out << "\n`harmonia COMMAND --help` explains one command. Exit status: 0 done, 1 the run failed, 2 unusable input.\n";
}

/// Arguments come back in results and messages; what is no text would spoil those after the work is done.
void require_text(const std::vector<std::string>& arguments) {
  for (const std::string& a : arguments) config::require_text(a, {"command line", 0, 0});
}

int dispatch(const std::vector<std::string>& arguments) {
  require_text(arguments);
  if (arguments.empty()) {
    print_help(std::cerr);
    return 2;
  }
  std::string name = arguments[0];
  std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (name == "--help" || name == "-h" || name == "help") {
    if (rest.empty()) {
      print_help(std::cout);
      return 0;
    }
    name = rest[0];
    rest = {"--help"};
  }
  if (name == "--version") {
    std::cout << "harmonia " HARMONIA_VERSION "\n";
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
      std::cerr << "harmonia: standard output cannot be written\n";
      return status == 0 ? 1 : status;
    }
    return status;
  } catch (const config::InputError& e) {
    std::cerr << e.what() << '\n';
    return 2;
  } catch (const std::exception& e) {
    std::cerr << "harmonia: " << e.what() << '\n';
    return 1;
  }
}

}  // namespace harmonia::testbench
