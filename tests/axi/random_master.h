// An AXI4 master with random transactions and random valid and ready, which knows every byte that it must read.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "harmonia/hw/axi/pins.h"

namespace harmonia::test {

struct MasterOptions {
  std::uint64_t seed = 1;
  std::uint64_t transactions = 1000;
  unsigned bus_bytes = 8;
  unsigned ids = 16;
  std::uint64_t window_bytes = 1 << 20;
  unsigned outstanding = 48;
  double start = 0.5, data = 0.7, ready = 0.7;  // chance in each cycle of: a new address, a new beat, a ready
  bool narrow = true;
};

class RandomMaster {
 public:
  /// One transaction as its pins told.
  struct Seen {
    axi::Burst burst;
    bool write;
    std::int64_t arrival = -1, first = -1, last = -1;  // edges: request complete, response valid, response taken
  };

  explicit RandomMaster(const MasterOptions& options)
      : options_(options), random_(options.seed), contents_(options.window_bytes, 0) {}

  const std::vector<Seen>& seen() const { return seen_; }
  const std::vector<std::string>& faults() const { return faults_; }
  bool done() const { return answered_ == options_.transactions; }

  /// What to drive at the next edge.
  const axi::MasterPins& drive() {
    if (chance(options_.start)) make();
    if (!pins_.aw_valid && !addresses_.empty() && chance(options_.start)) {
      pins_.aw_valid = true;
      pins_.aw = seen_[addresses_.front()].burst;
    }
    if (!pins_.ar_valid && !reads_.empty() && chance(options_.start)) {
      pins_.ar_valid = true;
      pins_.ar = seen_[reads_.front()].burst;
    }
    if (!pins_.w_valid && !beats_.empty() && chance(options_.data)) {
      const WriteBeat& beat = beats_.front();
      pins_.w_valid = true;
      pins_.w_data = beat.data;
      pins_.w_strobes = beat.strobes;
      pins_.w_last = beat.last;
    }
    pins_.b_ready = chance(options_.ready);
    pins_.r_ready = chance(options_.ready);
    return pins_;
  }

  /// What the slave drove at that edge.
  void sampled(std::int64_t edge, const axi::SlavePins& slave) {
    if (pins_.ar_valid && slave.ar_ready) {
      seen_[reads_.front()].arrival = edge;
      open_reads_[pins_.ar.id].push_back(reads_.front());
      reads_.pop_front();
      pins_.ar_valid = false;
    }
    if (pins_.aw_valid && slave.aw_ready) {
      open_writes_[pins_.aw.id].push_back(addresses_.front());
      arrive(addresses_.front(), edge);
      addresses_.pop_front();
      pins_.aw_valid = false;
    }
    if (pins_.w_valid && slave.w_ready) {
      if (pins_.w_last) arrive(beats_.front().of, edge);
      beats_.pop_front();
      pins_.w_valid = false;
    }
    if (slave.b_valid) take_response(edge, slave);
    if (slave.r_valid) take_data(edge, slave);
  }

 private:
  struct WriteBeat {
    std::size_t of;
    bool last;
    std::array<std::uint8_t, axi::kMaxBusBytes> data{};
    std::array<std::uint64_t, 2> strobes{};
  };

  bool chance(double p) { return std::uniform_real_distribution<double>(0, 1)(random_) < p; }
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  void fault(const std::string& text) {
    if (faults_.size() < 20) faults_.push_back(text);
  }
  std::uint8_t* at(std::uint64_t address) { return &contents_[address]; }

  axi::Burst random_burst() {
    axi::Burst burst;
    burst.id = static_cast<std::uint32_t>(below(options_.ids));
    unsigned widest = 0;
    while ((2U << widest) <= options_.bus_bytes) ++widest;
    burst.size = static_cast<std::uint8_t>(options_.narrow && chance(0.3) ? below(widest + 1) : widest);
    burst.address = below(options_.window_bytes);
    const std::uint64_t kind = below(4);
    if (kind == 0) {
      burst.type = axi::BurstType::kWrap;
      burst.length = static_cast<std::uint8_t>((2U << below(4)) - 1);
      burst.address &= ~(std::uint64_t{burst.beat_bytes()} - 1);
    } else if (kind == 1 && chance(0.1)) {
      burst.type = axi::BurstType::kFixed;
      burst.length = static_cast<std::uint8_t>(below(16));
    } else {
      burst.length = static_cast<std::uint8_t>(chance(0.9) ? below(16) : below(256));
      if (chance(0.6)) burst.address &= ~(std::uint64_t{burst.beat_bytes()} - 1);
    }
    return burst;
  }

