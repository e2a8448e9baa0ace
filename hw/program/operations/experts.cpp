// The experts of a mixture layer, one after the other: gate and up with the rows that were sent to one, then down, added to
// those rows of the residual stream. An expert that no row was sent to is not read. Experts are numbered here as the device has
// them.
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

/// The rows of a tensor of all experts that are one expert's.
TensorPlace part_of(const Generation& g, ModelTensor tensor, int layer, std::uint32_t expert) {
  TensorPlace place = g.plan.map.matrix(tensor, layer);
  place.rows /= static_cast<std::uint64_t>(g.plan.shape.own_experts());
  place.index += expert * place.rows * place.index_row_bytes();
  place.scale += expert * place.rows * place.scale_row_bytes();
  return place;
}

/// expert: its number in the model, or AddScaled::shared.
void add_of_expert(Generation& g, int layer, const Unit& u, std::uint32_t expert) {
  vector::AddScaled v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.expert = expert;
  v.partial = g.plan.shape.tensor_devices > 1;
  v.bias = bring_bias(g, layer, u);
  v.multiplier = static_cast<float>(g.plan.shape.residual_multiplier);
  g.out.batch.vector.push_back({u.operation, v});
}

void generate_expert(Generation& g, const LayerOperation& operation, int layer, std::uint32_t expert,
                     const std::vector<std::uint32_t>& rows, bool last) {
  const Product &gate = operation.products[0], &up = operation.products[1], &down = operation.products[2];
  g.number_result(Value::activated);
  const TensorPlace gate_place = part_of(g, *gate.weights, layer, expert),
                    up_place = part_of(g, *up.weights, layer, expert),
                    down_place = part_of(g, *down.weights, layer, expert);
  Linear first;
  first.operation_class = gate.operation_class;
  first.paired = true;
  first.rows = rows.size();
  first.operand = g.out.next_operand();
  first.source = g.operand[operation.operand];
  first.picked = &rows;
  first.keeps_source = !last;
  const UnitGenerator activate = generators().of(gate, layer);
  const auto of_expert = [&](const Unit& u, const TensorPlace& place, const Product& product) {
    Unit unit = u;
    unit.product = &product;
    unit.layer = layer;
    unit.bias_at = expert * place.rows;
    return unit;
  };
  first.matrices = {
      {&gate_place, [&](Generation& inner, const Unit& u) { activate(inner, of_expert(u, gate_place, gate)); }},
      {&up_place, activate}};
  generate_products(g, first);
  Linear second;
  second.operation_class = down.operation_class;
  second.rows = rows.size();
  second.operand = g.operand[Value::activated];
  second.matrices = {{&down_place, [&](Generation& inner, const Unit& u) {
                        const auto first_of_device = static_cast<std::uint32_t>(inner.plan.shape.first_expert());
                        add_of_expert(inner, layer, of_expert(u, down_place, down), first_of_device + expert);
                      }}};
  generate_products(g, second);
}

/// No row was sent to an expert of this device: nobody reads the rows that stayed for them.
void release_rows(Generation& g, const LayerOperation& operation) {
  memory::OperandDescriptor o;
  o.operand = g.out.next_operand();
  o.row_bytes = static_cast<std::uint32_t>(g.plan.operand_row(static_cast<std::uint64_t>(g.plan.shape.hidden_size)));
  o.source = g.operand[operation.operand];
  o.source_rows = static_cast<std::uint32_t>(g.plan.rows);
  g.out.batch.operands.push_back(o);
}

void generate_experts(Generation& g, const LayerOperation& operation, int layer) {
  const auto experts = static_cast<std::uint32_t>(g.rows_of_experts.size());
  std::uint32_t last = experts;
  for (std::uint32_t e = 0; e < experts; ++e)
    if (!g.rows_of_experts[e].empty()) last = e;
  if (last == experts) {
    release_rows(g, operation);
    return;
  }
  for (std::uint32_t e = 0; e <= last; ++e)
    if (!g.rows_of_experts[e].empty()) generate_expert(g, operation, layer, e, g.rows_of_experts[e], e == last);
}

/// Of the shared experts: those of a layer know which of them they are.
void add_scaled(Generation& g, int layer, const Unit& u) { add_of_expert(g, layer, u, vector::AddScaled::shared); }

vector::RouteRule route_rule(const Mixture& m) {
  return {static_cast<std::uint32_t>(m.experts_per_token), m.scores == RouterScores::sigmoid, m.normalised,
          static_cast<float>(m.weight_scale)};
}

/// Scores of all experts: the sequencer gets the chosen ones.
void route(Generation& g, int layer, const Unit& u) {
  vector::Route v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.bias = bring_bias(g, layer, u);
  v.rule = route_rule(g.plan.shape.mixture);
  v.experts = static_cast<std::uint32_t>(g.plan.shape.mixture.experts);
  v.ends = u.column + u.columns == v.experts;
  g.out.batch.vector.push_back({u.operation, v});
}

void scale(Generation& g, int /*layer*/, const Unit& u) {
  vector::ScaleOfRows v;
  static_cast<vector::Results&>(v) = results_at(u);
  g.out.batch.vector.push_back({u.operation, v});
}

}  // namespace

namespace operations {
void experts(Generators& all) {
  all.operation("experts", generate_experts);
  all.results("add_scaled", Value::residual, add_scaled);
  all.results("route", Value::routing, route);
  all.results("scale", Value::shared_scale, scale);
}
}  // namespace operations

}  // namespace harmonia::accelerator
