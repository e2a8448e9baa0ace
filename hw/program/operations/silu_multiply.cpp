// Gate and up results, or those of the first of two matrices, become the operand of the down projection.
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {

namespace {

vector::Function function_of(const Generation& g) { return static_cast<vector::Function>(g.plan.shape.activation); }

/// Results that leave the vector unit become an operand.
void become_operand(Generation& g, const Unit& u) {
  const StepPlan& plan = g.plan;
  if (plan.resident) {
    converter::ToOperand c;
    c.format = plan.operand_format();
    c.rows = static_cast<std::uint32_t>(u.strip.rows);
    c.columns = static_cast<std::uint32_t>(u.columns);
    c.column_bytes = static_cast<std::uint32_t>(plan.operand_row(u.column));
    c.row_bytes = static_cast<std::uint32_t>(plan.operand_row(u.width));
    g.out.batch.converter.push_back({g.operand[Value::activated], c});
    return;
  }
  converter::ToMemory c;
  c.format = plan.operand_format();
  c.rows = static_cast<std::uint32_t>(u.strip.rows);
  c.columns = static_cast<std::uint32_t>(u.columns);
  g.out.batch.converter.push_back({u.operation, c});
  const SpillPlace& activated = plan.map.spilled(Value::activated, u.layer);
  g.out.write_rows(activated, u.column / activated.block_columns, u.strip,
                   static_cast<std::uint32_t>(plan.operand_row(u.columns)), u.operation);
}

/// Gate and up, which are the products of one operation.
void activate_gated(Generation& g, int layer, const Unit& u) {
  vector::SiluMultiply v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.function = function_of(g);
  v.limit = static_cast<float>(g.plan.shape.activation_limit);
  v.bias = bring_bias(g, layer, u);
  if (v.bias) bring_bias(g, layer, u, &layer_graph(g.plan.shape, layer).user_of(*u.product->weights).products[1]);
  g.out.batch.vector.push_back({u.operation, v});
  become_operand(g, u);
}

void activate(Generation& g, int layer, const Unit& u) {
  vector::Activate v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.function = function_of(g);
  v.bias = bring_bias(g, layer, u);
  g.out.batch.vector.push_back({u.operation, v});
  become_operand(g, u);
}

}  // namespace

namespace operations {
void silu_multiply(Generators& all) {
  all.results("silu_multiply", Value::activated, activate_gated);
  all.results("activate", Value::activated, activate);
}
}  // namespace operations

}  // namespace harmonia::accelerator
