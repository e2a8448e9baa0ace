// What a command takes, as data: its help, its man page, its shell completion and its documentation are made of it.
//
// Models: names, placeholders, explanations and known values of arguments, as the command declared them with Arguments.
// Does not model: which arguments exclude or need each other; the synopsis says that.
#pragma once

#include <string>
#include <vector>

#include "harmonia/testbench/commands/commands.h"

namespace harmonia::testbench {

struct OptionDescription {
  std::string name;         // "output", without dashes
  std::string letter;       // "o", or empty
  std::string placeholder;  // "DIR"; empty of a flag
  std::string help;
  std::vector<std::string> choices;  // known values, when they are few
  bool repeats = false;

  /// "-o, --output DIR".
  std::string usage() const;
};

struct PositionalDescription {
  std::string placeholder, help;
  std::vector<std::string> choices;
  bool required = false, repeats = false;
};

struct CommandDescription {
  const Command* command = nullptr;
  std::vector<PositionalDescription> positionals;
  std::vector<OptionDescription> options;
};

/// Without running it. Throws std::logic_error of a command that does not declare its arguments.
CommandDescription describe(const Command& command);
/// Of all commands(), in their order.
std::vector<CommandDescription> describe_all();

/// What `harmonia COMMAND --help` prints, 100 columns wide at most.
std::string help_text(const CommandDescription& description);
/// What `harmonia help` prints.
std::string program_help();

/// Man page in section 1, in roff: of one command, and of the program.
std::string manual_page(const CommandDescription& description);
std::string program_manual_page();
/// docs/command-reference.md but its head.
std::string markdown_reference();

/// A completion script. `shell` is one of completion_shells().
std::string completion_script(const std::string& shell);
const std::vector<std::string>& completion_shells();

/// `text` in lines of at most `width` characters, each with `indent` spaces in front but the first.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t width);

}  // namespace harmonia::testbench
