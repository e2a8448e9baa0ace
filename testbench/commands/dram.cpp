// `harmonia dram`: a bare DRAM channel under generated traffic or an address trace.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/dram/coverage.h"
#include "harmonia/hw/dram/engine.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/coverage/coverage_result.h"
#include "harmonia/testbench/dram/address_trace.h"
#include "harmonia/testbench/dram/channel_file.h"
#include "harmonia/testbench/dram/dram_result.h"
#include "harmonia/testbench/dram/traffic.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/scenario/portable_name.h"

namespace harmonia::testbench {
namespace {

namespace fs = std::filesystem;
using config::InputError;

constexpr std::int64_t kDefaultRequests = 100000;
constexpr std::int64_t kMostRequests = 1000000000000;

[[noreturn]] void fail(const std::string& message) { throw InputError({"command line", 0, 0}, message); }

/// A number and what follows it, appended to a line.
void put(std::string& line, std::int64_t value, char after) {
  char text[24];
  line.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  line += after;
}

/// Commands as CSV: cycle,cmd,rank_or_pc,bankgroup,bank_in_group,row,col; columns count beats, -1 means none. The cycle
/// is that of a command's first edge; on LPDDR4, whose timing counts between last edges of commands of two and four
/// clocks, that of its last.
class CommandFile : public dram::CommandObserver {
 public:
  CommandFile(const fs::path& file, const dram::Config& c)
      : file_(file), beats_(c.BL), split_(c.standard->split_activate), standard_(*c.standard) {
    file_.write("cycle,cmd,rank_or_pc,bankgroup,bank_in_group,row,col\n");
  }
  void on_command(const dram::Command& c) override {
    line_.clear();
    const int edge =
        standard_.trace_shows_last_edge ? standard_.command_cycles[static_cast<std::size_t>(c.cmd)] - 1 : 0;
    put(line_, c.cycle + edge, ',');
    line_ += dram::cmd_name(c.cmd, split_);
    line_ += ',';
    put(line_, c.unit, ',');
    put(line_, c.bankgroup, ',');
    put(line_, c.bank_in_group, ',');
    put(line_, c.row, ',');
    put(line_, c.column < 0 ? c.column : static_cast<std::int64_t>(c.column) * beats_, '\n');
    file_.write(line_);
  }
  OutputFile& file() { return file_; }

 private:
  OutputFile file_;
  int beats_;
  bool split_;
  const dram::Standard& standard_;
  std::string line_;
};

/// Requests as CSV in their own order: id,op,addr_hex,arrive_cycle,done_cycle.
class RequestFile {
 public:
  explicit RequestFile(const fs::path& file) : file_(file) { file_.write("id,op,addr_hex,arrive_cycle,done_cycle\n"); }
  void add(const RequestRecord& r) {
    if (r.index != next_) {
      waiting_.emplace(r.index, r);
      return;
    }
    write(r);
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      write(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
    }
  }
  OutputFile& file() { return file_; }

 private:
  void write(const RequestRecord& r) {
    line_.clear();
    put(line_, static_cast<std::int64_t>(r.index), ',');
    line_ += r.op == dram::Op::kRead ? "R," : "W,";
    char text[24];
    line_.append(text, std::to_chars(text, text + sizeof text, r.address, 16).ptr);
    line_ += ',';
    put(line_, r.arrive, ',');
    put(line_, r.done, '\n');
    file_.write(line_);
    ++next_;
  }

  OutputFile file_;
  std::map<std::uint64_t, RequestRecord> waiting_;  // answered before an earlier request
  std::uint64_t next_ = 0;
  std::string line_;
};

/// Shows progress and stops at an interrupt.
class Watched : public TrafficSource {
 public:
  Watched(TrafficSource& inner, Progress* progress) : inner_(inner), progress_(progress) {}
  bool next(TrafficRequest& r) override {
    if (++count_ % 4096 == 0) {
      if (interrupted()) return stopped_ = true, false;
      if (progress_) progress_->update(static_cast<double>(count_));
    }
    return inner_.next(r);
  }
  bool stopped() const { return stopped_; }

