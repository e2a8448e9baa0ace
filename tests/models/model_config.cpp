// config.json of published and of invented models: every key is read, known to make no difference, or refused with its place.
#include "harmonia/testbench/models/model_config.h"

#include "harmonia/config/json.h"
#include "tests/support/catch.h"

using namespace harmonia::testbench;
namespace config = harmonia::config;

namespace {

constexpr const char* kLlama =
    "{\"architectures\": [\"LlamaForCausalLM\"],\n \"model_type\": \"llama\",\n \"hidden_act\": \"silu\", "
    "\"hidden_size\": 64,\n"
    " \"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"intermediate_size\": 128,\n"
    " \"vocab_size\": 100, \"max_position_embeddings\": 512";

/// The plain model with further keys on a line of their own (line 6).
ModelConfig with(const std::string& keys, bool allow_unknown = false) {
  return read_model_config(config::parse_json(std::string(kLlama) + (keys.empty() ? "" : ",\n " + keys) + "}", "m"),
                           allow_unknown);
}

std::string refusal(const std::string& keys) {
  try {
    with(keys);
  } catch (const config::InputError& e) {
    return e.what();
  }
  return "accepted";
}

std::string type(const std::string& name, const std::string& more = "") {
  return "{\"model_type\": \"" + name +
         "\", \"hidden_size\": 64, \"num_hidden_layers\": 2, \"num_attention_heads\": 4,"
         " \"num_key_value_heads\": 2, \"intermediate_size\": 128, \"vocab_size\": 100" +
         more + "}";
}

}  // namespace

TEST_CASE("config.json: a plain Llama has no feature beside its layers") {
  const ModelConfig m =
      with("\"bos_token_id\": 1, \"torch_dtype\": \"float16\", \"use_cache\": true, \"rope_scaling\": null");
  CHECK(m.features.empty());
  CHECK(m.notices.empty());
  CHECK(m.shape.head_dim == 16);
  CHECK(m.shape.other_parameters == 0);
  CHECK_NOTHROW(require_plain_values(m));
}

TEST_CASE("config.json: a key that nothing reads is an error with its place, or a notice") {
  CHECK_THAT(refusal("\"hiden_act\": \"silu\""),
             ContainsSubstring("m:6:2: key 'hiden_act' is not known for model type 'llama'"));
  CHECK_THAT(refusal("\"hiden_act\": \"silu\""), ContainsSubstring("nearest known key is 'hidden_act'"));
  const ModelConfig m = with("\"hiden_act\": \"silu\"", true);
  REQUIRE(m.notices.size() == 1);
  CHECK_THAT(m.notices[0], ContainsSubstring("'hiden_act'") && ContainsSubstring("line 6"));
  CHECK_THAT(refusal("\"some_new_thing\": null"), ContainsSubstring("accepted"));
}

TEST_CASE("config.json: what is not modelled is refused by name") {
  CHECK_THAT(refusal("\"num_local_experts\": 8"),
             ContainsSubstring("m:6:2: num_local_experts") && ContainsSubstring("no mixtures of experts"));
  CHECK_THAT(refusal("\"n_routed_experts\": 64"), ContainsSubstring("mixtures of experts"));
  CHECK_THAT(refusal("\"moe_intermediate_size\": 64"), ContainsSubstring("mixture of experts"));
  CHECK_THAT(refusal("\"num_experts\": 1"), ContainsSubstring("accepted"));
  CHECK_THAT(refusal("\"kv_lora_rank\": 512"), ContainsSubstring("latent attention"));
  CHECK_THAT(refusal("\"use_parallel_residual\": true"), ContainsSubstring("the same input"));
  CHECK_THAT(refusal("\"is_encoder_decoder\": true"), ContainsSubstring("decoder alone"));
  CHECK_THAT(refusal("\"hidden_act\": \"softplus\""), ContainsSubstring("there twice"));
  CHECK_THAT(refusal("\"hidden_activation\": \"softplus\""), ContainsSubstring("expected silu"));
  CHECK_THAT(refusal("\"layer_types\": [\"full_attention\", \"linear_attention\"]"),
             ContainsSubstring("linear_attention"));
  CHECK_THAT(refusal("\"sliding_window\": 0"), ContainsSubstring("at least one token"));
  CHECK_THAT(refusal("\"partial_rotary_factor\": 1.5"), ContainsSubstring("(0, 1]"));
  CHECK_THAT(refusal("\"rope_scaling\": {\"rope_type\": \"spiral\"}"), ContainsSubstring("'spiral' is not known"));
  CHECK_THAT(refusal("\"rope_scaling\": {\"rope_type\": \"linear\", \"factr\": 2}"), ContainsSubstring("'factr'"));
}

