#include "harmonia/testbench/commands/arguments.h"

#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>
#include <functional>
#include <iostream>
#include <system_error>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"

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
    std::string placeholder, help;
    std::string* one;
    std::vector<std::string>* all;
    bool required;
  };

  const Command& command;
  po::options_description options{"options"};
  std::vector<std::string> names;
  std::vector<Positional> positionals;
  std::vector<std::function<void()>> after;

  explicit Impl(const Command& c) : command(c) {}

  void print_help() const {
    std::cout << "usage: harmonia " << command.name << ' ' << command.synopsis << "\n\n" << command.summary << "\n\n";
    for (const Positional& p : positionals) std::cout << "  " << p.placeholder << "\n      " << p.help << '\n';
    if (!positionals.empty()) std::cout << '\n';
    std::cout << options;
  }
};

Arguments::Arguments(const Command& command) : impl_(std::make_unique<Impl>(command)) {
  impl_->options.add_options()("help,h", "print this and exit");
  impl_->names.push_back("--help");
}

Arguments::~Arguments() = default;

Arguments& Arguments::flag(const std::string& name, bool& value, const std::string& help) {
  impl_->options.add_options()(name.c_str(), po::bool_switch(&value), help.c_str());
  impl_->names.push_back("--" + long_name(name));
  return *this;
}

Arguments& Arguments::text(const std::string& name, std::string& value, const std::string& placeholder,
                           const std::string& help) {
  const std::string option = "--" + long_name(name);
  const auto check = [option, placeholder](const std::string& given) { require_value(option, given, placeholder); };
  impl_->options.add_options()(name.c_str(), po::value<std::string>(&value)->value_name(placeholder)->notifier(check),
                               help.c_str());
  impl_->names.push_back(option);
  return *this;
}

Arguments& Arguments::words(const std::string& name, std::string& value, const std::string& placeholder,
                            const std::string& help) {
  impl_->options.add_options()(name.c_str(), po::value<std::string>(&value)->value_name(placeholder), help.c_str());
  impl_->names.push_back("--" + long_name(name));
  return *this;
}

Arguments& Arguments::texts(const std::string& name, std::vector<std::string>& values, const std::string& placeholder,
                            const std::string& help) {
  const std::string option = "--" + long_name(name);
  const auto check = [option, placeholder](const std::vector<std::string>& given) {
    for (const std::string& g : given) require_value(option, g, placeholder);
  };
  impl_->options.add_options()(
      name.c_str(), po::value<std::vector<std::string>>(&values)->composing()->value_name(placeholder)->notifier(check),
      help.c_str());
  impl_->names.push_back(option);
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
  impl_->options.add_options()(name.c_str(), po::value<std::string>()->value_name(placeholder)->notifier(read),
                               help.c_str());
  impl_->names.push_back(option);
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
  impl_->options.add_options()(name.c_str(), po::value<std::string>()->value_name(placeholder)->notifier(read),
                               help.c_str());
  impl_->names.push_back(option);
  return *this;
}

Arguments& Arguments::positional(const std::string& placeholder, std::string& value, const std::string& help,
                                 bool required) {
  impl_->positionals.push_back({placeholder, help, &value, nullptr, required});
  return *this;
}

Arguments& Arguments::positionals(const std::string& placeholder, std::vector<std::string>& values,
                                  const std::string& help, bool required) {
  impl_->positionals.push_back({placeholder, help, nullptr, &values, required});
  return *this;
}

Arguments& Arguments::folders(CommonOptions& options) {
  text("data", options.data, "DIR", "folder of outside data such as public request traces (else $HARMONIA_DATA)");
  text("workloads", options.workloads, "DIR",
       "folder of built-in models, accelerators and scenarios (else $HARMONIA_WORKLOADS)");
  return flag("allow-unknown", options.allow_unknown,
              "keys of a config.json that nothing reads become notices, not errors");
}

Arguments& Arguments::common(CommonOptions& options) {
  texts("set", options.set, "KEY=VALUE", "replace one value, path.to.key=value; may be repeated, later ones win");
  text("output,o", options.output, "DIR", "result folder; appears complete or not at all");
  return folders(options);
}

bool Arguments::parse(const std::vector<std::string>& arguments) {
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
      impl_->print_help();
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
