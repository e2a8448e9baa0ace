#include "harmonia/hw/program/batch_builder.h"

#include <algorithm>

namespace harmonia::accelerator {

using bus::TrafficClass;
using memory::DmaDescriptor;
using memory::DmaSegment;

DmaSegment dma_segment(std::uint64_t address, std::uint64_t bytes, TrafficClass traffic) {
  DmaSegment s;
  s.address = address;
  s.row_bytes = static_cast<std::uint32_t>(bytes);
  s.traffic = traffic;
  return s;
}

std::uint64_t KvPieces::bytes() const {
  std::uint64_t sum = 0;
  for (const Segment& s : main) sum += s.bytes;
  for (const Segment& s : low) sum += s.bytes;
  return sum;
}

Batch BatchBuilder::take() {
  Batch done = std::move(batch);
  batch = Batch{};
  return done;
}

std::uint32_t BatchBuilder::next_operation(OperationClass c) {
  classes_.push_back(c);
  return static_cast<std::uint32_t>(classes_.size() - 1);
}

void BatchBuilder::push(Queue queue, DmaDescriptor d) {
  d.data_valid = data_valid_;
  if (queue == Queue::kv_write || queue == Queue::out_write) {
    d.direction = memory::DmaDirection::kWrite;
    d.respond_when_done = true;
    ++(queue == Queue::kv_write ? kv_writes_ : out_writes_);
  }
  batch.dma(queue).push_back(d);
}

void BatchBuilder::gate(Queue queue, Queue on, std::uint64_t count) {
  if (count != 0) batch.gates.push_back({queue, batch.dma(queue).size(), on, count});
}

void BatchBuilder::read_piece(Queue queue, std::uint64_t address, std::uint64_t bytes, TrafficClass traffic,
                              std::uint32_t operation) {
  DmaDescriptor d;
  d.operation = operation;
  d.add(dma_segment(address, bytes, traffic));
  push(queue, d);
}

void BatchBuilder::write_piece(std::uint64_t address, std::uint64_t bytes, std::uint32_t operation,
                               TrafficClass traffic) {
  DmaDescriptor d;
  d.operation = operation;
  d.add(dma_segment(address, bytes, traffic));
  push(Queue::out_write, d);
}

std::uint64_t BatchBuilder::written(const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks,
                                    const Strip& strip) const {
  const auto known = written_.find(&place);
  if (known == written_.end()) return 0;  // by no descriptor of this step so far
  const Written& w = known->second;
  const auto youngest = [&](const std::vector<std::uint64_t>& list, std::uint64_t first) {
    const auto at = list.begin() + static_cast<std::ptrdiff_t>(first + strip.first);
    return *std::max_element(at, at + static_cast<std::ptrdiff_t>(strip.rows));
  };
  if (blocks == place.blocks) return youngest(w.row, 0);
  std::uint64_t count = 0;
  for (std::uint64_t block = first_block; block < first_block + blocks; ++block)
    count = std::max(count, youngest(w.piece, block * rows_));
  return count;
}

void BatchBuilder::read_rows(Queue queue, const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks,
                             const Strip& strip, std::uint32_t row_bytes, std::uint32_t operation) {
  gate(queue, Queue::out_write, written(place, first_block, blocks, strip));
  DmaDescriptor d;
  d.operation = operation;
  DmaSegment s =
      dma_segment(place.address(first_block, strip.first), strip.rows * row_bytes, TrafficClass::activations);
  s.rows = static_cast<std::uint32_t>(blocks);
  s.stride_bytes = place.block_stride();
  d.add(s);
  push(queue, d);
}

void BatchBuilder::write_rows(const SpillPlace& place, std::uint64_t block, const Strip& strip, std::uint32_t row_bytes,
                              std::uint32_t operation) {
  write_piece(place.address(block, strip.first), strip.rows * row_bytes, operation);
  Written& w = written_[&place];
  w.piece.resize(place.blocks * rows_);
  w.row.resize(rows_);
  std::fill_n(w.piece.begin() + static_cast<std::ptrdiff_t>(block * rows_ + strip.first), strip.rows, out_writes_);
  std::fill_n(w.row.begin() + static_cast<std::ptrdiff_t>(strip.first), strip.rows, out_writes_);
}

void BatchBuilder::read_operand(const SpillPlace& place, std::uint64_t first_block, std::uint64_t blocks,
                                const Strip& strip, std::uint32_t operand) {
  gate(Queue::operand_read, Queue::out_write, written(place, first_block, blocks, strip));
  DmaDescriptor d;
  d.operation = operand;
  const bool narrow = first_block + blocks == place.blocks && place.last_row_bytes != place.block_row_bytes;
  const std::uint64_t whole = narrow ? blocks - 1 : blocks;
  if (whole > 0) {
    DmaSegment s = dma_segment(place.address(first_block, strip.first), strip.rows * place.block_row_bytes,
                               TrafficClass::activations);
    s.rows = static_cast<std::uint32_t>(whole);
    s.stride_bytes = place.block_stride();
    d.add(s);
  }
  if (narrow)
    d.add(dma_segment(place.address(first_block + whole, strip.first), strip.rows * place.last_row_bytes,
                      TrafficClass::activations));
  push(Queue::operand_read, d);
}

void BatchBuilder::move_kv(Queue queue, const KvPieces& pieces, bool grouped, std::uint32_t operation) {
  const TrafficClass traffic = queue == Queue::kv_write ? TrafficClass::kv_write : TrafficClass::kv_read;
  std::vector<DmaSegment> all;
  all.reserve(pieces.main.size() + pieces.low.size());
  for (const Segment& piece : pieces.main) {
    DmaSegment s = dma_segment(piece.address, piece.bytes, traffic);
    s.group_bytes = grouped ? KvCacheLayout::group_main_bytes : 1;
    s.group_elements = grouped ? KvCacheLayout::group_tokens : 1;
    all.push_back(s);
  }
  for (const Segment& piece : pieces.low) {
    DmaSegment s = dma_segment(piece.address, piece.bytes, traffic);
    s.group_bytes = KvCacheLayout::group_low_bytes;
    s.group_elements = KvCacheLayout::group_tokens;
    s.format = 1;
    all.push_back(s);
  }
  for (std::size_t i = 0; i < all.size(); i += DmaDescriptor::kMaxSegments) {
    const std::size_t end = std::min(all.size(), i + DmaDescriptor::kMaxSegments);
    DmaDescriptor d;
    d.operation = operation;
    d.begins_tile = i == 0;
    d.ends_tile = end == all.size();
    for (std::size_t j = i; j < end; ++j) d.add(all[j]);
    push(queue, d);
  }
}

}  // namespace harmonia::accelerator
