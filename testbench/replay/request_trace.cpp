#include "harmonia/testbench/replay/request_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>

#include "harmonia/config/error.h"
#include "harmonia/config/json_values.h"
#include "harmonia/config/node.h"
#include "harmonia/testbench/files/line_reader.h"

namespace harmonia::testbench {

using config::InputError;

namespace {

constexpr std::size_t kMostRequests = 10'000'000;
constexpr std::int64_t kMostTokens = 100'000'000;

struct Cell {
  std::string_view text;
  int column;
};

// Splits at commas; blanks and one pair of quotes around a value are not part of it.
void split(std::string_view line, std::vector<Cell>& cells) {
  cells.clear();
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = std::min(line.find(',', begin), line.size());
    std::size_t first = begin, last = comma;
    while (first < last && (line[first] == ' ' || line[first] == '\t')) ++first;
    while (last > first && (line[last - 1] == ' ' || line[last - 1] == '\t')) --last;
    if (last - first >= 2 && line[first] == '"' && line[last - 1] == '"') {
      ++first;
      --last;
    }
    cells.push_back({line.substr(first, last - first), static_cast<int>(first) + 1});
    if (comma == line.size()) return;
    begin = comma + 1;
  }
}

struct Columns {
  RequestTraceFormat format;
  std::array<std::string_view, 3> names;  // arrival, prompt, output
};

constexpr std::array<Columns, 2> kCsvFormats = {{
    {RequestTraceFormat::azure_csv, {"TIMESTAMP", "ContextTokens", "GeneratedTokens"}},
    {RequestTraceFormat::arrival_csv, {"arrival_s", "prompt_tokens", "output_tokens"}},
}};

// The positions of the three columns when the header has them all.
bool match(const std::vector<Cell>& header, const Columns& wanted, std::array<std::size_t, 3>& positions) {
  for (std::size_t k = 0; k < 3; ++k) {
    const auto at =
        std::find_if(header.begin(), header.end(), [&](const Cell& c) { return c.text == wanted.names[k]; });
    if (at == header.end()) return false;
    positions[k] = static_cast<std::size_t>(at - header.begin());
  }
  return true;
}

bool digits(std::string_view text, std::size_t at, std::size_t count, std::int64_t& value) {
  if (at + count > text.size()) return false;
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

// Days since 1970-01-01 of a date of the Gregorian calendar.
std::int64_t days_from_civil(std::int64_t y, std::int64_t m, std::int64_t d) {
  y -= m <= 2;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

// "2023-11-16 18:17:03.9799600" (a T for the blank, up to 9 fractional digits, a final Z or +00:00 allowed) in
// nanoseconds.
bool parse_date_time(std::string_view text, std::int64_t& ns) {
  std::int64_t year, month, day, hour, minute, second;
  if (!digits(text, 0, 4, year) || !digits(text, 5, 2, month) || !digits(text, 8, 2, day) ||
      !digits(text, 11, 2, hour) || !digits(text, 14, 2, minute) || !digits(text, 17, 2, second))
    return false;
  if (text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':')
    return false;
  static constexpr std::array<int, 13> kDays = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 ||
      day > kDays[static_cast<std::size_t>(month)] || hour > 23 || minute > 59 || second > 60)
    return false;
  std::size_t at = 19;
  std::int64_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit = 100'000'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      fraction += (text[at] - '0') * unit;
      unit /= 10;
    }
    if (at == first || at - first > 9) return false;
  }
  const std::string_view rest = text.substr(at);
  if (!rest.empty() && rest != "Z" && rest != "+00:00") return false;
  ns = (((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1'000'000'000 + fraction;
  return true;
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

constexpr double kLatestSecond = 1e10;

class Reader {
 public:
  Reader(const std::string& file, std::int64_t limit)
      : lines_(file), limit_(limit == 0 ? ~std::size_t{0} : static_cast<std::size_t>(limit)) {
    trace_.file = file;
  }

  RequestTrace read() {
    std::string line;
    do {
      if (!lines_.next(line)) throw InputError({trace_.file, 0, 0}, "has no requests, expected a request trace");
    } while (line.find_first_not_of(" \t") == std::string::npos);
    if (line[line.find_first_not_of(" \t")] == '{') {
      trace_.format = RequestTraceFormat::mooncake_jsonl;
      do {
        json_line(line);
      } while (more(line));
    } else {
      header(line);
      while (more(line)) csv_line(line);
    }
    if (trace_.requests.empty())
      throw InputError({trace_.file, 0, 0}, "has no requests after its header, expected at least one");
    return std::move(trace_);
  }

 private:
  // The next line that is not blank, while more requests are wanted.
  bool more(std::string& line) {
    if (trace_.requests.size() >= limit_) return false;
    while (lines_.next(line))
      if (line.find_first_not_of(" \t") != std::string::npos) return true;
    return false;
  }

  void header(const std::string& line) {
    split(line, cells_);
    for (std::size_t i = 0; i < cells_.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (cells_[i].text == cells_[j].text)
          throw InputError(lines_.here(cells_[i].column),
                           "column '" + config::printable(cells_[i].text) + "' is there twice, expected once");
    for (const Columns& format : kCsvFormats) {
      if (!match(cells_, format, positions_)) continue;
      trace_.format = format.format;
      names_ = format.names;
      columns_ = cells_.size();
      for (const Cell& c : cells_)
        if (std::find(names_.begin(), names_.end(), c.text) == names_.end()) unread(std::string(c.text));
      return;
    }
    throw InputError(lines_.here(1), "header '" + config::printable(line) +
                                         "', expected 'TIMESTAMP,ContextTokens,GeneratedTokens', "
                                         "'arrival_s,prompt_tokens,output_tokens' or JSON lines");
  }

  void csv_line(const std::string& line) {
    split(line, cells_);
    if (cells_.size() != columns_)
      throw InputError(lines_.here(1),
                       fmt::format("{} columns, expected {} as in the heading", cells_.size(), columns_));
    const Cell& when = cells_[positions_[0]];
    double seconds = 0;
    std::int64_t ns = 0;
    bool good = false;
    if (trace_.format == RequestTraceFormat::azure_csv && parse_date_time(when.text, ns)) {
      // Differences are formed in nanoseconds: seconds since 1970 leave a double too few digits.
      if (trace_.requests.empty()) first_ns_ = ns;
      seconds = static_cast<double>(ns - first_ns_) * 1e-9;
      good = dated_ || trace_.requests.empty();
      dated_ = true;
    } else if (parse_number(when.text, seconds) && std::fabs(seconds) <= kLatestSecond) {
      good = !dated_;
    }
    if (!good)
      fail(when, names_[0],
           trace_.format == RequestTraceFormat::azure_csv ? "a date-time such as 2023-11-16 18:17:03.9799600"
                                                          : "seconds");
    add(seconds, when.column, count(cells_[positions_[1]], names_[1]), count(cells_[positions_[2]], names_[2]),
        cells_[positions_[1]].column);
  }

  std::int64_t count(const Cell& cell, std::string_view name) const {
    std::int64_t value = 0;
    if (!parse_number(cell.text, value) || value < 1 || value > kMostTokens)
      fail(cell, name, fmt::format("a whole number from 1 to {}", kMostTokens));
    return value;
  }

  [[noreturn]] void fail(const Cell& cell, std::string_view name, const std::string& expected) const {
    throw InputError(lines_.here(cell.column),
                     std::string(name) + " is '" + config::printable(cell.text) + "', expected " + expected);
  }

  void json_line(const std::string& line) {
    using nlohmann::json;
    const json object = config::parse_json_values(line, [this](std::size_t byte, const std::string& what) {
      const bool says = what.find("expected") != std::string::npos;
      throw InputError(lines_.here(static_cast<int>(byte) + 1),
                       what + (says ? ""
                                    : ", expected an object such as {\"timestamp\": 0, \"input_length\": 1, "
                                      "\"output_length\": 1}"));
    });
    if (!object.is_object()) throw InputError(lines_.here(1), "no JSON object, expected one request a line");
    const auto member = [&](const char* key) -> const json& {
      const auto at = object.find(key);
      if (at == object.end())
        throw InputError(lines_.here(1), std::string("key '") + key +
                                             "' is missing, expected timestamp, input_length and output_length");
      return *at;
    };
    const auto tokens = [&](const char* key) {
      const json& value = member(key);
      if (!value.is_number_integer() || value < 1 || value > kMostTokens)
        throw InputError(
            lines_.here(1),
            fmt::format("{} is {}, expected a whole number from 1 to {}", key,
                        config::printable(value.dump(-1, ' ', true, json::error_handler_t::replace)), kMostTokens));
      return value.get<std::int64_t>();
    };
    const json& when = member("timestamp");
    if (!when.is_number() || !(std::fabs(when.get<double>()) <= kLatestSecond * 1000))
      throw InputError(lines_.here(1), "timestamp is " +
                                           config::printable(when.dump(-1, ' ', true, json::error_handler_t::replace)) +
                                           ", expected milliseconds");
    // Traces of both units carry these keys. Those in seconds name the turns of a conversation too.
    const bool conversation = object.contains("chat_id") || object.contains("turn");
    if (trace_.requests.empty()) in_seconds_ = conversation;
    if (conversation != in_seconds_)
      throw InputError(lines_.here(1),
                       std::string("a request ") + (conversation ? "with" : "without") +
                           " chat_id or turn in a file of the other kind, expected one unit of time: timestamps are "
                           "seconds in files with these keys and milliseconds in files without");
    if (!in_seconds_ && when.get<double>() != std::floor(when.get<double>()))
      throw InputError(lines_.here(1),
                       "timestamp is " + when.dump() +
                           ", expected a whole number of milliseconds: files whose timestamps are seconds are known by "
                           "their key chat_id or turn");
    const double seconds = when.get<double>() / (in_seconds_ ? 1 : 1000);
    for (const auto& [key, value] : object.items())
      if (key != "timestamp" && key != "input_length" && key != "output_length") unread(key);
    const std::int64_t prompt = tokens("input_length");
    add(seconds, 1, prompt, tokens("output_length"), 1);
  }

  /// Names of columns and keys differ little from line to line; a file of ever new ones is not kept.
  void unread(const std::string& name) {
    constexpr std::size_t kMost = 20;
    std::vector<std::string>& all = trace_.unread;
    if (all.size() < kMost && std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }

  void add(double seconds, int column, std::int64_t prompt, std::int64_t output, int prompt_column) {
    if (trace_.requests.empty()) first_s_ = seconds;
    const double arrival = seconds - first_s_;
    if (!trace_.requests.empty() && arrival < trace_.requests.back().arrival_s)
      throw InputError(lines_.here(column),
                       "a request that arrives before the one above it, expected requests in order of arrival");
    if (trace_.requests.size() >= kMostRequests)
      throw InputError(lines_.here(), fmt::format("more than {} requests, expected fewer, or a limit", kMostRequests));
    trace_.requests.push_back({arrival, prompt, output, lines_.line_number(), prompt_column});
  }

  LineReader lines_;
  std::size_t limit_;
  RequestTrace trace_;
  std::vector<Cell> cells_;
  std::array<std::size_t, 3> positions_{};
  std::size_t columns_ = 0;
  std::array<std::string_view, 3> names_;
  bool dated_ = false;
  bool in_seconds_ = false;  // of JSON lines
  std::int64_t first_ns_ = 0;
  double first_s_ = 0;
};

}  // namespace

const char* name_of(RequestTraceFormat format) {
  switch (format) {
    case RequestTraceFormat::azure_csv:
      return "Azure CSV";
    case RequestTraceFormat::arrival_csv:
      return "arrival CSV";
    case RequestTraceFormat::mooncake_jsonl:
      break;
  }
  return "Mooncake JSONL";
}

std::int64_t RequestTrace::prompt_tokens() const {
  std::int64_t sum = 0;
  for (const Request& r : requests) sum += r.prompt_tokens;
  return sum;
}

std::int64_t RequestTrace::output_tokens() const {
  std::int64_t sum = 0;
  for (const Request& r : requests) sum += r.output_tokens;
  return sum;
}

std::string RequestTrace::notice() const {
  if (unread.empty()) return {};
  std::string names;
  for (const std::string& n : unread) names += (names.empty() ? "" : ", ") + config::printable(n);
  return "of the request trace these are not read: " + names +
         (std::find(unread.begin(), unread.end(), "hash_ids") == unread.end()
              ? ""
              : " (requests share no prefixes here, so that each prompt is processed whole)");
}

RequestTrace read_request_trace(const std::string& file, std::int64_t limit) { return Reader(file, limit).read(); }

bool is_request_trace_line(const std::string& first_line) {
  std::vector<Cell> cells;
  split(first_line, cells);
  std::array<std::size_t, 3> unused{};
  for (const Columns& format : kCsvFormats)
    if (match(cells, format, unused)) return true;
  return first_line.find("\"timestamp\"") != std::string::npos &&
         first_line.find("\"input_length\"") != std::string::npos;
}

}  // namespace harmonia::testbench
