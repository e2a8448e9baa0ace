// The generators: each turns an operation of the layer graph into descriptors.
//
// Models: one generator for each kind of operation, and one for what is done with each unit of a linear's results. A new one
//   is an entry of the layer graph (hw/model) and a file of operations/, which registers it under its name.
// Does not model: the order of the operations (hw/model/layer_graph.h), time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/hw/model/layer_graph.h"
#include "harmonia/hw/program/batch_builder.h"
#include "harmonia/hw/program/growing_groups.h"
#include "harmonia/hw/program/step_plan.h"

namespace harmonia::accelerator {

/// The generation of one step: what is fixed, what is built, and what one operation leaves for a later one.
struct Generation {
  StepPlan plan;
  BatchBuilder out;
  GrowingGroups growing;
  /// Numbers of the A operands that hold a value, where it stays on chip.
  std::map<Value, std::uint32_t> operand;
  std::vector<std::vector<std::vector<std::uint32_t>>> query_operand;  // [sequence][kv head][strip], when they stay
  std::uint32_t head_operand = 0, operand_at_array = 0;                // 0: none is known to be there
  bool head_spilled = false;                                           // the head's operand is in memory
  RowsOfExperts rows_of_experts;                                       // of the mixture layer that is generated
  std::set<ModelTensor> held_gains;                                    // of this layer, in the vector unit

  Generation(const ModelShape& shape, const MemoryMap& map, const OnChip& chip, const ProgramSettings& settings,
             const StepWork& work);
  /// Gives the operation's result the number of an A operand, if it becomes one.
  void number_result(Value result);
};

/// Generates an operation of layer `layer` (0 for those before and behind the layers).
using Generator = void (*)(Generation&, const LayerOperation&, int layer);
// ---- Linears ----

/// A strip's results in columns [column, column + columns) of a matrix: what is handed on together.
struct Unit {
  std::uint64_t column, columns;
  std::uint64_t width;  // of all the matrix's results
  Strip strip;
  std::uint32_t operation;
  const Product* product = nullptr;  // whose results they are, of which layer
  int layer = 0;
  std::uint64_t bias_at = 0;  // column of the bias that belongs to the matrix's first
};
using UnitGenerator = std::function<void(Generation&, const Unit&)>;

/// The products of rows with one or more matrices of the same k.
struct Linear {
  struct Matrix {
    const TensorPlace* place;
    UnitGenerator results;
  };
  OperationClass operation_class = OperationClass::qkv;
  std::vector<Matrix> matrices;
  bool paired = false;  // the matrices are computed unit beside unit, and the first one's `results` takes both
  std::uint64_t unit_columns = 128;
  std::uint64_t rows = 0;
  std::uint64_t whole_row = 0;       // bytes of a row of results that the vector unit keeps until all are there
  std::uint64_t kernel_columns = 0;  // output features of all pieces of a matrix that comes in pieces; 0: those here
  std::uint32_t operand = 0;         // number of A when it is on chip
  std::uint32_t source = 0;          // operand that A is rows of; 0: it is the operand itself
  bool keeps_source = false;         // others read the source later
  const std::vector<std::uint32_t>* picked = nullptr;  // rows of the source that A is; null: all
  const SpillPlace* spilled = nullptr;                 // where A is when it is not
};
void generate_products(Generation& g, const Linear& linear);

/// Keys that only the smoother sees (kv_append.cpp).
void measure_keys(Generation& g, int layer, const Unit& u);

/// Generates what is done with a unit of results of layer `layer`.
using ResultsGenerator = void (*)(Generation&, int layer, const Unit&);

/// What a descriptor of the vector unit says about where a unit's results stand.
vector::Results results_at(const Unit& u);
/// Has the bias of a unit's columns brought to the vector unit, where the product (by default the unit's) has one: whether it has.
bool bring_bias(Generation& g, int layer, const Unit& u, const Product* product = nullptr);
/// Has bias and gains of a projection brought to the vector unit; v: its part in the unit's results.
void bring_vectors(Generation& g, int layer, Value value, const Unit& u, vector::Projection& v);
/// Columns whose heads leave the vector unit behind a unit of queries or keys: the unit's; with a norm over all heads those of all
/// behind the last unit, and none before.
std::optional<Unit> leaving(const Generation& g, const Unit& u);
/// The vector unit's part in queries and keys, which becomes `value`.
template <class Kind>
Kind rotation(Generation& g, int layer, Value value, const Unit& u);
/// Its part in values.
vector::PassValues passed_values(Generation& g, int layer, const Unit& u);
/// Rows of the residual stream changed by a unit of results: on chip, or read from memory and written back.
/// Update: a kind derived from vector::StreamUpdate.
template <class Update>
void update_stream(Generation& g, const Unit& u);
/// Reads and writes back the part of the spilled residual stream that a unit's results belong to.
void move_stream(Generation& g, const Unit& u);
/// Rows that leave the vector unit in blocks become operands in memory.
void write_normed(Generation& g, const Strip& strip, std::uint32_t operation);
/// Channels of a spilled residual row in block `block`.
std::uint32_t residual_columns(const Generation& g, std::uint64_t block);

template <class Kind>
Kind rotation(Generation& g, int layer, Value value, const Unit& u) {
  Kind v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.head_dim = static_cast<std::uint32_t>(g.plan.shape.head_dim);
  v.theta = g.plan.shape.theta_of(layer);
  v.own_theta = g.plan.shape.own_theta(layer);
  v.half_split = g.plan.settings.half_split_rope;
  v.rotates = g.plan.shape.rotated(layer) != 0;
  v.rotated = static_cast<std::uint32_t>(g.plan.shape.rotated(layer));
  v.magnitude = g.plan.settings.rope_magnitude;
  bring_vectors(g, layer, value, u, v);
  return v;
}

template <class Update>
void update_stream(Generation& g, const Unit& u) {
  Update v;
  static_cast<vector::Results&>(v) = results_at(u);
  v.bias = bring_bias(g, u.layer, u);
  v.in_memory = !g.plan.resident;
  v.partial = g.plan.shape.tensor_devices > 1;
  v.multiplier = static_cast<float>(g.plan.shape.residual_multiplier);
  if (v.in_memory) move_stream(g, u);
  g.out.batch.vector.push_back({u.operation, v});
}

// ---- Output head (head.cpp) ----

/// Output channels [from, to) of lm_head; the piece from 0 also does the final norm, unless the operand is there.
/// more: a further piece follows.
void generate_head(Generation& g, std::uint64_t from, std::uint64_t to, bool more);

// ---- Registry ----

/// What the files of hw/program/operations register: generators of kinds of operations, and of what is done with results, by
/// the step of the vector unit and the value that comes of it.
class Generators {
 public:
  void operation(OperationKind kind, Generator generate) { operations_[kind] = generate; }
  void results(Step step, Value result, ResultsGenerator generate) { results_[{step, result}] = generate; }

  /// Throw std::logic_error when there is none.
  Generator of(OperationKind kind) const;
  UnitGenerator of(const Product& product, int layer) const;

 private:
  std::map<OperationKind, Generator> operations_;
  std::map<std::pair<Step, Value>, ResultsGenerator> results_;
};
const Generators& generators();

}  // namespace harmonia::accelerator
