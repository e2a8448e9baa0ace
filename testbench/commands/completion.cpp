// `harmonia completion SHELL`: completion of commands, options and values for bash, zsh and fish.
//
// Models: names of built-ins are asked of the program when a key is pressed, so that those of $HARMONIA_WORKLOADS appear.
// Does not model: values behind the `=` of --set.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iostream>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/description.h"

namespace harmonia::testbench {
namespace {

/// What a value is, read from its placeholder. kWords: the program's own names of a kind, of `harmonia list KIND --names`.
struct Value {
  std::string list;                  // kind of `harmonia list`, or empty
  std::vector<std::string> choices;  // known values, or empty
  bool files = false, folders = false;
};

Value value_of(const std::string& placeholder, const std::vector<std::string>& choices) {
  Value v;
  v.choices = choices;
  const auto holds = [&](const char* word) { return placeholder.find(word) != std::string::npos; };
  static const std::pair<const char*, const char*> kinds[] = {{"SCENARIO", "scenarios"},
                                                              {"ACCELERATOR", "accelerators"},
                                                              {"PRESET", "drams"},
                                                              {"LINK", "links"},
                                                              {"FORMAT", "formats"},
                                                              {"FMT", "formats"},
                                                              {"KEY", "keys"}};
  for (const auto& [word, kind] : kinds)
    if (choices.empty() && v.list.empty() && holds(word)) v.list = kind;
  v.folders = holds("DIR");
  v.files = holds("FILE") || holds("SWEEP") || holds("SCENARIO") || holds("LINK") || placeholder == "IN" ||
            placeholder == "OUT" || placeholder == "TEXT";
  return v;
}

/// In single quotes, as all three shells read it.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// The words "list=scenarios files" that the bash and zsh functions take; a colon would end a zsh specification.
std::string sources(const Value& v) {
  std::string out;
  for (const std::string& c : v.choices) out += " word=" + c;
  if (!v.list.empty()) out += " list=" + v.list;
  if (v.files) out += " files";
  if (v.folders) out += " folders";
  return out.empty() ? out : out.substr(1);
}

std::string command_names() {
  std::string out;
  for (const Command* c : commands()) out += (out.empty() ? "" : " ") + std::string(c->name);
  return out;
}

std::string bash() {
  std::string out = R"sh(# bash completion of harmonia; made by `harmonia completion bash`
_harmonia_values() {
  local source
  for source in "$@"; do
    case $source in
      word=*) COMPREPLY+=($(compgen -W "${source#word=}" -- "$cur")) ;;
      list=keys)
        compopt -o nospace
        COMPREPLY+=($(compgen -S = -W "$("$program" list keys --names 2>/dev/null)" -- "$cur")) ;;
      list=*) COMPREPLY+=($(compgen -W "$("$program" list "${source#list=}" --names 2>/dev/null)" -- "$cur")) ;;
      files) compopt -o filenames; COMPREPLY+=($(compgen -f -- "$cur")) ;;
      folders) compopt -o filenames; COMPREPLY+=($(compgen -d -- "$cur")) ;;
    esac
  done
}

_harmonia() {
  local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
)sh";
  out += "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"" + command_names() +
         " help --help --version\" -- \"$cur\"))\n    return\n  fi\n  case ${COMP_WORDS[1]} in\n";
  out += "    help) COMPREPLY=($(compgen -W \"" + command_names() + "\" -- \"$cur\")) ;;\n";
  for (const CommandDescription& d : describe_all()) {
    std::string options, values;
    for (const OptionDescription& o : d.options) {
      options += (options.empty() ? "--" : " --") + o.name;
      if (o.placeholder.empty()) continue;
      values += "        --" + o.name + (o.letter.empty() ? "" : "|-" + o.letter) + ") _harmonia_values " +
                sources(value_of(o.placeholder, o.choices)) + "; return ;;\n";
    }
    std::string positional;
    for (const PositionalDescription& p : d.positionals)
      positional += ' ' + sources(value_of(p.placeholder, p.choices));
    out += fmt::format("    {})\n", d.command->name);
    if (!values.empty()) out += "      case $prev in\n" + values + "      esac\n";
    out += "      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"" + options +
           "\" -- \"$cur\"))\n      else _harmonia_values" + positional + "; fi ;;\n";
  }
  return out + "  esac\n}\ncomplete -F _harmonia harmonia\n";
}

/// Text of a zsh _arguments specification: brackets and colons end its parts.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const Value& v) {
  const std::string s = sources(v);
  return s.empty() ? " " : "{_harmonia_values " + s + "}";
}

