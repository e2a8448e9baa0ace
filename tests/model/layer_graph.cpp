// The decoder layer as data: its tensors have the sizes of the shape, and its operations hang together.
#include "harmonia/hw/model/layer_graph.h"

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/catch.h"

namespace {

using namespace harmonia::accelerator;

ModelShape llama_3_8b() {
  ModelShape s;
  s.hidden_size = 4096;
  s.num_hidden_layers = 32;
  s.num_attention_heads = 32;
  s.num_key_value_heads = 8;
  s.intermediate_size = 14336;
  s.vocab_size = 128256;
  s.head_dim = 128;
  s.tie_word_embeddings = false;
  return s;
}

}  // namespace

TEST_CASE("Layer graph: every tensor of the table stands at its number and has a name of its own") {
  std::set<std::string> names, roles;
  for (std::size_t i = 0; i < model_tensor_count; ++i) {
    const TensorInfo& tensor = model_tensors()[i];
    REQUIRE(static_cast<std::size_t>(tensor.tensor) == i);
    REQUIRE(&info_of(tensor.tensor) == &tensor);
    REQUIRE(names.insert(tensor.name).second);
    REQUIRE(roles.insert(tensor.role).second);
  }
}

TEST_CASE("Layer graph: Llama-3-8B has 8,030,261,248 parameters") {
  const ModelShape shape = llama_3_8b();
  REQUIRE(layer_graph(shape).parameters(shape) == 8030261248u);
}

TEST_CASE("Layer graph: parameters and bytes are those that the shape's formulas give") {
  ModelShape shape = llama_3_8b();
  shape.tie_word_embeddings = GENERATE(false, true);
  shape.head_dim = GENERATE(128, 96);
  const LayerGraph& graph = layer_graph(shape);
  REQUIRE(graph.parameters(shape) == shape.parameters());

  std::uint64_t matrices = 0;
  for (const ModelTensor tensor : graph.layer_matrices()) matrices += info_of(tensor).elements(shape);
  REQUIRE(matrices == shape.linear_weights_per_layer());
  REQUIRE(graph.bytes(shape, 16.0) == 2.0 * static_cast<double>(shape.parameters()));
  const double linears = 32.0 * static_cast<double>(shape.linear_weights_per_layer());
  REQUIRE(graph.bytes(shape, 4.25) ==
          (linears * 4.25 + (static_cast<double>(shape.parameters()) - linears) * 16.0) / 8.0);
}

TEST_CASE("Layer graph: a layer's tensors come in the order in which the operations need them") {
  using T = ModelTensor;
  const ModelShape dense = llama_3_8b();
  const LayerGraph& graph = layer_graph(dense);
  REQUIRE(graph.layer_tensors() ==
          std::vector<T>{T::attention_norm, T::q, T::k, T::v, T::o, T::ffn_norm, T::gate, T::up, T::down});
  REQUIRE(graph.layer_matrices() == std::vector<T>{T::q, T::k, T::v, T::o, T::gate, T::up, T::down});
  // Each tensor of a layer belongs to a dense one or to a mixture with a shared expert and its scale, with biases and norms.
  ModelShape mixture = llama_3_8b();
  mixture.mixture = {8, 2, 512, 512, true, 0, 1};
  mixture.qkv_bias = mixture.qk_norm = true;
  std::set<T> used;
  // With all parts that a layer may have: norms behind the blocks, biases, sinks.
  ModelShape more = llama_3_8b(), biased = mixture;
  more.norms = harmonia::accelerator::NormPlacement::both;
  more.o_bias = more.ffn_bias = more.attention_sinks = true;
  biased.mixture.shared_width = 0;
  biased.mixture.shared_gate = false;
  biased.ffn_bias = true;
  for (const ModelShape& shape : {llama_3_8b(), mixture, more, biased}) {
    const std::vector<T> all = layer_graph(shape, 0).layer_tensors();
    REQUIRE(std::set<T>(all.begin(), all.end()).size() == all.size());
    used.insert(all.begin(), all.end());
  }
  for (const TensorInfo& tensor : model_tensors()) REQUIRE(tensor.of_layer == (used.count(tensor.tensor) == 1));
}

TEST_CASE("Layer graph: every operand is the result of an operation before") {
  const ModelShape dense = llama_3_8b();
  const LayerGraph& graph = layer_graph(dense);
  std::set<Value> known = {Value::tokens};
  std::vector<LayerOperation> step = graph.input;
  step.insert(step.end(), graph.layer.begin(), graph.layer.end());
  step.insert(step.end(), graph.head.begin(), graph.head.end());
  for (const LayerOperation& operation : step) {
    INFO(operation.name);
    REQUIRE(known.count(operation.operand) == 1);
    for (const Product& product : operation.products) {
      REQUIRE(known.count(product.operand) == 1);
      if (!product.weights) REQUIRE(known.count(product.cached) == 1);
      known.insert(product.result);
    }
    known.insert(operation.result);
  }
  REQUIRE(known.count(Value::logits) == 1);
}

TEST_CASE("Layer graph: a linear's matrices take rows as wide as its operand") {
  const ModelShape shape = llama_3_8b();
  const LayerGraph& graph = layer_graph(shape);
  for (const LayerOperation& operation : graph.layer) {
    INFO(operation.name);
    for (const Product& product : operation.products) {
      if (!product.weights) continue;
      const std::uint64_t wide = product.operand == Value::attended    ? shape.q_width()
                                 : product.operand == Value::activated ? shape.intermediate_size
                                                                       : shape.hidden_size;
      REQUIRE(size_of(info_of(*product.weights).columns, shape) == wide);
      // What is added to the residual stream is as wide as it.
      if (product.step == "add")
        REQUIRE(size_of(info_of(*product.weights).rows, shape) == std::uint64_t(shape.hidden_size));
    }
    if (operation.paired) REQUIRE(operation.products.size() == 2);
  }
  REQUIRE(std::string(graph.user_of(ModelTensor::up).name) == "gate_up");
  REQUIRE_THROWS_WITH(graph.user_of(ModelTensor::lm_head), ContainsSubstring("lm_head"));
}

TEST_CASE("Layer graph: names of the operation classes are those of the results") {
  std::set<std::string> names;
  for (std::size_t i = 0; i < operation_class_count; ++i)
    REQUIRE(names.insert(name_of(static_cast<OperationClass>(i))).second);
  REQUIRE(std::string(name_of(OperationClass::attention_values)) == "attention_values");
}