  /// One more transaction, unless it meets bytes that are under way.
  void make() {
    if (made_ == options_.transactions || open_.size() >= options_.outstanding) return;
    const axi::Burst burst = random_burst();
    const axi::Range range = axi::touched(burst);
    if (axi::fault_of(burst, options_.bus_bytes) || range.first + range.bytes > options_.window_bytes) return;
    const bool write = chance(0.5);
    for (const auto& [number, other] : open_) {
      const bool apart = range.first + range.bytes <= other.first || other.first + other.bytes <= range.first;
      if (!apart && (write || seen_[number].write)) return;
    }
    const std::size_t number = seen_.size();
    ++made_;
    seen_.push_back({burst, write});
    open_[number] = range;
    if (!write) {
      expected_[number].assign(at(range.first), at(range.first) + range.bytes);
      reads_.push_back(number);
      return;
    }
    addresses_.push_back(number);
    missing_[number] = 2;
    for (unsigned i = 0; i < burst.beats(); ++i) make_beat(number, burst, i);
  }

  void make_beat(std::size_t number, const axi::Burst& burst, unsigned index) {
    WriteBeat beat{number, index == burst.length};
    for (std::uint8_t& byte : beat.data) byte = static_cast<std::uint8_t>(random_());
    const axi::Beat bytes = axi::beat_of(burst, index, options_.bus_bytes);
    const bool all = chance(0.7);
    for (unsigned b = 0; b < bytes.bytes; ++b) {
      if (!all && chance(0.5)) continue;
      const unsigned lane = bytes.lane + b;
      beat.strobes[lane / 64] |= std::uint64_t{1} << (lane % 64);
      *at(bytes.address + b) = beat.data[lane];
    }
    beats_.push_back(beat);
  }

  /// A write arrives with the later one of its address and its last data.
  void arrive(std::size_t number, std::int64_t edge) {
    if (--missing_[number] != 0) return;
    missing_.erase(number);
    seen_[number].arrival = edge;
  }

  void take_response(std::int64_t edge, const axi::SlavePins& slave) {
    std::deque<std::size_t>& open = open_writes_[slave.b_id];
    if (open.empty()) return fault("B of an id without a write");
    Seen& write = seen_[open.front()];
    if (write.first < 0) write.first = edge;
    if (!pins_.b_ready) return;
    if (slave.b_response != axi::kOkay) fault("BRESP " + std::to_string(slave.b_response));
    write.last = edge;
    open_.erase(open.front());
    open.pop_front();
    ++answered_;
  }

  void take_data(std::int64_t edge, const axi::SlavePins& slave) {
    std::deque<std::size_t>& open = open_reads_[slave.r_id];
    if (open.empty()) return fault("R of an id without a read");
    const std::size_t number = open.front();
    Seen& read = seen_[number];
    if (read.first < 0) read.first = edge;
    if (!pins_.r_ready) return;
    if (slave.r_response != axi::kOkay) fault("RRESP " + std::to_string(slave.r_response));
    const axi::Beat beat = axi::beat_of(read.burst, read_beats_[number], options_.bus_bytes);
    const std::uint64_t first = axi::touched(read.burst).first;
    for (unsigned b = 0; b < beat.bytes; ++b) {
      if (slave.r_data[beat.lane + b] == expected_[number][beat.address + b - first]) continue;
      fault("wrong byte at address " + std::to_string(beat.address + b) + " in edge " + std::to_string(edge));
      break;
    }
    ++read_beats_[number];
    if (!slave.r_last) return;
    read.last = edge;
    read_beats_.erase(number);
    expected_.erase(number);
    open_.erase(number);
    open.pop_front();
    ++answered_;
  }

  MasterOptions options_;
  std::mt19937_64 random_;
  std::vector<std::uint8_t> contents_;
  axi::MasterPins pins_;
  std::vector<Seen> seen_;
  std::vector<std::string> faults_;
  std::uint64_t made_ = 0, answered_ = 0;
  std::map<std::size_t, axi::Range> open_;
  std::deque<std::size_t> addresses_, reads_;
  std::deque<WriteBeat> beats_;
  std::map<std::size_t, int> missing_;
  std::map<std::size_t, std::vector<std::uint8_t>> expected_;
  std::map<std::size_t, unsigned> read_beats_;
  std::map<std::uint32_t, std::deque<std::size_t>> open_writes_, open_reads_;
};

}  // namespace harmonia::test
