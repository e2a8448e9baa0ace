// The help of the program and of its commands, as terminals show it.
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "harmonia/testbench/commands/description.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kMargin = 28;  // where explanations begin

/// `  left   explanation`, the explanation below when `left` is too long to stand beside it.
std::string entry(const std::string& left, const std::string& explanation) {
  std::string out = "  " + left;
  if (out.size() + 2 > kMargin)
    out += '\n' + std::string(kMargin, ' ');
  else
    out.resize(kMargin, ' ');
  return out + wrapped(explanation, kMargin, kWidth - kMargin) + '\n';
}

std::string with_choices(std::string help, const std::vector<std::string>& choices) {
  // Few enough to be read at a glance, and not said already.
  if (choices.empty() || help.find(choices.front()) != std::string::npos) return help;
  return fmt::format("{}: {}", help, fmt::join(choices, ", "));
}

}  // namespace

std::string OptionDescription::usage() const {
  return (letter.empty() ? "" : "-" + letter + ", ") + "--" + name + (placeholder.empty() ? "" : " " + placeholder);
}

std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
  std::istringstream words(text);
  std::string out;
  std::size_t column = 0;
  for (std::string word; words >> word;) {
    if (column > 0 && column + 1 + word.size() > width) {
      out += '\n' + std::string(indent, ' ');
      column = 0;
    }
    if (column > 0) out += ' ', ++column;
    out += word;
    column += word.size();
  }
  return out;
}

std::vector<CommandDescription> describe_all() {
  std::vector<CommandDescription> all;
  for (const Command* c : commands()) all.push_back(describe(*c));
  return all;
}

std::string help_text(const CommandDescription& d) {
  const Command& c = *d.command;
  std::string out = fmt::format("usage: harmonia {} {}\n\n{}.\n", c.name, c.synopsis, c.summary);
  if (!d.positionals.empty()) out += "\nArguments:\n";
  for (const PositionalDescription& p : d.positionals) out += entry(p.placeholder, with_choices(p.help, p.choices));
  out += "\nOptions:\n";
  for (const OptionDescription& o : d.options) {
    const std::string usage = (o.letter.empty() ? "    " : "") + o.usage();
    out += entry(usage, with_choices(o.help, o.choices) + (o.repeats ? "; may be repeated" : ""));
  }
  if (c.example[0]) out += fmt::format("\nExample:\n  {}\n", c.example);
  return out;
}

std::string program_help() {
  std::string out = "usage: harmonia COMMAND [ARGUMENT...]\n\nCommands:\n";
  for (const Command* c : commands()) out += fmt::format("  {:<11} {}\n", c->name, c->summary);
  out +=
      "\n`harmonia COMMAND --help` explains a command and gives an example, `harmonia --version` prints the version.\n"
      "First steps: `harmonia run`, then `harmonia init my-study`.\n\nExit status:\n";
  for (const ExitStatus& s : exit_statuses()) out += fmt::format("  {}  {}\n", s.status, s.meaning);
  return out;
}

}  // namespace harmonia::testbench