TEST_CASE("config.json: what changes values and not cost is listed, and readers of weights refuse it") {
  for (const char* keys :
       {"\"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 4.0}",
        "\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 4.0}", "\"hidden_activation\": \"gelu\"",
        "\"logit_scale\": 0.5", "\"scale_emb\": 12.0", "\"quantization_config\": {\"quant_method\": \"gptq\"}"}) {
    INFO(keys);
    const ModelConfig m = with(keys);
    REQUIRE(m.features.size() == 1);
    CHECK(m.features[0].only_values);
    CHECK(m.features[0].where.line == 6);
    CHECK_THROWS_AS(require_plain_values(m), config::InputError);
  }
  for (const char* keys :
       {"\"partial_rotary_factor\": 1.0", "\"embedding_multiplier\": 12.0", "\"final_logit_softcapping\": null",
        "\"attention_bias\": false", "\"no_rope_layers\": [1, 1]", "\"no_rope_layers\": [1, 0]",
        "\"partial_rotary_factor\": 0.5", "\"final_logit_softcapping\": 30.0",
        "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}",
        "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0}"}) {
    INFO(keys);
    CHECK(with(keys).features.empty());
  }
}

TEST_CASE("config.json: RoPE in the spelling of Transformers 5 is that of the older one") {
  CHECK(with("\"rope_theta\": 500000.0").shape.rope_theta == 500000.0);
  CHECK(with("\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}").shape.rope_theta ==
        500000.0);
  const std::string llama3 =
      "\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0,"
      " \"original_max_position_embeddings\": 64";
  const ModelConfig older = with("\"rope_scaling\": {" + llama3 + "}");
  const ModelConfig newer = with("\"rope_parameters\": {" + llama3 + ", \"rope_theta\": 10000.0}");
  for (const ModelConfig* m : {&older, &newer}) {
    CHECK(m->rope_scaling.factor == 8.0);
    CHECK(m->rope_scaling.original_context == 64.0);
    CHECK(m->shape.rope_theta == 10000.0);
    CHECK(m->features.empty());
  }
}

TEST_CASE("config.json: windows of every layer, of none, or by the type's own default") {
  const ModelConfig m = with("\"sliding_window\": 128");
  CHECK(m.shape.sliding_window == 128);
  CHECK(m.features.empty());
  CHECK(m.document.find("sliding_window")->where.line == 6);
  CHECK(with("\"sliding_window\": 4096").features.empty());  // wider than all positions
  CHECK(
      with("\"sliding_window\": 128, \"layer_types\": [\"full_attention\", \"full_attention\"]").shape.sliding_window ==
      0);
  CHECK(with("\"sliding_window\": 128, \"use_sliding_window\": false").shape.sliding_window == 0);
  CHECK(with("\"sliding_window\": null").shape.sliding_window == 0);
  // The default of the type holds where the key is absent, and not where it is null.
  CHECK(read_model_config(config::parse_json(type("mistral"), "m")).shape.sliding_window == 4096);
  CHECK(
      read_model_config(config::parse_json(type("mistral", ", \"sliding_window\": null"), "m")).shape.sliding_window ==
      0);
  CHECK(read_model_config(config::parse_json(type("qwen2", ", \"sliding_window\": 32"), "m")).shape.sliding_window ==
        0);
}

TEST_CASE("config.json: biases and norms of a type, and of keys") {
  // Two layers, 4 heads of 16 on a width of 64, 2 kv heads.
  const auto of = [](const char* name, const std::string& more = "") {
    return read_model_config(config::parse_json(type(name, more), "m")).shape;
  };
  const std::uint64_t plain = of("llama").parameters();
  CHECK(of("qwen2").parameters() - plain == 2 * (64 + 2 * 32));
  CHECK(of("qwen3", ", \"head_dim\": 16").parameters() - plain == 2 * 2 * 16);
  CHECK(of("olmo2").parameters() - plain == 2 * (64 + 32));
  CHECK(of("olmo2").norms == harmonia::accelerator::NormPlacement::behind);
  CHECK(of("llama", ", \"attention_bias\": true").parameters() - plain == 2 * (64 + 2 * 32 + 64));
  CHECK(of("stablelm", ", \"use_qkv_bias\": true").parameters() - plain == 2 * (64 + 2 * 32) + 5 * 64);
  CHECK(of("llama", ", \"mlp_bias\": true").parameters() - plain == 2 * (2 * 128 + 64));
  CHECK(plain - of("arcee").parameters() == 2 * 64 * 128);
  CHECK(of("arcee").activation == harmonia::accelerator::Activation::relu_squared);
  for (const char* name : {"qwen2", "olmo2", "starcoder2", "nemotron", "smollm3"})
    CHECK(of(name).other_parameters == 0);
  CHECK(of("smollm3").layers_without_rope.empty());  // every fourth of two
  CHECK(of("smollm3", ", \"no_rope_layer_interval\": 2").layers_without_rope == std::vector<int>{1});
  CHECK(of("nemotron").rotary_dim == 8);
}

