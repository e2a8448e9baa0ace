#include "harmonia/hw/model/layer_graph.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>

namespace harmonia::accelerator {
namespace {

LayerOperation norm(const char* name, ModelTensor gains) {
  return {name, "norm", OperationClass::elementwise, Value::residual, gains, {}, false, Value::normed};
}

Product linear(OperationClass c, Value operand, ModelTensor weights, Step step, Value result) {
  return {c, operand, weights, Value::keys, step, result, {}, {}};
}

Product cached(OperationClass c, Value operand, Value cache, Step step, Value result) {
  return {c, operand, std::nullopt, cache, step, result, {}, {}};
}

LayerOperation linears(const char* name, OperationClass c, Value operand, std::vector<Product> products, Value result) {
  return {name, "linear", c, operand, std::nullopt, std::move(products), false, result};
}

/// Gate and up of a feed-forward, computed together.
LayerOperation gated(const char* name, ModelTensor gate, ModelTensor up) {
  using V = Value;
  constexpr auto c = OperationClass::gate_up;
  LayerOperation operation = linears(name, c, V::normed,
                                     {linear(c, V::normed, gate, "silu_multiply", V::activated),
                                      linear(c, V::normed, up, "silu_multiply", V::activated)},
                                     V::activated);
  operation.paired = true;
  return operation;
}

LayerOperation down_of(const char* name, ModelTensor down, Step step) {
  constexpr auto c = OperationClass::down;
  return linears(name, c, Value::activated, {linear(c, Value::activated, down, step, Value::residual)},
                 Value::residual);
}

/// What a layer has beside the matrices of attention and of a feed-forward with a gate.
struct Parts {
  bool bias, norm, o_bias, sinks, ffn_bias, gated;
  NormPlacement norms;
  enum class FeedForward : std::uint8_t { dense, mixture, shared, scaled } feed_forward;
};

/// What takes the residual stream to the operand of a block.
LayerOperation entry(const Parts& parts, const char* name, ModelTensor gains) {
  LayerOperation operation = norm(name, gains);
  if (parts.norms != NormPlacement::behind) return operation;
  operation.kind = "convert";
  operation.parameters.reset();
  return operation;
}

/// Has what a block's last linear gives normed before it is added to the residual stream, where the model does so.
void leave(const Parts& parts, std::vector<LayerOperation>& layer, const char* name, ModelTensor gains) {
  if (parts.norms == NormPlacement::before) return;
  layer.back().products.back().step = "keep";
  layer.back().products.back().result = layer.back().result = Value::branch;
  layer.push_back({name, "add_normed", OperationClass::elementwise, Value::branch, gains, {}, false, Value::residual});
}

std::vector<LayerOperation> attention_block(const Parts& parts) {
  using T = ModelTensor;
  using V = Value;
  using C = OperationClass;
  LayerOperation qkv =
      linears("qkv", C::qkv, V::normed,
              {linear(C::qkv, V::normed, T::q, "rotate", V::query), linear(C::qkv, V::normed, T::k, "rotate", V::keys),
               linear(C::qkv, V::normed, T::v, "pass", V::values)},
              V::query);
  if (parts.bias) {
    qkv.products[0].bias = T::q_bias;
    qkv.products[1].bias = T::k_bias;
    qkv.products[2].bias = T::v_bias;
  }
  if (parts.norm) {
    qkv.products[0].head_norm = T::q_norm;
    qkv.products[1].head_norm = T::k_norm;
  }
  LayerOperation attention{"attention", "attention", C::attention_scores, V::query, std::nullopt,
                           {},          false,       V::attended};
  if (parts.sinks) attention.parameters = T::sinks;
  attention.products = {cached(C::attention_scores, V::query, V::keys, "softmax", V::probabilities),
                        cached(C::attention_values, V::probabilities, V::values, "pass", V::attended)};
  LayerOperation output = linears("output", C::output, V::attended,
                                  {linear(C::output, V::attended, T::o, "add", V::residual)}, V::residual);
  if (parts.o_bias) output.products[0].bias = T::o_bias;
  std::vector<LayerOperation> layer = {entry(parts, "attention_norm", T::attention_norm), qkv, attention, output};
  leave(parts, layer, "attention_post_norm", T::attention_post_norm);
  layer.push_back(entry(parts, "ffn_norm", T::ffn_norm));
  return layer;
}

void dense_feed_forward(const Parts& parts, std::vector<LayerOperation>& layer) {
  using T = ModelTensor;
  using V = Value;
  constexpr auto c = OperationClass::gate_up;
  if (parts.gated) {
    layer.push_back(gated("gate_up", T::gate, T::up));
    if (parts.ffn_bias) {
      layer.back().products[0].bias = T::gate_bias;
      layer.back().products[1].bias = T::up_bias;
    }
  } else {
    layer.push_back(linears("up", c, V::normed, {linear(c, V::normed, T::up, "activate", V::activated)}, V::activated));
    if (parts.ffn_bias) layer.back().products[0].bias = T::up_bias;
  }
  layer.push_back(down_of("down", ModelTensor::down, "add"));
  if (parts.ffn_bias) layer.back().products[0].bias = T::down_bias;
  leave(parts, layer, "ffn_post_norm", T::ffn_post_norm);
}

/// The router first, so that its results are with the sequencer while the shared experts are at work.
void mixture_feed_forward(const Parts& parts, std::vector<LayerOperation>& layer) {
  using T = ModelTensor;
  using V = Value;
  constexpr auto c = OperationClass::gate_up;
  const bool scaled = parts.feed_forward == Parts::FeedForward::scaled,
             shared = scaled || parts.feed_forward == Parts::FeedForward::shared;
  const auto keeping = [&](LayerOperation operation) {
    operation.keeps_operand = true;
    layer.push_back(std::move(operation));
  };
  keeping(linears("router", c, V::normed, {linear(c, V::normed, T::router, "route", V::routing)}, V::routing));
  if (parts.ffn_bias) layer.back().products[0].bias = T::router_bias;
  if (scaled)
    keeping(linears("shared_scale", c, V::normed, {linear(c, V::normed, T::shared_scale, "scale", V::shared_scale)},
                    V::shared_scale));
  if (shared) {
    keeping(gated("shared_gate_up", T::shared_gate, T::shared_up));
    layer.push_back(down_of("shared_down", T::shared_down, scaled ? "add_scaled" : "add"));
  }
  LayerOperation experts = gated("experts", T::expert_gate, T::expert_up);
  experts.kind = "experts";
  experts.result = V::residual;
  experts.products.push_back(down_of("", T::expert_down, "add_scaled").products.front());
  if (parts.ffn_bias) {
    experts.products[0].bias = T::expert_gate_bias;
    experts.products[1].bias = T::expert_up_bias;
    experts.products[2].bias = T::expert_down_bias;
  }
  layer.push_back(experts);
}

std::vector<LayerOperation> layer_of(const Parts& parts) {
  std::vector<LayerOperation> layer = attention_block(parts);
  if (parts.feed_forward == Parts::FeedForward::dense)
    dense_feed_forward(parts, layer);
  else
    mixture_feed_forward(parts, layer);
  return layer;
}

LayerGraph decoder(std::vector<LayerOperation> layer) {
  LayerGraph graph;
  graph.input = {{"embedding",
                  "gather",
                  OperationClass::embedding,
                  Value::tokens,
                  ModelTensor::embedding,
                  {},
                  false,
                  Value::residual}};
  graph.layer = std::move(layer);
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
    case Width::query_norm:
      return static_cast<std::uint64_t>(shape.qk_norm_all_heads ? shape.q_width() : shape.head_dim);
    case Width::key_norm:
      return static_cast<std::uint64_t>(shape.qk_norm_all_heads ? shape.kv_width() : shape.head_dim);
    case Width::norm:
      return static_cast<std::uint64_t>(shape.norm_width());
    case Width::heads:
      return static_cast<std::uint64_t>(shape.num_attention_heads);
    case Width::intermediate:
      return static_cast<std::uint64_t>(shape.intermediate_size);
    case Width::vocabulary:
      return static_cast<std::uint64_t>(shape.vocab_size);
    case Width::experts:
      return static_cast<std::uint64_t>(shape.mixture.experts);
    case Width::expert:
      return static_cast<std::uint64_t>(shape.mixture.expert_width);
    case Width::expert_channels:
      return static_cast<std::uint64_t>(shape.own_experts()) * size_of(Width::expert, shape);
    case Width::expert_outputs:
      return static_cast<std::uint64_t>(shape.own_experts()) * size_of(Width::hidden, shape);
    case Width::shared:
      return static_cast<std::uint64_t>(shape.mixture.shared_width);
  }
  return 0;
}

const std::array<TensorInfo, model_tensor_count>& model_tensors() {
  using T = ModelTensor;
  using K = TensorKind;
  using W = Width;
  static constexpr std::array<TensorInfo, model_tensor_count> tensors = {{
      {T::embedding, "embedding", "embedding", K::table, false, W::vocabulary, W::hidden},
      {T::attention_norm, "attention_norm", "attention norm", K::gains, true, W::one, W::norm},
      {T::q, "q", "query projection", K::matrix, true, W::query, W::hidden},
      {T::k, "k", "key projection", K::matrix, true, W::key_value, W::hidden},
      {T::v, "v", "value projection", K::matrix, true, W::key_value, W::hidden},
      {T::o, "o", "output projection", K::matrix, true, W::hidden, W::query},
      {T::ffn_norm, "ffn_norm", "feed-forward norm", K::gains, true, W::one, W::norm},
      {T::gate, "gate", "gate projection", K::matrix, true, W::intermediate, W::hidden},
      {T::up, "up", "up projection", K::matrix, true, W::intermediate, W::hidden},
      {T::down, "down", "down projection", K::matrix, true, W::hidden, W::intermediate},
      {T::final_norm, "final_norm", "final norm", K::gains, false, W::one, W::norm},
      {T::lm_head, "lm_head", "output head", K::matrix, false, W::vocabulary, W::hidden},
      {T::router, "router", "router", K::matrix, true, W::experts, W::hidden},
      {T::expert_gate, "expert_gate", "experts' gate projections", K::matrix, true, W::expert_channels, W::hidden},
      {T::expert_up, "expert_up", "experts' up projections", K::matrix, true, W::expert_channels, W::hidden},
      {T::expert_down, "expert_down", "experts' down projections", K::matrix, true, W::expert_outputs, W::expert},
      {T::shared_gate, "shared_gate", "shared experts' gate projection", K::matrix, true, W::shared, W::hidden},
      {T::shared_up, "shared_up", "shared experts' up projection", K::matrix, true, W::shared, W::hidden},
      {T::shared_down, "shared_down", "shared experts' down projection", K::matrix, true, W::hidden, W::shared},
      {T::shared_scale, "shared_scale", "scale of the shared experts", K::matrix, true, W::one, W::hidden},
      {T::q_bias, "q_bias", "bias of the queries", K::gains, true, W::one, W::query},
      {T::k_bias, "k_bias", "bias of the keys", K::gains, true, W::one, W::key_value},
      {T::v_bias, "v_bias", "bias of the values", K::gains, true, W::one, W::key_value},
      {T::q_norm, "q_norm", "norm of each head's queries", K::gains, true, W::one, W::query_norm},
      {T::k_norm, "k_norm", "norm of each head's keys", K::gains, true, W::one, W::key_norm},
      {T::o_bias, "o_bias", "bias of the output projection", K::gains, true, W::one, W::hidden},
      {T::sinks, "sinks", "sinks of the heads", K::gains, true, W::one, W::heads},
      {T::attention_post_norm, "attention_post_norm", "norm behind attention", K::gains, true, W::one, W::norm},
      {T::ffn_post_norm, "ffn_post_norm", "norm behind the feed-forward", K::gains, true, W::one, W::norm},
      {T::gate_bias, "gate_bias", "bias of gate", K::gains, true, W::one, W::intermediate},
      {T::up_bias, "up_bias", "bias of up", K::gains, true, W::one, W::intermediate},
      {T::down_bias, "down_bias", "bias of down", K::gains, true, W::one, W::hidden},
      {T::router_bias, "router_bias", "bias of the router", K::gains, true, W::one, W::experts},
      {T::expert_gate_bias, "expert_gate_bias", "experts' biases of gate", K::gains, true, W::one, W::expert_channels},
      {T::expert_up_bias, "expert_up_bias", "experts' biases of up", K::gains, true, W::one, W::expert_channels},
      {T::expert_down_bias, "expert_down_bias", "experts' biases of down", K::gains, true, W::one, W::expert_outputs},
  }};
  return tensors;
}

const TensorInfo& info_of(ModelTensor tensor) { return model_tensors().at(static_cast<std::size_t>(tensor)); }

const char* name_of(OperationClass c) {
  static constexpr const char* names[operation_class_count] = {
      "embedding", "qkv",  "attention_scores", "attention_values", "output",
      "gate_up",   "down", "lm_head",          "elementwise",      "link",
      "bubble"};
  return names[static_cast<std::size_t>(c)];
}

std::vector<ModelTensor> LayerGraph::layer_tensors() const {
  std::vector<ModelTensor> tensors;
  for (const LayerOperation& operation : layer) {
    if (operation.parameters) tensors.push_back(*operation.parameters);
    for (const Product& product : operation.products)
      for (const std::optional<ModelTensor>& tensor : {product.weights, product.bias, product.head_norm})
        if (tensor) tensors.push_back(*tensor);
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
      if (product.weights == tensor || product.bias == tensor || product.head_norm == tensor) return operation;
  }
  throw std::invalid_argument(std::string("no operation of a layer uses the tensor ") + name_of(tensor));
}

std::uint64_t LayerGraph::parameters(const ModelShape& shape) const {
  std::uint64_t sum = 0;
  for (int l = 0; l < shape.num_hidden_layers; ++l) {
    const ModelShape own = shape.of_layer(l);
    for (const ModelTensor tensor : layer_graph(shape, l).layer_tensors()) sum += info_of(tensor).elements(own);
  }
  for (const TensorInfo& tensor : model_tensors())
    if (!tensor.of_layer && !(tensor.tensor == ModelTensor::lm_head && shape.tie_word_embeddings))
      sum += tensor.elements(shape);
  return sum;
}

double LayerGraph::bytes(const ModelShape& shape, double bits) const {
  std::uint64_t matrices = 0;
  for (int l = 0; l < shape.num_hidden_layers; ++l) {
    const ModelShape own = shape.of_layer(l);
    for (const ModelTensor tensor : layer_graph(shape, l).layer_matrices()) matrices += info_of(tensor).elements(own);
  }
  return (static_cast<double>(matrices) * bits + static_cast<double>(parameters(shape) - matrices) * 16.0) / 8.0;
}

namespace {

Parts parts_of(const ModelShape& shape, bool mixture) {
  using F = Parts::FeedForward;
  const Mixture& m = shape.mixture;
  const F sparse = m.shared_gate ? F::scaled : m.shared_width > 0 ? F::shared : F::mixture;
  return {shape.qkv_bias, shape.qk_norm, shape.o_bias, shape.attention_sinks,
          shape.ffn_bias, shape.gated,   shape.norms,  mixture ? sparse : F::dense};
}

unsigned key_of(const Parts& p) {
  unsigned key = static_cast<unsigned>(p.norms) * 4 + static_cast<unsigned>(p.feed_forward);
  for (const bool part : {p.bias, p.norm, p.o_bias, p.sinks, p.ffn_bias, p.gated}) key = 2 * key + (part ? 1 : 0);
  return key;
}

/// All operations that a layer of the model may have: those of a dense layer, and of a mixture where it has some.
std::vector<LayerOperation> all_operations(const ModelShape& shape) {
  std::vector<LayerOperation> all = layer_of(parts_of(shape, false));
  if (shape.mixture.experts > 0) mixture_feed_forward(parts_of(shape, true), all);
  return all;
}

const char* name_of(Value value) {
  static constexpr const char* names[value_count] = {
      "tokens",        "residual stream", "normed rows", "queries", "keys",         "values", "probabilities",
      "attended rows", "activated rows",  "logits",      "routing", "shared scale", "branch"};
  return names[static_cast<std::size_t>(value)];
}

/// What an operation reads beside its operand.
std::vector<Value> also_read_by(const LayerOperation& operation) {
  if (follows_routing(operation)) return {Value::routing};
  const bool scaled = !operation.products.empty() && operation.products.back().step == "add_scaled";
  return scaled ? std::vector<Value>{Value::shared_scale} : std::vector<Value>{};
}

/// The graph of layers of these parts, which is made when it is first asked for and stays.
const LayerGraph& graph_of(const Parts& p) {
  static std::mutex one_at_a_time;
  static std::map<unsigned, LayerGraph> made;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  const auto found = made.find(key_of(p));
  return found != made.end() ? found->second : made.emplace(key_of(p), decoder(layer_of(p))).first->second;
}

/// The same of layers whose operations are listed.
const LayerGraph& graph_of(const ModelShape& shape, const std::vector<std::string>& operations) {
  static std::mutex one_at_a_time;
  static std::map<std::string, LayerGraph> made;
  std::string key = std::to_string(key_of(parts_of(shape, true)));
  for (const std::string& name : operations) key += " " + name;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  const auto found = made.find(key);
  if (found != made.end()) return found->second;
  const std::vector<LayerOperation> all = all_operations(shape);
  std::vector<LayerOperation> layer;
  for (const std::string& name : operations)
    for (const LayerOperation& operation : all)
      if (name == operation.name) layer.push_back(operation);
  return made.emplace(key, decoder(std::move(layer))).first->second;
}

}  // namespace

const LayerGraph& layer_graph(const ModelShape& shape) { return graph_of(parts_of(shape, false)); }

const LayerGraph& layer_graph(const ModelShape& shape, int index) {
  if (const LayerRun* run = shape.run_of(index); run != nullptr && !run->operations.empty())
    return graph_of(shape, run->operations);
  return graph_of(parts_of(shape, shape.is_mixture(index)));
}

std::vector<std::string> layer_operation_names() {
  return {"attention_norm",
          "qkv",
          "attention",
          "output",
          "attention_post_norm",
          "ffn_norm",
          "gate_up",
          "up",
          "down",
          "ffn_post_norm",
          "router",
          "shared_scale",
          "shared_gate_up",
          "shared_down",
          "experts"};
}

std::string fault_of_operations(const ModelShape& shape, const std::vector<std::string>& operations) {
  const std::vector<LayerOperation> all = all_operations(shape);
  std::map<Value, std::string> there = {{Value::residual, ""}};  // and which operation gave it
  std::set<std::string> seen;
  for (const std::string& name : operations) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const LayerOperation& o) { return name == o.name; });
    if (found == all.end()) {
      std::string names;
      for (const LayerOperation& o : all) names += (names.empty() ? "" : ", ") + std::string(o.name);
      return "operation '" + name + "' is none of a layer of this model, expected of " + names;
    }
    if (!seen.insert(name).second) return "operation '" + name + "' is named twice, expected once in a layer";
    if (seen.count("experts") != 0 && name != "experts")
      return "operation '" + name + "' stands behind 'experts', expected that to be a layer's last one";
    std::vector<Value> reads = also_read_by(*found);
    reads.push_back(found->operand);
    for (const Value value : reads)
      if (there.count(value) == 0)
        return "operation '" + name + "' reads " + name_of(value) + ", which no operation before it gives";
    for (const Value value : reads)
      if (value != Value::residual && !(found->keeps_operand && value == found->operand)) there.erase(value);
    const auto before = there.find(found->result);
    if (found->result != Value::residual && before != there.end())
      return "operation '" + name + "' gives " + name_of(found->result) + ", and nothing has read those of '" +
             before->second + "'";
    there[found->result] = name;
  }
  for (const auto& [value, giver] : there)
    if (value != Value::residual)
      return "nothing reads the " + std::string(name_of(value)) + " that operation '" + giver + "' gives";
  return {};
}

}  // namespace harmonia::accelerator
