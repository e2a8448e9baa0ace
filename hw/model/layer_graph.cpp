#include "harmonia/hw/model/layer_graph.h"

#include <stdexcept>
#include <string>

namespace harmonia::accelerator {
namespace {

LayerOperation norm(const char* name, ModelTensor gains) {
  return {name, "norm", OperationClass::elementwise, Value::residual, gains, {}, false, Value::normed};
}

Product linear(OperationClass c, Value operand, ModelTensor weights, Step step, Value result) {
  return {c, operand, weights, Value::keys, step, result};
}

Product cached(OperationClass c, Value operand, Value cache, Step step, Value result) {
  return {c, operand, std::nullopt, cache, step, result};
}

LayerOperation linears(const char* name, OperationClass c, Value operand, std::vector<Product> products, Value result) {
  return {name, "linear", c, operand, std::nullopt, std::move(products), false, result};
}

std::vector<LayerOperation> decoder_layer() {
  using T = ModelTensor;
  using V = Value;
  using C = OperationClass;
  LayerOperation qkv =
      linears("qkv", C::qkv, V::normed,
              {linear(C::qkv, V::normed, T::q, "rotate", V::query), linear(C::qkv, V::normed, T::k, "rotate", V::keys),
               linear(C::qkv, V::normed, T::v, "pass", V::values)},
              V::query);
  LayerOperation attention{"attention", "attention", C::attention_scores, V::query, std::nullopt,
                           {},          false,       V::attended};
  attention.products = {cached(C::attention_scores, V::query, V::keys, "softmax", V::probabilities),
                        cached(C::attention_values, V::probabilities, V::values, "pass", V::attended)};
  LayerOperation output = linears("output", C::output, V::attended,
                                  {linear(C::output, V::attended, T::o, "add", V::residual)}, V::residual);
  LayerOperation gate_up = linears("gate_up", C::gate_up, V::normed,
                                   {linear(C::gate_up, V::normed, T::gate, "silu_multiply", V::activated),
                                    linear(C::gate_up, V::normed, T::up, "silu_multiply", V::activated)},
                                   V::activated);
  gate_up.paired = true;
  LayerOperation down =
      linears("down", C::down, V::activated, {linear(C::down, V::activated, T::down, "add", V::residual)}, V::residual);
  return {
      norm("attention_norm", T::attention_norm), qkv, attention, output, norm("ffn_norm", T::ffn_norm), gate_up, down};
}

LayerGraph dense_decoder() {
  LayerGraph graph;
  graph.input = {{"embedding",
                  "gather",
                  OperationClass::embedding,
                  Value::tokens,
                  ModelTensor::embedding,
                  {},
                  false,
                  Value::residual}};
  graph.layer = decoder_layer();
  graph.head = {norm("final_norm", ModelTensor::final_norm),
                linears("lm_head", OperationClass::lm_head, Value::normed,
                        {linear(OperationClass::lm_head, Value::normed, ModelTensor::lm_head, "pass", Value::logits)},
                        Value::logits)};
  return graph;
}

}  // namespace

std::uint64_t size_of(Width width, const ModelShape& shape) {
  switch (width) {
    case Width::one:
      return 1;
    case Width::hidden:
      return static_cast<std::uint64_t>(shape.hidden_size);
    case Width::query:
      return static_cast<std::uint64_t>(shape.q_width());
    case Width::key_value:
      return static_cast<std::uint64_t>(shape.kv_width());
    case Width::intermediate:
      return static_cast<std::uint64_t>(shape.intermediate_size);
    case Width::vocabulary:
      return static_cast<std::uint64_t>(shape.vocab_size);
  }
  return 0;
}

const std::array<TensorInfo, model_tensor_count>& model_tensors() {
  using T = ModelTensor;
  using K = TensorKind;
  using W = Width;
  static constexpr std::array<TensorInfo, model_tensor_count> tensors = {{
      {T::embedding, "embedding", "embedding", K::table, false, W::vocabulary, W::hidden},
      {T::attention_norm, "attention_norm", "attention norm", K::gains, true, W::one, W::hidden},
      {T::q, "q", "query projection", K::matrix, true, W::query, W::hidden},
      {T::k, "k", "key projection", K::matrix, true, W::key_value, W::hidden},
      {T::v, "v", "value projection", K::matrix, true, W::key_value, W::hidden},
      {T::o, "o", "output projection", K::matrix, true, W::hidden, W::query},
      {T::ffn_norm, "ffn_norm", "feed-forward norm", K::gains, true, W::one, W::hidden},
      {T::gate, "gate", "gate projection", K::matrix, true, W::intermediate, W::hidden},
      {T::up, "up", "up projection", K::matrix, true, W::intermediate, W::hidden},
      {T::down, "down", "down projection", K::matrix, true, W::hidden, W::intermediate},
      {T::final_norm, "final_norm", "final norm", K::gains, false, W::one, W::hidden},
      {T::lm_head, "lm_head", "output head", K::matrix, false, W::vocabulary, W::hidden},
  }};
  return tensors;
}

const TensorInfo& info_of(ModelTensor tensor) { return model_tensors().at(static_cast<std::size_t>(tensor)); }

const char* name_of(OperationClass c) {
  static constexpr const char* names[operation_class_count] = {
      "embedding", "qkv",  "attention_scores", "attention_values", "output",
      "gate_up",   "down", "lm_head",          "elementwise"};
  return names[static_cast<std::size_t>(c)];
}

std::vector<ModelTensor> LayerGraph::layer_tensors() const {
  std::vector<ModelTensor> tensors;
  for (const LayerOperation& operation : layer) {
    if (operation.parameters) tensors.push_back(*operation.parameters);
    for (const Product& product : operation.products)
      if (product.weights) tensors.push_back(*product.weights);
  }
  return tensors;
}

std::vector<ModelTensor> LayerGraph::layer_matrices() const {
  std::vector<ModelTensor> matrices;
  for (const ModelTensor tensor : layer_tensors())
    if (info_of(tensor).kind == TensorKind::matrix) matrices.push_back(tensor);
  return matrices;
}

const LayerOperation& LayerGraph::user_of(ModelTensor tensor) const {
  for (const LayerOperation& operation : layer) {
    if (operation.parameters == tensor) return operation;
    for (const Product& product : operation.products)
      if (product.weights == tensor) return operation;
  }
  throw std::invalid_argument(std::string("no operation of a layer uses the tensor ") + name_of(tensor));
}

std::uint64_t LayerGraph::parameters(const ModelShape& shape) const {
  std::uint64_t of_layer = 0, of_model = 0;
  for (const ModelTensor tensor : layer_tensors()) of_layer += info_of(tensor).elements(shape);
  for (const TensorInfo& tensor : model_tensors())
    if (!tensor.of_layer && !(tensor.tensor == ModelTensor::lm_head && shape.tie_word_embeddings))
      of_model += tensor.elements(shape);
  return static_cast<std::uint64_t>(shape.num_hidden_layers) * of_layer + of_model;
}

double LayerGraph::bytes(const ModelShape& shape, double bits) const {
  std::uint64_t matrices = 0;
  for (const ModelTensor tensor : layer_matrices()) matrices += info_of(tensor).elements(shape);
  matrices *= static_cast<std::uint64_t>(shape.num_hidden_layers);
  return (static_cast<double>(matrices) * bits + static_cast<double>(parameters(shape) - matrices) * 16.0) / 8.0;
}

const LayerGraph& layer_graph(const ModelShape& /*shape*/) {
  static const LayerGraph dense = dense_decoder();
  return dense;
}

}  // namespace harmonia::accelerator
