#include "harmonia/hw/model/model_shape.h"

#include <functional>
#include <utility>

#include "harmonia/hw/model/layer_graph.h"

namespace harmonia::accelerator {
namespace {

/// What is wrong with a list of layers of a model; empty: nothing.
std::string fault_of_layers(const std::vector<int>& listed, int layers) {
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (listed[i] >= layers)
      return "names layer " + std::to_string(listed[i]) + ", expected layers from 0 to " + std::to_string(layers - 1);
    if (i > 0 && listed[i] <= listed[i - 1])
      return "names layer " + std::to_string(listed[i]) + " behind layer " + std::to_string(listed[i - 1]) +
             ", expected layers in ascending order";
  }
  return {};
}

/// Parameters of an operation of a layer of this shape, norms, biases and sinks included.
std::uint64_t parameters_of(const ModelShape& s, const std::string& operation) {
  const std::uint64_t h = static_cast<unsigned>(s.hidden_size), q = static_cast<unsigned>(s.q_width()),
                      kv = static_cast<unsigned>(s.kv_width()), f = static_cast<unsigned>(s.intermediate_size);
  const Mixture& m = s.mixture;
  const std::uint64_t experts = static_cast<unsigned>(m.experts), own = static_cast<unsigned>(s.own_experts()),
                      expert = static_cast<unsigned>(m.expert_width), shared = static_cast<unsigned>(m.shared_width);
  const std::uint64_t of_heads = s.qk_norm_all_heads ? q + kv : 2ull * static_cast<unsigned>(s.head_dim);
  const auto with = [](bool bias, std::uint64_t outputs) { return bias ? outputs : 0; };
  if (operation == "attention_norm" || operation == "ffn_norm")
    return s.norms_before() ? static_cast<unsigned>(s.norm_width()) : 0;
  if (operation == "attention_post_norm" || operation == "ffn_post_norm") return static_cast<unsigned>(s.norm_width());
  if (operation == "qkv") return h * (q + 2 * kv) + with(s.qkv_bias, q + 2 * kv) + with(s.qk_norm, of_heads);
  if (operation == "attention") return with(s.attention_sinks, static_cast<unsigned>(s.num_attention_heads));
  if (operation == "output") return q * h + with(s.o_bias, h);
  if (operation == "gate_up") return 2 * h * f + with(s.ffn_bias, 2 * f);
  if (operation == "up") return h * f + with(s.ffn_bias, f);
  if (operation == "down") return f * h + with(s.ffn_bias, h);
  if (operation == "router") return experts * h + with(s.ffn_bias, experts);
  if (operation == "shared_scale") return h;
  if (operation == "shared_gate_up") return 2 * h * shared;
  if (operation == "shared_down") return shared * h;
  if (operation == "experts") return own * (m.expert_weights(h) + with(s.ffn_bias, 2 * expert + h));
  return 0;
}

std::string fault_of_heads(const ModelShape& s) {
  if (s.num_attention_heads % s.num_key_value_heads == 0) return {};
  return "num_attention_heads (" + std::to_string(s.num_attention_heads) +
         ") must be a multiple of num_key_value_heads (" + std::to_string(s.num_key_value_heads) + ")";
}

/// Which key of a run none of its layers reads; empty: all are read.
std::string fault_of_unread(const LayerRun& run, const ModelShape& own, int first) {
  const std::vector<std::string> names = own.operations_of(first);
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (run.num_attention_heads + run.num_key_value_heads != 0 && !has("qkv"))
    return std::string(run.num_attention_heads != 0 ? "num_attention_heads" : "num_key_value_heads") +
           " has no effect, expected 'qkv' among its operations";
  bool dense = false;
  for (int l = first; l < first + run.count; ++l) dense = dense || own.is_dense(l);
  if (run.intermediate_size != 0 && !dense)
    return "intermediate_size has no effect, expected 'down' among its operations";
  return {};
}

/// Which key of the mixture none of the listed layers reads; empty: all are read.
std::string fault_of_mixture(const ModelShape& s) {
  const Mixture& m = s.mixture;
  bool all_named = true, shared = false;
  int first = 0;
  for (const LayerRun& run : s.layers) {
    all_named = all_named && !run.operations.empty();
    for (int l = first; l < first + run.count; ++l) {
      const std::vector<std::string> names = s.operations_of(l);
      shared = shared || std::find(names.begin(), names.end(), "shared_down") != names.end();
    }
    first += run.count;
  }
  if (all_named && (m.dense_layers != 0 || m.period != 1))
    return "mixture.dense_layers (" + std::to_string(m.dense_layers) + ") and mixture.period (" +
           std::to_string(m.period) + ") have no effect, expected 0 and 1: each run names its operations";
  if (m.shared_width > 0 && !shared)
    return "mixture.shared_width (" + std::to_string(m.shared_width) +
           ") has no effect, expected 'shared_down' among the operations of a run";
  return {};
}

/// What is wrong with the layers that a custom architecture lists; empty: nothing.
std::string fault_of_runs(const ModelShape& s) {
  if (s.architecture == Architecture::decoder)
    return s.layers.empty() ? std::string() : "has no effect, expected architecture: custom beside it";
  if (s.layers.empty()) return "is absent, expected the layers of architecture: custom";
  int sum = 0;
  for (const LayerRun& run : s.layers) sum += run.count;
  if (sum != s.num_hidden_layers)
    return "lists " + std::to_string(sum) + " layers, expected the " + std::to_string(s.num_hidden_layers) +
           " of num_hidden_layers";
  int first = 0;
  for (std::size_t r = 0; r < s.layers.size(); first += s.layers[r++].count) {
    const ModelShape own = s.of_layer(first);
    std::string fault = fault_of_heads(own);
    if (fault.empty()) fault = fault_of_operations(own, s.layers[r].operations);
    if (fault.empty()) fault = fault_of_unread(s.layers[r], own, first);
    const int last = first + s.layers[r].count - 1;
    if (!fault.empty())
      return (last == first ? "layer " : "layers " + std::to_string(first) + " to ") + std::to_string(last) + ": " +
             fault;
  }
  return fault_of_mixture(s);
}

}  // namespace

