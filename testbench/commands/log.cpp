// `harmonia log`: recorded transactions, readable.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/line_reader.h"

namespace harmonia::testbench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kLongestNs = 1e15;

struct Options {
  std::string place;
  std::vector<std::string> sockets;
  double from_ns = 0, to_ns = kLongestNs;
  bool phases = false;
};

struct Line {
  std::uint64_t id, begin_ps, end_ps;
  std::string fiber, kind, attributes;
};

std::string attributes_of(const Json& record) {
  static const std::set<std::string> columns = {"fiber", "kind", "id", "begin_ps", "end_ps"};
  std::string text;
  for (const auto& [name, value] : record.items()) {
    if (columns.count(name)) continue;
    std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
    if (name == "address" && value.is_number_unsigned()) shown = fmt::format("0x{:x}", value.get<std::uint64_t>());
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, config::printable(shown));
  }
  return text;
}

class Log {
 public:
  explicit Log(const Options& options) : options_(options), wanted_(options.sockets.begin(), options.sockets.end()) {}

  void read(const std::string& file) {
    LineReader reader(file);
    for (std::string line; reader.next(line);) {
      Json record;
      try {
        record = Json::parse(line);
        if (record.contains("relation"))
          relate(record);
        else
          take(record);
      } catch (const Json::exception&) {
        throw config::InputError(reader.here(),
                                 "is no recorded transaction, expected a line that `harmonia run --record` wrote");
      }
    }
  }

  void print() {
    for (const std::string& socket : wanted_)
      if (!seen_.count(socket))
        throw config::InputError(
            {"command line", 0, 0},
            fmt::format("--socket is '{}'{}", config::printable(socket),
                        config::nearest_hint(socket, {seen_.begin(), seen_.end()}, "socket of the recording")));
    std::stable_sort(lines_.begin(), lines_.end(),
                     [](const Line& a, const Line& b) { return a.begin_ps < b.begin_ps; });
    std::cout << fmt::format("{:>16} {:>12}  {:<32} {:<10} {}\n", "begin [ns]", "takes [ns]", "socket", "kind", "what");
    for (const Line& l : lines_) {
      std::string what = l.attributes;
      const auto parent = parents_.find(l.id);
      if (parent != parents_.end()) what += fmt::format("{}in {}", what.empty() ? "" : ", ", parent->second);
      std::cout << fmt::format("{:>16.3f} {:>12.3f}  {:<32} {:<10} #{} {}\n", static_cast<double>(l.begin_ps) * 1e-3,
                               static_cast<double>(l.end_ps - l.begin_ps) * 1e-3, config::printable(l.fiber),
                               config::printable(l.kind), l.id, what);
    }
    std::cout << fmt::format("{} of {} recorded transactions and phases\n", lines_.size(), records_);
    std::cout.flush();
  }

 private:
  void relate(const Json& record) {
    const auto from = record.at("from").get<std::uint64_t>();
    if (shown_.count(from)) parents_[from] = fmt::format("#{}", record.at("to").get<std::uint64_t>());
  }
  void take(const Json& record) {
    Line l{record.at("id").get<std::uint64_t>(),     record.at("begin_ps").get<std::uint64_t>(),
           record.at("end_ps").get<std::uint64_t>(), record.at("fiber").get<std::string>(),
           record.at("kind").get<std::string>(),     {}};
    ++records_;
    seen_.insert(l.fiber);
    if (!wanted_.empty() && !wanted_.count(l.fiber)) return;
    const double begin = static_cast<double>(l.begin_ps) * 1e-3, end = static_cast<double>(l.end_ps) * 1e-3;
    if (end < options_.from_ns || begin > options_.to_ns) return;
    if (!options_.phases && (l.kind == "request" || l.kind == "response")) return;
    l.attributes = attributes_of(record);
    shown_.insert(l.id);
    lines_.push_back(std::move(l));
  }

  const Options& options_;
  std::set<std::string> wanted_, seen_;
  std::set<std::uint64_t> shown_;
  std::vector<Line> lines_;
  std::unordered_map<std::uint64_t, std::string> parents_;
  std::uint64_t records_ = 0;
};

int log_command(const std::vector<std::string>& arguments) {
  Options o;
  Arguments a(kLogCommand);
  a.positional("DIR", o.place, "result folder of a run with --record, or its transactions.jsonl", true)
      .texts("socket", o.sockets, "NAME", "only this socket, `operations` or `steps`; may be repeated")
      .number("from", o.from_ns, 0, kLongestNs, "NS", "only transactions that end at this time or later")
      .number("to", o.to_ns, 0, kLongestNs, "NS", "only transactions that begin at this time or earlier")
      .flag("phases", o.phases, "print request and response phases too");
  if (!a.parse(arguments)) return 0;
  if (o.to_ns < o.from_ns)
    throw config::InputError({"command line", 0, 0},
                             fmt::format("--to is {}, expected at least --from ({})", o.to_ns, o.from_ns));
  const std::filesystem::path place = o.place;
  std::error_code ignored;
  Log log(o);
  log.read((std::filesystem::is_directory(place, ignored) ? place / "transactions.jsonl" : place).string());
  log.print();
  return 0;
}

}  // namespace

const Command kLogCommand = {"log", "DIR [--socket NAME]... [--from NS] [--to NS]",
                             "Print the transactions that `run --record` recorded", log_command,
                             "harmonia log results/one --socket interconnect_to_channel0"};

}  // namespace harmonia::testbench
