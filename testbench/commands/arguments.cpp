#include "harmonia/testbench/commands/arguments.h"

#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/description.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/terminal.h"

namespace harmonia::testbench {

namespace po = boost::program_options;
using config::InputError;

namespace {

[[noreturn]] void fail(const std::string& message) { throw InputError({"command line", 0, 0}, message); }

void require_value(const std::string& option, const std::string& value, const std::string& placeholder) {
  if (value.empty()) fail("option '" + option + "' is empty, expected " + placeholder);
}

std::string long_name(const std::string& name) { return name.substr(0, name.find(',')); }

std::string number_text(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

}  // namespace

struct Arguments::Impl {
  struct Positional {
    std::string placeholder;
    std::string* one;
    std::vector<std::string>* all;
    bool required;
  };

  const Command& command;
  po::options_description options;
  std::vector<std::string> names;
  std::vector<Positional> positionals;
  CommandDescription description;
  std::vector<std::string>* choices_of_last = nullptr;
  bool no_color = false;

  explicit Impl(const Command& c) : command(c) { description.command = &c; }

  /// Declares an option to the parser and to the description. `name` is "output" or "output,o".
  void add(const std::string& name, const po::value_semantic* value, const std::string& placeholder,
           const std::string& help, bool repeats = false) {
    options.add_options()(name.c_str(), value, "");
    names.push_back("--" + long_name(name));
    const std::size_t comma = name.find(',');
    description.options.push_back(
        {long_name(name), comma == std::string::npos ? "" : name.substr(comma + 1), placeholder, help, {}, repeats});
    choices_of_last = &description.options.back().choices;
  }

  void add(const Positional& positional, const std::string& help) {
    positionals.push_back(positional);
    description.positionals.push_back(
        {positional.placeholder, help, {}, positional.required, positional.all != nullptr});
    choices_of_last = &description.positionals.back().choices;
  }
};

namespace {

/// Where the next parse() puts the description of its command, instead of reading arguments.
CommandDescription* wanted_description = nullptr;

}  // namespace

CommandDescription describe(const Command& command) {
  CommandDescription description;
  wanted_description = &description;
  command.run({"--help"});
  wanted_description = nullptr;
  if (!description.command)
    throw std::logic_error(std::string("the command ") + command.name + " does not declare its arguments");
  return description;
}

Arguments::Arguments(const Command& command) : impl_(std::make_unique<Impl>(command)) {
  impl_->add("help,h", new po::untyped_value(true), "", "print this help and exit");
  flag("no-color", impl_->no_color,
       "print without colours (default where the output is no terminal or NO_COLOR is set)");
}

Arguments::~Arguments() = default;

Arguments& Arguments::flag(const std::string& name, bool& value, const std::string& help) {
  impl_->add(name, po::bool_switch(&value), "", help);
  return *this;
}

Arguments& Arguments::text(const std::string& name, std::string& value, const std::string& placeholder,
                           const std::string& help) {
  const std::string option = "--" + long_name(name);
  const auto check = [option, placeholder](const std::string& given) { require_value(option, given, placeholder); };
  impl_->add(name, po::value<std::string>(&value)->notifier(check), placeholder, help);
  return *this;
}

Arguments& Arguments::words(const std::string& name, std::string& value, const std::string& placeholder,
                            const std::string& help) {
  impl_->add(name, po::value<std::string>(&value), placeholder, help);
  return *this;
}

Arguments& Arguments::texts(const std::string& name, std::vector<std::string>& values, const std::string& placeholder,
                            const std::string& help) {
  const std::string option = "--" + long_name(name);
  const auto check = [option, placeholder](const std::vector<std::string>& given) {
    for (const std::string& g : given) require_value(option, g, placeholder);
  };
  impl_->add(name, po::value<std::vector<std::string>>(&values)->composing()->notifier(check), placeholder, help, true);
  return *this;
}

Arguments& Arguments::integer(const std::string& name, std::int64_t& value, std::int64_t lowest, std::int64_t highest,
                              const std::string& placeholder, const std::string& help) {
  const std::string option = "--" + long_name(name);
  const auto read = [&value, lowest, highest, option](const std::string& text) {
    std::int64_t parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc() || end != text.data() + text.size() || text.empty() || parsed < lowest || parsed > highest)
      fail(option + " is '" + config::printable(text) + "', expected a whole number from " + std::to_string(lowest) +
           " to " + std::to_string(highest));
    value = parsed;
  };
  impl_->add(name, po::value<std::string>()->notifier(read), placeholder, help);
  return *this;
}

Arguments& Arguments::number(const std::string& name, double& value, double lowest, double highest,
                             const std::string& placeholder, const std::string& help) {
  const std::string option = "--" + long_name(name);
  const auto read = [&value, lowest, highest, option](const std::string& text) {
    double parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc() || end != text.data() + text.size() || !(parsed >= lowest && parsed <= highest))
      fail(option + " is '" + config::printable(text) + "', expected a number from " + number_text(lowest) + " to " +
           number_text(highest));
    value = parsed;
  };
  impl_->add(name, po::value<std::string>()->notifier(read), placeholder, help);
  return *this;
}

