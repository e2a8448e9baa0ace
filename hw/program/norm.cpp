// RMSNorm of all rows of a step, converted to an operand of the linears behind it.
#include <algorithm>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

/// The rows of a strip from memory, normalised, and back to memory as an operand, both block by block. gain_bytes: the
/// gains come first.
void spilled_norm(Generation& g, const Strip& strip, std::uint32_t gain_bytes, vector::Descriptor v,
                  converter::Descriptor c) {
  const StepPlan& plan = g.plan;
  const auto hidden = static_cast<std::uint64_t>(plan.shape.hidden_size);
  const SpillPlace &residual = plan.map.residual, &normed = plan.map.normed;
  for (std::uint64_t block = 0; block < residual.blocks; ++block)
    g.out.read_rows(Queue::vector_read, residual, block, 1, strip, 2 * residual_columns(g, block), v.operation);
  v.rows = static_cast<std::uint32_t>(strip.rows);
  v.row_begin = static_cast<std::uint32_t>(strip.first);
  v.spilled = 1;
  v.block_columns = normed.block_columns;
  v.operand_bytes = static_cast<std::uint32_t>(gain_bytes + strip.rows * 2 * hidden);
  g.out.batch.vector.push_back(v);
  c.rows = v.rows;
  c.destination = converter::Destination::out_write;
  for (std::uint64_t block = 0; block < normed.blocks; ++block) {
    c.columns = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(normed.block_columns, hidden - block * normed.block_columns));
    c.operand_row_bytes = static_cast<std::uint32_t>(plan.operand_row(c.columns));
    c.out_bytes = c.rows * c.operand_row_bytes;
    g.out.batch.converter.push_back(c);
    g.out.write_rows(normed, block, strip, c.operand_row_bytes, v.operation);
  }
}

}  // namespace

void generate_norm(Generation& g, const LayerOperation& operation, int layer) {
  const StepPlan& plan = g.plan;
  const std::uint32_t op = g.out.next_operation(operation.operation_class);
  const auto hidden = static_cast<std::uint32_t>(plan.shape.hidden_size);
  g.out.read_piece(Queue::vector_read, plan.map.gains(*operation.parameters, layer), 2 * hidden,
                   bus::TrafficClass::weights, op);

  vector::Descriptor v;
  v.operation = op;
  v.kind = vector::Kind::norm;
  v.columns = v.row_width = hidden;
  v.scale = static_cast<float>(plan.shape.rms_norm_eps);
  converter::Descriptor c;
  c.operation = g.operand[operation.result];
  c.columns = hidden;
  c.operand_row_bytes = static_cast<std::uint32_t>(plan.operand_row(hidden));
  c.path = plan.operand_path();
  if (plan.resident) {
    v.rows = static_cast<std::uint32_t>(plan.rows);
    v.operand_bytes = 2 * hidden;
    c.rows = v.rows;
    c.out_bytes = c.rows * c.operand_row_bytes;
    g.out.batch.vector.push_back(v);
    g.out.batch.converter.push_back(c);
    return;
  }
  const std::uint64_t most = std::max<std::uint64_t>(1, plan.chip.scratch_bytes / 2 / (2 * hidden));
  for (const Strip& strip : strips_of(plan.rows, most)) spilled_norm(g, strip, strip.first == 0 ? 2 * hidden : 0, v, c);
}

}  // namespace harmonia::accelerator
