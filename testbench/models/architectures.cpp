#include "harmonia/testbench/models/architectures.h"

#include <algorithm>
#include <array>

namespace harmonia::testbench {
namespace {

std::vector<Architecture> make_architectures() {
  std::vector<Architecture> list;
  const auto add = [&](const char* type, const char* family) -> Architecture& {
    Architecture& a = list.emplace_back();
    a.model_type = type;
    a.family = family;
    return a;
  };
  add("llama", "Llama");
  add("mistral", "Mistral").window = 4096;
  add("yi", "Yi");
  add("Yi", "Yi");
  add("internlm", "InternLM");
  add("internlm2", "InternLM2");
  add("internlm3", "InternLM3");
  add("phi3", "Phi-3").norm_eps = 1e-5;
  {
    Architecture& a = add("qwen2", "Qwen2");
    a.qkv_bias = true;
  }
  {
    Architecture& a = add("qwen3", "Qwen3");
    a.head_dim = 128;
    a.qk_norm = Architecture::QkNorm::per_head;
  }
  {
    Architecture& a = add("smollm3", "SmolLM3");
    a.tied = true;
    a.rope_theta = 2000000.0;
    a.no_rope_interval = 4;
  }
  {
    Architecture& a = add("olmo2", "OLMo 2");
    a.rope_theta = 500000.0;
    a.norm_eps = 1e-5;
    a.qk_norm = Architecture::QkNorm::whole_width;
    a.norms = Architecture::Norms::behind;
  }
  {
    Architecture& a = add("granite", "Granite");
    a.attention_scale = 1.0;
  }
  {
    Architecture& a = add("gemma", "Gemma");
    a.tied = true;
    a.head_dim = 256;
    a.vocab_size = 256000;
    a.activation = "gelu_pytorch_tanh";
    a.gains_less_one = a.scaled_embedding = true;
  }
  {
    Architecture& a = add("gemma2", "Gemma 2");
    a.tied = true;
    a.head_dim = 256;
    a.vocab_size = 256000;
    a.activation = "gelu_pytorch_tanh";
    a.norms = Architecture::Norms::both;
    a.gains_less_one = a.scaled_embedding = true;
    a.attention_cap = 50.0;
    a.logits_cap = 30.0;
    a.query_scalar = 256.0;
    a.window = 4096;
    a.window_period = 2;
  }
  for (const char* type : {"gemma3_text", "gemma3"}) {
    Architecture& a = add(type, "Gemma 3");
    a.tied = true;
    a.rope_theta = 1000000.0;
    a.head_dim = 256;
    a.vocab_size = 262208;
    a.activation = "gelu_pytorch_tanh";
    a.norms = Architecture::Norms::both;
    a.gains_less_one = a.scaled_embedding = true;
    a.query_scalar = 256.0;
    a.window_rope_theta = 10000.0;
    a.qk_norm = Architecture::QkNorm::per_head;
    a.window = 4096;
    a.window_period = 6;
  }
  {
    Architecture& a = add("arcee", "Arcee");
    a.norm_eps = 1e-5;
    a.gated = false;
    a.activation = "relu2";
  }
  {
    Architecture& a = add("nemotron", "Nemotron");
    a.norm_eps = 1e-5;
    a.layer_norm = a.gains_less_one = true;
    a.partial_rotary = 0.5;
    a.gated = false;
    a.activation = "relu2";
  }
  {
    Architecture& a = add("starcoder2", "StarCoder2");
    a.tied = true;
    a.norm_eps = 1e-5;
    a.layer_norm = true;
    a.qkv_bias = a.o_bias = a.mlp_bias = true;
    a.gated = false;
    a.activation = "gelu_pytorch_tanh";
  }
  {
    Architecture& a = add("stablelm", "StableLM");
    a.norm_eps = 1e-5;
    a.layer_norm = true;
    a.partial_rotary = 0.25;
  }
  const auto mixture = [&](const char* type, const char* family, int experts, int per_token) -> Architecture& {
    Architecture& a = add(type, family);
    a.mixture = true;
    a.experts = experts;
    a.experts_per_token = per_token;
    return a;
  };
  {
    Architecture& a = mixture("mixtral", "Mixtral", 8, 2);
    a.normalised_experts = true;
    a.norm_eps = 1e-5;
    a.rope_theta = 1000000.0;
  }
  {
    Architecture& a = mixture("qwen2_moe", "Qwen2-MoE", 60, 4);
    a.qkv_bias = true;
    a.shared_gate = true;
  }
  {
    Architecture& a = mixture("qwen3_moe", "Qwen3-MoE", 128, 8);
    a.qk_norm = Architecture::QkNorm::per_head;
  }
  {
    Architecture& a = mixture("olmoe", "OLMoE", 64, 8);
    a.norm_eps = 1e-5;
    a.qk_norm = Architecture::QkNorm::whole_width;
  }
  {
    Architecture& a = mixture("gpt_oss", "gpt-oss", 128, 4);
    a.normalised_experts = true;
    a.head_dim = 64;
    a.norm_eps = 1e-5;
    a.rope_theta = 150000.0;
    a.window = 128;
    a.window_period = 2;
    a.mlp_bias = a.sinks = a.clamped = true;
  }
  mixture("deepseek", "DeepSeek-MoE", 0, 0);
  return list;
}

const std::vector<Architecture>& architectures() {
  static const std::vector<Architecture> list = make_architectures();
  return list;
}

struct Refused {
  const char* why;
  std::vector<std::string_view> types;
};

const std::vector<Refused>& refused() {
  static const std::vector<Refused> list = {
      {"it is an encoder and has no decode step",
       {"bert",        "roberta",    "distilbert", "albert",          "electra",     "deberta",    "deberta-v2",
        "xlm-roberta", "xlm",        "camembert",  "modernbert",      "mpnet",       "nomic_bert", "ernie",
        "funnel",      "longformer", "big_bird",   "convbert",        "squeezebert", "esm",        "vit",
        "deit",        "swin",       "clip",       "clip_text_model", "siglip",      "dinov2",     "wav2vec2",
        "hubert"}},
      {"it is an encoder and a decoder with attention between them",
       {"t5", "mt5", "umt5", "bart", "mbart", "pegasus", "marian", "m2m_100", "whisper", "blenderbot", "led", "longt5",
        "prophetnet", "t5gemma"}},
      {"it has layers with a recurrent state",
       {"mamba",    "mamba2",           "falcon_mamba", "jamba",     "bamba",      "zamba",
        "zamba2",   "granitemoehybrid", "nemotron_h",   "falcon_h1", "qwen3_next", "lfm2",
        "lfm2_moe", "recurrent_gemma",  "rwkv",         "rwkv5",     "rwkv6",      "rwkv7",
        "xlstm",    "kimi_linear",      "plamo2",       "minimax"}},
      {"its attention keeps a compressed cache (multi-head latent attention)",
       {"deepseek_v2", "deepseek_v3", "deepseek_v32", "deepseek_vl_v2", "kimi_k2", "minicpm3", "longcat_flash",
        "glm4_moe_lite"}},
      {"its feed-forward is a mixture of experts",
       {"phimoe",           "dbrx",         "grok-1",         "grok",        "granitemoe",
        "granitemoeshared", "llama4",       "llama4_text",    "jetmoe",      "arctic",
        "ernie4_5_moe",     "glm4_moe",     "hunyuan_v1_moe", "bailing_moe", "dots1",
        "minimax_m2",       "exaone_moe",   "flex_olmo",      "afmoe",       "switch_transformers",
        "nllb-moe",         "qwen3_vl_moe", "qwen3_omni_moe", "aria",        "step3"}},
      {"its positions are added to the embedding",
       {"gpt2", "gpt_neo", "opt", "gpt_bigcode", "xglm", "biogpt", "openai-gpt", "ctrl"}},
      {"its scores fall with the distance of tokens (ALiBi)", {"bloom", "mpt"}},
      {"its norms of queries and keys subtract the mean", {"persimmon", "fuyu"}},
      {"attention and feed-forward of a layer run on the same input",
       {"cohere", "cohere2", "stablelm_parallel", "gpt_neox", "gpt_neox_japanese", "gptj", "codegen", "falcon", "phi",
        "stablelm_alpha"}},
      {"its norms have no weights", {"olmo"}},
      {"its layers have numbers of heads of their own", {"openelm", "nemotron-nas", "deci"}},
      {"it attends across the layers of another model", {"mllama", "mllama_text_model"}},
  };
  return list;
}

constexpr std::string_view kHarmless[] = {
    // Bookkeeping of files and libraries.
    "architectures", "model_type", "_name_or_path", "name_or_path", "transformers_version", "torch_dtype", "dtype",
    "auto_map", "_commit_hash", "_attn_implementation", "_attn_implementation_autoset", "attn_implementation",
    "tokenizer_class", "unsloth_version", "unsloth_fixed", "unsloth_processed", "language", "torchscript",
    "use_bfloat16", "return_dict", "return_dict_in_generate", "output_attentions", "output_hidden_states",
    "output_scores", "output_router_logits", "cache_implementation", "use_cache", "use_flash_attn",
    "use_flash_attention_2", "_flash_attn_2_enabled", "fused_bias", "id2label", "label2id", "num_labels",
    "problem_type", "finetuning_task", "task_specific_params", "is_decoder", "tie_encoder_decoder",
    "chunk_size_feed_forward", "pruned_heads", "prefix", "tf_legacy_loss", "cross_attention_hidden_size", "use_mrope",
    "note", "description", "license", "_comment", "comment", "harmonia_rope_pairing",
    // Token identifiers.
    "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id",
    "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens",
    "image_token_index", "image_token_id", "video_token_id", "audio_token_id", "boi_token_index", "eoi_token_index",
    "vision_start_token_id", "vision_end_token_id", "pad_token", "bos_token", "eos_token",
    // Training.
    "initializer_range", "initializer_factor", "init_std", "pretraining_tp", "attention_dropout", "attn_dropout",
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout", "hidden_dropout_prob", "residual_dropout",
    "embedding_dropout", "classifier_dropout", "attention_probs_dropout_prob", "dropout", "gradient_checkpointing",
    "router_aux_loss_coef", "router_jitter_noise", "aux_loss_alpha", "seq_aux", "z_loss_coefficient", "ep_size",
    // Training of routers.
    "router_z_loss_coef", "initial_context_length",
    // Generation.
    "do_sample", "temperature", "top_k", "top_p", "typical_p", "min_p", "repetition_penalty", "length_penalty",
    "max_length", "min_length", "max_new_tokens", "num_beams", "num_beam_groups", "diversity_penalty", "early_stopping",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
    "exponential_decay_length_penalty", "remove_invalid_values"};

}  // namespace

const Architecture* find_architecture(std::string_view model_type) {
  const auto& list = architectures();
  const auto it =
      std::find_if(list.begin(), list.end(), [&](const Architecture& a) { return model_type == a.model_type; });
  return it == list.end() ? nullptr : &*it;
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& a : architectures()) names.emplace_back(a.model_type);
  return names;
}

const char* refused_architecture(std::string_view model_type) {
  for (const Refused& kind : refused())
    if (std::find(kind.types.begin(), kind.types.end(), model_type) != kind.types.end()) return kind.why;
  return nullptr;
}

std::vector<std::string> refused_architecture_names() {
  std::vector<std::string> names;
  for (const Refused& kind : refused()) names.insert(names.end(), kind.types.begin(), kind.types.end());
  return names;
}

bool is_harmless_key(std::string_view key) {
  return std::find(std::begin(kHarmless), std::end(kHarmless), key) != std::end(kHarmless);
}

}  // namespace harmonia::testbench
