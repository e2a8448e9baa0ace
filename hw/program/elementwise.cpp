// What the vector unit does to results of the output, gate, up and down projections on their way.
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {

void add_to_residual(Generation& g, const Unit& u) {
  const StepPlan& plan = g.plan;
  vector::Descriptor v;
  v.operation = u.operation;
  v.kind = vector::Kind::residual_add;
  v.rows = static_cast<std::uint32_t>(u.strip.rows);
  v.columns = static_cast<std::uint32_t>(u.columns);
  v.row_begin = static_cast<std::uint32_t>(u.strip.first);
  v.column_begin = static_cast<std::uint32_t>(u.column);
  v.row_width = static_cast<std::uint32_t>(plan.shape.hidden_size);
  v.emit = v.spilled = !plan.resident;
  if (!plan.resident) {
    const SpillPlace& residual = plan.map.residual;
    const std::uint64_t block = u.column / residual.block_columns;
    const std::uint32_t row_bytes = 2 * v.columns;
    v.operand_bytes = v.rows * row_bytes;
    g.out.read_rows(Queue::vector_read, residual, block, 1, u.strip, row_bytes, u.operation);
    converter::Descriptor c;
    c.operation = u.operation;
    c.path = converter::Path::pass;
    c.destination = converter::Destination::out_write;
    c.rows = v.rows;
    c.columns = v.columns;
    c.out_bytes = v.operand_bytes;
    g.out.batch.converter.push_back(c);
    g.out.write_rows(residual, block, u.strip, row_bytes, u.operation);
  }
  g.out.batch.vector.push_back(v);
}

void activate(Generation& g, const Unit& u) {
  const StepPlan& plan = g.plan;
  const auto width = static_cast<std::uint64_t>(plan.shape.intermediate_size);
  vector::Descriptor v;
  v.operation = u.operation;
  v.kind = vector::Kind::silu_mul;
  v.rows = static_cast<std::uint32_t>(u.strip.rows);
  v.columns = static_cast<std::uint32_t>(u.columns);
  v.row_begin = static_cast<std::uint32_t>(u.strip.first);
  v.column_begin = static_cast<std::uint32_t>(u.column);
  v.row_width = static_cast<std::uint32_t>(width);
  g.out.batch.vector.push_back(v);
  const auto row_bytes = static_cast<std::uint32_t>(plan.operand_row(u.columns));
  converter::Descriptor c;
  c.path = plan.operand_path();
  c.operation = plan.resident ? g.operand[Value::activated] : u.operation;
  c.destination = plan.resident ? converter::Destination::activations : converter::Destination::out_write;
  c.rows = v.rows;
  c.columns = v.columns;
  c.column_bytes = static_cast<std::uint32_t>(plan.operand_row(u.column));
  c.operand_row_bytes = static_cast<std::uint32_t>(plan.operand_row(width));
  c.out_bytes = c.rows * row_bytes;
  g.out.batch.converter.push_back(c);
  if (!plan.resident) {
    const SpillPlace& activated = plan.map.activated;
    g.out.write_rows(activated, u.column / activated.block_columns, u.strip, row_bytes, u.operation);
  }
}

}  // namespace harmonia::accelerator
