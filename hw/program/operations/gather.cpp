// Rows of the embedding, or those that came from the stage before, to the residual stream.
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

vector::Setup setup_of(const Generation& g) {
  vector::Setup setup;
  setup.rows = static_cast<std::uint32_t>(g.plan.rows);
  setup.sequences = static_cast<std::uint32_t>(g.plan.work.sequences.size());
  setup.width = static_cast<std::uint32_t>(g.plan.shape.hidden_size);
  return setup;
}

/// The rows on their way to memory, block by block: as the residual stream, or as the operand of a single linear.
void spill_rows(Generation& g, const Strip& strip, std::uint32_t op) {
  if (g.head_spilled) {
    write_normed(g, strip, op);
    return;
  }
  const SpillPlace& residual = g.plan.map.residual;
  converter::ToMemory c;
  c.rows = static_cast<std::uint32_t>(strip.rows);
  for (std::uint64_t block = 0; block < residual.blocks; ++block) {
    c.columns = residual_columns(g, block);
    g.out.batch.converter.push_back({op, c});
    g.out.write_rows(residual, block, strip, 2 * c.columns, op);
  }
}

void generate_gather(Generation& g, const LayerOperation& operation, int /*layer*/) {
  const StepPlan& plan = g.plan;
  const std::uint32_t op = g.out.next_operation(operation.operation_class);
  const std::uint32_t row_bytes = 2 * static_cast<std::uint32_t>(plan.shape.hidden_size);
  g.out.batch.vector.push_back({op, setup_of(g)});

  // One gather per eight rows; which rows is known in functional runs only, and makes no difference to the bytes. What came over a
  // link is not read from memory.
  const bool received = plan.shape.stage_before;
  for (const Strip& strip : strips_of(plan.rows, memory::DmaDescriptor::kMaxSegments)) {
    memory::DmaDescriptor d;
    d.operation = op;
    vector::Embed v;
    static_assert(memory::DmaDescriptor::kMaxSegments <= 8 * sizeof v.absent, "a bit for each row");
    for (std::uint64_t row = strip.first; !received && row < strip.first + strip.rows; ++row) {
      std::uint64_t token = row < plan.work.token_ids.size()
                                ? plan.work.token_ids[row]
                                : (row * 7919) % static_cast<std::uint64_t>(plan.shape.vocab_size);
      if (token == kAbsentToken) {  // a row is read all the same: the most that a device may have to
        v.absent = static_cast<std::uint8_t>(v.absent | 1u << (row - strip.first));
        token = 0;
      }
      d.add(dma_segment(plan.map.embedding + token * row_bytes, row_bytes, bus::TrafficClass::weights));
    }
    if (!received) g.out.push(Queue::vector_read, d);

    v.rows = static_cast<std::uint32_t>(strip.rows);
    v.columns = static_cast<std::uint32_t>(plan.shape.hidden_size);
    v.row_begin = static_cast<std::uint32_t>(strip.first);
    v.leaves = !plan.resident;
    v.received = received;
    v.partial = plan.shape.tensor_devices > 1 && !received;
    if (g.head_operand == 0 && !received) v.multiplier = static_cast<float>(plan.shape.embedding_multiplier);
    v.block_columns = plan.resident ? 0 : plan.map.residual.block_columns;
    g.out.batch.vector.push_back({op, v});
    if (!plan.resident) spill_rows(g, strip, op);
  }
}

}  // namespace

namespace operations {
void gather(Generators& all) { all.operation("gather", generate_gather); }
}  // namespace operations

}  // namespace harmonia::accelerator
