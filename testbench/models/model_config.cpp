#include "harmonia/testbench/models/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "harmonia/config/fields.h"
#include "harmonia/testbench/models/architectures.h"

namespace harmonia::testbench {
namespace {

using config::InputError;
using config::Location;
using config::Node;

bool is_true(const Node& n) { return n.is_scalar() && (n.text == "true" || n.text == "True"); }
bool is_false(const Node& n) { return n.is_scalar() && (n.text == "false" || n.text == "False"); }

std::optional<double> number(const Node& n) {
  if (!n.is_scalar() || n.quoted) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(n.text.data(), n.text.data() + n.text.size(), value);
  if (error != std::errc() || end != n.text.data() + n.text.size()) return std::nullopt;
  return value;
}

double require_number(const Node& n, const std::string& key) {
  const std::optional<double> value = number(n);
  if (!value || !std::isfinite(*value))
    throw InputError(n.where, key + " is " + config::describe_found(n) + ", expected a finite number");
  return *value;
}

std::int64_t require_count(const Node& n, const std::string& key) {
  const double value = require_number(n, key);
  if (value < 0 || value > 2147483647.0 || value != std::floor(value))
    throw InputError(n.where,
                     key + " is " + config::describe_found(n) + ", expected a whole number from 0 to 2147483647");
  return static_cast<std::int64_t>(value);
}

bool require_flag(const Node& n, const std::string& key) {
  if (!is_true(n) && !is_false(n))
    throw InputError(n.where, key + " is " + config::describe_found(n) + ", expected true or false");
  return is_true(n);
}

/// Parts of a model of several kinds of input that hold its language model, by the names that are in use.
constexpr const char* kTextConfigs[] = {"text_config", "llm_config", "language_config"};

class Reader {
 public:
  Reader(const Node& document, bool allow_unknown) : outer_(document), text_(&document), allow_unknown_(allow_unknown) {
    for (const char* key : kTextConfigs)
      if (const Node* inner = document.find(key); inner && inner->is_map()) {
        if (text_ != &document)
          throw InputError(inner->where,
                           std::string("key '") + key + "' describes a second language model, expected one");
        text_ = inner;
        model_.notices.push_back(std::string("The model is the language model under ") + key +
                                 "; towers for other inputs are not modelled.");
      }
  }

  ModelConfig read() {
    find_type();
    for (const config::Member& m : text_->members) key(m);
    read_shape();
    read_windows();
    read_vectors();
    read_positions();
    if (const char* why = type_->values_differ) feature(type_where_, std::string(type_->family) + ": " + why, true);
    const auto put = [&](const char* name, std::uint64_t value) {
      if (value != 0) document_.set(name, Node::scalar(std::to_string(value), false, window_where_), window_where_);
    };
    put("sliding_window", static_cast<std::uint64_t>(model_.shape.sliding_window));
    if (!model_.shape.full_attention_layers.empty()) {
      Node list = Node::list();
      list.where = window_where_;
      for (const int layer : model_.shape.full_attention_layers)
        list.items.push_back(Node::scalar(std::to_string(layer), false, window_where_));
      document_.set("full_attention_layers", std::move(list), window_where_);
    }
    // Windows and layers by their place; all else of the shape as it is now.
    complete_document();
    model_.document = std::move(document_);
    return std::move(model_);
  }

 private:
  const Node* find(const char* key) const {
    const Node* n = text_->find(key);
    return n && !n->is_null() ? n : nullptr;
  }

  void feature(const Location& where, std::string what, bool only_values) {
    model_.features.push_back({where, std::move(what), only_values});
  }

  void find_type() {
    const Node* type = text_->find("model_type");
    if (!type) type = outer_.find("model_type");
    std::string name;
    type_where_ = text_->where;
    if (type && !type->is_null()) {
      if (!type->is_scalar())
        throw InputError(type->where, "model_type: found " + config::describe_found(*type) + ", expected a name");
      name = type->text;
      type_where_ = type->where;
    }
    const Node* classes = text_->find("architectures");
    if (!classes) classes = outer_.find("architectures");
    if (classes && !classes->is_null() && !classes->is_list())
      throw InputError(classes->where,
                       "architectures: found " + config::describe_found(*classes) + ", expected a list of class names");
    if (classes && classes->is_list())
      for (const Node& c : classes->items) {
        if (!c.is_scalar())
          throw InputError(c.where,
                           "architectures: found " + config::describe_found(c) + ", expected names of classes");
        if (name.empty()) {
          name = type_of_class(c.text);
          type_where_ = c.where;
        }
        check_class(c, name);
      }
    if (const char* why = refused_architecture(name))
      throw InputError(type_where_, "model type '" + config::printable(name) + "' is not modelled: " + why);
    if (name.empty())
      throw InputError(type_where_,
                       "neither model_type nor architectures names the kind of model, expected one of them");
    type_ = find_architecture(name);
    if (!type_)
      throw InputError(type_where_, "model type '" + config::printable(name) + "' is not known" +
                                        config::nearest_hint(name, architecture_names(), "model type"));
  }

