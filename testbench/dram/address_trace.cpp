#include "harmonia/testbench/dram/address_trace.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/testbench/files/line_reader.h"

namespace harmonia::testbench {

using config::InputError;
using dram::Op;

namespace {

/// Up to 5 words separated by blanks, with where they begin. `count` is 6 when there are more.
struct Words {
  std::array<std::string_view, 5> word;
  std::array<int, 5> column{};
  std::size_t count = 0;
};

Words split(std::string_view line) {
  Words w;
  std::size_t i = 0;
  const auto blank = [&](std::size_t at) { return line[at] == ' ' || line[at] == '\t'; };
  while (true) {
    while (i < line.size() && blank(i)) ++i;
    if (i == line.size()) return w;
    const std::size_t from = i;
    while (i < line.size() && !blank(i)) ++i;
    if (w.count == w.word.size()) {
      ++w.count;
      return w;
    }
    w.word[w.count] = line.substr(from, i - from);
    w.column[w.count++] = static_cast<int>(from) + 1;
  }
}

bool skipped(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t");
  return first == std::string_view::npos || line[first] == '#';
}

bool is(std::string_view word, std::string_view name) {
  if (word.size() != name.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i)
    if (std::tolower(static_cast<unsigned char>(word[i])) != name[i]) return false;
  return true;
}

bool is_op(std::string_view word, Op& op) {
  // P_MEM_RD, P_MEM_WR and P_FETCH are those of DRAMSim2's k6 traces.
  const bool read = is(word, "read") || is(word, "r") || is(word, "ld") || is(word, "p_mem_rd") || is(word, "p_fetch");
  op = read ? Op::kRead : Op::kWrite;
  return read || is(word, "write") || is(word, "w") || is(word, "st") || is(word, "p_mem_wr");
}

/// The whole of a number: decimal, or hexadecimal after 0x.
bool to_number(std::string_view text, std::uint64_t& value, int base = 10) {
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    text.remove_prefix(2);
    base = 16;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool is_hex_literal(std::string_view text) {
  std::uint64_t ignored = 0;
  return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && to_number(text, ignored);
}

/// Without what follows a '#'.
std::string_view without_comment(std::string_view line) { return line.substr(0, line.find('#')); }

bool detect(const std::string& line, AddressTraceFormat& format) {
  const Words w = split(without_comment(line));
  Op op;
  std::uint64_t number = 0;
  if (w.count == 1 && is(w.word[0], "op,addr_hex")) return format = AddressTraceFormat::kCsv, true;
  if (w.count >= 3 && w.word[0].size() > 1 && w.word[0].back() == ':' &&
      to_number(w.word[0].substr(0, w.word[0].size() - 1), number))
    return format = AddressTraceFormat::kStl, true;
  if (w.count >= 2 && is_hex_literal(w.word[0]) && is_op(w.word[1], op))
    return format = AddressTraceFormat::kDramsim3, true;
  // DRAMsim3 reads addresses without 0x as hexadecimal too.
  if (w.count == 3 && to_number(w.word[0], number, 16) && is_op(w.word[1], op) && to_number(w.word[2], number))
    return format = AddressTraceFormat::kDramsim3, true;
  if (w.count != 2) return false;
  if ((is(w.word[0], "ld") || is(w.word[0], "st")) && to_number(w.word[1], number))
    return format = AddressTraceFormat::kLoadStore, true;
  if ((is(w.word[0], "r") || is(w.word[0], "w")) && w.word[1].find(',') != std::string_view::npos)
    return format = AddressTraceFormat::kVector, true;
  return false;
}

const char* expectation(AddressTraceFormat format) {
  switch (format) {
    case AddressTraceFormat::kDramsim3:
      return "0xADDR READ|WRITE CYCLE";
    case AddressTraceFormat::kLoadStore:
      return "LD|ST ADDR";
    case AddressTraceFormat::kVector:
      return "R|W c,...,row,column";
    case AddressTraceFormat::kStl:
      return "CYCLE: read|write 0xADDR";
    case AddressTraceFormat::kCsv:
      break;
  }
  return "R|W,ADDR_HEX";
}

struct Level {
  const char* name;
  std::uint64_t size;
};

/// What a vector of indices holds, in the order in which Ramulator 2 nests a standard.
std::vector<Level> vector_levels(const dram::Config& c) {
  const dram::Standard& s = *c.standard;
  std::vector<Level> levels = {{"channel", 1}};
  if (s.has_pseudo_channels) levels.push_back({"pseudo channel", static_cast<std::uint64_t>(c.pseudo_channels)});
  if (s.has_ranks) levels.push_back({"rank", static_cast<std::uint64_t>(c.ranks)});
  if (s.has_bank_groups) levels.push_back({"bank group", static_cast<std::uint64_t>(c.bankgroups)});
  levels.push_back({"bank", static_cast<std::uint64_t>(c.banks_per_group)});
  levels.push_back({"row", static_cast<std::uint64_t>(c.rows)});
  levels.push_back({"column", static_cast<std::uint64_t>(c.bursts_per_row())});
  return levels;
}

std::uint64_t spread(std::uint64_t value, const std::vector<int>& bits) {
  std::uint64_t address = 0;
  for (std::size_t i = 0; i < bits.size(); ++i) address |= ((value >> i) & 1) << bits[i];
  return address;
}

}  // namespace

const char* name_of(AddressTraceFormat format) {
  switch (format) {
    case AddressTraceFormat::kDramsim3:
      return "DRAMsim3";
    case AddressTraceFormat::kLoadStore:
      return "Ramulator load-store";
    case AddressTraceFormat::kVector:
      return "Ramulator read-write";
    case AddressTraceFormat::kStl:
      return "DRAMSys STL";
    case AddressTraceFormat::kCsv:
      break;
  }
  return "CSV";
}

bool is_address_trace_line(const std::string& line) {
  AddressTraceFormat format;
  return detect(line, format);
}

std::uint64_t address_of(const dram::Config& c, std::uint64_t rank, std::uint64_t pseudo_channel,
                         std::uint64_t bankgroup, std::uint64_t bank_in_group, std::uint64_t row,
                         std::uint64_t column) {
  const dram::Mapping& m = c.mapping;
  const std::uint64_t row_bits = spread(row, m.row);
  std::uint64_t bank = bankgroup * static_cast<std::uint64_t>(c.banks_per_group) + bank_in_group;
  for (const auto& flip : m.bank_xor) bank ^= ((row_bits >> flip.second) & 1) << flip.first;
  const auto per_group = static_cast<std::uint64_t>(c.banks_per_group);
  return row_bits | spread(bank / per_group, m.bankgroup) | spread(bank % per_group, m.bank) |
         spread(column, m.column) | spread(rank, m.rank) | spread(pseudo_channel, m.pseudo_channel);
}

struct AddressTrace::Impl {
  LineReader lines;
  const dram::Config& channel;
  AddressTraceOptions options;
  AddressTraceFormat format = AddressTraceFormat::kCsv;
  std::vector<Level> levels;
  std::string line;
  bool held = false;  // `line` has not been taken yet
  bool has_cycles = false;
  std::uint64_t capacity;
  std::uint64_t requests = 0, writes = 0, wrapped = 0, inside_burst = 0;
  std::uint64_t last_cycle = 0;

