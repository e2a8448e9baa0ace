#include "harmonia/smoother/outlier_smoother_module.h"

#include <algorithm>
#include <cstring>

namespace harmonia::smoother {

using bus::Cycle;
using bus::Wait;
using formats::Fp16;

std::uint64_t smoothing_cycles(const Config& config, const converter::Descriptor& d) {
  std::uint64_t work = std::uint64_t{d.rows} * static_cast<std::uint64_t>(config.channels_per_head);
  if (d.first_position == 0) work += std::uint64_t{d.rows} * d.columns;
  const auto lanes = static_cast<std::uint64_t>(config.lanes);
  return (work + lanes - 1) / lanes;
}

OutlierSmoother::OutlierSmoother(sc_core::sc_module_name name, const Config& config)
    : sc_module(name),
      command("command", [this] { progress(); }),
      input("tsock", [this] { progress(); }),
      config_(config),
      clock_(config.clock_mhz) {
  isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
    taken(when);
    progress();
  });
}

void OutlierSmoother::progress() {
  while (input.waiting() != nullptr && !command.empty() && !blocked_) process();
}

void OutlierSmoother::process() {
  const converter::Descriptor d = command.front();
  command.pop();
  const tlm::tlm_generic_payload& in = *input.waiting();
  const bus::Chunk chunk = bus::chunk_of(in);
  const unsigned bytes = in.get_data_length();
  bus::PayloadPtr out = pool_.make(tlm::TLM_WRITE_COMMAND, in.get_address(), bytes,
                                   chunk.data_valid ? bus::Data::buffer : bus::Data::scratch);
  bus::PayloadPool::chunk(out) = chunk;
  if (chunk.data_valid) std::memcpy(out->get_data_ptr(), in.get_data_ptr(), bytes);

  sc_core::sc_time taken_at = input.arrival(), ready = input.arrival();
  if (config_.online && d.path == converter::Path::key) {
    const Cycle start = std::max(clock_.cycle(input.arrival()), free_);
    if (start > free_) activity_.wait(Wait::input, start - free_);
    const Cycle cycles = smoothing_cycles(config_, d);
    activity_.busy += cycles;
    free_ = start + cycles;
    taken_at = std::max(input.arrival(), clock_.time(start));
    ready = clock_.time(free_ + static_cast<Cycle>(config_.stages));
    if (chunk.data_valid) smooth(d, reinterpret_cast<Fp16*>(out->get_data_ptr()));
  }
  blocked_ = true;
  input.accept(taken_at);
  ready_ = clock_.cycle(ready);
  if (const std::optional<sc_core::sc_time> when = isock.send(std::move(out), ready)) taken(*when);
}

/// A chunk that is taken later than it stood at the output held the lanes for so long.
void OutlierSmoother::taken(const sc_core::sc_time& when) {
  blocked_ = false;
  const Cycle at = clock_.cycle(when);
  if (at <= ready_) return;
  activity_.wait(Wait::output, at - ready_);
  free_ += at - ready_;
}

void OutlierSmoother::smooth(const converter::Descriptor& d, Fp16* keys) {
  formats::KeyOffsets& offsets = table_[{d.slot, d.layer, d.head}];
  if (d.first_position == 0)
    offsets = formats::choose_offsets(keys, d.rows, d.columns, d.columns,
                                      static_cast<std::size_t>(config_.channels_per_head));
  for (std::uint32_t r = 0; r < d.rows; ++r) formats::subtract_offsets(offsets, keys + std::size_t{r} * d.columns);
}

}  // namespace harmonia::smoother
