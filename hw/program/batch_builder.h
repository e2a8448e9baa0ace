// Builds batches of descriptors: DMA segments, gates, numbers of operations and of A operands.
//
// Models: what is carried over from descriptor to descriptor of a step: how many writes there were, which of them brought a
//   spilled piece to memory, numbers given so far.
// Does not model: what is to be moved or computed (the generators).
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "harmonia/hw/kv_cache/layout.h"
#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/program/batch.h"
#include "harmonia/hw/program/memory_map.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/tlm/traffic_class.h"

namespace harmonia::accelerator {

memory::DmaSegment dma_segment(std::uint64_t address, std::uint64_t bytes, bus::TrafficClass traffic);

/// Pieces of the KV cache that one descriptor or more move: main parts, then low parts.
struct KvPieces {
  std::vector<Segment> main, low;

  std::uint64_t bytes() const;
};

class BatchBuilder {
 public:
  /// data_valid: bytes travel with the descriptors' transfers. rows: of the step.
  BatchBuilder(bool data_valid, std::uint64_t rows) : data_valid_(data_valid), rows_(rows) {}

  /// What is being built; the generators append the blocks' descriptors to it.
  Batch batch;
  /// Hands over the batch and begins the next.
  Batch take();

  /// What follows is a kernel of its own, which begins `us` after the one before.
  void begin_kernel(OperationClass c, double us) { batch.kernels.push_back({c, us, batch.sizes(), 0}); }
  /// An all-reduce between devices, behind all that was generated so far and before all that is generated then.
  void begin_all_reduce(std::uint64_t values, double us) {
    batch.kernels.push_back({OperationClass::link, us, batch.sizes(), values});
  }

  // ---- Numbers ----
  /// Operations are numbered from 1 in the order of generation.
  std::uint32_t next_operation(OperationClass c);
  /// How many so far: the number of the last one.
  std::uint32_t operations() const { return static_cast<std::uint32_t>(classes_.size() - 1); }
  OperationClass class_of(std::uint32_t operation) const {
    return operation < classes_.size() ? classes_[operation] : OperationClass::elementwise;
  }
  std::uint32_t next_operand() { return ++operand_; }
  /// Descriptors of a write queue so far, in all batches of the step.
  std::uint64_t kv_writes() const { return kv_writes_; }
  std::uint64_t out_writes() const { return out_writes_; }

  // ---- DMA descriptors ----
  void push(Queue queue, memory::DmaDescriptor descriptor);
  /// The next descriptor of `queue` waits until the first `count` of the write queue `on` are complete.
  void gate(Queue queue, Queue on, std::uint64_t count);
  /// One contiguous piece read.
  void read_piece(Queue queue, std::uint64_t address, std::uint64_t bytes, bus::TrafficClass traffic,
                  std::uint32_t operation);
  /// One contiguous piece written.
  void write_piece(std::uint64_t address, std::uint64_t bytes, std::uint32_t operation,
                   bus::TrafficClass traffic = bus::TrafficClass::activations);
  /// `rows` rows of `blocks` blocks of a spilled tensor, behind the writes that brought them.
  void read_rows(Queue queue, const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks,
                 const Strip& strip, std::uint32_t row_bytes, std::uint32_t operation);
  void write_rows(const SpillPlace& place, std::uint64_t block, const Strip& strip, std::uint32_t row_bytes,
                  std::uint32_t operation);
  /// `blocks` blocks of rows of a spilled tensor, whose last block may be narrower, in one descriptor.
  void read_operand(const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks, const Strip& strip,
                    std::uint32_t operand);
  /// One tile of the KV cache. grouped: in BFP groups, otherwise token by token.
  void move_kv(Queue queue, const KvPieces& pieces, bool grouped, std::uint32_t operation);

 private:
  /// For each piece of a spilled tensor, the out_write descriptor that wrote it last: a read waits for those that wrote
  /// what it reads, and not for younger ones.
  struct Written {
    std::vector<std::uint64_t> piece;  // [block][row]
    std::vector<std::uint64_t> row;    // the youngest of its blocks
  };
  /// How many descriptors of out_write must be complete before rows of `blocks` blocks are in memory.
  std::uint64_t written(const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks,
                        const Strip& strip) const;

  const bool data_valid_;
  const std::uint64_t rows_;
  std::vector<OperationClass> classes_{OperationClass::elementwise};  // operation 0: none
  std::uint32_t operand_ = 0;                                         // last number given to an A operand
  std::uint64_t kv_writes_ = 0, out_writes_ = 0;
  std::map<const SpillPlace*, Written> written_;
};

}  // namespace harmonia::accelerator
