// Query projections: rotated, and each head an operand of the scores, on chip or in memory.
#include <algorithm>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

/// On chip each strip of a sequence's queries is an operand of its kv head, token by token with all heads of its group.
void keep_queries(Generation& g, std::uint64_t head, const Strip& strip, converter::Descriptor c) {
  const StepPlan& plan = g.plan;
  const auto group = static_cast<std::uint64_t>(plan.shape.queries_per_kv_head());
  for (const Part& p : plan.parts_of(strip)) {
    const std::vector<Strip> strips = strips_of(p.rows, plan.query_strip[p.sequence]);
    for (std::size_t i = 0; i < strips.size(); ++i) {
      c.operation = g.query_operand[p.sequence][head / group][i];
      c.rows = static_cast<std::uint32_t>(strips[i].rows);
      c.row_begin = static_cast<std::uint32_t>(head % group);
      c.row_stride = static_cast<std::uint32_t>(group);
      c.out_bytes = c.rows * c.operand_row_bytes;
      g.out.batch.converter.push_back(c);
    }
  }
}

}  // namespace

void append_queries(Generation& g, const Unit& u) {
  const StepPlan& plan = g.plan;
  const auto d = static_cast<std::uint32_t>(plan.shape.head_dim);
  converter::Descriptor c;
  c.path = plan.attention_path();
  c.columns = d;
  c.operand_row_bytes = static_cast<std::uint32_t>(plan.attention_row(d));
  for (std::uint64_t head = u.column / d; head < (u.column + u.columns) / d; ++head) {
    if (plan.resident) {
      keep_queries(g, head, u.strip, c);
      continue;
    }
    c.operation = u.operation;
    c.rows = static_cast<std::uint32_t>(u.strip.rows);
    c.destination = converter::Destination::out_write;
    c.out_bytes = c.rows * c.operand_row_bytes;
    g.out.batch.converter.push_back(c);
    g.out.write_rows(plan.map.query, head, u.strip, c.operand_row_bytes, u.operation);
  }
  g.out.batch.vector.push_back(
      projection_descriptor(g, vector::Kind::rope_query, static_cast<std::uint64_t>(plan.shape.q_width()), u));
}

}  // namespace harmonia::accelerator