void LayerRun::describe(config::Fields& f) {
  f.add("count", count).range(1, 4096).unit("layers").says("so many equal layers");
  f.add("operations", operations)
      .one_of(layer_operation_names())
      .says(
          "operations of a layer, in their order: each reads what one before it gives, and each is there once; empty: "
          "those of the decoder layer that the model's other keys describe");
  f.add("num_attention_heads", num_attention_heads)
      .range(0, 4096)
      .unit("heads")
      .says("query heads of these layers; 0: the model's");
  f.add("num_key_value_heads", num_key_value_heads)
      .range(0, 4096)
      .unit("heads")
      .says("key and value heads of these layers; 0: the model's");
  f.add("intermediate_size", intermediate_size)
      .range(0, 1 << 22)
      .unit("channels")
      .says("width of the feed-forward of these layers; 0: the model's");
}

ModelShape ModelShape::of_layer(int layer) const {
  const LayerRun* run = run_of(layer);
  if (run == nullptr) return *this;
  ModelShape own = *this;
  if (run->num_attention_heads != 0) own.num_attention_heads = run->num_attention_heads;
  if (run->num_key_value_heads != 0) own.num_key_value_heads = run->num_key_value_heads;
  if (run->intermediate_size != 0) own.intermediate_size = run->intermediate_size;
  own.layers = {*run};
  own.layers.front().count = num_hidden_layers;
  return own;
}

int ModelShape::widest_feed_forward() const {
  int widest = std::max(mixture.expert_width, mixture.shared_width);
  for (int l = 0; l < num_hidden_layers; ++l) {
    if (!is_dense(l)) continue;
    const LayerRun* run = run_of(l);
    widest =
        std::max(widest, run != nullptr && run->intermediate_size != 0 ? run->intermediate_size : intermediate_size);
    if (run == nullptr) break;  // all of them are as wide
  }
  return widest;
}

std::uint64_t ModelShape::parameters() const {
  const std::uint64_t h = static_cast<unsigned>(hidden_size);
  const std::uint64_t embeddings = h * static_cast<unsigned>(vocab_size) * (tie_word_embeddings ? 1 : 2);
  std::uint64_t sum = embeddings + static_cast<unsigned>(norm_width()) + other_parameters;
  for (const int sort : sorts_of_layers()) {
    std::uint64_t one = 0, count = 0;
    for (int l = 0; l < num_hidden_layers; ++l) count += alike(sort, l) ? 1 : 0;
    const ModelShape own = of_layer(sort);
    for (const std::string& operation : operations_of(sort)) one += parameters_of(own, operation);
    sum += count * one;
  }
  return sum;
}

