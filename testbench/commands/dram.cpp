// `harmonia dram`: a bare DRAM channel under generated traffic or an address trace.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
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
#include "harmonia/hw/dram/engine.h"
#include "harmonia/hw/dram/standard.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/dram/address_trace.h"
#include "harmonia/testbench/dram/channel_file.h"
#include "harmonia/testbench/dram/dram_result.h"
#include "harmonia/testbench/dram/traffic.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/output_file.h"
#include "harmonia/testbench/files/output_folder.h"
#include "harmonia/testbench/files/progress.h"

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

int dram_command(const std::vector<std::string>& arguments) {
  Arguments a(kDramCommand);
  std::string config_name, trace, kind, commands, per_request, output;
  std::vector<std::string> set;
  std::int64_t requests = 0, in_flight = 64, request_bytes = 64;
  double gap = 0, trace_mhz = 0;
  bool wrap = false, json = false;
  a.text("config", config_name, "PRESET|FILE", "channel: a preset (`harmonia list drams`), a YAML file, or FILE:NAME")
      .text("trace", trace, "FILE", "address trace, gzip or not (docs/dram-command.md)")
      .text("traffic", kind, "KIND", "generated: seq, stride, rand, mix, decode64 or decode4k")
      .integer("requests", requests, 1, kMostRequests, "N",
               "requests to generate (100000), or to take of a trace (all)")
      .integer("in-flight", in_flight, 1, 65535, "K", "most requests under way (64)")
      .number("gap", gap, 0, 1e9, "G", "request i is offered not before cycle i x G (0)")
      .integer("request-bytes", request_bytes, 1, 1 << 20, "B",
               "bytes of a request: of a trace any, of seq and decode4k a power of two (64)")
      .number("trace-mhz", trace_mhz, 0.001, 1e6, "F", "clock of the trace's cycles (the channel's clock)")
      .flag("wrap", wrap, "wrap addresses of a trace that lie beyond the channel")
      .text("commands", commands, "FILE", "write every command as CSV, gzip when the name ends in .gz")
      .text("per-request", per_request, "FILE", "write every request with its times as CSV")
      .flag("json", json, "print result.json instead of the summary")
      .texts("set", set, "KEY=VALUE", "replace one key of the channel; may be repeated, later ones win")
      .text("output,o", output, "DIR", "result folder; appears complete or not at all");
  if (!a.parse(arguments)) return 0;
  if (config_name.empty()) fail("--config is missing, expected a DRAM preset (`harmonia list drams`) or a file");
  if (trace.empty() == kind.empty())
    fail(trace.empty() ? "expected --trace FILE or --traffic KIND"
                       : "--trace and --traffic are both given, expected one of them");
  if (!kind.empty() && (wrap || trace_mhz > 0)) fail("--wrap and --trace-mhz are of a trace, expected --trace");

  DramResult result;
  result.channel = load_channel(config_name, set);
  result.config_name = config_name;
  result.in_flight = static_cast<int>(in_flight);
  result.gap_cycles = gap;
  result.request_bytes = static_cast<std::uint32_t>(request_bytes);
  result.version = HARMONIA_VERSION;
  const dram::Config& channel = result.channel.config;

  std::unique_ptr<TrafficSource> source;
  const AddressTrace* read_trace = nullptr;
  if (!trace.empty()) {
    AddressTraceOptions options;
    options.request_bytes = result.request_bytes;
    options.clock_mhz = trace_mhz;
    options.wrap = wrap;
    options.limit = static_cast<std::uint64_t>(requests);
    auto opened = std::make_unique<AddressTrace>(trace, channel, options);
    read_trace = opened.get();
    source = std::move(opened);
    result.traffic = "trace";
    result.trace_file = trace;
    result.trace_format = name_of(read_trace->format());
  } else {
    if (requests == 0) requests = kDefaultRequests;
    if (gap * static_cast<double>(requests) > static_cast<double>(kLatestTraceCycle))
      fail("--gap times --requests is more than " + std::to_string(kLatestTraceCycle) + " cycles");
    const std::vector<std::string> kinds = traffic_kinds();
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
      fail("unknown traffic '" + config::printable(kind) + "'" + config::nearest_hint(kind, kinds, "traffic"));
    try {
      result.window_bytes = traffic_window(channel);
      source = make_traffic(kind, static_cast<std::uint64_t>(requests), result.request_bytes, result.window_bytes);
    } catch (const InputError& e) {
      fail(e.what());
    }
    result.traffic = kind;
  }

  const InterruptGuard guard;
  std::unique_ptr<OutputFolder> folder;
  if (!output.empty()) folder = std::make_unique<OutputFolder>(output);
  std::unique_ptr<CommandFile> command_file;
  std::unique_ptr<RequestFile> request_file;
  if (!commands.empty()) command_file = std::make_unique<CommandFile>(placed(commands, folder.get()), channel);
  if (!per_request.empty()) request_file = std::make_unique<RequestFile>(placed(per_request, folder.get()));

  const auto started = std::chrono::steady_clock::now();
  {
    std::unique_ptr<Progress> progress;
    if (requests > 0) progress = std::make_unique<Progress>("requests", static_cast<double>(requests));
    Watched watched(*source, progress.get());
    dram::Engine engine(channel);
    if (command_file) engine.add_observer(command_file.get());
    TrafficLimits limits;
    limits.in_flight = result.in_flight;
    limits.gap_cycles = gap;
    std::function<void(const RequestRecord&)> on_done;
    if (request_file) on_done = [&](const RequestRecord& r) { request_file->add(r); };
    result.run = run_traffic(engine, watched, limits, on_done);
    result.complete = !watched.stopped();
  }
  result.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (read_trace) {
    result.wrapped = read_trace->wrapped();
    result.inside_burst = read_trace->inside_burst();
  }

  const std::string text = summary(result), document = to_json(result);
  if (folder) {
    folder->write("result.json", document);
    folder->write("summary.txt", text);
  }
  std::string written;
  if (command_file) put_in_place(command_file->file(), commands, result.complete);
  if (request_file) put_in_place(request_file->file(), per_request, result.complete);
  if (folder && result.complete) {
    folder->commit();
    written = "written to " + folder->target().string();
  } else if (folder) {
    written = folder->commit_interrupted();
  }
  std::cout << (json ? document : text);
  if (folder && !json) std::cout << '\n' << written << '\n';
  require_checks(result);
  return result.complete ? 0 : 1;
}

}  // namespace

const Command kDramCommand = {
    "dram", "--config PRESET|FILE (--trace FILE | --traffic KIND) [--requests N] [--in-flight K] [--gap G] [-o DIR]",
    "Feeds a bare DRAM channel with generated traffic or an address trace and says what it delivers.", dram_command};

}  // namespace harmonia::testbench