Arguments& Arguments::positional(const std::string& placeholder, std::string& value, const std::string& help,
                                 bool required) {
  impl_->add({placeholder, &value, nullptr, required}, help);
  return *this;
}

Arguments& Arguments::positionals(const std::string& placeholder, std::vector<std::string>& values,
                                  const std::string& help, bool required) {
  impl_->add({placeholder, nullptr, &values, required}, help);
  return *this;
}

Arguments& Arguments::choices(std::vector<std::string> values) {
  *impl_->choices_of_last = std::move(values);
  return *this;
}

Arguments& Arguments::printing(Printing& options) {
  flag("quiet,q", options.quiet, "print nothing but errors");
  return flag("json", options.json, "print the result as one JSON document instead of text");
}

Arguments& Arguments::folders(CommonOptions& options) {
  text("data", options.data, "DIR", "folder of external data such as public request traces (default: $HARMONIA_DATA)");
  text("workloads", options.workloads, "DIR",
       "folder of built-in models, accelerators and scenarios (else $HARMONIA_WORKLOADS)");
  return flag("allow-unknown", options.allow_unknown,
              "report keys of a config.json that nothing reads as notices instead of errors");
}

Arguments& Arguments::common(CommonOptions& options) {
  texts("set", options.set, "KEY=VALUE", "replace one value, path.to.key=value; the last one of a key applies");
  text("output,o", options.output, "DIR",
       "result folder, which appears complete or not at all; if -, a device or a pipe: where the result is written as "
       "JSON");
  return folders(options);
}

void print_result(const Printing& printing, const std::string& text, const std::string& document,
                  const std::string& afterword) {
  if (printing.quiet) return;
  std::cout << (printing.json ? document : decorated(text) + afterword);
}

Printing write_to_stream(const std::string& output, const std::string& document, Printing printing) {
  write_file(output, document);
  printing.quiet = printing.quiet || names_standard_output(output);
  return printing;
}

bool Arguments::parse(const std::vector<std::string>& arguments) {
  if (wanted_description) {
    *wanted_description = impl_->description;
    return false;
  }
  std::vector<std::string> given;
  po::options_description all;
  all.add(impl_->options);
  all.add_options()("positional", po::value<std::vector<std::string>>(&given));
  po::positional_options_description every;
  every.add("positional", -1);
  namespace style = po::command_line_style;
  const int how = style::allow_long | style::allow_short | style::allow_dash_for_short | style::long_allow_next |
                  style::long_allow_adjacent | style::short_allow_next | style::short_allow_adjacent;
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(every).style(how).run(), values);
    if (values.count("help")) {
      std::cout << help_text(impl_->description);
      return false;
    }
    po::notify(values);
  } catch (const po::unknown_option& e) {
    fail("unknown option '" + config::printable(e.get_option_name()) + "'" +
         config::nearest_hint(e.get_option_name(), impl_->names, "option"));
  } catch (const po::error_with_option_name& e) {
    const std::string what = dynamic_cast<const po::multiple_occurrences*>(&e) ? "is given twice, expected it once"
                                                                               : "has no value, expected one after it";
    fail("option '" + config::printable(e.get_option_name()) + "' " + what);
  } catch (const po::error& e) {
    fail(std::string(e.what()) + ", expected `harmonia " + impl_->command.name + ' ' + impl_->command.synopsis + "`");
  }

  if (impl_->no_color) forbid_colour();

  std::size_t next = 0;
  for (const Impl::Positional& p : impl_->positionals) {
    if (p.required && next >= given.size())
      fail(p.placeholder + " is missing, expected `harmonia " + impl_->command.name + ' ' + impl_->command.synopsis +
           "`");
    if (p.all) {
      p.all->assign(given.begin() + static_cast<std::ptrdiff_t>(next), given.end());
      next = given.size();
    } else if (next < given.size()) {
      *p.one = given[next++];
    }
  }
  if (next < given.size())
    fail("unexpected argument '" + config::printable(given[next]) + "', expected `harmonia " + impl_->command.name +
         ' ' + impl_->command.synopsis + "`");
  return true;
}

}  // namespace harmonia::testbench
