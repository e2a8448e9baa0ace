#include "harmonia/hw/program/step_program.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/hw/program/attention_kernel.h"

namespace harmonia::accelerator {

StepProgram::StepProgram(const ModelShape& shape, const MemoryMap& map, const OnChip& chip, const Settings& settings,
                         const StepWork& work)
    : g_(shape, map, chip, settings, work) {}

std::vector<unsigned char> StepProgram::setup_table() const {
  const StepPlan& plan = g_.plan;
  std::vector<vector::SequenceRows> table;
  for (std::size_t i = 0; i < plan.work.sequences.size(); ++i) {
    const SequenceStep& s = plan.work.sequences[i];
    table.push_back({static_cast<std::uint32_t>(plan.first_row[i]), static_cast<std::uint32_t>(s.tokens),
                     static_cast<std::uint32_t>(s.cached), static_cast<std::uint32_t>(s.slot), s.logits ? 1u : 0u,
                     static_cast<std::uint32_t>(plan.query_strip[i])});
  }
  const std::vector<float>& frequencies = plan.settings.rope_frequencies;
  const std::size_t rows = table.size() * sizeof(vector::SequenceRows), angles = frequencies.size() * sizeof(float);
  std::vector<unsigned char> bytes(rows + angles);
  std::memcpy(bytes.data(), table.data(), rows);
  if (angles != 0) std::memcpy(bytes.data() + rows, frequencies.data(), angles);
  return bytes;
}

namespace {

/// Reads all queries (or attention outputs) and writes them in another order.
double regroup_us(const Generation& g) {
  const auto width = static_cast<std::uint64_t>(g.plan.shape.q_width());
  return elementwise_us(g.plan.chip.kernels, g.plan.chip.clock_mhz, 4 * g.plan.rows * width);
}

/// The kernel of an operation. A norm's adds to the residual stream too: it reads two streams and writes two.
void begin_kernel(Generation& g, const LayerOperation& operation, int layer) {
  const KernelConfig& kernels = g.plan.chip.kernels;
  if (!kernels.on()) return;
  if (operation.kind == "convert") return;  // on a GPU the linear behind it reads the stream
  const std::uint64_t stream = 2 * g.plan.rows * static_cast<std::uint64_t>(g.plan.shape.hidden_size);
  double us = kernels.linear_us;
  if (operation.kind == "norm") us = elementwise_us(kernels, g.plan.chip.clock_mhz, 4 * stream);
  if (operation.kind == "add_normed") us = elementwise_us(kernels, g.plan.chip.clock_mhz, 3 * stream);
  if (operation.kind == "gather") us = elementwise_us(kernels, g.plan.chip.clock_mhz, 2 * stream);
  if (operation.kind == "attention") {
    const AttentionGrid grid = attention_grid(kernels, attention_work(g.plan.shape, g.plan.work, layer));
    us = attention_idle_us(kernels, grid);
    if (grid.regrouped) us += regroup_us(g);
  }
  g.out.begin_kernel(operation.operation_class, us);
}

/// Kernels that take up an operation's results, where our machine's units do so as they come: rotation of queries and
/// keys, the activation function, putting together attention's parts. All that they do is in their time.
void follow_up_kernel(Generation& g, const LayerOperation& operation, int layer) {
  const KernelConfig& kernels = g.plan.chip.kernels;
  if (!kernels.on()) return;
  const ModelShape& shape = g.plan.shape;
  const double clock = g.plan.chip.clock_mhz;
  if (operation.kind == "attention") {
    const AttentionGrid grid = attention_grid(kernels, attention_work(g.plan.shape, g.plan.work, layer));
    if (grid.splits > 1) g.out.begin_kernel(OperationClass::attention_values, kernels.combine_us);
    if (grid.regrouped) g.out.begin_kernel(OperationClass::attention_values, regroup_us(g));
  } else if (operation.operation_class == OperationClass::qkv) {
    const auto width = static_cast<std::uint64_t>(shape.q_width() + shape.kv_width());
    g.out.begin_kernel(OperationClass::elementwise, elementwise_us(kernels, clock, 4 * g.plan.rows * width));
  } else if (operation.operation_class == OperationClass::gate_up) {
    const auto width = static_cast<std::uint64_t>(shape.intermediate_size);
    g.out.begin_kernel(OperationClass::elementwise, elementwise_us(kernels, clock, 6 * g.plan.rows * width));
  }
}

/// On a machine that is no GPU: what the all-reduces of a batch stand between.
void begin_between_all_reduces(Generation& g) {
  if (g.plan.shape.tensor_devices > 1 && !g.plan.chip.kernels.on()) g.out.begin_kernel(OperationClass::elementwise, 0);
}

/// What a device has of a projection's results is its part of a sum over the devices, which the next operation reads. The
/// vocabulary is divided too: of the embedding each device has the rows of its part.
/// In a mixture layer the shared experts' part is in that of the experts, which come last.
void all_reduce(Generation& g, const LayerOperation& operation, bool mixture, bool more) {
  if (g.plan.shape.tensor_devices == 1) return;
  const bool partial = (operation.operation_class == OperationClass::embedding && !g.plan.shape.stage_before) ||
                       operation.operation_class == OperationClass::output ||
                       (mixture ? follows_routing(operation) : operation.operation_class == OperationClass::down);
  if (!partial) return;
  if (!g.plan.settings.all_reduce_us) throw std::logic_error("a part of a model needs the time of an all-reduce");
  const std::uint64_t values = g.plan.rows * static_cast<std::uint64_t>(g.plan.shape.hidden_size);
  g.out.begin_all_reduce(values, g.plan.settings.all_reduce_us(values));
  if (more) begin_between_all_reduces(g);
}

}  // namespace

Batch StepProgram::embedding() {
  const bool received = g_.plan.shape.stage_before;  // there are no kernels: the link brought the rows
  if (!received) begin_between_all_reduces(g_);
  for (const LayerOperation& operation : layer_graph(g_.plan.shape).input) {
    if (!received) begin_kernel(g_, operation, 0);
    generators().of(operation.kind)(g_, operation, 0);
    all_reduce(g_, operation, false, false);
  }
  return g_.out.take();
}

Batch StepProgram::input() {
  const StepPlan& plan = g_.plan;
  g_.head_operand = g_.out.next_operand();
  g_.head_spilled = !plan.resident;
  if (g_.head_spilled) {
    for (const LayerOperation& operation : layer_graph(plan.shape).input)
      generators().of(operation.kind)(g_, operation, 0);
    return g_.out.take();
  }
  Batch b = embedding();  // the vectors of a single linear are taken as they are
  b.kernels.clear();      // a kernel reads its own vectors
  converter::ToOperand c;
  c.format = plan.operand_format();
  c.columns = static_cast<std::uint32_t>(plan.shape.hidden_size);
  c.row_bytes = static_cast<std::uint32_t>(plan.operand_row(c.columns));
  // Each gather leaves the vector unit as a chunk of its own.
  for (vector::Descriptor& v : b.vector) {
    auto* embed = std::get_if<vector::Embed>(&v.kind);
    if (embed == nullptr) continue;
    embed->leaves = true;
    c.rows = embed->rows;
    c.row_begin = embed->row_begin;
    b.converter.push_back({g_.head_operand, c});
  }
  return b;
}

void StepProgram::generate_layer(int index, bool before, bool after) {
  g_.plan.turn_to(index);
  const ModelShape& shape = g_.plan.shape;
  if (before) g_.held_gains.clear();
  if (after && shape.is_mixture(index)) {
    if (!g_.plan.settings.routing) throw std::logic_error("a mixture of experts needs a routing");
    g_.rows_of_experts = rows_of_experts(shape, *g_.plan.settings.routing, g_.plan.work, index);
  }
  if (before) begin_between_all_reduces(g_);  // what follows a routing goes on where its layer's first half ended
  for (const LayerOperation& operation : layer_graph(shape, index).layer) {
    if (!(follows_routing(operation) ? after : before)) continue;
    g_.number_result(operation.result);
    begin_kernel(g_, operation, index);
    generators().of(operation.kind)(g_, operation, index);
    follow_up_kernel(g_, operation, index);
    all_reduce(g_, operation, shape.is_mixture(index), &operation != &layer_graph(shape, index).layer.back());
  }
  mark_last_uses(g_.out.batch);
}

Batch StepProgram::layer(int index) {
  generate_layer(index, true, true);
  return g_.out.take();
}

Batch StepProgram::before_routing(int index) {
  generate_layer(index, true, false);
  return g_.out.take();
}

Batch StepProgram::after_routing(int index) {
  generate_layer(index, false, true);
  return g_.out.take();
}

namespace {

/// The spilled residual stream, strip by strip and block by block, on its way to the next stage.
void read_rows_to_send(Generation& g) {
  const StepPlan& plan = g.plan;
  const std::uint32_t op = g.out.next_operation(OperationClass::elementwise);
  for (const Strip& strip : strips_of(plan.rows, memory::DmaDescriptor::kMaxSegments))
    for (std::uint64_t block = 0; block < plan.map.residual.blocks; ++block) {
      vector::Embed v;
      v.rows = static_cast<std::uint32_t>(strip.rows);
      v.columns = residual_columns(g, block);
      v.row_begin = static_cast<std::uint32_t>(strip.first);
      g.out.read_rows(Queue::vector_read, plan.map.residual, block, 1, strip, 2 * v.columns, op);
      g.out.batch.vector.push_back({op, v});
    }
}

}  // namespace

Batch StepProgram::head(std::uint64_t from, std::uint64_t to, bool more) {
  if (from == 0) begin_between_all_reduces(g_);
  if (g_.plan.shape.stage_behind) {
    if (!g_.plan.resident) {
      if (g_.plan.chip.kernels.on()) g_.out.begin_kernel(OperationClass::elementwise, 0);
      read_rows_to_send(g_);
    }
    return g_.out.take();
  }
  generate_head(g_, from, to, more);
  return g_.out.take();
}

bool StepProgram::head_in_strips() const {
  const std::uint64_t wanted = g_.plan.work.logit_rows();
  if (head_in_memory(g_.plan.shape, g_.plan.chip)) return true;
  return head_strip_rows(g_.plan.shape, g_.plan.chip, wanted) < wanted;
}

}  // namespace harmonia::accelerator