  Impl(const std::string& file, const dram::Config& c, const AddressTraceOptions& o)
      : lines(file), channel(c), options(o), levels(vector_levels(c)), capacity(c.capacity_bytes()) {
    if (!next_line()) throw InputError({file, 0, 0}, "holds no request, expected an address trace");
    if (!detect(line, format))
      throw InputError(
          lines.here(1),
          "this is no request, expected one of: 0xADDR READ|WRITE CYCLE, LD|ST ADDR, R|W c,...,row,column, "
          "CYCLE: read|write 0xADDR, or the heading op,addr_hex");
    held = format != AddressTraceFormat::kCsv;
  }

  bool next_line() {
    if (held) return held = false, true;
    do {
      if (!lines.next(line)) return false;
    } while (skipped(line));
    return true;
  }

  [[noreturn]] void wrong(int column, std::string_view what, const std::string& expected) const {
    throw InputError(lines.here(column), "'" + config::printable(what) + "', expected " + expected);
  }
  [[noreturn]] void wrong_line() const {
    throw InputError(lines.here(1), "'" + config::printable(line) + "' is no request, expected " + expectation(format));
  }

  Op op(const Words& w, std::size_t i) const {
    Op value;
    if (i >= w.count) wrong_line();
    if (!is_op(w.word[i], value))
      wrong(w.column[i], w.word[i],
            format == AddressTraceFormat::kLoadStore ? "LD or ST"
            : format == AddressTraceFormat::kStl     ? "read or write"
            : format == AddressTraceFormat::kVector  ? "R or W"
                                                     : "READ or WRITE");
    return value;
  }

