// SystemC module of the outlier smoother: online offsets of key channels, subtracted on the way to the converter.
//
// Models: a small table of (channel, offset) per sequence slot, layer and kv head; chosen from the keys of the first
// chunk of a
//   sequence (its prefill), or from chunks that come before for the statistics alone, frozen afterwards; the FP16
//   subtraction and the statistics pass. Chunks on other paths pass through without delay.
// Does not model: the table's memory ports; offline factors, which are folded when weights are prepared.
// Source: number formats specification, section 4; lanes and stages are configuration values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <systemc>
#include <tuple>
#include <vector>

#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/smoother/smoother_core.h"
#include "harmonia/tlm/activity.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/clock.h"
#include "harmonia/tlm/descriptor_port.h"

namespace harmonia::smoother {

struct Config {
  double clock_mhz = 500;
  bool online = true;
  int channels_per_head = 4;
  int lanes = 64;
  int stages = 3;
};

/// Cycles on the lanes for one pass of a chunk of keys, in pieces of 32 channels: of the subtraction, and before it,
/// for the keys that the offsets are chosen from, of their statistics.
std::uint64_t pass_cycles(const Config& config, const converter::Descriptor& d);
/// Both passes.
std::uint64_t smoothing_cycles(const Config& config, const converter::Descriptor& d);

class OutlierSmoother : public sc_core::sc_module {
 public:
  /// core: what subtracts the offsets of keys that carry data, in place of the model; null: the model.
  OutlierSmoother(sc_core::sc_module_name name, const Config& config, std::unique_ptr<SmootherCore> core = nullptr);

  bus::DescriptorPort<converter::Descriptor> command;
  bus::ChunkInput input;  // target socket tsock
  bus::StreamSource<> isock{"isock"};

  /// Called when a chunk of keys is smoothed; begin and end are those of the work, which may lie ahead of the simulated
  /// time.
  std::function<void(const bus::Work&)> observer;

  const bus::Activity& activity() const { return activity_; }
  bus::Cycle free_at() const { return free_; }
  bool idle() const { return command.empty() && !working_; }

 private:
  void progress();
  void process();
  void measure(const converter::Descriptor& d, const formats::Fp16* keys);
  const formats::KeyOffsets& offsets_of(const converter::Descriptor& d, const formats::Fp16* keys);
  void leave(bus::PayloadPtr out, const sc_core::sc_time& ready);
  void taken(const sc_core::sc_time& when);

  Config config_;
  bus::Clock clock_;
  bus::PayloadPool pool_;
  bus::Activity activity_;
  bool blocked_ = false;
  bool passes_ = false;   // the chunk at the output is no key
  bool working_ = false;  // the core has a chunk
  std::unique_ptr<SmootherCore> core_;
  bus::Cycle free_ = 0, ready_ = 0, left_ = 0;  // the lanes; the chunk at the output; the one before was taken
  std::map<TableKey, formats::KeyOffsets> table_;
  // Functional: keys of chunks that were only measured. What a machine keeps are sums per channel.
  std::map<TableKey, std::vector<formats::Fp16>> measured_;
};

}  // namespace harmonia::smoother
