#include "harmonia/hw/axi/axi_checker.h"

#include <fmt/format.h>

#include <stdexcept>

namespace harmonia::axi {
namespace {

constexpr std::size_t kKept = 1000;

bool same(const std::array<std::uint8_t, kMaxBusBytes>& a, const std::array<std::uint8_t, kMaxBusBytes>& b,
          unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i)
    if (a[i] != b[i]) return false;
  return true;
}

std::string text_of(const Burst& b) {
  static const char* types[] = {"FIXED", "INCR", "WRAP", "reserved"};
  return fmt::format("id {} address {:#x} length {} size {} {}", b.id, b.address, b.length, b.size,
                     types[static_cast<unsigned>(b.type)]);
}

}  // namespace

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {"RESET_MASTER",
       "AWVALID, WVALID and ARVALID are low while ARESETn is low and at the first edge after it (A3.1.2)"},
      {"RESET_SLAVE", "BVALID and RVALID are low while ARESETn is low and at the first edge after it (A3.1.2)"},
      {"AW_HELD", "AWVALID stays high until AWREADY (A3.2.1)"},
      {"AW_STABLE", "AW signals do not change until AWREADY (A3.2.1)"},
      {"W_HELD", "WVALID stays high until WREADY (A3.2.1)"},
      {"W_STABLE", "W signals do not change until WREADY (A3.2.1)"},
      {"B_HELD", "BVALID stays high until BREADY (A3.2.1)"},
      {"B_STABLE", "B signals do not change until BREADY (A3.2.1)"},
      {"AR_HELD", "ARVALID stays high until ARREADY (A3.2.1)"},
      {"AR_STABLE", "AR signals do not change until ARREADY (A3.2.1)"},
      {"R_HELD", "RVALID stays high until RREADY (A3.2.1)"},
      {"R_STABLE", "R signals do not change until RREADY (A3.2.1)"},
      {"AW_BURST", "AWBURST is not 3 (A3.4.1)"},
      {"AR_BURST", "ARBURST is not 3 (A3.4.1)"},
      {"AW_SIZE", "a beat of a write is no wider than the bus (A3.4.1)"},
      {"AR_SIZE", "a beat of a read is no wider than the bus (A3.4.1)"},
      {"AW_BOUNDARY", "a write does not cross a boundary of 4 KiB (A3.4.1)"},
      {"AR_BOUNDARY", "a read does not cross a boundary of 4 KiB (A3.4.1)"},
      {"AW_FIXED_LEN", "a FIXED write has at most 16 beats (A3.4.1)"},
      {"AR_FIXED_LEN", "a FIXED read has at most 16 beats (A3.4.1)"},
      {"AW_WRAP_LEN", "a WRAP write has 2, 4, 8 or 16 beats (A3.4.1)"},
      {"AR_WRAP_LEN", "a WRAP read has 2, 4, 8 or 16 beats (A3.4.1)"},
      {"AW_WRAP_ALIGN", "a WRAP write begins at a multiple of its beat (A3.4.1)"},
      {"AR_WRAP_ALIGN", "a WRAP read begins at a multiple of its beat (A3.4.1)"},
      {"W_LAST", "WLAST marks the last beat of a write and no other (A3.4.1)"},
      {"W_STROBES", "WSTRB is high on lanes of the beat's bytes only (A3.4.3)"},
      {"B_REQUEST", "a write response belongs to a write of its id whose address and last data were taken (A3.3.1)"},
      {"R_REQUEST", "read data belong to a read of its id that was taken (A3.3.1)"},
      {"R_LAST", "RLAST marks the last beat of a read and no other (A3.4.1)"},
      {"B_RESPONSE", "BRESP is not EXOKAY, as no exclusive access is asked for (A7.2)"},
      {"R_RESPONSE", "RRESP is not EXOKAY, as no exclusive access is asked for (A7.2)"},
  };
  return all;
}

AxiChecker::AxiChecker(unsigned bus_bytes) : bus_bytes_(bus_bytes) {
  if (bus_bytes == 0 || bus_bytes > kMaxBusBytes || (bus_bytes & (bus_bytes - 1)) != 0)
    throw std::invalid_argument(
        fmt::format("a data bus of {} bytes, expected a power of two up to {}", bus_bytes, kMaxBusBytes));
}

void AxiChecker::broken(std::uint64_t cycle, const std::string& rule, const std::string& text) {
  ++total_;
  ++counts_[rule];
  if (violations_.size() < kKept) violations_.push_back({cycle, rule, text});
}

unsigned AxiChecker::clock(bool resetn, const MasterPins& master, const SlavePins& slave) {
  const std::uint64_t before = total_;
  if (!resetn || in_reset_) check_reset(master, slave);
  if (resetn) {
    if (before_known_) check_held(master, slave);
    check_responses(master, slave);
    take_requests(master, slave);
    match_data();
  } else {
    write_addresses_.clear();
    data_.clear();
    data_beats_ = 0;
    complete_writes_.clear();
    reads_.clear();
  }
  in_reset_ = !resetn;
  before_known_ = resetn;
  master_before_ = master;
  slave_before_ = slave;
  ++cycle_;
  return static_cast<unsigned>(total_ - before);
}

void AxiChecker::check_reset(const MasterPins& master, const SlavePins& slave) {
  if (master.aw_valid || master.w_valid || master.ar_valid)
    broken(cycle_, "RESET_MASTER",
           fmt::format("AWVALID {:d} WVALID {:d} ARVALID {:d}", master.aw_valid, master.w_valid, master.ar_valid));
  if (slave.b_valid || slave.r_valid)
    broken(cycle_, "RESET_SLAVE", fmt::format("BVALID {:d} RVALID {:d}", slave.b_valid, slave.r_valid));
}