std::string zsh() {
  std::string out = R"sh(#compdef harmonia
# zsh completion of harmonia; made by `harmonia completion zsh`
_harmonia_values() {
  local source
  for source in "$@"; do
    case $source in
      word=*) compadd -- "${source#word=}" ;;
      list=keys) compadd -S = -- ${(f)"$(harmonia list keys --names 2>/dev/null)"} ;;
      list=*) compadd -- ${(f)"$(harmonia list ${source#list=} --names 2>/dev/null)"} ;;
      files) _files ;;
      folders) _files -/ ;;
    esac
  done
}

_harmonia() {
  local curcontext="$curcontext" state line
  local -a commands
  commands=(
)sh";
  for (const Command* c : commands()) out += "    " + quoted(c->name + (":" + zsh_text(c->summary))) + '\n';
  out += R"sh(  )
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
)sh";
  for (const CommandDescription& d : describe_all()) {
    out += fmt::format("        {})\n          _arguments", d.command->name);
    for (const OptionDescription& o : d.options) {
      const std::string value =
          o.placeholder.empty() ? ""
                                : ":" + zsh_text(o.placeholder) + ":" + zsh_action(value_of(o.placeholder, o.choices));
      const std::string repeat = o.repeats ? "*" : "";
      out += " \\\n            " + quoted(repeat + "--" + o.name + "[" + zsh_text(o.help) + "]" + value);
      if (!o.letter.empty())
        out += " \\\n            " + quoted(repeat + "-" + o.letter + "[" + zsh_text(o.help) + "]" + value);
    }
    for (const PositionalDescription& p : d.positionals)
      out += " \\\n            " + quoted(std::string(p.repeats ? "*" : "") + ":" + zsh_text(p.placeholder) + ":" +
                                          zsh_action(value_of(p.placeholder, p.choices)));
    out += " ;;\n";
  }
  return out + "      esac ;;\n  esac\n}\n_harmonia \"$@\"\n";
}

std::string fish_values(const Value& v) {
  std::string out;
  for (const std::string& c : v.choices) out += (out.empty() ? "" : " ") + c;
  if (!v.list.empty()) out = "(harmonia list " + v.list + " --names 2>/dev/null)";
  if (v.folders && !v.files) out += out.empty() ? "(__fish_complete_directories)" : " (__fish_complete_directories)";
  return out;
}

std::string fish() {
  std::string out = "# fish completion of harmonia; made by `harmonia completion fish`\n";
  for (const Command* c : commands())
    out += fmt::format("complete -c harmonia -f -n __fish_use_subcommand -a {} -d {}\n", c->name, quoted(c->summary));
  for (const CommandDescription& d : describe_all()) {
    const std::string within = fmt::format("complete -c harmonia -n '__fish_seen_subcommand_from {}'", d.command->name);
    bool files = false;
    for (const PositionalDescription& p : d.positionals) {
      const Value v = value_of(p.placeholder, p.choices);
      files = files || v.files;
      const std::string values = fish_values(v);
      if (!values.empty()) out += within + (v.files ? "" : " -f") + " -a " + quoted(values) + '\n';
    }
    if (!files) out += within + " -f\n";
    for (const OptionDescription& o : d.options) {
      out += within + " -l " + o.name + (o.letter.empty() ? "" : " -s " + o.letter) + " -d " + quoted(o.help);
      if (!o.placeholder.empty()) {
        const Value v = value_of(o.placeholder, o.choices);
        const std::string values = fish_values(v);
        out += v.files ? " -r -F" : " -x";
        if (!values.empty()) out += " -a " + quoted(values);
      }
      out += '\n';
    }
  }
  return out;
}

int run(const std::vector<std::string>& arguments) {
  Arguments a(kCompletionCommand);
  std::string shell;
  a.positional("SHELL", shell, "bash, zsh or fish", true).choices(completion_shells());
  if (!a.parse(arguments)) return 0;
  std::cout << completion_script(shell);
  return 0;
}

}  // namespace

const std::vector<std::string>& completion_shells() {
  static const std::vector<std::string> shells = {"bash", "zsh", "fish"};
  return shells;
}

std::string completion_script(const std::string& shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  throw config::InputError({"command line"},
                           "unknown shell '" + config::printable(shell) + "', expected bash, zsh or fish");
}

const Command kCompletionCommand = {"completion", "bash|zsh|fish", "Print a completion script for a shell", run,
                                    "harmonia completion bash > ~/.local/share/bash-completion/completions/harmonia"};

}  // namespace harmonia::testbench