  /// A class has a decode step, and where its own type is known it is of the family that the file states.
  void check_class(const Node& c, const std::string& name) const {
    if (const char* why = refused_architecture(name))
      throw InputError(type_where_, "model type '" + config::printable(name) + "' is not modelled: " + why);
    const auto ends = [&](const std::string& end) {
      return c.text.size() >= end.size() && c.text.compare(c.text.size() - end.size(), end.size(), end) == 0;
    };
    if (!ends("ForCausalLM") && !ends("ForConditionalGeneration") && !ends("LMHeadModel"))
      throw InputError(c.where, "architecture '" + config::printable(c.text) +
                                    "' has no decode step, expected one that ends in ForCausalLM");
    const std::string own = type_of_class(c.text);
    if (const char* why = refused_architecture(own))
      throw InputError(c.where, "architecture '" + config::printable(c.text) + "' is not modelled: " + why);
    const Architecture *stated = find_architecture(name), *of_class = find_architecture(own);
    if (stated && of_class && std::string_view(stated->family) != of_class->family)
      throw InputError(c.where, "architecture '" + config::printable(c.text) + "' is of model type '" + own +
                                    "', expected one of the stated model type '" + name + "'");
  }

  /// "Qwen2ForCausalLM" -> "qwen2", for files that name the class alone.
  static std::string type_of_class(const std::string& name) {
    std::string stem;
    for (const char c : name.substr(0, std::min(name.find("For"), name.find("LMHead"))))
      stem += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    std::vector<std::string> names = architecture_names();
    const std::vector<std::string> refused = refused_architecture_names();
    names.insert(names.end(), refused.begin(), refused.end());
    for (const std::string& known : names) {
      std::string plain = known;
      const auto joins = [](char c) { return c == '_' || c == '-'; };
      plain.erase(std::remove_if(plain.begin(), plain.end(), joins), plain.end());
      if (plain == stem) return known;
    }
    return stem;
  }

  // --- One key of the file ---

  void key(const config::Member& m) {
    static const std::map<std::string, void (Reader::*)(const config::Member&)> rules = make_rules();
    if (is_shape_key(m.key) || is_harmless_key(m.key) || m.value.is_null()) return;
    const auto rule = rules.find(m.key);
    if (rule != rules.end()) return (this->*rule->second)(m);
    if (allow_unknown_) {
      model_.notices.push_back(
          fmt::format("Key '{}' of the model's file (line {}) is not read.", config::printable(m.key), m.where.line));
      return;
    }
    std::vector<std::string> known;
    for (const auto& [name, unused] : rules) known.push_back(name);
    for (const char* name : kShapeKeys) known.emplace_back(name);
    const std::string near = config::nearest(m.key, known);
    throw InputError(m.where, "key '" + config::printable(m.key) + "' is not known for model type '" +
                                  type_->model_type + "'" +
                                  (near.empty() ? "" : "; nearest known key is '" + near + "'") +
                                  "; --allow-unknown takes the model without it");
  }

  static constexpr const char* kShapeKeys[] = {
      "hidden_size",    "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
      "vocab_size",     "head_dim",          "tie_word_embeddings", "rms_norm_eps",        "max_position_embeddings",
      "name",           "norm_eps",          "norm_epsilon",        "layer_norm_eps",      "rope_theta",
      "rotary_emb_base"};
  static bool is_shape_key(const std::string& key) {
    return std::any_of(std::begin(kShapeKeys), std::end(kShapeKeys), [&](const char* k) { return key == k; });
  }

  static std::map<std::string, void (Reader::*)(const config::Member&)> make_rules() {
    std::map<std::string, void (Reader::*)(const config::Member&)> r;
    const auto all = [&r](std::initializer_list<const char*> keys, void (Reader::*rule)(const config::Member&)) {
      for (const char* k : keys) r[k] = rule;
    };
    all({"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts",
         "n_shared_experts", "num_shared_experts", "num_experts_per_tok", "num_experts_per_token", "experts_per_token",
         "num_selected_experts", "moe_topk", "moe_k", "ffn_config", "moe_config"},
        &Reader::experts);
    all({"norm_topk_prob", "scoring_func", "topk_method", "routed_scaling_factor", "n_group", "topk_group"},
        &Reader::expert_values);
    all({"moe_intermediate_size", "shared_expert_intermediate_size", "decoder_sparse_step", "mlp_only_layers",
         "first_k_dense_replace", "moe_layer_freq", "interleave_moe_layer_step", "enable_moe_block"},
        &Reader::expert_detail);
    all({"attention_bias", "qkv_bias", "use_qkv_bias", "bias", "mlp_bias", "use_bias"}, &Reader::bias);
    all({"hidden_act", "hidden_activation"}, &Reader::activation);
    all({"sliding_window", "sliding_window_size", "use_sliding_window", "max_window_layers", "sliding_window_pattern",
         "_sliding_window_pattern", "layer_types", "attention_window_size"},
        &Reader::window);
    all({"rope_scaling", "rope_parameters"}, &Reader::rope);
    all({"partial_rotary_factor", "rotary_pct"}, &Reader::partial_rotary);
    all({"no_rope_layers", "no_rope_layer_interval", "nope_layer_interval"}, &Reader::without_rope);
    all({"final_logit_softcapping", "attn_logit_softcapping"}, &Reader::cap);
    all({"query_pre_attn_scalar", "rope_local_base_freq", "swiglu_limit"}, &Reader::scalar);
    all({"logit_scale", "scale_emb", "scale_depth", "dim_model_base", "clip_qkv", "mup_width_multiplier"},
        &Reader::values_only);
    all({"embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling"}, &Reader::nothing);
    all({"norm_type", "mlp_type"}, &Reader::kind);
    all({"quantization_config", "compression_config"}, &Reader::quantization);
    all({"use_parallel_residual", "parallel_attn"}, &Reader::parallel);
    all({"is_encoder_decoder", "add_cross_attention"}, &Reader::encoder);
    all({"qk_layernorm", "use_qk_norm", "qk_norm"}, &Reader::qk_norm);
    all({"kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"}, &Reader::latent);
    all({"num_nextn_predict_layers"}, &Reader::prediction_layers);
    all({"original_max_position_embeddings"}, &Reader::nothing);
    all({"vision_config", "audio_config", "visual", "vision_tower", "vit_config"}, &Reader::tower);
    return r;
  }

