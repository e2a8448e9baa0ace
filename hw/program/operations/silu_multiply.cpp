// Gate and up results become the operand of the down projection.
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {

namespace {

void activate(Generation& g, int /*layer*/, const Unit& u) {
  const StepPlan& plan = g.plan;
  vector::SiluMultiply v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.gelu = plan.shape.gelu_gate;
  g.out.batch.vector.push_back({u.operation, v});
  if (plan.resident) {
    converter::ToOperand c;
    c.format = plan.operand_format();
    c.rows = v.rows;
    c.columns = v.columns;
    c.column_bytes = static_cast<std::uint32_t>(plan.operand_row(u.column));
    c.row_bytes = static_cast<std::uint32_t>(plan.operand_row(u.width));
    g.out.batch.converter.push_back({g.operand[Value::activated], c});
    return;
  }
  converter::ToMemory c;
  c.format = plan.operand_format();
  c.rows = v.rows;
  c.columns = v.columns;
  g.out.batch.converter.push_back({u.operation, c});
  const SpillPlace& activated = plan.map.activated;
  g.out.write_rows(activated, u.column / activated.block_columns, u.strip,
                   static_cast<std::uint32_t>(plan.operand_row(u.columns)), u.operation);
}

}  // namespace

namespace operations {
void silu_multiply(Generators& all) { all.results("silu_multiply", Value::activated, activate); }
}  // namespace operations

}  // namespace harmonia::accelerator