TEST_CASE("config.json: what the shape takes has its place in the file, and stays in the resolved document") {
  const ModelConfig m = read_model_config(config::parse_json(type("gemma2", ", \"head_dim\": 16"), "m"));
  harmonia::accelerator::ModelShape again;
  config::read(again, m.document);
  CHECK(config::dump(again) == config::dump(m.shape));
  CHECK(m.shape.attention_cap == 50.0);
  CHECK(m.shape.attention_scale == 1.0 / 16.0);
}

TEST_CASE("config.json: published counts of parameters, with the tie that the type has by default") {
  const auto parameters = [](const std::string& text) {
    return read_model_config(config::parse_json(text, "m")).shape.parameters();
  };
  // Gemma 2 9B and Gemma 3 27B (text): neither file says whether the embedding is tied.
  CHECK(
      parameters("{\"model_type\": \"gemma2\", \"head_dim\": 256, \"hidden_size\": 3584, \"intermediate_size\": 14336,"
                 " \"num_attention_heads\": 16, \"num_hidden_layers\": 42, \"num_key_value_heads\": 8, \"vocab_size\": "
                 "256000}") == 9241705984u);
  CHECK(parameters(
            "{\"model_type\": \"gemma3_text\", \"head_dim\": 128, \"hidden_size\": 5376, \"intermediate_size\": 21504,"
            " \"num_attention_heads\": 32, \"num_hidden_layers\": 62, \"num_key_value_heads\": 16, \"vocab_size\": "
            "262208}") == 27009346304u);
  // Qwen2.5 7B: its biases are part of 7,615,616,512.
  CHECK(parameters("{\"model_type\": \"qwen2\", \"hidden_size\": 3584, \"intermediate_size\": 18944, "
                   "\"num_attention_heads\": 28,"
                   " \"num_hidden_layers\": 28, \"num_key_value_heads\": 4, \"vocab_size\": 152064, "
                   "\"tie_word_embeddings\": false}") == 7615616512u);
  // Nemotron-4 15B: two matrices in the feed-forward, LayerNorms.
  CHECK(parameters(
            "{\"model_type\": \"nemotron\", \"hidden_act\": \"relu2\", \"vocab_size\": 256000, \"hidden_size\": 6144, "
            "\"intermediate_size\": 24576, \"num_hidden_layers\": 32, \"num_attention_heads\": 48, "
            "\"num_key_value_heads\": 8, \"tie_word_embeddings\": false}") /
            10000000 ==
        1562);
}

TEST_CASE("config.json: the language model of a model with several inputs is found, a tower is never taken for it") {
  const std::string inner = type("llama");
  const ModelConfig m =
      read_model_config(config::parse_json("{\"model_type\": \"some_vl\", \"hidden_size\": 9999, \"vision_config\": "
                                           "{\"hidden_size\": 7}, \"text_config\": " +
                                               inner + "}",
                                           "m"));
  CHECK(m.shape.hidden_size == 64);
  REQUIRE(m.notices.size() == 1);
  CHECK_THAT(m.notices[0], ContainsSubstring("text_config"));
  CHECK_THROWS_WITH(
      read_model_config(config::parse_json(
          "{\"model_type\": \"llama4\", \"text_config\": {\"model_type\": \"llama4_text\", \"num_local_experts\": 16}}",
          "m")),
      ContainsSubstring("mixture of experts"));
  CHECK_THROWS_WITH(with("\"vision_config\": {\"hidden_size\": 7}"),
                    ContainsSubstring("expected these under text_config"));
}