  void nothing(const config::Member&) {}

  void experts(const config::Member& m) {
    if (type_->mixture) {
      expert_keys_[m.key] = &m;
      return;
    }
    if (const auto n = number(m.value); n && *n <= 1) return;
    throw InputError(m.where, m.key + " is " + config::describe_found(m.value) +
                                  ", expected a dense model: model type '" + type_->model_type +
                                  "' has no mixtures of experts here");
  }
  /// Says how experts are laid out; a dense model of a family that has them may carry it.
  void expert_detail(const config::Member& m) {
    if (type_->mixture) {
      expert_keys_[m.key] = &m;
      return;
    }
    for (const config::Member& other : text_->members)
      if ((other.key == "num_experts" || other.key == "n_routed_experts" || other.key == "num_local_experts") &&
          number(other.value).value_or(2) <= 1)
        return;
    if (m.value.is_list() && m.value.items.empty()) return;
    throw InputError(m.where, m.key + " describes a mixture of experts, expected a dense model: model type '" +
                                  std::string(type_->model_type) + "' has no mixtures here");
  }
  /// How scores of a router become weights of experts.
  void expert_values(const config::Member& m) {
    expert_detail(m);
    const auto refuse = [&](const std::string& what) { feature(m.where, m.key + " " + what, true); };
    if (m.key == "scoring_func" || m.key == "topk_method") {
      const std::string text = m.value.is_scalar() ? m.value.text : std::string();
      const bool known = m.key == "topk_method" ? text == "greedy" : text == "softmax" || text == "sigmoid";
      if (!known) refuse(config::printable(text));
    } else if ((m.key == "n_group" || m.key == "topk_group") && require_count(m.value, m.key) > 1) {
      refuse(m.value.text + ": experts are chosen by groups");
    }
  }

  void bias(const config::Member& m) {
    const bool on = require_flag(m.value, m.key);
    if (m.key == "mlp_bias" || m.key == "use_bias") mlp_bias_ = on;
    if (m.key == "mlp_bias") return;
    qkv_bias_ = on;
    if (m.key != "qkv_bias" && m.key != "use_qkv_bias") o_bias_ = on;
  }

  void activation(const config::Member& m) {
    static const std::set<std::string> gelu = {"gelu",      "gelu_new",   "gelu_fast", "gelu_pytorch_tanh",
                                               "gelu_tanh", "quick_gelu", "relu"};
    const std::string text = m.value.is_scalar() ? m.value.text : std::string();
    if (text == "silu" || text == "swish") {
      activation_ = "silu";
      return;
    }
    if (text == "relu2") {
      activation_ = "relu_squared";
      return;
    }
    if (gelu.count(text) == 0)
      throw InputError(m.value.where, m.key + " is " + config::describe_found(m.value) +
                                          ", expected silu, relu2 or one of the kinds of gelu");
    if (text == "gelu_pytorch_tanh" || text == "gelu_tanh" || text == "gelu_new") {
      activation_ = "gelu";
      return;
    }
    if (activation_said_) return;
    activation_said_ = true;
    feature(m.where, m.key + " " + text + ", which is computed as silu", true);
  }

  /// What the type has where the file says nothing.
  std::string own_activation() const {
    const std::string_view own = type_->activation;
    return own == "relu2" ? "relu_squared" : own == "gelu_pytorch_tanh" ? "gelu" : "silu";
  }

  void window(const config::Member& m) { window_keys_[m.key] = &m; }

