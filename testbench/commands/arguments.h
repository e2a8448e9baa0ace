// Command-line arguments of a sub-command: options with help, positional arguments, the options that commands share.
//
//     Arguments a(kRunCommand);
//     CommonOptions common;
//     a.common(common);
//     std::string scenario = "default";
//     a.positional("SCENARIO", scenario, "built-in name or file");
//     if (!a.parse(arguments)) return 0;  // --help was printed
//
// Every command has --help and --no-color besides. Wrong options throw config::InputError ("command line: ...", exit status 2) with the nearest known option.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {

/// Options of every command that loads a scenario.
struct CommonOptions {
  std::vector<std::string> set;  // path.to.key=value, in order
  std::string output;            // -o: empty when not given
  std::string data;              // folder of outside data
  std::string workloads;         // folder of built-ins
  bool allow_unknown = false;    // keys of a config.json that nothing reads are notices
};

/// Options of commands that print a result.
struct Printing {
  bool quiet = false;  // nothing but errors
  bool json = false;   // the result as one JSON document
};

/// Prints what was asked for on standard output: the text and `afterword` (where the files are), the document, or nothing.
void print_result(const Printing& printing, const std::string& text, const std::string& document,
                  const std::string& afterword);
/// Writes the document to an -o that names a stream (files/output_file.h) and says how to print the rest: nothing when the
/// stream is standard output.
Printing write_to_stream(const std::string& output, const std::string& document, Printing printing);

class Arguments {
 public:
  explicit Arguments(const Command& command);
  ~Arguments();
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  /// Names are "output" or, with a short form, "output,o". `placeholder` is what the help prints for the value.
  Arguments& flag(const std::string& name, bool& value, const std::string& help);
  /// Text that is not empty: `-o ''` of a script whose variable is not set must not mean that there is no -o.
  Arguments& text(const std::string& name, std::string& value, const std::string& placeholder, const std::string& help);
  /// The same for text that may be empty.
  Arguments& words(const std::string& name, std::string& value, const std::string& placeholder,
                   const std::string& help);
  Arguments& texts(const std::string& name, std::vector<std::string>& values, const std::string& placeholder,
                   const std::string& help);
  /// A whole number between lowest and highest.
  Arguments& integer(const std::string& name, std::int64_t& value, std::int64_t lowest, std::int64_t highest,
                     const std::string& placeholder, const std::string& help);
  Arguments& number(const std::string& name, double& value, double lowest, double highest,
                    const std::string& placeholder, const std::string& help);
  /// The next positional argument; a required one that is missing is an error.
  Arguments& positional(const std::string& placeholder, std::string& value, const std::string& help,
                        bool required = false);
  /// All remaining positional arguments.
  Arguments& positionals(const std::string& placeholder, std::vector<std::string>& values, const std::string& help,
                         bool required = false);
  /// Known values of what was declared last, for help and completion; the command itself refuses others.
  Arguments& choices(std::vector<std::string> values);
  /// -q/--quiet and --json.
  Arguments& printing(Printing& options);
  /// --set, -o/--output and those of folders().
  Arguments& common(CommonOptions& options);
  /// --data, --workloads and --allow-unknown only.
  Arguments& folders(CommonOptions& options);

  /// Reads the arguments. False: help was asked for and printed, or only the description was wanted (description.h); the
  /// command returns 0.
  bool parse(const std::vector<std::string>& arguments);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace harmonia::testbench
