#include "harmonia/hw/program/batch.h"

#include <stdexcept>

namespace harmonia::accelerator {

std::vector<memory::DmaDescriptor>& Batch::dma(Queue queue) {
  switch (queue) {
    case Queue::weights:
      return weights;
    case Queue::kv_read:
      return kv_read;
    case Queue::residual:
      return residual;
    case Queue::kv_write:
      return kv_write;
    case Queue::vector_read:
      return vector_read;
    case Queue::operand_read:
      return operand_read;
    case Queue::out_write:
      return out_write;
    default:
      throw std::logic_error("a queue of a block holds no DMA descriptors");
  }
}

std::array<std::size_t, queue_count> Batch::sizes() const {
  return {weights.size(), decoder.size(),  pe.size(),       vector.size(),      converter.size(),    operands.size(),
          kv_read.size(), residual.size(), kv_write.size(), vector_read.size(), operand_read.size(), out_write.size()};
}

void mark_last_uses(Batch& b, bool goes_on) {
  for (std::size_t i = 0; i + 1 < b.pe.size(); ++i) b.pe[i].last_a = b.pe[i + 1].load_a;
  if (!b.pe.empty()) b.pe.back().last_a = !goes_on;
}

}  // namespace harmonia::accelerator