  void rope(const config::Member& m) {
    if (!m.value.is_map())
      throw InputError(m.value.where, m.key + " is " + config::describe_found(m.value) + ", expected a map");
    std::string type;
    for (const char* name : {"rope_type", "type"})
      if (const Node* n = m.value.find(name); n && !n->is_null()) {
        if (!n->is_scalar())
          throw InputError(n->where, m.key + "." + name + " is " + config::describe_found(*n) + ", expected a name");
        if (!type.empty() && type != n->text)
          throw InputError(n->where, m.key + " has the rope_type '" + config::printable(type) + "' and the type '" +
                                         config::printable(n->text) + "', expected the same");
        type = n->text;
      }
    if (type.empty()) type = "default";
    if (scaling_ && !(scaling_->value == m.value) && scaling_type_ != type)
      throw InputError(m.where, m.key + " is of type '" + config::printable(type) + "' and " + scaling_->key +
                                    " of type '" + config::printable(scaling_type_) + "', expected the same");
    scaling_ = &m;
    scaling_type_ = type;
    static const std::set<std::string> keys = {"rope_type",
                                               "type",
                                               "factor",
                                               "low_freq_factor",
                                               "high_freq_factor",
                                               "original_max_position_embeddings",
                                               "rope_theta",
                                               "short_factor",
                                               "long_factor",
                                               "beta_fast",
                                               "beta_slow",
                                               "mscale",
                                               "mscale_all_dim",
                                               "attention_factor",
                                               "finetuned",
                                               "mrope_section",
                                               "partial_rotary_factor",
                                               "full_attention",
                                               "sliding_attention",
                                               "truncate",
                                               "short_mscale",
                                               "long_mscale"};
    for (const config::Member& k : m.value.members)
      if (keys.count(k.key) == 0)
        throw InputError(k.where, m.key + " has the key '" + config::printable(k.key) +
                                      "', which is not known; expected one of those "
                                      "of default, linear, llama3, yarn and longrope scaling");
    if (const Node* theta = m.value.find("rope_theta"); theta && !theta->is_null()) {
      const Node* outer = find("rope_theta");
      if (outer && require_number(*outer, "rope_theta") != require_number(*theta, m.key + ".rope_theta"))
        throw InputError(theta->where, m.key + ".rope_theta is " + theta->text + " and rope_theta is " + outer->text +
                                           ", expected the same");
      theta_ = theta;
    }
    if (const Node* part = m.value.find("partial_rotary_factor"); part && !part->is_null())
      partial_rotary({"partial_rotary_factor", part->where, *part});
    if (m.value.find("full_attention") || m.value.find("sliding_attention"))
      return feature(m.where, "rotary embeddings that differ from layer to layer", true);
    if (type == "default") return;
    if (type == "llama3") {
      const auto value = [&](const char* name, double absent) {
        const Node* n = m.value.find(name);
        return n && !n->is_null() ? require_number(*n, m.key + "." + name) : absent;
      };
      RopeScaling& s = model_.rope_scaling;
      s.factor = value("factor", 1.0);
      if (s.factor != 1.0) s.kind = RopeScaling::Kind::llama3;
      s.low_frequency_factor = value("low_freq_factor", 1.0);
      s.high_frequency_factor = value("high_freq_factor", 4.0);
      s.original_context = value("original_max_position_embeddings", 8192.0);
      if (!(s.factor > 0) || !(s.low_frequency_factor > 0) || !(s.high_frequency_factor > s.low_frequency_factor) ||
          !(s.original_context > 0))
        throw InputError(
            m.where, m.key + " has a factor that is not positive, or high_freq_factor does not exceed low_freq_factor");
      return;
    }
    static const std::set<std::string> known = {"linear", "dynamic", "yarn", "longrope", "su", "mrope", "proportional"};
    if (known.count(type) == 0)
      throw InputError(m.where, m.key + " of type '" + config::printable(type) +
                                    "' is not known, expected default, linear, llama3, dynamic, yarn or longrope");
    const Node* factor = m.value.find("factor");
    if (factor && !factor->is_null() && !(require_number(*factor, m.key + ".factor") > 0))
      throw InputError(factor->where, m.key + ".factor is " + factor->text + ", expected a number above 0");
    if (!factor && (type == "linear" || type == "dynamic" || type == "yarn"))
      throw InputError(m.where, m.key + " of type " + type + " has no factor, expected one");
    if (type == "linear" || type == "yarn") return scaled_rope(m, type);
    const bool by_length = type == "dynamic" || type == "longrope" || type == "su";
    feature(
        m.where,
        m.key + " of type " + type +
            (by_length ? ", whose frequencies change with the length of a sequence while its cache keeps keys of the "
                         "old ones"
                       : ""),
        true);
  }

  void scaled_rope(const config::Member& m, const std::string& type) {
    const auto value = [&](const char* name, double absent) {
      const Node* n = m.value.find(name);
      if (!n || n->is_null()) return absent;
      const double given = require_number(*n, m.key + "." + name);
      if (!(given > 0))
        throw InputError(n->where, m.key + "." + name + " is " + n->text + ", expected a number above 0");
      return given;
    };
    RopeScaling& s = model_.rope_scaling;
    s.factor = value("factor", 1.0);
    s.kind = type == "linear" ? RopeScaling::Kind::linear : RopeScaling::Kind::yarn;
    if (type == "linear") return;
    const Node* positions = find("max_position_embeddings");
    const double all = positions ? require_number(*positions, "max_position_embeddings") : 2048.0;
    s.original_context = value("original_max_position_embeddings", all);
    s.beta_fast = value("beta_fast", 32.0);
    s.beta_slow = value("beta_slow", 1.0);
    if (const Node* n = m.value.find("truncate"); n && !n->is_null())
      s.truncate = require_flag(*n, m.key + ".truncate");
    const auto magnitude = [&](double scale) { return s.factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(s.factor) + 1.0; };
    const double mscale = value("mscale", 0.0), of_all = value("mscale_all_dim", 0.0);
    s.magnitude =
        value("attention_factor", mscale > 0 && of_all > 0 ? magnitude(mscale) / magnitude(of_all) : magnitude(1.0));
  }

  void partial_rotary(const config::Member& m) {
    const double part = require_number(m.value, m.key);
    if (!(part > 0) || part > 1)
      throw InputError(m.value.where, m.key + " is " + m.value.text + ", expected a share in (0, 1]");
    partial_rotary_ = part;
  }

