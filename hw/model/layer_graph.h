// A decoder model as data: its weight tensors, and the operations of a step in the order in which they run.
//
// Models: the Llama decoder: RMSNorm, grouped-query attention with rotary positions, a SwiGLU feed-forward or a mixture of
//   such, each with its weights, operands, shapes, operation class and the place where its results go. Which tokens a layer
//   attends to is the shape's (ModelShape::window_of).
//   Biases, norms of queries and keys, norms behind a block and a feed-forward without a gate are further entries, or further
//   members of an entry: a tensor in the table of tensors, a product or an operation in the list. Layers of a custom architecture
//   take operations from the same list, by name.
// Does not model: blocks that run side by side, recurrent layers, latent attention.
//
// What the sequencer generates, what the golden model computes, what the loaders look for in a file and what the
// quantiser encodes all follow from these lists: a tensor is named here and nowhere else. Names in files belong to the
// loaders, which give one for each tensor of this table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harmonia/hw/model/model_shape.h"

namespace harmonia::accelerator {

// ---- Tensors ----

enum class ModelTensor : std::uint8_t {
  embedding,
  attention_norm,
  q,
  k,
  v,
  o,
  ffn_norm,
  gate,
  up,
  down,
  final_norm,
  lm_head,
  router,
  expert_gate,  // those of all experts of a layer stand one after the other
  expert_up,
  expert_down,
  shared_gate,
  shared_up,
  shared_down,
  shared_scale,
  q_bias,
  k_bias,
  v_bias,
  q_norm,
  k_norm,
  o_bias,
  sinks,  // a score for each query head
  attention_post_norm,
  ffn_post_norm,
  gate_bias,
  up_bias,
  down_bias,
  router_bias,
  expert_gate_bias,  // those of all experts of a layer stand one after the other
  expert_up_bias,
  expert_down_bias
};
inline constexpr std::size_t model_tensor_count = 36;

/// A dimension of a tensor, which the shape of the model gives a size.
enum class Width : std::uint8_t {
  one,
  hidden,
  query,
  key_value,
  query_norm,  // gains of the norm of queries, and of keys: of a head, or of all
  key_norm,
  norm,   // gains of a norm of the residual stream, and behind them its biases where it has some
  heads,  // of the queries
  intermediate,
  vocabulary,
  experts,
  expert,           // of one expert
  expert_channels,  // the same of all experts that the device has
  expert_outputs,   // the residual stream's, of as many experts
  shared
};
/// Channels, features or tokens of the vocabulary.
std::uint64_t size_of(Width width, const ModelShape& shape);

enum class TensorKind : std::uint8_t {
  table,  // rows are looked up: the embedding
  gains,  // a vector: gains of a norm, a bias
  matrix  // [output features, input features] of a linear: what weight formats apply to
};

struct TensorInfo {
  ModelTensor tensor;
  const char* name;  // short, as in messages of the machine and in lists: "q"
  const char* role;  // in words, for messages about files: "query projection"
  TensorKind kind;
  bool of_layer;  // one for each layer; otherwise one for the model
  Width rows, columns;

  std::uint64_t elements(const ModelShape& shape) const { return size_of(rows, shape) * size_of(columns, shape); }
};
/// In the order of ModelTensor.
const std::array<TensorInfo, model_tensor_count>& model_tensors();
const TensorInfo& info_of(ModelTensor tensor);
inline const char* name_of(ModelTensor tensor) { return info_of(tensor).name; }

/// Matrices of a layer that weight formats do not apply to: what decides about experts is stored in 16 bits.
inline bool stays_16_bit(ModelTensor tensor) {
  return tensor == ModelTensor::router || tensor == ModelTensor::shared_scale;
}

/// Something for each tensor: places in memory, views of a file, encoded weights. Entries that the holder does not use
/// stay as T{} makes them.
template <typename T>
class PerTensor {
 public:
  T& operator[](ModelTensor tensor) { return all_[static_cast<std::size_t>(tensor)]; }
  const T& operator[](ModelTensor tensor) const { return all_[static_cast<std::size_t>(tensor)]; }