  std::uint64_t number(std::string_view text, int column, const char* what, int base = 10) const {
    std::uint64_t value = 0;
    if (!to_number(text, value, base)) wrong(column, text, what);
    return value;
  }

  dram::Cycle cycle(std::string_view text, int column) {
    const std::uint64_t value = number(text, column, "a cycle: a whole number");
    has_cycles = true;
    if (value < last_cycle)
      throw InputError(
          lines.here(column),
          fmt::format("cycle {} is before the line above's {}, expected requests in order of time", value, last_cycle));
    if (value > static_cast<std::uint64_t>(kLatestTraceCycle))
      throw InputError(lines.here(column), fmt::format("cycle {}, expected at most {}", value, kLatestTraceCycle));
    last_cycle = value;
    if (options.clock_mhz <= 0) return static_cast<dram::Cycle>(value);
    const double own = static_cast<double>(value) * 1e6 / options.clock_mhz / channel.tCK_ps;
    if (own > static_cast<double>(kLatestTraceCycle))
      throw InputError(
          lines.here(column),
          fmt::format("cycle {} of the trace's clock is after cycle {} of the channel's", value, kLatestTraceCycle));
    return static_cast<dram::Cycle>(std::ceil(own - 1e-9));
  }

  std::uint64_t vector_address(std::string_view text, int column) const {
    if (options.any_channel) {
      for (std::size_t i = 0, from = 0; i != std::string_view::npos; from = i + 1) {
        i = text.find(',', from);
        number(text.substr(from, i == std::string_view::npos ? i : i - from), column + static_cast<int>(from),
               "an index: a whole number");
      }
      return 0;
    }
    std::array<std::uint64_t, 7> index{};
    std::size_t i = 0, from = 0;
    while (true) {
      const std::size_t comma = text.find(',', from);
      const std::string_view part = text.substr(from, comma == std::string_view::npos ? comma : comma - from);
      const int at = column + static_cast<int>(from);
      if (i < levels.size()) {
        index[i] = number(part, at, (std::string("the ") + levels[i].name + ": a whole number").c_str());
        if (index[i] >= levels[i].size)
          throw InputError(lines.here(at),
                           fmt::format("{} {}, expected less than {}", levels[i].name, index[i], levels[i].size));
      }
      ++i;
      if (comma == std::string_view::npos) break;
      from = comma + 1;
    }
    if (i != levels.size()) {
      std::string expected;
      for (const Level& l : levels) expected += (expected.empty() ? "" : ",") + std::string(l.name);
      throw InputError(lines.here(column), fmt::format("{} indices, expected {}: {}", i, levels.size(), expected));
    }
    std::array<std::uint64_t, 6> field{};  // rank, pseudo channel, bank group, bank, row, column
    for (std::size_t l = 1; l < levels.size(); ++l) {
      const std::string_view name = levels[l].name;
      field[name == "rank"             ? 0
            : name == "pseudo channel" ? 1
            : name == "bank group"     ? 2
            : name == "bank"           ? 3
            : name == "row"            ? 4
                                       : 5] = index[l];
    }
    return address_of(channel, field[0], field[1], field[2], field[3], field[4], field[5]);
  }