  /// A list with a 0 for each layer without RoPE, or every how many layers there is one; the list decides.
  void without_rope(const config::Member& m) {
    if (m.key != "no_rope_layers") {
      no_rope_interval_ = static_cast<int>(require_count(m.value, m.key));
      return;
    }
    if (!m.value.is_list())
      throw InputError(m.value.where, m.key + " is " + config::describe_found(m.value) +
                                          ", expected a list with 0 for each layer without RoPE and 1 for others");
    no_rope_ = &m;
  }

  /// A number that the shape takes.
  void cap(const config::Member& m) {
    const double value = is_false(m.value) ? 0.0 : require_number(m.value, m.key);
    if (value < 0) throw InputError(m.value.where, m.key + " is " + m.value.text + ", expected a number from 0 on");
    (m.key == "attn_logit_softcapping" ? attention_cap_ : logits_cap_) = value;
  }
  void scalar(const config::Member& m) {
    const double value = require_number(m.value, m.key);
    if (!(value > 0)) throw InputError(m.value.where, m.key + " is " + m.value.text + ", expected a number above 0");
    if (m.key == "swiglu_limit" && !type_->clamped)
      throw InputError(m.where, "swiglu_limit is not modelled for model type '" + std::string(type_->model_type) + "'");
    (m.key == "query_pre_attn_scalar" ? query_scalar_ : m.key == "swiglu_limit" ? limit_ : window_theta_) = value;
  }

  void values_only(const config::Member& m) {
    const std::optional<double> value = number(m.value);
    if (is_false(m.value) || (value && *value == 0 && m.key.find("cap") != std::string::npos)) return;
    if (value && *value == 1 &&
        (m.key.find("multiplier") != std::string::npos || m.key.find("scal") != std::string::npos))
      return;
    feature(m.where, m.key + " " + (m.value.is_scalar() ? m.value.text : std::string("given")), true);
  }

  /// What StarCoder2's file says of its layers: there is one kind.
  void kind(const config::Member& m) {
    const std::string expected = m.key == "norm_type" ? "layer_norm" : "default";
    if (!type_->layer_norm || !m.value.is_scalar() || m.value.text != expected)
      throw InputError(
          m.value.where,
          m.key + " is " + config::describe_found(m.value) + ", expected " +
              (type_->layer_norm ? expected : "no such key for model type '" + std::string(type_->model_type) + "'"));
  }

  void quantization(const config::Member& m) {
    if (!m.value.is_map())
      throw InputError(m.value.where, m.key + " is " + config::describe_found(m.value) + ", expected a map");
    std::string method = "of an unnamed method";
    if (const Node* n = m.value.find("quant_method"); n && n->is_scalar()) method = n->text;
    // gpt-oss is published so: its experts are what the file says, value for value.
    if (method == "mxfp4" && std::string_view(type_->model_type) == "gpt_oss") {
      model_.notices.push_back("The model's file has experts in MXFP4 (" + m.key +
                               "); the scenario's weights say how they are stored.");
      return;
    }
    feature(m.where, m.key + " (" + config::printable(method) + "): the scenario's weights say how weights are stored",
            true);
  }

  void parallel(const config::Member& m) {
    if (require_flag(m.value, m.key))
      throw InputError(m.where,
                       m.key +
                           " is true, expected attention and feed-forward one after the other: layers that run both on "
                           "the same input are not modelled");
  }

  void encoder(const config::Member& m) {
    if (require_flag(m.value, m.key))
      throw InputError(m.where, m.key + " is true, expected a model that is a decoder alone");
  }

  void qk_norm(const config::Member& m) {
    if (require_flag(m.value, m.key)) qk_norm_ = &m;
  }

  void latent(const config::Member& m) {
    throw InputError(m.where,
                     m.key + " describes latent attention, which is not modelled; expected keys and values per head");
  }

  void prediction_layers(const config::Member& m) {
    if (require_count(m.value, m.key) != 0)
      model_.notices.push_back("The model's layers for multi-token prediction (" + m.key + ") are not run.");
  }

  void tower(const config::Member& m) {
    throw InputError(m.where,
                     "key '" + m.key + "' beside the sizes of the language model, expected these under text_config");
  }

  // --- The whole ---