 private:
  std::array<T, model_tensor_count> all_{};
};

// ---- Operations ----

/// Classes of operations, for time, traffic and bound of each.
enum class OperationClass : std::uint8_t {
  embedding,
  qkv,
  attention_scores,
  attention_values,
  output,
  gate_up,
  down,
  lm_head,
  elementwise,
  link,   // between devices
  bubble  // of a pipeline: waiting for what other stages do
};
inline constexpr std::size_t operation_class_count = 11;
const char* name_of(OperationClass c);

/// What is handed from one operation to the next.
enum class Value : std::uint8_t {
  tokens,         // numbers of the step's tokens
  residual,       // the residual stream, FP16
  normed,         // operand of the linears behind a norm
  query,          // operand of the scores, head by head
  keys,           // in the KV cache
  values,         // in the KV cache
  probabilities,  // operand of the attention's second product
  attended,       // operand of the output projection
  activated,      // operand of the down projection
  logits,
  routing,       // experts of each token, to the sequencer, and their weights
  shared_scale,  // of what the shared experts give, for each token
  branch         // what attention or feed-forward gives, on its way to a norm, FP16
};

inline constexpr std::size_t value_count = 13;

/// What the vector unit does to results on their way, by the name that a file of hw/program/operations and one of
/// hw/golden/operations register: "pass", "rotate" (keys then pass the smoother), "silu_multiply" (silu of the first product
/// times the second), "activate" (the activation of one product), "add" (to what is at the destination), "keep" (as rows of their own), "add_scaled" (the same times a number of the row), "route" (top
/// experts of a row of scores), "scale" (sigmoid of one score of a row). "softmax" (scale, causal mask, softmax of a row of scores)
/// belongs to the attention.
using Step = std::string_view;

/// One matrix product: rows of the operation's operand times a weight matrix, or times what the KV cache holds.
struct Product {
  OperationClass operation_class;
  Value operand;
  std::optional<ModelTensor> weights;  // absent: `cached` is the other factor
  Value cached = Value::keys;
  Step step = "pass";
  Value result = Value::residual;
  // What is done to results before the step: a bias is added, then each head is normed by these gains, or all together.
  std::optional<ModelTensor> bias = {}, head_norm = {};
};

/// Kind of an operation, by the name that a file of hw/program/operations and one of hw/golden/operations register: "gather"
/// (rows of a table), "norm" (RMSNorm of rows, converted to an operand), "linear" (products with weight matrices that share
/// one operand), "convert" (rows become an operand as they are), "add_normed" (RMSNorm of a branch, added to the residual
/// stream), "attention" (scores and values of each sequence and kv head; its parameters are the sinks), "experts" (gate, up and down of each expert
/// that a row was sent to, with those rows).
using OperationKind = std::string_view;

struct LayerOperation {
  const char* name;
  OperationKind kind;
  OperationClass operation_class;  // of the operation's own time; products have theirs
  Value operand;
  std::optional<ModelTensor> parameters;  // gather: the table; norm: the gains
  std::vector<Product> products;          // linear, attention
  /// The products are computed column by column together and become one result (gate and up).
  bool paired = false;
  Value result;
  bool keeps_operand = false;  // a later operation reads the operand too
};

struct LayerGraph {
  std::vector<LayerOperation> input;  // before the layers
  std::vector<LayerOperation> layer;  // of one layer
  std::vector<LayerOperation> head;   // behind the layers

  /// Tensors of one layer, and of these the matrices, in the order in which the operations use them: the order in which
  /// they lie in memory and are numbered.
  std::vector<ModelTensor> layer_tensors() const;
  std::vector<ModelTensor> layer_matrices() const;
  /// The operation that uses a tensor of a layer. Throws std::invalid_argument when none does.
  const LayerOperation& user_of(ModelTensor tensor) const;

  /// All weights of a model of this shape, whatever its layers are; a tied output head counts once, with the embedding.
  std::uint64_t parameters(const ModelShape& shape) const;
  /// Bytes of all weights with every matrix of a layer at `bits` bits a weight and the rest in FP16.
  double bytes(const ModelShape& shape, double bits) const;
};

/// The operations of a model of this shape, with those of a dense layer.
const LayerGraph& layer_graph(const ModelShape& shape);
/// The same with those of layer `index`, which may be a mixture.
const LayerGraph& layer_graph(const ModelShape& shape, int index);
/// Names of all operations that a layer may have.
std::vector<std::string> layer_operation_names();
/// What is wrong with operations as those of a layer of a model of this shape, one behind the other; empty: nothing, or none are
/// named.
std::string fault_of_operations(const ModelShape& shape, const std::vector<std::string>& operations);
/// Whether the operation's products are known only when the router's results are: the sequencer orders them then.
inline bool follows_routing(const LayerOperation& operation) { return operation.kind == "experts"; }

}  // namespace harmonia::accelerator