TEST_CASE("config.json: what has no decode step is refused") {
  CHECK_THROWS_WITH(read_model_config(config::parse_json(type("bert"), "m")), ContainsSubstring("an encoder"));
  CHECK_THROWS_WITH(read_model_config(config::parse_json(type("t5"), "m")),
                    ContainsSubstring("attention between them"));
  CHECK_THROWS_WITH(read_model_config(config::parse_json(type("mamba"), "m")), ContainsSubstring("recurrent state"));
  CHECK_THROWS_WITH(read_model_config(config::parse_json(type("gpt_neox"), "m")), ContainsSubstring("the same input"));
  CHECK_THROWS_WITH(read_model_config(config::parse_json(type("lama"), "m")),
                    ContainsSubstring("'lama' is not known") && ContainsSubstring("'llama'"));
  CHECK_THROWS_WITH(read_model_config(config::parse_json(
                        type("llama", ", \"architectures\": [\"LlamaForSequenceClassification\"]"), "m")),
                    ContainsSubstring("has no decode step"));
}

TEST_CASE("config.json: a kind of model that cannot be read is refused with its place") {
  const auto refused = [](const std::string& document) {
    try {
      read_model_config(config::parse_json(document, "m"), false);
    } catch (const config::InputError& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refused("{\n \"architectures\": -5}"),
             ContainsSubstring("m:2:") && ContainsSubstring("a list of class names"));
  CHECK_THAT(refused("{\n \"model_type\": {}}"), ContainsSubstring("m:2:") && ContainsSubstring("expected a name"));
  CHECK_THAT(refused("{\n \"model_type\": \"\", \"vocab_size\": 3}"),
             ContainsSubstring("m:") && ContainsSubstring("neither model_type nor"));
}

TEST_CASE("config.json: what contradicts itself is refused with both sayings") {
  const auto of_class = [](const std::string& type, const std::string& classes) {
    std::string text = kLlama;
    text.replace(text.find("[\"LlamaForCausalLM\"]"), std::string("[\"LlamaForCausalLM\"]").size(), classes);
    text.replace(text.find("\"model_type\": \"llama\""), std::string("\"model_type\": \"llama\"").size(),
                 type.empty() ? "\"use_cache\": true" : "\"model_type\": \"" + type + "\"");
    try {
      read_model_config(config::parse_json(text + "}", "m"));
    } catch (const config::InputError& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  CHECK(of_class("llama", "[\"LlamaForCausalLM\"]") == "accepted");
  CHECK(of_class("llama", "[\"SomethingNewForCausalLM\"]") == "accepted");
  CHECK_THAT(of_class("llama", "[\"Gemma2ForCausalLM\"]"),
             ContainsSubstring("m:1:20") && ContainsSubstring("'Gemma2ForCausalLM' is of model type 'gemma2'"));
  CHECK_THAT(of_class("llama", "[\"DeepseekV3ForCausalLM\"]"),
             ContainsSubstring("m:1:20") && ContainsSubstring("is not modelled: its attention keeps"));
  CHECK_THAT(of_class("llama", "[\"LlamaForCausalLM\", \"LlamaModel\"]"),
             ContainsSubstring("m:1:40") && ContainsSubstring("has no decode step"));
  CHECK_THAT(of_class("llama", "[1, [2]]"), ContainsSubstring("expected"));
  // The class alone says what the model is, by its name without the ending.
  CHECK_THAT(of_class("", "[\"GPT2LMHeadModel\"]"), ContainsSubstring("'gpt2' is not modelled"));
  CHECK_THAT(of_class("", "[\"MambaForCausalLM\"]"), ContainsSubstring("a recurrent state"));

  CHECK_THAT(refusal("\"text_config\": {\"model_type\": \"llama\"}, \"llm_config\": {\"model_type\": \"llama\"}"),
             ContainsSubstring("'llm_config' describes a second language model"));
  CHECK_THAT(refusal("\"quantization_config\": \"awq\""), ContainsSubstring("m:6:25") && ContainsSubstring("a map"));
  CHECK_THAT(refusal("\"rope_theta\": 1e4, \"rope_parameters\": {\"rope_theta\": 5e5}"),
             ContainsSubstring("rope_parameters.rope_theta is 5e5 and rope_theta is 1e4"));
  CHECK_THAT(refusal("\"rope_scaling\": {\"rope_type\": \"default\", \"type\": \"linear\", \"factor\": 4}"),
             ContainsSubstring("the rope_type 'default' and the type 'linear'"));
  CHECK_THAT(refusal("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}, \"rope_parameters\": {\"rope_type\": "
                     "\"default\"}"),
             ContainsSubstring("rope_parameters is of type 'default' and rope_scaling of type 'linear'"));
  CHECK_THAT(refusal("\"rope_scaling\": {\"type\": \"linear\"}"), ContainsSubstring("has no factor"));
  CHECK_THAT(refusal("\"rope_scaling\": {\"type\": \"yarn\", \"factor\": -4}"),
             ContainsSubstring("rope_scaling.factor is -4, expected a number above 0"));
}