  void read_shape() {
    Node known = Node::map();
    known.where = text_->where;
    const auto copy = [&](const char* key, const char* as) {
      if (const Node* n = find(key)) known.set(as, *n, n->where);
    };
    for (const char* key :
         {"name", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
          "vocab_size", "head_dim", "tie_word_embeddings", "max_position_embeddings"})
      copy(key, key);
    copy("layer_norm_eps", "rms_norm_eps");
    copy("norm_eps", "rms_norm_eps");
    copy("norm_epsilon", "rms_norm_eps");
    copy("rms_norm_eps", "rms_norm_eps");
    copy("rotary_emb_base", "rope_theta");
    copy("rope_theta", "rope_theta");
    copy("embedding_multiplier", "embedding_multiplier");
    copy("residual_multiplier", "residual_multiplier");
    copy("attention_multiplier", "attention_scale");
    copy("logits_scaling", "logits_divisor");
    if (theta_) known.set("rope_theta", *theta_, theta_->where);
    if (text_ != &outer_)
      for (const char* key : {"name", "vocab_size", "tie_word_embeddings"})
        if (const Node* n = outer_.find(key); n && !n->is_null() && !known.find(key)) known.set(key, *n, n->where);
    if (const Node* id = outer_.find("_name_or_path"); id && id->is_scalar() && !id->text.empty()) {
      const std::size_t slash = id->text.find_last_of('/');
      known.set("name",
                Node::scalar(slash == std::string::npos ? id->text : id->text.substr(slash + 1), true, id->where),
                id->where);
    }
    const auto absent = [&](const char* key, const std::string& value) {
      if (!known.find(key)) known.set(key, Node::scalar(value, false, text_->where), text_->where);
    };
    absent("rope_theta", std::to_string(type_->rope_theta));
    if (!known.find("rms_norm_eps"))
      known.set("rms_norm_eps", Node::scalar(type_->norm_eps == 1e-5 ? "1e-5" : "1e-6"), text_->where);
    if (activation_.empty() && !activation_said_) activation_ = own_activation();
    if (!activation_.empty() && activation_ != "silu") absent("activation", activation_);
    if (type_->attention_scale != 0) absent("attention_scale", std::to_string(type_->attention_scale));
    absent("tie_word_embeddings", type_->tied ? "true" : "false");
    if (type_->mixture)
      if (const config::Member* width = expert_key({"moe_intermediate_size"}))
        absent("intermediate_size", std::to_string(require_count(width->value, width->key)));
    if (type_->vocab_size != 0) absent("vocab_size", std::to_string(type_->vocab_size));
    if (type_->head_dim != 0) absent("head_dim", std::to_string(type_->head_dim));
    if (const Node* heads = find("num_attention_heads"); heads && !known.find("num_key_value_heads"))
      known.set("num_key_value_heads", *heads, heads->where);
    if (type_->mixture) known.set("mixture", read_mixture(), text_->where);
    derive_head_dim(known);
    config::read(model_.shape, known);
    document_ = known;
    if (const Node* pairing = find("harmonia_rope_pairing")) {
      if (!pairing->is_scalar() || (pairing->text != "adjacent" && pairing->text != "half_split"))
        throw InputError(pairing->where, "harmonia_rope_pairing is " + config::describe_found(*pairing) +
                                             ", expected adjacent or half_split");
      model_.half_split_rope = pairing->text == "half_split";
    }
  }

  /// The value of whichever of the keys the file has; they must agree. Null: none.
  const config::Member* expert_key(std::initializer_list<const char*> keys) const {
    const config::Member* found = nullptr;
    for (const char* key : keys) {
      const auto it = expert_keys_.find(key);
      if (it == expert_keys_.end()) continue;
      if (found && require_count(found->value, found->key) != require_count(it->second->value, key))
        throw InputError(it->second->where, std::string(key) + " is " + it->second->value.text + ", expected the " +
                                                found->value.text + " of " + found->key);
      found = it->second;
    }
    return found;
  }

  Node read_mixture() {
    Node mixture = Node::map();
    mixture.where = type_where_;
    const auto set = [&](const char* as, const config::Member* m, std::int64_t absent) {
      const Location where = m ? m->value.where : type_where_;
      mixture.set(as, Node::scalar(std::to_string(m ? require_count(m->value, m->key) : absent), false, where), where);
    };
    for (const auto& [key, m] : expert_keys_)
      if (key == "ffn_config" || key == "moe_config" || key == "interleave_moe_layer_step" || key == "enable_moe_block")
        throw InputError(m->where, key + " is not a key of model type '" + type_->model_type + "'");
    const config::Member* experts =
        expert_key({"num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts"});
    if (!experts && type_->experts == 0)
      throw InputError(text_->where, "n_routed_experts is absent, expected the number of experts");
    set("experts", experts, type_->experts);
    set("experts_per_token",
        expert_key({"num_experts_per_tok", "num_experts_per_token", "experts_per_token", "num_selected_experts",
                    "moe_topk", "moe_k"}),
        type_->experts_per_token);
    const config::Member* width = expert_key({"moe_intermediate_size"});
    const Node* dense = find("intermediate_size");
    const std::int64_t of_expert = width   ? require_count(width->value, width->key)
                                   : dense ? require_count(*dense, "intermediate_size")
                                           : 0;
    set("expert_width", width, of_expert);
    const config::Member* shared = expert_key({"n_shared_experts", "num_shared_experts"});
    set("shared_width", expert_key({"shared_expert_intermediate_size"}),
        shared ? require_count(shared->value, shared->key) * of_expert : 0);
    mixture.set("shared_gate", Node::scalar(type_->shared_gate ? "true" : "false", false, type_where_), type_where_);
    set("period", expert_key({"decoder_sparse_step"}), 1);
    if (const config::Member* every = expert_key({"moe_layer_freq"});
        every && require_count(every->value, every->key) != 1)
      throw InputError(every->value.where, "moe_layer_freq is " + every->value.text + ", expected 1");
    set("dense_layers", expert_key({"first_k_dense_replace"}), dense_first_layers());
    read_expert_weights(mixture);
    return mixture;
  }