  bool next(TrafficRequest& r) {
    if (options.limit > 0 && requests == options.limit) return false;
    if (!next_line()) {
      if (requests == 0)
        throw InputError(lines.here(), "holds no request, expected " + std::string(expectation(format)));
      return false;
    }
    r = {0, options.request_bytes, Op::kRead, 0};
    int address_column = 1;
    if (format == AddressTraceFormat::kCsv) {
      const std::size_t comma = line.find(',');
      if (comma == std::string::npos) wrong_line();
      const std::string_view text = line;
      if (!is_op(text.substr(0, comma), r.op)) wrong(1, text.substr(0, comma), "R or W");
      address_column = static_cast<int>(comma) + 2;
      r.address = number(text.substr(comma + 1), address_column, "a hexadecimal address", 16);
    } else {
      const Words w = split(without_comment(line));
      const auto at_most = [&](std::size_t most) {
        if (w.count > most)
          wrong(most < 5 ? w.column[most] : 0, most < 5 ? w.word[most] : "more words", "the line to end here");
      };
      switch (format) {
        case AddressTraceFormat::kDramsim3:
          r.address = number(w.word[0], 1, "a hexadecimal address, 0x...", 16);
          address_column = w.column[0];
          r.op = op(w, 1);
          if (w.count > 2) r.not_before = cycle(w.word[2], w.column[2]);
          at_most(3);
          break;
        case AddressTraceFormat::kLoadStore:
          r.op = op(w, 0);
          if (w.count < 2) wrong_line();
          address_column = w.column[1];
          r.address = number(w.word[1], address_column, "an address: 0x... or a whole number");
          at_most(2);
          break;
        case AddressTraceFormat::kVector:
          r.op = op(w, 0);
          if (w.count < 2) wrong_line();
          address_column = w.column[1];
          r.address = vector_address(w.word[1], address_column);
          r.length = static_cast<std::uint32_t>(channel.burst_bytes());
          at_most(2);
          break;
        case AddressTraceFormat::kStl: {
          if (w.count < 3) wrong_line();
          if (w.word[0].back() != ':') wrong(w.column[0], w.word[0], "a cycle and a colon");
          r.not_before = cycle(w.word[0].substr(0, w.word[0].size() - 1), w.column[0]);
          std::size_t i = 1;
          if (w.word[1].front() == '(') {
            std::uint64_t bytes = 0;
            if (w.word[1].back() != ')' || !to_number(w.word[1].substr(1, w.word[1].size() - 2), bytes) || bytes == 0 ||
                bytes > (1u << 20))
              wrong(w.column[1], w.word[1], "a length in bytes from 1 to 1048576 in parentheses");
            r.length = static_cast<std::uint32_t>(bytes);
            i = 2;
          }
          r.op = op(w, i);
          if (++i >= w.count) wrong_line();
          address_column = w.column[i];
          r.address = number(w.word[i], address_column, "an address, 0x...", 16);
          at_most(r.op == Op::kWrite ? i + 2 : i + 1);
          break;
        }
        case AddressTraceFormat::kCsv:
          break;
      }
    }
    // As those simulators take it: such a line is one request for one burst, and the low bits of its address name a byte in it.
    const auto burst = static_cast<std::uint64_t>(channel.burst_bytes());
    if (format != AddressTraceFormat::kStl && !options.any_channel && r.length == burst && r.address % burst != 0) {
      r.address -= r.address % burst;
      ++inside_burst;
    }
    if (!options.any_channel && (r.address >= capacity || r.length > capacity - r.address)) {
      if (!options.wrap) {
        char text[160];
        std::snprintf(text, sizeof text,
                      "address 0x%llx with %u bytes ends beyond the channel's 0x%llx bytes, expected less (or --wrap)",
                      static_cast<unsigned long long>(r.address), r.length, static_cast<unsigned long long>(capacity));
        throw InputError(lines.here(address_column), text);
      }
      r.address %= capacity;
      ++wrapped;
    }
    ++requests;
    if (r.op == Op::kWrite) ++writes;
    return true;
  }
};

AddressTrace::AddressTrace(const std::string& file, const dram::Config& channel, const AddressTraceOptions& options)
    : impl_(std::make_unique<Impl>(file, channel, options)) {}
AddressTrace::~AddressTrace() = default;

bool AddressTrace::next(TrafficRequest& r) { return impl_->next(r); }
AddressTraceFormat AddressTrace::format() const { return impl_->format; }
bool AddressTrace::has_cycles() const { return impl_->has_cycles; }
std::uint64_t AddressTrace::requests() const { return impl_->requests; }
std::uint64_t AddressTrace::writes() const { return impl_->writes; }
std::uint64_t AddressTrace::wrapped() const { return impl_->wrapped; }
std::uint64_t AddressTrace::inside_burst() const { return impl_->inside_burst; }
std::int64_t AddressTrace::last_cycle() const { return static_cast<std::int64_t>(impl_->last_cycle); }

}  // namespace harmonia::testbench