std::vector<std::string> ModelShape::operations_of(int layer) const {
  const LayerRun* run = run_of(layer);
  if (run != nullptr && !run->operations.empty()) return run->operations;
  const bool behind = norms_behind();
  std::vector<std::string> names = {"attention_norm", "qkv", "attention", "output"};
  if (behind) names.emplace_back("attention_post_norm");
  names.emplace_back("ffn_norm");
  if (is_mixture(layer)) {
    names.emplace_back("router");
    if (mixture.shared_gate) names.emplace_back("shared_scale");
    if (mixture.shared_width > 0) names.insert(names.end(), {"shared_gate_up", "shared_down"});
    names.emplace_back("experts");
    return names;
  }
  names.insert(names.end(), {gated ? "gate_up" : "up", "down"});
  if (behind) names.emplace_back("ffn_post_norm");
  return names;
}

std::string ModelShape::problem() const {
  if (hidden_size <= 0 || num_hidden_layers <= 0 || num_attention_heads <= 0 || num_key_value_heads <= 0 ||
      intermediate_size <= 0 || vocab_size <= 0 || head_dim <= 0)
    return "every size of a model must be positive";
  if (std::string fault = fault_of_heads(*this); !fault.empty()) return fault;
  if (rotary_dim % 2 != 0 || rotary_dim > head_dim)
    return "rotary_dim (" + std::to_string(rotary_dim) + ") must be even and at most head_dim (" +
           std::to_string(head_dim) + "), since RoPE rotates pairs of channels of a head";
  if (head_dim % 2 != 0)
    return "head_dim (" + std::to_string(head_dim) + ") must be even, since RoPE rotates pairs of channels";
  if (mixture.experts > 0 && mixture_layers() == 0 && !layers.empty())
    return "mixture.experts (" + std::to_string(mixture.experts) + ") are there, and none of `layers` has 'experts'";
  if (mixture.experts > 0 && mixture_layers() == 0)
    return "mixture.dense_layers (" + std::to_string(mixture.dense_layers) + ") and mixture.period (" +
           std::to_string(mixture.period) + ") leave no layer of " + std::to_string(num_hidden_layers) +
           " that is a mixture";
  return {};
}

void Mixture::describe(config::Fields& f) {
  f.add("experts", experts)
      .range(0, 65536)
      .unit("experts")
      .says("experts of a mixture layer; 0: the feed-forward of every layer is dense");
  f.add("experts_per_token", experts_per_token)
      .range(0, 4096)
      .unit("experts")
      .says("experts that the router sends each token through");
  f.add("expert_width", expert_width)
      .range(0, 1 << 22)
      .unit("channels")
      .says("width of gate, up and down of an expert");
  f.add("shared_width", shared_width)
      .range(0, 1 << 22)
      .unit("channels")
      .says("width of the shared experts together, through which every token passes; 0: none");
  f.add("shared_gate", shared_gate).says("a sigmoid of one output of its own scales what the shared experts give");
  f.add("dense_layers", dense_layers).range(0, 4096).unit("layers").says("first layers, which are dense");
  f.add("period", period)
      .range(1, 4096)
      .unit("layers")
      .says("of the layers behind those, the ones whose number, counted from 1, is a multiple of it are mixtures");
  f.add("scores", scores, {{"softmax", RouterScores::softmax}, {"sigmoid", RouterScores::sigmoid}})
      .says("what the router's scores become before they weigh what the experts give; changes values only");
  f.add("normalised", normalised)
      .says(
          "the weights of a token's experts are divided by their sum (of softmax: it is over their scores alone, "
          "otherwise over those of all experts); changes values only");
  f.add("weight_scale", weight_scale)
      .more_than(0)
      .says("factor of the weights of a token's experts; changes values only");
  const std::pair<const char*, std::function<bool()>> others[] = {
      {"experts_per_token", [this] { return experts_per_token != 0; }},
      {"expert_width", [this] { return expert_width != 0; }},
      {"shared_width", [this] { return shared_width != 0; }},
      {"shared_gate", [this] { return shared_gate; }},
      {"dense_layers", [this] { return dense_layers != 0; }},
      {"period", [this] { return period != 1; }},
      {"scores", [this] { return scores != RouterScores::softmax; }},
      {"normalised", [this] { return !normalised; }},
      {"weight_scale", [this] { return weight_scale != 1.0; }}};
  for (const auto& [key, given] : others)
    f.check(key, [this, given = given] {
      return experts != 0 || !given() ? std::string()
                                      : std::string("has no effect on a dense model, expected experts beside it");
    });
  f.check("experts_per_token", [this] {
    if (experts == 0 || (experts_per_token >= 1 && experts_per_token <= experts)) return std::string();
    return "is " + std::to_string(experts_per_token) + ", expected 1 to the " + std::to_string(experts) + " experts";
  });
  f.check("expert_width", [this] {
    return experts == 0 || expert_width > 0 ? std::string() : std::string("is 0, expected channels of an expert");
  });
  f.check("shared_gate", [this] {
    return !shared_gate || shared_width > 0 ? std::string() : std::string("is true, expected a shared_width beside it");
  });
}