  void read_expert_weights(Node& mixture) const {
    const auto put = [&](const char* as, const char* key, const std::string& absent, const auto& text_of) {
      const auto given = expert_keys_.find(key);
      const bool here = given != expert_keys_.end();
      const Location where = here ? given->second->value.where : type_where_;
      mixture.set(as, Node::scalar(here ? text_of(given->second->value) : absent, false, where), where);
    };
    put("normalised", "norm_topk_prob", type_->normalised_experts ? "true" : "false",
        [](const Node& n) { return std::string(require_flag(n, "norm_topk_prob") ? "true" : "false"); });
    put("scores", "scoring_func", "softmax",
        [](const Node& n) { return std::string(n.text == "sigmoid" ? "sigmoid" : "softmax"); });
    put("weight_scale", "routed_scaling_factor", "1", [](const Node& n) {
      require_number(n, "routed_scaling_factor");
      return n.text;
    });
  }

  /// Dense layers that are listed: those from the first on.
  std::int64_t dense_first_layers() const {
    const auto listed = expert_keys_.find("mlp_only_layers");
    if (listed == expert_keys_.end()) return 0;
    const Node& list = listed->second->value;
    if (!list.is_list())
      throw InputError(list.where,
                       "mlp_only_layers is " + config::describe_found(list) + ", expected a list of layers");
    for (std::size_t i = 0; i < list.items.size(); ++i)
      if (require_count(list.items[i], "mlp_only_layers") != static_cast<std::int64_t>(i))
        throw InputError(list.items[i].where, "mlp_only_layers names " + list.items[i].text +
                                                  ", expected the first layers in order: others are not modelled");
    return static_cast<std::int64_t>(list.items.size());
  }

  const config::Member* window_key(const char* key) const {
    const auto it = window_keys_.find(key);
    return it == window_keys_.end() ? nullptr : it->second;
  }

  void read_windows() {
    std::int64_t window = text_->find("sliding_window") ? 0 : type_->window;  // null in the file: no window
    Location where = type_where_;
    for (const char* key : {"sliding_window_size", "attention_window_size", "sliding_window"})
      if (const config::Member* m = window_key(key)) {
        if (is_false(m->value)) continue;
        window = require_count(m->value, key);
        if (window == 0) throw InputError(m->value.where, std::string(key) + " is 0, expected at least one token");
        where = m->where;
      }
    const config::Member* use = window_key("use_sliding_window");
    const bool qwen = std::string(type_->model_type).compare(0, 4, "qwen") == 0;
    if (use ? !require_flag(use->value, use->key) : qwen) return;
    const int layers = model_.shape.num_hidden_layers;
    const std::vector<int> full = full_attention_layers(qwen);
    if (window == 0 || full.size() == static_cast<std::size_t>(layers)) return;
    model_.shape.sliding_window = static_cast<int>(window);
    model_.shape.full_attention_layers = full;
    window_where_ = where;
  }

  /// Layers that attend to all tokens although the model has windows.
  std::vector<int> full_attention_layers(bool qwen) const {
    const int layers = model_.shape.num_hidden_layers;
    const auto those = [&](const auto& attends_to_all) {
      std::vector<int> full;
      for (int l = 0; l < layers; ++l)
        if (attends_to_all(l)) full.push_back(l);
      return full;
    };
    if (const config::Member* types = window_key("layer_types")) return listed_layers(types->value, layers);
    if (qwen) {
      const config::Member* from = window_key("max_window_layers");
      const std::int64_t first = from ? require_count(from->value, from->key) : 0;
      return those([&](int l) { return l < first; });
    }
    std::int64_t period = type_->window_period;
    for (const char* key : {"_sliding_window_pattern", "sliding_window_pattern"})
      if (const config::Member* m = window_key(key)) period = require_count(m->value, key);
    return those([&](int l) { return period != 0 && (l + 1) % period == 0; });
  }

  static std::vector<int> listed_layers(const Node& types, int layers) {
    if (!types.is_list() || types.items.size() != static_cast<std::size_t>(layers))
      throw InputError(types.where, fmt::format("layer_types is {}, expected a list with a kind for each of {} layers",
                                                types.is_list() ? fmt::format("a list of {}", types.items.size())
                                                                : config::describe_found(types),
                                                layers));
    std::vector<int> full;
    for (std::size_t l = 0; l < types.items.size(); ++l) {
      const Node& kind = types.items[l];
      if (!kind.is_scalar() || (kind.text != "full_attention" && kind.text != "sliding_attention"))
        throw InputError(kind.where, "layer_types names " + config::describe_found(kind) +
                                         ", expected full_attention or sliding_attention");
      if (kind.text == "full_attention") full.push_back(static_cast<int>(l));
    }
    return full;
  }

  /// Norms, biases and what else a layer has beside its matrices.
  void read_vectors() {
    accelerator::ModelShape& s = model_.shape;
    using QkNorm = Architecture::QkNorm;
    if (qk_norm_ && type_->layer_norm)
      throw InputError(qk_norm_->where,
                       qk_norm_->key +
                           " is true, expected false: norms of queries and keys that subtract the mean are not "
                           "modelled");
    s.qk_norm = qk_norm_ || type_->qk_norm != QkNorm::none;
    s.qk_norm_all_heads = !qk_norm_ && type_->qk_norm == QkNorm::whole_width;
    s.qkv_bias = qkv_bias_.value_or(type_->qkv_bias);
    s.o_bias = type_->qkv_bias && !type_->o_bias ? false : o_bias_.value_or(type_->o_bias);
    s.ffn_bias = mlp_bias_.value_or(type_->mlp_bias);
    s.layer_norm = type_->layer_norm;
    s.norms = static_cast<accelerator::NormPlacement>(type_->norms);
    s.gated = type_->gated;
    s.attention_sinks = type_->sinks;
    s.attention_cap = attention_cap_.value_or(type_->attention_cap);
    s.logits_cap = logits_cap_.value_or(type_->logits_cap);
    const double scalar = query_scalar_.value_or(type_->query_scalar);
    if (scalar != 0 && scalar != s.head_dim) s.attention_scale = 1.0 / std::sqrt(scalar);
    if (type_->clamped) {
      s.activation = accelerator::Activation::clamped;
      s.activation_limit = limit_.value_or(7.0);
    }
    if (type_->scaled_embedding) s.embedding_multiplier = std::sqrt(static_cast<double>(s.hidden_size));
    model_.gains_less_one = type_->gains_less_one;
  }

