// Final norm and output head: the last tokens of the sequences that want logits.
#include <algorithm>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

/// The spilled residual rows of those sequences whose number among the wanted ones is in the strip.
void read_last_rows(Generation& g, const Strip& strip, std::uint32_t op) {
  const StepPlan& plan = g.plan;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < plan.work.sequences.size(); ++i) {
    const SequenceStep& s = plan.work.sequences[i];
    if (!s.logits) continue;
    const bool meant = number >= strip.first && number < strip.first + strip.rows;
    ++number;
    if (!meant) continue;
    const Strip row{plan.first_row[i] + s.tokens - 1, 1};
    const std::uint64_t blocks = plan.map.residual.blocks;
    for (std::uint64_t n = 0; n < blocks * (norm_reads_twice(plan.shape, plan.chip) ? 2 : 1); ++n)
      g.out.read_rows(Queue::vector_read, plan.map.residual, n % blocks, 1, row, 2 * residual_columns(g, n % blocks),
                      op);
  }
}

/// A strip of the rows that logits are wanted of, to an operand of the head, on chip or in memory.
void final_norm(Generation& g, const LayerOperation& operation, const Strip& strip) {
  const StepPlan& plan = g.plan;
  const auto hidden = static_cast<std::uint32_t>(plan.shape.hidden_size);
  const std::uint32_t op = g.out.next_operation(operation.operation_class);
  g.head_operand = g.out.next_operand();
  const bool gains = strip.first == 0;
  vector::Norm v;
  v.rows = static_cast<std::uint32_t>(strip.rows);
  v.columns = hidden;
  v.centred = plan.shape.layer_norm;
  if (gains)
    g.out.read_piece(Queue::vector_read, plan.map.gains(*operation.parameters, 0), v.gain_bytes(),
                     bus::TrafficClass::weights, op);
  if (!plan.resident) read_last_rows(g, strip, op);
  v.row_begin = static_cast<std::uint32_t>(strip.first);
  v.gains = gains;
  v.from_memory = !plan.resident;
  v.twice = v.from_memory && norm_reads_twice(plan.shape, plan.chip);
  v.last_rows = true;
  v.epsilon = static_cast<float>(plan.shape.rms_norm_eps);
  if (g.head_spilled) v.block_columns = plan.map.normed.block_columns;
  g.out.batch.vector.push_back({op, v});
  if (g.head_spilled) {
    write_normed(g, strip, op);
    return;
  }
  converter::ToOperand c;
  c.format = plan.operand_format();
  c.rows = v.rows;
  c.columns = hidden;
  c.row_bytes = static_cast<std::uint32_t>(plan.operand_row(hidden));
  g.out.batch.converter.push_back({g.head_operand, c});
}

}  // namespace

void hand_out_logits(Generation& g, const Unit& u, std::uint64_t first_row, std::uint64_t first_column) {
  vector::Logits logits;
  logits.rows = static_cast<std::uint32_t>(u.strip.rows);
  logits.columns = static_cast<std::uint32_t>(u.columns);
  logits.row_begin = static_cast<std::uint32_t>(first_row);
  logits.column_begin = static_cast<std::uint32_t>(first_column + u.column);
  logits.divisor = static_cast<float>(g.plan.shape.logits_divisor);
  logits.cap = static_cast<float>(g.plan.shape.logits_cap);
  g.out.batch.vector.push_back({u.operation, logits});
}

void generate_head(Generation& g, std::uint64_t from, std::uint64_t to, bool more) {
  const StepPlan& plan = g.plan;
  const std::uint64_t wanted = plan.work.logit_rows();
  if (wanted == 0) return;
  const LayerOperation &norm = layer_graph(plan.shape).head.at(0), &product = layer_graph(plan.shape).head.at(1);
  const bool normed = g.head_operand != 0;  // an earlier piece's, or the vectors of a single linear
  // Rows that do not fit one by one go through memory, those of all strips before the product.
  if (!normed) g.head_spilled = head_in_memory(plan.shape, plan.chip);
  const std::vector<Strip> strips = strips_of(wanted, normed ? wanted : head_strip_rows(plan.shape, plan.chip, wanted));
  const KernelConfig& kernels = plan.chip.kernels;
  if (kernels.on() && !normed)
    g.out.begin_kernel(
        norm.operation_class,
        elementwise_us(kernels, plan.chip.clock_mhz, 8 * wanted * static_cast<std::uint64_t>(plan.shape.hidden_size)));
  if (!normed) final_norm(g, norm, strips[0]);
  for (std::size_t i = 1; g.head_spilled && i < strips.size(); ++i) final_norm(g, norm, strips[i]);
  if (kernels.on() && from == 0) g.out.begin_kernel(product.operation_class, kernels.linear_us);
  TensorPlace piece = plan.map.lm_head;
  piece.rows = std::min(to, piece.rows) - from;
  piece.index += from * piece.index_row_bytes();
  piece.scale += from * piece.scale_row_bytes();
  g.operand_at_array =
      from == 0 || g.head_spilled ? 0 : g.head_operand;  // a later piece finds its operand where the first had it
  for (std::size_t i = 0; i < (g.head_spilled ? 1 : strips.size()); ++i) {
    Linear linear;
    linear.operation_class = product.operation_class;
    linear.rows = g.head_spilled ? wanted : strips[i].rows;
    linear.operand = g.head_operand;
    if (g.head_spilled) linear.spilled = &plan.map.normed;
    linear.kernel_columns = plan.map.lm_head.rows;
    const std::uint64_t first_row = strips[i].first;
    linear.matrices.push_back({&piece, [=](Generation& inner, const Unit& u) {
                                 hand_out_logits(inner, u, first_row + u.strip.first, from);
                               }});
    // The norm of the next strip runs on the vector unit while the array works with this one.
    if (!g.head_spilled && i + 1 < strips.size()) final_norm(g, norm, strips[i + 1]);
    generate_products(g, linear);
  }
  mark_last_uses(g.out.batch, more && !g.head_spilled);
}

}  // namespace harmonia::accelerator
