// Descriptors of a part of a step, in the order in which each block takes them.
// Models: a queue for each block and DMA engine, and which descriptors wait for which writes. Does not model: depth of
// the queues, time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/decoder/descriptor.h"
#include "harmonia/hw/memory/dma.h"
#include "harmonia/hw/memory/operand_descriptor.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/pe/descriptor.h"
#include "harmonia/hw/vector/descriptor.h"

namespace harmonia::accelerator {

/// Queues that descriptors go to.
enum class Queue : std::uint8_t {
  weights,
  decoder,
  pe,
  vector,
  converter,
  operands,
  kv_read,
  residual,
  kv_write,
  vector_read,
  operand_read,
  out_write
};
inline constexpr std::size_t queue_count = 12;

/// Descriptor number `item` of `queue` (counted within its batch) must not begin before `count` descriptors of the
/// write queue `on` (counted within the step) are complete.
struct Gate {
  Queue queue;
  std::size_t item;
  Queue on;
  std::uint64_t count;
};

/// Where a kernel begins of a machine that stands for a GPU: descriptors [first, ..) of each queue are its own, up to the
/// next one's. It begins `us` after the one before has ended.
struct KernelStart {
  OperationClass operation_class;
  double us;
  std::array<std::size_t, queue_count> first;
  std::uint64_t reduced_values = 0;  // of an all-reduce between devices, which takes `us` and has no descriptors
};

struct Batch {
  std::vector<memory::DmaDescriptor> weights, kv_read, residual, kv_write, vector_read, operand_read, out_write;
  std::vector<decoder::Descriptor> decoder;
  std::vector<pe::Descriptor> pe;
  std::vector<vector::Descriptor> vector;
  std::vector<converter::Descriptor> converter;
  std::vector<memory::OperandDescriptor> operands;
  std::vector<std::uint32_t> picked;  // rows of the operands that are some of their source's, one after the other
  std::vector<Gate> gates;
  // None on a machine that is no GPU and has one device, or for what belongs to the kernel before.
  std::vector<KernelStart> kernels;

  /// The list of a DMA engine's queue. Throws std::logic_error for a queue of a block.
  std::vector<memory::DmaDescriptor>& dma(Queue queue);
  /// How many descriptors each queue has so far.
  std::array<std::size_t, queue_count> sizes() const;
};

/// The array gives an A operand's room back after the last tile that uses it: the one before another operand is loaded,
/// and the batch's last one unless the next batch goes on with its operand.
void mark_last_uses(Batch& batch, bool goes_on = false);

}  // namespace harmonia::accelerator
