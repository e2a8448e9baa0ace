// The norm of all rows of a step, or the rows as they are, converted to an operand of the linears behind it.
#include <algorithm>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

/// The rows of a strip from memory, normalised, and back to memory as an operand, both block by block.
void spilled_norm(Generation& g, const Strip& strip, std::uint32_t op, vector::Norm v) {
  const StepPlan& plan = g.plan;
  const SpillPlace &residual = plan.map.residual, &normed = plan.map.normed;
  v.twice = !v.plain && norm_reads_twice(plan.shape, plan.chip);
  for (std::uint64_t i = 0; i < residual.blocks * (v.twice ? 2 : 1); ++i) {
    const std::uint64_t block = i % residual.blocks;
    g.out.read_rows(Queue::vector_read, residual, block, 1, strip, 2 * residual_columns(g, block), op);
  }
  v.rows = static_cast<std::uint32_t>(strip.rows);
  v.row_begin = static_cast<std::uint32_t>(strip.first);
  v.gains = !v.plain && strip.first == 0;
  v.from_memory = true;
  v.block_columns = normed.block_columns;
  g.out.batch.vector.push_back({op, v});
  write_normed(g, strip, op);
}

void generate_norm(Generation& g, const LayerOperation& operation, int layer) {
  const StepPlan& plan = g.plan;
  const std::uint32_t op = g.out.next_operation(operation.operation_class);
  const auto hidden = static_cast<std::uint32_t>(plan.shape.hidden_size);
  vector::Norm v;
  v.columns = hidden;
  v.centred = plan.shape.layer_norm;
  v.plain = !operation.parameters;
  if (!v.plain)
    g.out.read_piece(Queue::vector_read, plan.map.gains(*operation.parameters, layer), v.gain_bytes(),
                     bus::TrafficClass::weights, op);
  v.epsilon = static_cast<float>(plan.shape.rms_norm_eps);
  if (plan.resident) {
    v.rows = static_cast<std::uint32_t>(plan.rows);
    v.gains = !v.plain;
    g.out.batch.vector.push_back({op, v});
    converter::ToOperand c;
    c.format = plan.operand_format();
    c.rows = v.rows;
    c.columns = hidden;
    c.row_bytes = static_cast<std::uint32_t>(plan.operand_row(hidden));
    g.out.batch.converter.push_back({g.operand[operation.result], c});
    return;
  }
  const std::uint64_t most = std::max<std::uint64_t>(1, plan.chip.scratch_bytes / 2 / (2 * hidden));
  for (const Strip& strip : strips_of(plan.rows, most)) spilled_norm(g, strip, op, v);
}

}  // namespace

namespace operations {
void norm(Generators& all) {
  all.operation("norm", generate_norm);
  all.operation("convert", generate_norm);
}
}  // namespace operations

}  // namespace harmonia::accelerator