 private:
  TrafficSource& inner_;
  Progress* progress_;
  std::uint64_t count_ = 0;
  bool stopped_ = false;
};

/// A file named inside the result folder is written with it.
fs::path placed(const std::string& file, const OutputFolder* folder) {
  if (!folder) return file;
  std::error_code ignored;
  const fs::path inside = fs::absolute(file, ignored).lexically_normal().lexically_relative(folder->target());
  return inside.empty() || *inside.begin() == ".." || inside == "." ? fs::path(file) : folder->path() / inside;
}

void put_in_place(OutputFile& file, const std::string& name, bool complete) {
  if (complete) return file.commit();
  const fs::path kept = file.commit_interrupted();
  if (kept.extension() == ".interrupted")
    std::cerr << "interrupted: " << name << " is still the earlier file, what was finished is in " << kept.string()
              << '\n';
}

/// What is written must not replace what is read, or what is written too. Devices hold nothing.
void require_different_files(const std::vector<std::pair<const char*, std::string>>& named) {
  for (std::size_t i = 0; i < named.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) {
      const auto& [option, file] = named[i];
      const auto& [other, before] = named[k];
      std::error_code ignored;
      if (file.empty() || before.empty()) continue;
      const std::filesystem::path place = std::filesystem::weakly_canonical(file, ignored);
      if (place != std::filesystem::weakly_canonical(before, ignored)) continue;
      if (std::filesystem::exists(place, ignored) && !std::filesystem::is_regular_file(place, ignored)) continue;
      throw config::InputError(fmt::format("command line: {} names the file of {} ('{}'), expected another", option,
                                           other, config::printable(file)));
    }
}

struct Options {
  std::string config_name, trace, kind, commands, per_request, coverage, output;
  std::vector<std::string> set;
  std::int64_t requests = 0, in_flight = 64, request_bytes = 64;
  double gap = 0, trace_mhz = 0;
  bool wrap = false;
  Printing printing;
};

/// False when only help was asked for.
bool parse(const std::vector<std::string>& arguments, Options& o) {
  Arguments a(kDramCommand);
  a.text("config", o.config_name, "PRESET|FILE",
         "channel to simulate: a preset (`harmonia list drams`), a YAML file, or FILE:NAME")
      .text("trace", o.trace, "FILE", "address trace, plain or gzip (docs/dram-command.md)")
      .text("traffic", o.kind, "KIND", "generated traffic: seq, stride, rand, mix, decode64 or decode4k")
      .choices(traffic_kinds())
      .integer("requests", o.requests, 1, kMostRequests, "N",
               "number of requests to generate (100000), or to read from the trace (all)")
      .integer("in-flight", o.in_flight, 1, 65535, "K", "largest number of requests in flight (64)")
      .number("gap", o.gap, 0, 1e9, "G", "offer request i no earlier than in cycle i x G (0)")
      .integer("request-bytes", o.request_bytes, 1, 1 << 20, "B",
               "bytes per request: any number for a trace, a power of two for seq and decode4k (64)")
      .number("trace-mhz", o.trace_mhz, 0.001, 1e6, "F",
              "clock frequency of the cycles in the trace (default: the channel's clock)")
      .flag("wrap", o.wrap, "wrap trace addresses beyond the capacity of the channel")
      .text("commands", o.commands, "FILE", "write every command as CSV, gzip when the name ends in .gz")
      .text("per-request", o.per_request, "FILE", "write every request with its times as CSV")
      .text("coverage", o.coverage, "FILE", "write functional coverage of the commands as UCIS XML (docs/coverage.md)")
      .printing(o.printing)
      .texts("set", o.set, "KEY=VALUE", "replace one key of the channel; later ones win")
      .text(
          "output,o", o.output, "DIR",
          "result folder; appears complete or not at all. Of - or a device or pipe: the result as JSON, written there");
  if (!a.parse(arguments)) return false;
  if (o.config_name.empty()) fail("--config is missing, expected a DRAM preset (`harmonia list drams`) or a file");
  if (o.trace.empty() == o.kind.empty())
    fail(o.trace.empty() ? "expected --trace FILE or --traffic KIND"
                         : "--trace and --traffic are both given, expected one of them");
  require_different_files(
      {{"--trace", o.trace}, {"--per-request", o.per_request}, {"--commands", o.commands}, {"--coverage", o.coverage}});
  if (!o.kind.empty() && (o.wrap || o.trace_mhz > 0)) fail("--wrap and --trace-mhz are of a trace, expected --trace");
  if (!o.kind.empty() && o.requests == 0) o.requests = kDefaultRequests;
  return true;
}

std::unique_ptr<AddressTrace> open_trace(const Options& o, DramResult& result) {
  AddressTraceOptions options;
  options.request_bytes = result.request_bytes;
  options.clock_mhz = o.trace_mhz;
  options.wrap = o.wrap;
  options.limit = static_cast<std::uint64_t>(o.requests);
  auto opened = std::make_unique<AddressTrace>(o.trace, result.channel.config, options);
  result.traffic = "trace";
  result.trace_file = portable_name(o.trace);
  result.trace_format = name_of(opened->format());
  return opened;
}

std::unique_ptr<TrafficSource> generate(const Options& o, DramResult& result) {
  if (o.gap * static_cast<double>(o.requests) > static_cast<double>(kLatestTraceCycle))
    fail("--gap times --requests is more than " + std::to_string(kLatestTraceCycle) + " cycles");
  const std::vector<std::string> kinds = traffic_kinds();
  if (std::find(kinds.begin(), kinds.end(), o.kind) == kinds.end())
    fail("unknown traffic '" + config::printable(o.kind) + "'" + config::nearest_hint(o.kind, kinds, "traffic"));
  result.traffic = o.kind;
  try {
    result.window_bytes = traffic_window(result.channel.config);
    return make_traffic(o.kind, static_cast<std::uint64_t>(o.requests), result.request_bytes, result.window_bytes);
  } catch (const InputError& e) {
    fail(e.what());
  }
}

void simulate(const Options& o, TrafficSource& source, const std::vector<dram::CommandObserver*>& observers,
              RequestFile* per_request, DramResult& result) {
  const auto started = std::chrono::steady_clock::now();
  std::unique_ptr<Progress> progress;
  if (o.requests > 0) progress = std::make_unique<Progress>("requests", static_cast<double>(o.requests));
  Watched watched(source, progress.get());
  dram::Engine engine(result.channel.config);
  for (dram::CommandObserver* observer : observers) engine.add_observer(observer);
  TrafficLimits limits;
  limits.in_flight = result.in_flight;
  limits.gap_cycles = o.gap;
  std::function<void(const RequestRecord&)> on_done;
  if (per_request) on_done = [&](const RequestRecord& r) { per_request->add(r); };
  result.run = run_traffic(engine, watched, limits, on_done);
  result.complete = !watched.stopped();
  result.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
}

coverage::Database coverage_of(const Options& o, const DramResult& result, dram::CommandCoverage& commands) {
  std::string command = "harmonia dram --config " + result.config_name;
  command += o.trace.empty() ? " --traffic " + o.kind : " --trace " + result.trace_file;
  for (const auto& [option, value] : {std::pair<const char*, std::int64_t>{" --requests ", o.requests},
                                      {" --in-flight ", o.in_flight},
                                      {" --request-bytes ", o.request_bytes}})
    if (value > 0) command += option + std::to_string(value);
  if (o.gap > 0) command += " --gap " + exact(o.gap);
  if (o.trace_mhz > 0) command += " --trace-mhz " + exact(o.trace_mhz);
  if (o.wrap) command += " --wrap";
  for (const std::string& set : o.set) command += " --set " + set;
  return {{{result.channel.config.name + ", " + result.traffic, command, 0, result.complete}}, commands.finish()};
}

int dram_command(const std::vector<std::string>& arguments) {
  Options o;
  if (!parse(arguments, o)) return 0;
  DramResult result;
  result.channel = load_channel(o.config_name, o.set);
  result.config_name = portable_name(o.config_name);
  result.in_flight = static_cast<int>(o.in_flight);
  result.gap_cycles = o.gap;
  result.request_bytes = static_cast<std::uint32_t>(o.request_bytes);
  result.version = HARMONIA_VERSION;
  const std::unique_ptr<AddressTrace> trace = o.trace.empty() ? nullptr : open_trace(o, result);
  const std::unique_ptr<TrafficSource> generated = trace ? nullptr : generate(o, result);

  const InterruptGuard guard;
  std::unique_ptr<OutputFolder> folder;
  const bool stream = !o.output.empty() && names_stream(o.output);
  if (!o.output.empty() && !stream) folder = std::make_unique<OutputFolder>(o.output);
  std::unique_ptr<CommandFile> commands;
  std::unique_ptr<RequestFile> per_request;
  if (!o.commands.empty())
    commands = std::make_unique<CommandFile>(placed(o.commands, folder.get()), result.channel.config);
  if (!o.per_request.empty()) per_request = std::make_unique<RequestFile>(placed(o.per_request, folder.get()));

  std::unique_ptr<OutputFile> coverage_file;
  std::unique_ptr<dram::CommandCoverage> coverage;
  if (!o.coverage.empty()) {
    coverage_file = std::make_unique<OutputFile>(placed(o.coverage, folder.get()));
    coverage = std::make_unique<dram::CommandCoverage>(result.channel.config, result.channel.config.name);
  }
  std::vector<dram::CommandObserver*> observers;
  if (commands) observers.push_back(commands.get());
  if (coverage) observers.push_back(coverage.get());

  simulate(o, trace ? *trace : *generated, observers, per_request.get(), result);
  if (trace) {
    result.wrapped = trace->wrapped();
    result.inside_burst = trace->inside_burst();
  }

  const std::string text = summary(result), document = to_json(result);
  if (folder) {
    folder->write("result.json", document);
    folder->write("summary.txt", text);
  }
  std::string written;
  if (commands) put_in_place(commands->file(), o.commands, result.complete);
  if (per_request) put_in_place(per_request->file(), o.per_request, result.complete);
  if (coverage) {
    coverage_file->write(ucis_of(coverage_of(o, result, *coverage)));
    put_in_place(*coverage_file, o.coverage, result.complete);
  }
  if (folder && result.complete) {
    folder->commit();
    written = "written to " + folder->target().string();
  } else if (folder) {
    written = folder->commit_interrupted();
  }
  if (folder) written = '\n' + written + '\n';
  if (stream) o.printing = write_to_stream(o.output, document, o.printing);
  for (const std::string& file : {o.commands, o.per_request, o.coverage})
    o.printing.quiet = o.printing.quiet || names_standard_output(file);
  print_result(o.printing, text, document, written);
  require_checks(result);
  return result.complete ? 0 : 1;
}

}  // namespace

const Command kDramCommand = {
    "dram", "--config PRESET|FILE (--trace FILE | --traffic KIND) [--requests N] [--in-flight K] [--gap G] [-o DIR]",
    "Feed a DRAM channel with generated traffic or an address trace and print what it delivers", dram_command,
    "harmonia dram --config DDR4-3200 --traffic rand --requests 100000"};

}  // namespace harmonia::testbench
