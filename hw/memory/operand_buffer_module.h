// SystemC module of the activation buffer's operand side: collects A operands and hands them to the PE array when
// complete.
//
// Models: operands under a number, put together from chunks of the converter or of a DMA engine in any order of
// columns;
//   capacity: a chunk waits while it does not fit; hand-over in the order of the descriptors, when the operand is
//   complete; the read port's width. An operand's room is given back when the PE array has taken its successor.
// Does not model: the contents' place in the banks (buffer.h has bank timing), the vector unit's scratch half.
// Source: our definition; capacity and width are configuration values.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <systemc>
#include <vector>

#include "harmonia/bus/activity.h"
#include "harmonia/bus/chunk_input.h"
#include "harmonia/bus/clock.h"
#include "harmonia/bus/descriptor_port.h"
#include "harmonia/memory/operand_descriptor.h"

namespace harmonia::memory {

struct OperandBufferConfig {
  double clock_mhz = 500;
  std::uint64_t capacity_bytes = 256 * 1024;
  std::uint64_t port_bytes_per_cycle = 128;
  int latency_cycles = 2;
};

class OperandBuffer : public sc_core::sc_module {
 public:
  OperandBuffer(sc_core::sc_module_name name, const OperandBufferConfig& config);

  bus::DescriptorPort<OperandDescriptor> command;
  bus::ChunkInput converter;  // target socket tsock_converter
  bus::ChunkInput dma;        // target socket tsock_dma
  bus::StreamSource<> isock{"isock"};

  /// Called when an operand is read; begin and end are those of the work, which may lie ahead of the simulated time.
  std::function<void(const bus::Work&)> observer;

  const bus::Activity& activity() const { return activity_; }
  bus::Cycle free_at() const { return free_; }
  std::uint64_t peak_bytes() const { return peak_bytes_; }
  std::uint64_t bytes_read() const { return bytes_read_; }
  bool idle() const { return command.empty(); }

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    bus::Cycle complete = 0;
    std::vector<std::uint8_t> data;
  };

  void progress();
  bool take(bus::ChunkInput& input, bool from_memory);
  bool may_read_ahead(std::uint32_t operand) const;
  bool send();
  void release(bus::Cycle when);

  OperandBufferConfig config_;
  bus::Clock clock_;
  bus::PayloadPool pool_;
  bus::Activity activity_;
  bool in_progress_ = false, again_ = false, blocked_ = false;
  std::map<std::uint32_t, Entry> entries_;
  std::uint64_t held_bytes_ = 0, peak_bytes_ = 0, bytes_read_ = 0;
  std::uint64_t at_array_bytes_ = 0;  // the operand that the array works with
  std::uint64_t sending_bytes_ = 0;   // handed over, not known to be taken
  bus::Cycle free_ = 0, room_ = 0;
};

}  // namespace harmonia::memory
