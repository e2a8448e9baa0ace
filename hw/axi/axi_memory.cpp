#include "harmonia/hw/axi/axi_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "harmonia/config/error.h"

namespace harmonia::axi {
namespace {

constexpr unsigned kMostBeats = 256;

AxiMemoryConfig checked(const AxiMemoryConfig& c) {
  if (c.bus_bytes == 0 || c.bus_bytes > kMaxBusBytes || (c.bus_bytes & (c.bus_bytes - 1)) != 0)
    throw config::InputError(fmt::format(
        "bus_bytes: {} is no width of an AXI data bus, expected a power of two up to {}", c.bus_bytes, kMaxBusBytes));
  if (c.clock_ps < 0 || c.clock_ps > 1'000'000'000)
    throw config::InputError(fmt::format("clock_ps: {} is not a period, expected 0 (as the DRAM) to 10^9", c.clock_ps));
  if (c.outstanding == 0 || c.outstanding > 65536)
    throw config::InputError(fmt::format("outstanding: {}, expected 1 to 65536", c.outstanding));
  return c;
}

}  // namespace

dram::Config channel_of(const std::string& text) {
  std::istringstream words(text);
  std::string word;
  if (!(words >> word)) throw config::InputError("a memory without a preset, expected \"PRESET key=value ...\"");
  dram::Config channel = dram::find_preset(word);
  while (words >> word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
      throw config::InputError(fmt::format("{}: expected key=value after the preset of a memory", word));
    dram::set_key(channel, word.substr(0, equals), word.substr(equals + 1));
  }
  channel.finish();
  return channel;
}

AxiMemory::AxiMemory(const dram::Config& channel, const AxiMemoryConfig& config)
    : channel_(channel), config_(checked(config)), engine_(channel), storage_(channel.capacity_bytes()) {}

const SlavePins& AxiMemory::clock(bool resetn, const MasterPins& master) {
  if (resetn)
    take(master);
  else
    reset();
  offer();
  collect();
  ++edge_;
  if (resetn) drive();
  return out_;
}

void AxiMemory::reset() {
  out_ = {};
  addresses_.clear();
  bursts_.clear();
  data_open_ = false;
  open_reads_ = open_writes_ = 0;
  waiting_.clear();
  reads_.clear();
  writes_.clear();
  read_tag_ = 0;
}

/// The handshakes of this edge.
void AxiMemory::take(const MasterPins& master) {
  if (master.ar_valid && out_.ar_ready) {
    ++open_reads_;
    Request read;
    read.burst = master.ar;
    arrive(std::move(read));
  }
  if (master.aw_valid && out_.aw_ready) {
    ++open_writes_;
    addresses_.push_back(master.aw);
  }
  if (master.w_valid && out_.w_ready) take_data(master);
  pair_writes();
  if (out_.b_valid && master.b_ready) {
    out_.b_valid = false;
    --open_writes_;
  }
  if (out_.r_valid && master.r_ready) {
    out_.r_valid = false;
    ++read_beat_;
    if (out_.r_last) {
      remove(reads_, read_tag_);
      read_tag_ = 0;
      --open_reads_;
    }
  }
}

void AxiMemory::take_data(const MasterPins& master) {
  if (!data_open_) bursts_.emplace_back();
  bursts_.back().push_back({master.w_data, master.w_strobes});
  // A burst without WLAST ends where every burst ends.
  data_open_ = !master.w_last && bursts_.back().size() < kMostBeats;
}

void AxiMemory::pair_writes() {
  while (!addresses_.empty() && !bursts_.empty() && !(data_open_ && bursts_.size() == 1)) {
    Request write;
    write.write = true;
    write.burst = addresses_.front();
    fill(write, bursts_.front());
    addresses_.pop_front();
    bursts_.pop_front();
    arrive(std::move(write));
  }
}

/// Gathers the bytes of a write's beats. Later beats replace earlier ones.
void AxiMemory::fill(Request& write, const Beats& beats) const {
  if (fault_of(write.burst, config_.bus_bytes) || beats.size() != write.burst.beats()) {
    write.response = kSlverr;
    return;
  }
  const Range range = touched(write.burst);
  write.data.assign(range.bytes, 0);
  write.enables.assign(range.bytes, 0);
  for (unsigned i = 0; i < beats.size(); ++i) {
    const Beat beat = beat_of(write.burst, i, config_.bus_bytes);
    for (unsigned b = 0; b < beat.bytes; ++b) {
      const unsigned lane = beat.lane + b;
      if ((beats[i].strobes[lane / 64] >> (lane % 64) & 1) == 0) continue;
      write.data[beat.address + b - range.first] = beats[i].data[lane];
      write.enables[beat.address + b - range.first] = 0xff;
    }
  }
}

void AxiMemory::arrive(Request request) {
  request.tag = ++last_tag_;
  const Range range = touched(request.burst);
  if (fault_of(request.burst, config_.bus_bytes))
    request.response = kSlverr;
  else if (request.response == kOkay && !storage_.contains(range.first, range.bytes))
    request.response = kDecerr;
  if (request.response == kOkay)
    waiting_.push_back(request.tag);
  else
    request.done_ps = time_ps(edge_ + 1);
  (request.write ? writes_ : reads_).push_back(std::move(request));
}

/// The DRAM's clock edges from this edge of ACLK to the next: one request is taken at each.
void AxiMemory::offer() {
  const Cycle first = channel_.cycle_at(time_ps(edge_)), end = channel_.cycle_at(time_ps(edge_ + 1));
  for (Cycle at = first; at < end && !waiting_.empty(); ++at) {
    if (!push_first(at)) {
      // Room may have come since the engine was last told the time.
      engine_.advance(at);
      push_first(at);
    }
    wake_ = engine_.next_wake(!waiting_.empty());
  }
  // An answer that is due at the next edge may become known only there, and it is driven before.
  if (end >= wake_) {
    engine_.advance(end);
    wake_ = engine_.next_wake(!waiting_.empty());
  }
}

bool AxiMemory::push_first(Cycle at) {
  Request& request = *find(waiting_.front());
  const dram::Op op = request.write ? dram::Op::kWrite : dram::Op::kRead;
  if (!engine_.can_accept(op)) return false;
  const Range range = touched(request.burst);
  if (request.write) {
    storage_.write(range.first, request.data.data(), range.bytes, {request.enables.data(), request.enables.size()});
  } else {
    request.data.resize(range.bytes);
    storage_.read(range.first, request.data.data(), range.bytes);
  }
  engine_.push({range.first, range.bytes, op, request.tag}, at);
  waiting_.pop_front();
  return true;
}

void AxiMemory::collect() {
  std::vector<dram::Completion>& completions = engine_.completions();
  for (const dram::Completion& completion : completions)
    if (Request* request = find(completion.tag)) request->done_ps = channel_.time_ps(completion.done);
  completions.clear();  // those of requests that a reset dropped, too
}

AxiMemory::Request* AxiMemory::find(std::uint64_t tag) {
  for (std::deque<Request>* requests : {&reads_, &writes_})
    for (Request& request : *requests)
      if (request.tag == tag) return &request;
  return nullptr;
}

void AxiMemory::remove(std::deque<Request>& requests, std::uint64_t tag) {
  requests.erase(std::find_if(requests.begin(), requests.end(), [&](const Request& r) { return r.tag == tag; }));
}

/// Of the requests that may be answered at the next edge the one that was complete first; in order within an id.
AxiMemory::Request* AxiMemory::next_response(std::deque<Request>& requests) {
  Request* best = nullptr;
  for (auto candidate = requests.begin(); candidate != requests.end(); ++candidate) {
    if (candidate->done_ps < 0 || candidate->done_ps > time_ps(edge_)) continue;
    if (best && candidate->done_ps >= best->done_ps) continue;
    const bool in_order = std::none_of(requests.begin(), candidate,
                                       [&](const Request& earlier) { return earlier.burst.id == candidate->burst.id; });
    if (in_order) best = &*candidate;
  }
  return best;
}

/// The outputs that are sampled at the next edge, which `edge_` counts already.
void AxiMemory::drive() {
  out_.ar_ready = open_reads_ < config_.outstanding;
  out_.aw_ready = open_writes_ < config_.outstanding;
  out_.w_ready = data_open_ || bursts_.size() < config_.outstanding;
  if (!out_.b_valid) {
    if (const Request* done = next_response(writes_)) {
      out_.b_valid = true;
      out_.b_id = done->burst.id;
      out_.b_response = done->response;
      remove(writes_, done->tag);
    }
  }
  if (!out_.r_valid) drive_read_beat();
}

void AxiMemory::drive_read_beat() {
  if (read_tag_ == 0) {
    const Request* done = next_response(reads_);
    if (!done) return;
    read_tag_ = done->tag;
    read_beat_ = 0;
  }
  const Request& read = *find(read_tag_);
  out_.r_valid = true;
  out_.r_id = read.burst.id;
  out_.r_response = read.response;
  out_.r_last = read_beat_ == read.burst.length;
  out_.r_data.fill(0);
  if (read.response != kOkay) return;
  const Beat beat = beat_of(read.burst, read_beat_, config_.bus_bytes);
  const Range range = touched(read.burst);
  std::copy_n(read.data.begin() + static_cast<std::ptrdiff_t>(beat.address - range.first), beat.bytes,
              out_.r_data.begin() + beat.lane);
}

}  // namespace harmonia::axi
