// Norms behind a block: its results are kept, on chip or in memory, and then normed and added to the residual stream.
#include <algorithm>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

void keep(Generation& g, int layer, const Unit& u) {
  vector::KeepBranch v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.bias = bring_bias(g, layer, u);
  v.leaves = !g.plan.resident;
  v.partial = g.plan.shape.tensor_devices > 1;
  g.out.batch.vector.push_back({u.operation, v});
  if (!v.leaves) return;
  const SpillPlace& branch = g.plan.map.branch;
  converter::ToMemory c;
  c.rows = v.rows;
  c.columns = v.columns;
  g.out.batch.converter.push_back({u.operation, c});
  g.out.write_rows(branch, u.column / branch.block_columns, u.strip, 2 * c.columns, u.operation);
}

/// The rows of a strip, and those of the residual stream, from memory and back.
void add_spilled(Generation& g, const Strip& strip, std::uint32_t op, vector::AddNormed v) {
  const SpillPlace &branch = g.plan.map.branch, &residual = g.plan.map.residual;
  v.rows = static_cast<std::uint32_t>(strip.rows);
  v.row_begin = static_cast<std::uint32_t>(strip.first);
  v.gains = strip.first == 0;
  v.from_memory = true;
  v.twice = norm_reads_twice(g.plan.shape, g.plan.chip);
  v.block_columns = residual.block_columns;
  for (std::uint64_t i = 0; i < branch.blocks * (v.twice ? 2 : 1); ++i)
    g.out.read_rows(Queue::vector_read, branch, i % branch.blocks, 1, strip, 2 * residual_columns(g, i % branch.blocks),
                    op);
  converter::ToMemory c;
  c.rows = v.rows;
  for (std::uint64_t block = 0; block < residual.blocks; ++block) {
    c.columns = residual_columns(g, block);
    g.out.read_rows(Queue::vector_read, residual, block, 1, strip, 2 * c.columns, op);
    g.out.batch.converter.push_back({op, c});
    g.out.write_rows(residual, block, strip, 2 * c.columns, op);
  }
  g.out.batch.vector.push_back({op, v});
}

void generate_add_normed(Generation& g, const LayerOperation& operation, int layer) {
  const StepPlan& plan = g.plan;
  const std::uint32_t op = g.out.next_operation(operation.operation_class);
  const auto hidden = static_cast<std::uint32_t>(plan.shape.hidden_size);
  vector::AddNormed v;
  v.columns = hidden;
  v.centred = plan.shape.layer_norm;
  v.epsilon = static_cast<float>(plan.shape.rms_norm_eps);
  v.multiplier = static_cast<float>(plan.shape.residual_multiplier);
  g.out.read_piece(Queue::vector_read, plan.map.gains(*operation.parameters, layer), v.gain_bytes(),
                   bus::TrafficClass::weights, op);
  if (plan.resident) {
    v.rows = static_cast<std::uint32_t>(plan.rows);
    v.gains = true;
    g.out.batch.vector.push_back({op, v});
    return;
  }
  const std::uint64_t most = std::max<std::uint64_t>(1, plan.chip.scratch_bytes / 2 / (4 * hidden));
  for (const Strip& strip : strips_of(plan.rows, most)) add_spilled(g, strip, op, v);
}

}  // namespace

namespace operations {
void branch(Generators& all) {
  all.results("keep", Value::branch, keep);
  all.operation("add_normed", generate_add_normed);
}
}  // namespace operations

}  // namespace harmonia::accelerator