  /// Where and how RoPE rotates.
  void read_positions() {
    accelerator::ModelShape& s = model_.shape;
    const double part = partial_rotary_.value_or(type_->partial_rotary);
    if (part != 1) s.rotary_dim = static_cast<int>(part * s.head_dim);
    if (s.sliding_window != 0) s.window_rope_theta = window_theta_.value_or(type_->window_rope_theta);
    const int every = no_rope_interval_.value_or(type_->no_rope_interval);
    if (no_rope_ && no_rope_->value.items.size() != static_cast<std::size_t>(s.num_hidden_layers))
      throw InputError(no_rope_->where, fmt::format("no_rope_layers has {} entries, expected one for each of {} layers",
                                                    no_rope_->value.items.size(), s.num_hidden_layers));
    for (int l = 0; l < s.num_hidden_layers; ++l) {
      bool none = every != 0 && (l + 1) % every == 0;
      if (no_rope_) {
        const Node& n = no_rope_->value.items[static_cast<std::size_t>(l)];
        none = !is_true(n) && (is_false(n) || require_count(n, "no_rope_layers") == 0);
      }
      if (none) s.layers_without_rope.push_back(l);
    }
  }

  /// Keys of the shape that follow from the type, or from keys of another name.
  void complete_document() {
    config::Fields fields, plain;
    accelerator::ModelShape none;
    model_.shape.describe(fields);
    none.describe(plain);
    const Node all = fields.dump(), absent = plain.dump();
    for (const config::Member& m : all.members) {
      if (document_.find(m.key) && m.key != "attention_scale" && m.key != "embedding_multiplier") continue;
      const Node* usual = absent.find(m.key);
      if (usual && *usual == m.value) continue;
      document_.set(m.key, placed(m.value), type_where_);
    }
  }
  Node placed(Node n) const {
    n.where = type_where_;
    for (Node& item : n.items) item.where = type_where_;
    return n;
  }

  const Node& outer_;
  const Node* text_;
  const bool allow_unknown_;
  const Architecture* type_ = nullptr;
  Location type_where_;
  const Node* theta_ = nullptr;
  const config::Member* scaling_ = nullptr;  // of RoPE
  std::string scaling_type_;
  const config::Member *qk_norm_ = nullptr, *no_rope_ = nullptr;
  bool activation_said_ = false;
  std::string activation_;  // as a key of the shape; empty: that of the type
  std::optional<bool> qkv_bias_, o_bias_, mlp_bias_;
  std::optional<double> attention_cap_, logits_cap_, query_scalar_, limit_, partial_rotary_, window_theta_;
  std::optional<int> no_rope_interval_;
  std::map<std::string, const config::Member*> window_keys_, expert_keys_;
  Node document_;
  Location window_where_;
  ModelConfig model_;
};

}  // namespace

void derive_head_dim(Node& known) {
  const Node* head_dim = known.find("head_dim");
  if (head_dim && !(head_dim->is_scalar() && head_dim->text == "0")) return;
  known.erase("head_dim");
  const Node *hidden = known.find("hidden_size"), *heads = known.find("num_attention_heads");
  if (!hidden || !heads) return;  // the reader says what is missing
  const auto h = number(*hidden), n = number(*heads);
  if (!h || !n || *h < 1 || *n < 1) return;
  if (std::fmod(*h, *n) != 0)
    throw InputError(hidden->where, "hidden_size is " + hidden->text +
                                        ", expected a multiple of num_attention_heads (" + heads->text +
                                        ") or a head_dim beside it");
  known.set("head_dim", Node::scalar(std::to_string(static_cast<long long>(*h / *n)), false, hidden->where),
            hidden->where);
}

bool is_model_config(const Node& document) {
  return document.is_map() &&
         (document.find("model_type") || document.find("architectures") || document.find("text_config"));
}

ModelConfig read_model_config(const Node& document, bool allow_unknown) {
  if (!document.is_map())
    throw InputError(document.where,
                     "this is " + config::describe_found(document) + ", expected the keys of a config.json");
  return Reader(document, allow_unknown).read();
}

std::vector<std::string> cost_notices(const ModelConfig& model) {
  std::vector<std::string> sentences = model.notices;
  for (const ModelFeature& f : model.features)
    sentences.push_back("Not modelled: " + f.what +
                        (f.only_values ? ", which changes values and neither bytes nor operations." : "."));
  return sentences;
}

void require_plain_values(const ModelConfig& model) {
  if (model.features.empty()) return;
  const ModelFeature& f = model.features.front();
  throw InputError(f.where, "the model has " + f.what + ", expected a plain Llama layer: its values would be wrong");
}

}  // namespace harmonia::testbench
