// Query projections: rotated, and each head an operand of the scores, on chip or in memory.
#include <algorithm>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

/// On chip each strip of a sequence's queries is an operand of its kv head, token by token with all heads of its group.
void keep_queries(Generation& g, std::uint64_t head, const Strip& strip, converter::ToOperand c) {
  const StepPlan& plan = g.plan;
  const auto group = static_cast<std::uint64_t>(plan.shape.queries_per_kv_head());
  c.row_begin = static_cast<std::uint32_t>(head % group);
  c.row_stride = static_cast<std::uint32_t>(group);
  for (const Part& p : plan.parts_of(strip)) {
    const std::vector<Strip> strips = strips_of(p.rows, plan.query_strip[p.sequence]);
    for (std::size_t i = 0; i < strips.size(); ++i) {
      c.rows = static_cast<std::uint32_t>(strips[i].rows);
      g.out.batch.converter.push_back({g.query_operand[p.sequence][head / group][i], c});
    }
  }
}

void take_heads(Generation& g, const Unit& u) {
  const StepPlan& plan = g.plan;
  const auto d = static_cast<std::uint32_t>(plan.shape.head_dim);
  const auto row_bytes = static_cast<std::uint32_t>(plan.attention_row(d));
  for (std::uint64_t head = u.column / d; head < (u.column + u.columns) / d; ++head) {
    if (plan.resident) {
      converter::ToOperand c;
      c.format = plan.attention_format();
      c.columns = d;
      c.row_bytes = row_bytes;
      keep_queries(g, head, u.strip, c);
      continue;
    }
    converter::ToMemory c;
    c.format = plan.attention_format();
    c.rows = static_cast<std::uint32_t>(u.strip.rows);
    c.columns = d;
    g.out.batch.converter.push_back({u.operation, c});
    g.out.write_rows(plan.map.spilled(Value::query, u.layer), head, u.strip, row_bytes, u.operation);
  }
}

void append_queries(Generation& g, int layer, const Unit& u) {
  if (const std::optional<Unit> heads = leaving(g, u)) take_heads(g, *heads);
  auto v = rotation<vector::RotateQueries>(g, layer, Value::query, u);
  v.by_sequence = g.plan.resident;
  g.out.batch.vector.push_back({u.operation, v});
}

}  // namespace

namespace operations {
void queries(Generators& all) { all.results("rotate", Value::query, append_queries); }
}  // namespace operations

}  // namespace harmonia::accelerator
