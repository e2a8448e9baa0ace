#include "harmonia/smoother/outlier_smoother_module.h"

#include <algorithm>
#include <cstring>

namespace harmonia::smoother {

using bus::Cycle;
using bus::Wait;
using formats::Fp16;

OutlierSmoother::OutlierSmoother(sc_core::sc_module_name name, const Config& config)
    : sc_module(name),
      command("command", [this] { progress(); }),
      input("tsock", [this] { progress(); }),
      config_(config),
      clock_(config.clock_mhz) {
  isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
    blocked_ = false;
    const Cycle at = clock_.cycle(when);
    if (at > free_) {
      activity_.wait(Wait::output, at - free_);
      free_ = at;
    }
    progress();
  });
}

void OutlierSmoother::progress() {
  while (input.waiting() != nullptr && !command.empty() && !blocked_) process();
}

void OutlierSmoother::process() {
  const converter::Descriptor d = command.front();
  command.pop();
  bus::PayloadPtr out(*input.waiting());
  sc_core::sc_time ready = input.arrival();
  if (config_.online && d.path == converter::Path::key) {
    const Cycle at = clock_.cycle(input.arrival());
    const Cycle start = std::max(at, free_);
    if (start > free_) activity_.wait(Wait::input, start - free_);
    std::uint64_t work = std::uint64_t{d.rows} * config_.channels_per_head;
    if (d.first_position == 0) work += std::uint64_t{d.rows} * d.columns;  // column statistics over the prefill keys
    const Cycle cycles = (work + config_.lanes - 1) / config_.lanes;
    activity_.busy += cycles;
    free_ = start + cycles;
    ready = clock_.time(free_ + config_.stages);
    if (bus::chunk_of(*out).data_valid) {
      const unsigned bytes = out->get_data_length();
      bus::PayloadPtr smoothed = pool_.make(tlm::TLM_WRITE_COMMAND, 0, bytes, bus::Data::buffer);
      bus::PayloadPool::chunk(smoothed) = bus::chunk_of(*out);
      std::memcpy(smoothed->get_data_ptr(), out->get_data_ptr(), bytes);
      auto* keys = reinterpret_cast<Fp16*>(smoothed->get_data_ptr());
      formats::KeyOffsets& offsets = table_[{d.slot, d.layer, d.head}];
      if (d.first_position == 0)
        offsets = formats::choose_offsets(keys, d.rows, d.columns, d.columns,
                                          static_cast<std::size_t>(config_.channels_per_head));
      for (std::uint32_t r = 0; r < d.rows; ++r) formats::subtract_offsets(offsets, keys + std::size_t{r} * d.columns);
      out = std::move(smoothed);
    }
    input.accept(std::max(input.arrival(), clock_.time(start)));
  } else {
    input.accept(input.arrival());
  }
  blocked_ = true;
  const std::optional<sc_core::sc_time> taken = isock.send(std::move(out), ready);
  if (!taken) return;
  blocked_ = false;
  free_ = std::max(free_, clock_.cycle(*taken));
}

}  // namespace harmonia::smoother