void ModelShape::describe(config::Fields& f) {
  f.add("name", name).says("name that results carry");
  f.add("architecture", architecture, {{"decoder", Architecture::decoder}, {"custom", Architecture::custom}})
      .says("where the layers come from: all are the decoder layer of these keys, or they are those of `layers`");
  f.add("hidden_size", hidden_size).range(1, 1 << 20).unit("channels").required().says("width of the residual stream");
  f.add("num_hidden_layers", num_hidden_layers).range(1, 4096).unit("layers").required().says("decoder layers");
  f.add("num_attention_heads", num_attention_heads)
      .range(1, 4096)
      .unit("heads")
      .required()
      .says("query heads of a layer");
  f.add("num_key_value_heads", num_key_value_heads)
      .range(1, 4096)
      .unit("heads")
      .required()
      .says("key and value heads of a layer; query heads share them in groups");
  f.add("intermediate_size", intermediate_size)
      .range(1, 1 << 22)
      .unit("channels")
      .required()
      .says("width of gate, up and down");
  f.add("vocab_size", vocab_size)
      .range(1, 1 << 24)
      .unit("tokens")
      .required()
      .says("rows of the embedding and of lm_head");
  f.add("head_dim", head_dim)
      .range(1, 65536)
      .unit("channels")
      .says("width of a head; hidden_size / num_attention_heads when absent");
  f.add("tie_word_embeddings", tie_word_embeddings).says("lm_head is the embedding, stored once");
  f.add("rope_theta", rope_theta).more_than(0).says("base of the rotary position embedding's angles");
  f.add("rms_norm_eps", rms_norm_eps).more_than(0).range(0, 1).says("epsilon of RMSNorm");
  f.add("max_position_embeddings", max_position_embeddings)
      .range(0, 1 << 30)
      .unit("tokens")
      .says("tokens that the model was trained for, 0 when not known; a run beyond them carries a notice");
  f.add("sliding_window", sliding_window)
      .range(0, 1 << 30)
      .unit("tokens")
      .says("newest tokens that a layer attends to, 0 for all; older ones leave its KV cache");
  f.add("full_attention_layers", full_attention_layers)
      .range(0, 4095)
      .unit("layers")
      .says("with a sliding window: layers, counted from 0, that attend to all tokens all the same");
  f.check("full_attention_layers", [this]() -> std::string {
    if (!full_attention_layers.empty() && sliding_window == 0)
      return "has no effect without a window, expected sliding_window beside it";
    const std::string fault = fault_of_layers(full_attention_layers, num_hidden_layers);
    if (!fault.empty()) return fault;
    if (!full_attention_layers.empty() && full_attention_layers.size() == static_cast<std::size_t>(num_hidden_layers))
      return "names every layer, expected no sliding_window where no layer has one";
    return {};
  });
  f.add("qkv_bias", qkv_bias).says("biases are added to queries, keys and values");
  f.add("qk_norm", qk_norm)
      .says("each head of queries and keys is normed (RMSNorm with gains of head_dim) before it is rotated");
  f.add("qk_norm_all_heads", qk_norm_all_heads)
      .says("with qk_norm: one norm is over all heads of the queries, one over all of the keys");
  f.check("qk_norm_all_heads", [this] {
    return qk_norm || !qk_norm_all_heads ? std::string()
                                         : std::string("is true without norms, expected qk_norm beside it");
  });
  f.add("o_bias", o_bias).says("a bias is added to the output projection");
  f.add("ffn_bias", ffn_bias)
      .says(
          "biases are added to gate, up and down; in a mixture to the router and to gate, up and down of each expert");
  f.add("layer_norm", layer_norm).says("norms subtract the mean and add a bias (LayerNorm in place of RMSNorm)");
  f.add("norms", norms,
        {{"before", NormPlacement::before}, {"behind", NormPlacement::behind}, {"both", NormPlacement::both}})
      .says(
          "where a layer's norms stand: before attention and feed-forward, behind them (on what is added to the "
          "residual "
          "stream), or both");
  f.add("gated", gated).says("the feed-forward has a gate, that is three matrices; otherwise two");
  f.add("activation", activation,
        {{"silu", Activation::silu},
         {"gelu", Activation::gelu},
         {"relu_squared", Activation::relu_squared},
         {"clamped", Activation::clamped}})
      .says(
          "activation of the gate, or of the first of two matrices: silu, gelu by its tanh formula, relu_squared, or "
          "clamped (gpt-oss: gate and up within activation_limit, SiLU of 1.702 times the gate, times up + 1)");
  f.add("activation_limit", activation_limit).more_than(0).says("largest value that the clamped activation takes");
  f.add("attention_sinks", attention_sinks)
      .says("each head has a score of its own that takes part in the softmax and has no value");
  f.add("attention_cap", attention_cap).range(0, 1e6).says("c of c tanh(s / c), which scores become; 0: no cap");
  f.add("logits_cap", logits_cap).range(0, 1e6).says("c of c tanh(x / c), which logits become; 0: no cap");
  f.add("rotary_dim", rotary_dim)
      .range(0, 65536)
      .unit("channels")
      .says("first channels of each head that RoPE rotates; 0: all");
  f.add("layers_without_rope", layers_without_rope)
      .range(0, 4095)
      .unit("layers")
      .says("layers, counted from 0, whose queries and keys are not rotated");
  f.check("layers_without_rope", [this] { return fault_of_layers(layers_without_rope, num_hidden_layers); });
  f.add("window_rope_theta", window_rope_theta)
      .range(0, 1e12)
      .says("base of RoPE's angles in layers with a sliding window, which are not scaled; 0: rope_theta");
  f.check("window_rope_theta", [this] {
    return window_rope_theta == 0 || sliding_window != 0
               ? std::string()
               : std::string("has no effect without a window, expected sliding_window beside it");
  });
  f.add("embedding_multiplier", embedding_multiplier).more_than(0).says("factor of a token's embedding");
  f.add("residual_multiplier", residual_multiplier)
      .more_than(0)
      .says("factor of what attention and feed-forward add to the residual stream");
  f.add("attention_scale", attention_scale).range(0, 1e6).says("factor of attention scores; 0: 1 / sqrt(head_dim)");
  f.add("logits_divisor", logits_divisor).more_than(0).says("what logits are divided by");
  f.add("other_parameters", other_parameters)
      .range(0, std::uint64_t{1} << 40)
      .unit("parameters")
      .says(
          "parameters beside embeddings, linears, two norms a layer and what has a key here; they are counted and not "
          "read");
  f.add("mixture", mixture).says("layers whose feed-forward is a mixture of experts");
  const auto dense = [this, &f](const char* key, const std::function<bool()>& given, const char* expected) {
    f.check(key, [this, given, expected] {
      return mixture.experts == 0 || !given()
                 ? std::string()
                 : std::string("is not modelled for a mixture of experts, expected ") + expected;
    });
  };
  dense(
      "norms", [this] { return norms != NormPlacement::before; }, "before");
  dense(
      "gated", [this] { return !gated; }, "true");
  dense(
      "ffn_bias", [this] { return ffn_bias && mixture.shared_width > 0; }, "false where there are shared experts");
  f.check("activation", [this] {
    return activation != Activation::clamped || gated
               ? std::string()
               : std::string("is clamped, which takes a gate, expected gated: true beside it");
  });
  f.check("activation_limit", [this] {
    return activation == Activation::clamped || activation_limit == 7.0
               ? std::string()
               : std::string("has no effect, expected activation: clamped beside it");
  });
  f.add("layers", layers).says("of architecture: custom: the layers in their order, run by run of equal ones");
  f.check("", [this] { return problem(); });
  f.check("layers", [this] { return problem().empty() ? fault_of_runs(*this) : std::string(); });
}

}  // namespace harmonia::accelerator
