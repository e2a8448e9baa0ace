// SystemC module of the outlier smoother, between vector unit and converter.
//
// Models: outlier_smoother.h behind TLM-2.0 streams. Each chunk is treated as the next descriptor says: keys lose their
//   offsets, keys that are measured alone go no further, others pass. A chunk that is taken late holds the lanes.
// Does not model: the table's memory ports.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <systemc>

#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/smoother/outlier_smoother.h"
#include "harmonia/hw/smoother/smoother_core.h"
#include "harmonia/tlm/activity.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/clock.h"
#include "harmonia/tlm/descriptor_port.h"

namespace harmonia::smoother {

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
  /// Values of keys that lost their offsets so far; those that passed, or were measured alone, do not count.
  std::uint64_t smoothed() const { return values_; }
  bus::Cycle free_at() const { return free_; }
  bool idle() const { return command.empty() && !working_; }

 private:
  void progress();
  void process();
  void measure(std::uint32_t operation, const converter::MeasuredKeys& d, const formats::Fp16* keys);
  void leave(bus::PayloadPtr out, const sc_core::sc_time& ready);
  void taken(const sc_core::sc_time& when);

  Config config_;
  bus::Clock clock_;
  bus::PayloadPool pool_;
  bus::Activity activity_;
  std::uint64_t values_ = 0;
  bool blocked_ = false;
  bool passes_ = false;   // the chunk at the output is no key
  bool working_ = false;  // the core has a chunk
  std::unique_ptr<SmootherCore> core_;
  bus::Cycle free_ = 0, ready_ = 0, left_ = 0;  // the lanes; the chunk at the output; the one before was taken
  OffsetTable table_;
  MeasuredHeads measured_;  // as the descriptors come
};

}  // namespace harmonia::smoother
