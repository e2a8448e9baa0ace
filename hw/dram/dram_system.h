// Several DRAM channels behind one address range.
//
// Models: the channels of one memory, addresses interleaved over them in blocks, reached through an interconnect with
// any number of initiator ports. Every channel takes a request of its own each cycle; a request that spans several
// blocks becomes one piece per channel, and its answer is the latest piece's (bus::Interconnect, bus::Interleave). Does
// not model: more than one hop; channels of different kinds (build those from the parts).
//
// Storage, when there is one, belongs to each channel; debug transport through an initiator port sees the whole range.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/config/fields.h"
#include "harmonia/hw/dram/dram_channel_module.h"
#include "harmonia/tlm/address_map.h"
#include "harmonia/tlm/interconnect.h"

namespace harmonia::dram {

struct DramSystemConfig {
  std::uint32_t channels = 1;
  std::uint64_t interleave_bytes = 256;
  bool hashed = false;
  std::uint64_t base_address = 0;
  std::uint32_t cycles_per_hop = 4;
  std::uint64_t interconnect_clock_ps = 2000;

  void describe(config::Fields& f) {
    f.add("channels", channels).range(1, 1024).says("DRAM channels");
    f.add("interleave_bytes", interleave_bytes)
        .unit("bytes")
        .range(1, 1e12)
        .says("consecutive bytes in one channel")
        .assumed("no published address map");
    f.add("hashed", hashed).says("permute the channels of each row of blocks, so that strides meet all of them");
    f.add("base_address", base_address).unit("bytes").says("first address");
    f.add("cycles_per_hop", cycles_per_hop)
        .unit("cycles")
        .range(0, 1e6)
        .says("from the initiator's port to the channel's, and back")
        .assumed("one hop of the interconnect");
    f.add("interconnect_clock_ps", interconnect_clock_ps)
        .unit("ps")
        .range(1, 1e9)
        .says("clock period of the interconnect")
        .assumed("500 MHz");
  }
};

/// BUSWIDTH in bits, of every socket; it plays no part in timing.
template <unsigned BUSWIDTH = 32>
class DramSystem final : public sc_core::sc_module {
 public:
  DramSystem(const sc_core::sc_module_name& name, const DramSystemConfig& config, const Config& channel,
             Contents contents, unsigned initiators)
      : sc_core::sc_module(name),
        capacity_bytes_(capacity_of(config, channel)),
        interconnect_("interconnect", initiators, config.channels, map_of(config, capacity_bytes_), hop_of(config)) {
    for (unsigned i = 0; i < config.channels; ++i) {
      channels_.push_back(
          std::make_unique<DramChannel<BUSWIDTH>>(("channel" + std::to_string(i)).c_str(), channel, contents));
      interconnect_.isock[i].bind(channels_.back()->tsock);
    }
  }

  /// Port of one initiator.
  tlm::tlm_target_socket<BUSWIDTH>& tsock(unsigned initiator) { return interconnect_.tsock[initiator]; }

  std::uint64_t capacity_bytes() const { return capacity_bytes_; }
  unsigned channels() const { return static_cast<unsigned>(channels_.size()); }
  DramChannel<BUSWIDTH>& channel(unsigned i) { return *channels_.at(i); }
  const bus::InterconnectStatistics& interconnect_statistics() const { return interconnect_.statistics(); }

  /// Peak bandwidth of all channels together, in 10^9 bytes a second.
  double peak_GBs() const { return static_cast<double>(channels_.size()) * channels_.front()->config().peak_GBs(); }

  /// Bytes over the data pins of all channels, by traffic class.
  std::array<std::uint64_t, bus::traffic_class_count> pin_bytes() const {
    std::array<std::uint64_t, bus::traffic_class_count> sum = {};
    for (const auto& channel : channels_) {
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += channel->counts().pin_bytes[i];
    }
    return sum;
  }
  /// Requests accepted by the channels and not yet answered.
  std::size_t in_flight() const {
    std::size_t sum = 0;
    for (const auto& channel : channels_) sum += channel->in_flight();
    return sum;
  }

 private:
  static std::uint64_t capacity_of(const DramSystemConfig& config, const Config& channel) {
    config::validate(config);
    const std::uint64_t each = channel.capacity_bytes();
    if (config.channels > 1 && each % config.interleave_bytes != 0) {
      throw config::InputError("interleave_bytes: " + std::to_string(config.interleave_bytes) +
                               " does not divide a channel's capacity of " + std::to_string(each) + " bytes");
    }
    if (each > (~std::uint64_t{0} - config.base_address) / config.channels) {
      throw config::InputError("base_address: the channels reach beyond the address space");
    }
    return each * config.channels;
  }
  static bus::AddressMap map_of(const DramSystemConfig& config, std::uint64_t capacity_bytes) {
    bus::Region region;
    region.name = "dram";
    region.base = config.base_address;
    region.size_bytes = capacity_bytes;
    region.interleave = bus::Interleave(config.channels, config.interleave_bytes, config.hashed);
    return bus::AddressMap({region});
  }
  static bus::InterconnectConfig hop_of(const DramSystemConfig& config) {
    bus::InterconnectConfig hop;
    hop.clock_ps = config.interconnect_clock_ps;
    hop.cycles_per_hop = config.cycles_per_hop;
    return hop;
  }

  std::uint64_t capacity_bytes_;
  bus::Interconnect<BUSWIDTH> interconnect_;
  std::vector<std::unique_ptr<DramChannel<BUSWIDTH>>> channels_;
};

}  // namespace harmonia::dram
