// `harmonia manual [COMMAND]`: the man pages, and the command reference of the documentation.
#include <fmt/format.h>

#include <boost/algorithm/string/case_conv.hpp>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/description.h"
#include "harmonia/testbench/commands/version.h"
#include "harmonia/testbench/files/output_file.h"

namespace harmonia::testbench {
namespace {

struct Variable {
  const char* name;
  const char* meaning;
};
constexpr Variable kVariables[] = {
    {"HARMONIA_DATA", "folder of outside data such as public request traces; --data has precedence"},
    {"HARMONIA_WORKLOADS", "folder of built-in models, accelerators and scenarios; --workloads has precedence"},
    {"NO_COLOR", "when it is set and not empty, nothing is printed in colour"},
};

/// Text in roff: a backslash begins a command, and a dot or a quote at the start of a line does.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

std::string heading(const std::string& title, const std::string& name, const std::string& summary) {
  return fmt::format(".TH {} 1 \"\" \"harmonia {}\" \"User Commands\"\n.SH NAME\n{} \\- {}\n", title, program_version(),
                     roff(name), roff(summary));
}

std::string item(const std::string& term, const std::string& meaning) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(term), roff(meaning));
}

std::string exit_status_section() {
  std::string out = ".SH EXIT STATUS\n";
  for (const ExitStatus& s : exit_statuses()) out += item(std::to_string(s.status), s.meaning);
  return out;
}

std::string environment_section() {
  std::string out = ".SH ENVIRONMENT\n";
  for (const Variable& v : kVariables) out += item(v.name, v.meaning);
  return out;
}

std::string with_choices(const std::string& help, const std::vector<std::string>& choices) {
  if (choices.empty() || help.find(choices.front()) != std::string::npos) return help;
  return fmt::format("{}: {}", help, fmt::join(choices, ", "));
}

std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '<' ? std::string("&lt;") : std::string(1, c);
  }
  return out;
}

/// DIR/harmonia.1 and DIR/harmonia-COMMAND.1 of each command.
void write_pages(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw config::InputError({config::printable(folder.string())}, "cannot be created: " + error.message());
  write_file(folder / "harmonia.1", program_manual_page());
  for (const Command* c : commands())
    write_file(folder / fmt::format("harmonia-{}.1", c->name), manual_page(describe(*c)));
}

int run(const std::vector<std::string>& arguments) {
  Arguments a(kManualCommand);
  std::string name;
  std::string output;
  bool markdown = false;
  std::vector<std::string> names;
  for (const Command* c : commands()) names.push_back(c->name);
  a.positional("COMMAND", name, "the command to explain (default: the program)").choices(names);
  a.flag("markdown", markdown, "print the reference of all commands as Markdown instead");
  a.text("output,o", output, "DIR", "write the pages of the program and of all commands into this folder instead");
  if (!a.parse(arguments)) return 0;
  if (markdown && !name.empty())
    throw config::InputError({"command line"}, "--markdown is of all commands, expected no COMMAND");
  if (!output.empty()) {
    if (markdown || !name.empty())
      throw config::InputError({"command line"}, "-o writes all man pages, expected neither COMMAND nor --markdown");
    write_pages(output);
    return 0;
  }
  if (name.empty()) {
    std::cout << (markdown ? markdown_reference() : program_manual_page());
    return 0;
  }
  for (const Command* c : commands())
    if (name == c->name) {
      std::cout << manual_page(describe(*c));
      return 0;
    }
  throw config::InputError({"command line"}, "unknown command '" + config::printable(name) + "'" +
                                                 config::nearest_hint(name, names, "command"));
}

}  // namespace

std::string manual_page(const CommandDescription& d) {
  const Command& c = *d.command;
  const std::string name = fmt::format("harmonia-{}", c.name);
  std::string out =
      heading("HARMONIA\\-" + roff(boost::algorithm::to_upper_copy(std::string(c.name))), name, c.summary);
  out += fmt::format(".SH SYNOPSIS\n.B harmonia {}\n{}\n.SH DESCRIPTION\n{}.\n", c.name, roff(c.synopsis),
                     roff(c.summary));
  if (!d.positionals.empty()) out += ".SH ARGUMENTS\n";
  for (const PositionalDescription& p : d.positionals) out += item(p.placeholder, with_choices(p.help, p.choices));
  out += ".SH OPTIONS\n";
  for (const OptionDescription& o : d.options)
    out += item(o.usage(), with_choices(o.help, o.choices) + (o.repeats ? "; may be repeated" : ""));
  if (c.example[0]) out += fmt::format(".SH EXAMPLE\n.nf\n{}\n.fi\n", roff(c.example));
  return out + exit_status_section() + environment_section() + ".SH SEE ALSO\n.BR harmonia (1)\n";
}

std::string program_manual_page() {
  std::string out = heading("HARMONIA", "harmonia", "model of an accelerator for language models in SystemC");
  out +=
      ".SH SYNOPSIS\n.B harmonia\n.I COMMAND\n[\\fIARGUMENT\\fR...]\n.SH DESCRIPTION\n"
      "Simulates an accelerator that runs Llama\\-style language models with block\\-floating\\-point activations and\n"
      "look\\-up\\-table weights of 1 to 4 bits. Says what a workload costs in time, bandwidth and energy and what "
      "limits "
      "it,\nand computes the same bits as the hardware would.\n.SH COMMANDS\n";
  for (const Command* c : commands()) out += item(fmt::format("harmonia-{}(1)", c->name), c->summary);
  return out + exit_status_section() + environment_section() + ".SH FILES\n" +
         item("/usr/share/harmonia/workloads", "built-in models, accelerators, scenarios and sweeps") +
         item("/usr/share/doc/harmonia", "documentation");
}

std::string markdown_reference() {
  std::string out;
  for (const CommandDescription& d : describe_all()) {
    const Command& c = *d.command;
    out += fmt::format("\n## harmonia {}\n\n{}.\n\n```text\nharmonia {} {}\n```\n\n| argument | meaning |\n|---|---|\n",
                       c.name, markdown_cell(c.summary), c.name, c.synopsis);
    for (const PositionalDescription& p : d.positionals)
      out +=
          fmt::format("| `{}` | {} |\n", markdown_cell(p.placeholder), markdown_cell(with_choices(p.help, p.choices)));
    for (const OptionDescription& o : d.options)
      out += fmt::format("| `{}` | {}{} |\n", markdown_cell(o.usage()), markdown_cell(with_choices(o.help, o.choices)),
                         o.repeats ? "; may be repeated" : "");
    if (c.example[0]) out += fmt::format("\nExample:\n\n```text\n{}\n```\n", c.example);
  }
  return out;
}

const Command kManualCommand = {"manual", "[COMMAND] [--markdown] [-o DIR]", "Print a man page", run,
                                "harmonia manual run | man -l -"};

}  // namespace harmonia::testbench