void AxiChecker::check_held(const MasterPins& master, const SlavePins& slave) {
  const MasterPins& m = master_before_;
  const SlavePins& s = slave_before_;
  const auto held = [&](const char* channel, bool waited, bool valid, bool stable, const std::string& was) {
    if (!waited) return;
    if (!valid)
      broken(cycle_, std::string(channel) + "_HELD", "waiting was " + was);
    else if (!stable)
      broken(cycle_, std::string(channel) + "_STABLE", "waiting was " + was);
  };
  if (m.aw_valid && !s.aw_ready) held("AW", true, master.aw_valid, master.aw == m.aw, text_of(m.aw));
  if (m.ar_valid && !s.ar_ready) held("AR", true, master.ar_valid, master.ar == m.ar, text_of(m.ar));
  if (m.w_valid && !s.w_ready) {
    // Data of lanes without a strobe mean nothing.
    bool stable = master.w_strobes == m.w_strobes && master.w_last == m.w_last;
    for (unsigned i = 0; i < bus_bytes_; ++i) stable = stable && (!strobe(m, i) || master.w_data[i] == m.w_data[i]);
    held("W", true, master.w_valid, stable, fmt::format("a beat with WLAST {:d}", m.w_last));
  }
  if (s.b_valid && !m.b_ready)
    held("B", true, slave.b_valid, slave.b_id == s.b_id && slave.b_response == s.b_response,
         fmt::format("id {} response {}", s.b_id, s.b_response));
  if (s.r_valid && !m.r_ready)
    held("R", true, slave.r_valid,
         slave.r_id == s.r_id && slave.r_response == s.r_response && slave.r_last == s.r_last &&
             same(slave.r_data, s.r_data, bus_bytes_),
         fmt::format("id {} response {}", s.r_id, s.r_response));
}

void AxiChecker::check_responses(const MasterPins& master, const SlavePins& slave) {
  if (slave.b_valid) {
    const auto known = complete_writes_.find(slave.b_id);
    if (known == complete_writes_.end() || known->second == 0) {
      broken(cycle_, "B_REQUEST", fmt::format("BID {}", slave.b_id));
    } else if (master.b_ready) {
      --known->second;
    }
    if (slave.b_response == kExokay) broken(cycle_, "B_RESPONSE", fmt::format("BID {}", slave.b_id));
  }
  if (!slave.r_valid) return;
  if (slave.r_response == kExokay) broken(cycle_, "R_RESPONSE", fmt::format("RID {}", slave.r_id));
  std::deque<OpenRead>& open = reads_[slave.r_id];
  if (open.empty()) {
    broken(cycle_, "R_REQUEST", fmt::format("RID {}", slave.r_id));
    return;
  }
  if (!master.r_ready) return;
  OpenRead& read = open.front();
  ++read.beats;
  const bool last = read.beats == read.burst.beats();
  if (slave.r_last != last)
    broken(cycle_, "R_LAST",
           fmt::format("RLAST {:d} at beat {} of {}: {}", slave.r_last, read.beats, read.burst.beats(),
                       text_of(read.burst)));
  if (last || slave.r_last) open.pop_front();
}

void AxiChecker::take_requests(const MasterPins& master, const SlavePins& slave) {
  const auto offered = [&](const char* channel, const Burst& burst) {
    if (const char* fault = fault_of(burst, bus_bytes_))
      broken(cycle_, std::string(channel) + "_" + fault, text_of(burst));
  };
  if (master.aw_valid && slave.aw_ready) {
    offered("AW", master.aw);
    write_addresses_.push_back(master.aw);
  }
  if (master.ar_valid && slave.ar_ready) {
    offered("AR", master.ar);
    reads_[master.ar.id].push_back({master.ar});
  }
  if (master.w_valid && slave.w_ready) data_.push_back({cycle_, master.w_last, master.w_strobes});
}

/// Data may come before their address: both wait for each other.
void AxiChecker::match_data() {
  while (!write_addresses_.empty() && !data_.empty()) {
    const Burst& burst = write_addresses_.front();
    const DataBeat beat = data_.front();
    data_.pop_front();
    const unsigned index = data_beats_++;
    const bool last = data_beats_ == burst.beats();
    if (beat.last != last)
      broken(beat.cycle, "W_LAST",
             fmt::format("WLAST {:d} at beat {} of {}: {}", beat.last, data_beats_, burst.beats(), text_of(burst)));
    if (!fault_of(burst, bus_bytes_)) {
      const Beat bytes = beat_of(burst, index, bus_bytes_);
      for (unsigned lane = 0; lane < bus_bytes_; ++lane) {
        const bool inside = lane >= bytes.lane && lane < bytes.lane + bytes.bytes;
        if (inside || (beat.strobes[lane / 64] >> (lane % 64) & 1) == 0) continue;
        broken(beat.cycle, "W_STROBES",
               fmt::format("WSTRB of lane {} at beat {}, expected lanes {} to {}: {}", lane, data_beats_, bytes.lane,
                           bytes.lane + bytes.bytes - 1, text_of(burst)));
        break;
      }
    }
    if (!last && !beat.last) continue;
    ++complete_writes_[burst.id];
    write_addresses_.pop_front();
    data_beats_ = 0;
  }
}

}  // namespace harmonia::axi
