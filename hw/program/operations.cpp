#include "harmonia/hw/program/operations.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace harmonia::accelerator {

Generation::Generation(const ModelShape& shape, const MemoryMap& map, const OnChip& chip,
                       const ProgramSettings& settings, const StepWork& work)
    : plan(shape, map, chip, settings, work),
      out(settings.data_valid, plan.rows),
      growing(chip.growing_channels / static_cast<std::uint32_t>(shape.head_dim)) {}

void Generation::number_result(Value result) {
  switch (result) {
    case Value::normed:
    case Value::attended:
    case Value::activated:
      operand[result] = out.next_operand();
      return;
    case Value::query:
      query_operand.assign(plan.work.sequences.size(), {});
      if (!plan.resident) return;
      for (std::size_t s = 0; s < plan.work.sequences.size(); ++s) {
        const std::uint64_t strips = ceil_div(plan.work.sequences[s].tokens, plan.query_strip[s]);
        query_operand[s].assign(static_cast<std::size_t>(plan.shape.num_key_value_heads),
                                std::vector<std::uint32_t>(strips));
        for (auto& head : query_operand[s])
          for (std::uint32_t& number : head) number = out.next_operand();
      }
      return;
    default:
      return;
  }
}

Generator Generators::of(OperationKind kind) const {
  const auto found = operations_.find(kind);
  if (found == operations_.end())
    throw std::logic_error("no file of hw/program/operations registers the operation '" + std::string(kind) + "'");
  return found->second;
}

UnitGenerator Generators::of(const Product& product, int layer) const {
  const auto found = results_.find({product.step, product.result});
  if (found == results_.end())
    throw std::logic_error("no file of hw/program/operations registers what '" + std::string(product.step) +
                           "' makes of results");
  return [generate = found->second, layer, &product](Generation& g, const Unit& u) {
    Unit of_product = u;
    of_product.product = &product;
    of_product.layer = layer;
    generate(g, layer, of_product);
  };
}

vector::Results results_at(const Unit& u) {
  vector::Results v;
  v.rows = static_cast<std::uint32_t>(u.strip.rows);
  v.columns = static_cast<std::uint32_t>(u.columns);
  v.row_begin = static_cast<std::uint32_t>(u.strip.first);
  v.column_begin = static_cast<std::uint32_t>(u.column);
  return v;
}

vector::PassValues passed_values(Generation& g, int layer, const Unit& u) {
  vector::PassValues v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.head_dim = static_cast<std::uint32_t>(g.plan.shape.head_dim);
  bring_vectors(g, layer, Value::values, u, v);
  return v;
}

bool bring_bias(Generation& g, int layer, const Unit& u, const Product* product) {
  if (product == nullptr) product = u.product;
  if (product == nullptr || !product->bias) return false;
  g.out.read_piece(Queue::vector_read, g.plan.map.gains(*product->bias, layer) + 2 * (u.bias_at + u.column),
                   2 * u.columns, bus::TrafficClass::weights, u.operation);
  return true;
}

void bring_vectors(Generation& g, int layer, Value value, const Unit& u, vector::Projection& v) {
  const Product* found = nullptr;
  for (const LayerOperation& operation : layer_graph(g.plan.shape, layer).layer)
    for (const Product& product : operation.products)
      if (product.result == value) found = &product;
  if (found == nullptr) throw std::logic_error("no product of a layer gives the projection that is generated");
  v.bias = bring_bias(g, layer, u, found);
  v.norm = found->head_norm.has_value();
  if (!v.norm) return;
  v.place = value == Value::keys ? 1 : 0;
  v.epsilon = static_cast<float>(g.plan.shape.rms_norm_eps);
  if (g.plan.shape.qk_norm_all_heads) v.width = static_cast<std::uint32_t>(u.width);
  v.gains = g.held_gains.insert(*found->head_norm).second;
  if (v.gains)
    g.out.read_piece(Queue::vector_read, g.plan.map.gains(*found->head_norm, layer),
                     2 * info_of(*found->head_norm).elements(g.plan.shape), bus::TrafficClass::weights, u.operation);
}

std::optional<Unit> leaving(const Generation& g, const Unit& u) {
  if (!g.plan.shape.qk_norm_all_heads) return u;
  if (u.column + u.columns < u.width) return std::nullopt;
  Unit all = u;
  all.column = 0;
  all.columns = u.width;
  return all;
}

void move_stream(Generation& g, const Unit& u) {
  const SpillPlace& residual = g.plan.map.residual;
  const std::uint64_t block = u.column / residual.block_columns;
  const auto row_bytes = static_cast<std::uint32_t>(2 * u.columns);
  g.out.read_rows(Queue::vector_read, residual, block, 1, u.strip, row_bytes, u.operation);
  converter::ToMemory c;
  c.rows = static_cast<std::uint32_t>(u.strip.rows);
  c.columns = static_cast<std::uint32_t>(u.columns);
  g.out.batch.converter.push_back({u.operation, c});
  g.out.write_rows(residual, block, u.strip, row_bytes, u.operation);
}

void write_normed(Generation& g, const Strip& strip, std::uint32_t operation) {
  const SpillPlace& normed = g.plan.map.normed;
  const auto hidden = static_cast<std::uint64_t>(g.plan.shape.hidden_size);
  converter::ToMemory c;
  c.format = g.plan.operand_format();
  c.rows = static_cast<std::uint32_t>(strip.rows);
  for (std::uint64_t block = 0; block < normed.blocks; ++block) {
    c.columns = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(normed.block_columns, hidden - block * normed.block_columns));
    g.out.batch.converter.push_back({operation, c});
    g.out.write_rows(normed, block, strip, static_cast<std::uint32_t>(g.plan.operand_row(c.columns)), operation);
  }
}

std::uint32_t residual_columns(const Generation& g, std::uint64_t block) {
  const SpillPlace& place = g.plan.map.residual;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(
      place.block_columns, static_cast<std::uint64_t>(g.plan.shape.hidden_size) - block * place.block_columns));
}

}  // namespace harmonia::accelerator
