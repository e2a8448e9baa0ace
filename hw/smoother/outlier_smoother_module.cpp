#include "harmonia/hw/smoother/outlier_smoother_module.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "harmonia/hw/converter/bfp_converter.h"

namespace harmonia::smoother {

using bus::Cycle;
using bus::Wait;
using formats::Fp16;

OutlierSmoother::OutlierSmoother(sc_core::sc_module_name name, const Config& config, std::unique_ptr<SmootherCore> core)
    : sc_module(name),
      command(
          "command", [this] { progress(); },
          [this](const converter::Descriptor& d, const auto& table) {
            if (!table.empty()) return std::string("a chunk's descriptor has no table");
            const std::string fault = converter::shape_fault(d);
            return fault.empty() ? measured_.admit(d) : fault;
          }),
      input("tsock", [this] { progress(); }),
      config_(config),
      clock_(config.clock_mhz),
      core_(std::move(core)),
      table_(config.channels_per_head) {
  isock.on_accepted([this](auto&, const sc_core::sc_time& when) {
    taken(when);
    progress();
  });
}

void OutlierSmoother::progress() {
  while (input.waiting() != nullptr && !command.empty() && !blocked_ && !working_) process();
}

void OutlierSmoother::process() {
  const converter::Descriptor d = command.front();
  const tlm::tlm_generic_payload& in = *input.waiting();
  const bus::Chunk chunk = bus::chunk_of(in);
  const unsigned bytes = in.get_data_length();
  const std::string fault = converter::chunk_fault(d, bytes, chunk.elements);
  if (!fault.empty()) {
    input.refuse(fault);
    return;
  }
  command.pop();
  if (const auto* measured = std::get_if<converter::MeasuredKeys>(&d.kind)) {
    measure(d.operation, *measured, chunk.data_valid ? reinterpret_cast<const Fp16*>(in.get_data_ptr()) : nullptr);
    return;
  }
  bus::PayloadPtr out = pool_.make(tlm::TLM_WRITE_COMMAND, in.get_address(), bytes,
                                   chunk.data_valid ? bus::Data::buffer : bus::Data::scratch);
  bus::PayloadPool::chunk(out) = chunk;
  if (chunk.data_valid) std::memcpy(out->get_data_ptr(), in.get_data_ptr(), bytes);

  const converter::StoredKeys* smoothed = smoothed_keys(config_, d);
  passes_ = smoothed == nullptr;
  if (passes_) free_ = std::max(free_, left_);  // no lanes between what passes and the chunk before
  const Cycle start = std::max(clock_.cycle(input.arrival()), free_);
  if (start > free_) activity_.wait(Wait::input, start - free_);
  const sc_core::sc_time taken_at = std::max(input.arrival(), clock_.time(start));
  sc_core::sc_time ready = taken_at;
  if (passes_) {
    free_ = start;
  } else {
    const Cycle cycles = smoothing_cycles(config_, *smoothed);
    activity_.busy += cycles;
    values_ += std::uint64_t{smoothed->rows} * smoothed->columns;
    free_ = start + cycles;
    ready = clock_.time(free_ + static_cast<Cycle>(config_.stages));
    if (chunk.data_valid) {
      auto* keys = reinterpret_cast<Fp16*>(out->get_data_ptr());
      const formats::KeyOffsets& offsets = table_.offsets(*smoothed, keys);
      if (core_ != nullptr) {
        working_ = true;
        input.accept(taken_at);
        core_->run(
            {smoothed->slot, smoothed->layer, smoothed->head}, offsets, keys, smoothed->rows, smoothed->columns,
            free_ - pass_cycles(config_, *smoothed),
            [this, out, keys, bytes, start, operation = d.operation, predicted = free_](SmootherCore::Result&& result) {
              std::memcpy(static_cast<void*>(keys), result.keys.data(), bytes);
              activity_.busy += result.free - predicted;
              free_ = result.free;
              if (observer) observer({operation, clock_.ps(start), clock_.ps(free_), clock_.ps(free_ - start)});
              working_ = false;
              leave(out, clock_.time(result.ready));
              progress();
            });
        return;
      }
      for (std::uint32_t r = 0; r < smoothed->rows; ++r)
        formats::subtract_offsets(offsets, keys + std::size_t{r} * smoothed->columns);
    }
    if (observer) observer({d.operation, clock_.ps(start), clock_.ps(free_), clock_.ps(cycles)});
  }
  blocked_ = true;
  input.accept(taken_at);
  leave(std::move(out), ready);
}

/// A chunk of keys for the statistics alone.
void OutlierSmoother::measure(std::uint32_t operation, const converter::MeasuredKeys& d, const Fp16* keys) {
  free_ = std::max(free_, passes_ ? left_ : free_);
  passes_ = false;
  const Cycle start = std::max(clock_.cycle(input.arrival()), free_);
  if (start > free_) activity_.wait(Wait::input, start - free_);
  const Cycle cycles = d.counts ? pass_cycles(config_, d) : 0;
  activity_.busy += cycles;
  free_ = start + cycles;
  if (observer && cycles != 0) observer({operation, clock_.ps(start), clock_.ps(free_), clock_.ps(cycles)});
  if (keys != nullptr && d.counts) table_.measure(d, keys);
  input.accept(std::max(input.arrival(), clock_.time(start)));
}

/// Offers a chunk to the converter.
void OutlierSmoother::leave(bus::PayloadPtr out, const sc_core::sc_time& ready) {
  blocked_ = true;
  ready_ = clock_.cycle(ready);
  if (const std::optional<sc_core::sc_time> when = isock.send(std::move(out), ready)) taken(*when);
}

/// A chunk that is taken later than it stood at the output held the lanes for so long: they are free again as many
/// cycles later as the keys in them were stopped, or, with nothing in them, when it was taken.
void OutlierSmoother::taken(const sc_core::sc_time& when) {
  blocked_ = false;
  const Cycle at = left_ = clock_.cycle(when);
  if (at <= ready_) return;
  activity_.wait(Wait::output, at - ready_);
  free_ = passes_ ? at : free_ + (at - ready_);
}

}  // namespace harmonia::smoother
