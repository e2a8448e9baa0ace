// A tiny random model and its files in every format that the loaders read, so that tests need no outside data.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/testbench/weights/huggingface.h"
#include "harmonia/testbench/weights/model_weights.h"
#include "harmonia/testbench/weights/safetensors.h"

namespace harmonia::test {

using Blob = std::vector<std::uint8_t>;

struct NamedTensor {
  std::vector<float> values;
  std::size_t rows = 1, cols = 1;
  std::size_t matrices = 1;  // that the rows belong to, one after the other
};

/// Values that FP16, BF16 and FP32 all hold exactly, so that every file format stands for the same model.
struct TinyModel {
  accelerator::ModelShape shape;
  std::int64_t max_context = 0;
  NamedTensor embedding, final_norm, lm_head;
  struct Layer {
    NamedTensor attention_norm, q, k, v, o, ffn_norm, gate, up, down;
  };
  std::vector<Layer> layers;

  static accelerator::ModelShape tiny_shape(bool tied) {
    accelerator::ModelShape shape;
    shape.hidden_size = 32;
    shape.intermediate_size = 64;
    shape.num_hidden_layers = 2;
    shape.num_attention_heads = 4;
    shape.num_key_value_heads = 2;
    shape.head_dim = 8;
    shape.vocab_size = 263;  // three specials, 256 bytes, " ", "a", "b", "ab"
    shape.tie_word_embeddings = tied;
    shape.rope_theta = 10000.0;
    shape.rms_norm_eps = 1e-5;
    return shape;
  }
  /// The sizes of stories260K: 172 is no multiple of 32 and heads of 8 channels fill a quarter of a group.
  static accelerator::ModelShape stories_shape() {
    accelerator::ModelShape shape = tiny_shape(true);
    shape.hidden_size = 64;
    shape.intermediate_size = 172;
    shape.num_hidden_layers = 5;
    shape.num_attention_heads = 8;
    shape.num_key_value_heads = 4;
    shape.vocab_size = 512;
    return shape;
  }

  explicit TinyModel(std::uint64_t seed = 1, bool tied = true) : TinyModel(seed, tiny_shape(tied), 16) {}
  TinyModel(std::uint64_t seed, const accelerator::ModelShape& shape_, std::int64_t context)
      : shape(shape_), max_context(context) {
    formats::SplitMix64 random(seed);
    const auto tensor = [&](int rows, int cols, double around) {
      NamedTensor t;
      t.rows = static_cast<std::size_t>(rows);
      t.cols = static_cast<std::size_t>(cols);
      t.values.resize(t.rows * t.cols);
      // Multiples of 1/64 below 2: seven significant bits.
      for (float& v : t.values) v = static_cast<float>(around + std::floor((random.uniform() - 0.5) * 96) / 64.0);
      return t;
    };
    const int h = shape.hidden_size, f = shape.intermediate_size;
    embedding = tensor(shape.vocab_size, h, 0);
    for (int i = 0; i < shape.num_hidden_layers; ++i) {
      Layer l;
      l.attention_norm = tensor(1, h, 1);
      l.q = tensor(shape.q_width(), h, 0);
      l.k = tensor(shape.kv_width(), h, 0);
      l.v = tensor(shape.kv_width(), h, 0);
      l.o = tensor(h, shape.q_width(), 0);
      l.ffn_norm = tensor(1, h, 1);
      l.gate = tensor(f, h, 0);
      l.up = tensor(f, h, 0);
      l.down = tensor(h, f, 0);
      layers.push_back(std::move(l));
    }
    final_norm = tensor(1, h, 1);
    lm_head = shape.tie_word_embeddings ? embedding : tensor(shape.vocab_size, h, 0);
  }
};

template <typename T>
void put(Blob& out, const T& value) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(&value);
  out.insert(out.end(), p, p + sizeof(T));
}

inline void put_floats(Blob& out, const std::vector<float>& values) {
  for (const float v : values) put(out, v);
}

inline Blob llama2c_bytes(const TinyModel& m) {
  Blob out;
  const auto& s = m.shape;
  for (const int v :
       {s.hidden_size, s.intermediate_size, s.num_hidden_layers, s.num_attention_heads, s.num_key_value_heads,
        s.tie_word_embeddings ? s.vocab_size : -s.vocab_size, static_cast<int>(m.max_context)})
    put(out, static_cast<std::int32_t>(v));
  put_floats(out, m.embedding.values);
  for (const NamedTensor TinyModel::Layer::*t :
       {&TinyModel::Layer::attention_norm, &TinyModel::Layer::q, &TinyModel::Layer::k, &TinyModel::Layer::v,
        &TinyModel::Layer::o, &TinyModel::Layer::ffn_norm, &TinyModel::Layer::gate, &TinyModel::Layer::down,
        &TinyModel::Layer::up})
    for (const TinyModel::Layer& l : m.layers) put_floats(out, (l.*t).values);
  put_floats(out, m.final_norm.values);
  put_floats(out, std::vector<float>(static_cast<std::size_t>(m.max_context * s.head_dim)));  // the unused RoPE tables
  if (!s.tie_word_embeddings) put_floats(out, m.lm_head.values);
  return out;
}

/// Pieces: <unk>, the two sequence marks, 256 bytes, " ", "a", "b", "ab".
inline std::vector<std::string> tiny_pieces() {
  std::vector<std::string> pieces = {"<unk>", "\n<s>\n", "\n</s>\n"};
  for (int b = 0; b < 256; ++b) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", b);
    pieces.emplace_back(text);
  }
  for (const char* p : {" ", "a", "b", "ab"}) pieces.emplace_back(p);
  return pieces;
}

inline Blob llama2c_tokenizer_bytes() {
  Blob out;
  put(out, std::int32_t{6});
  for (const std::string& p : tiny_pieces()) {
    put(out, p == "ab" ? -1.0F : -5.0F);
    put(out, static_cast<std::int32_t>(p.size()));
    out.insert(out.end(), p.begin(), p.end());
  }
  return out;
}

enum class GgufType : std::uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8, kBf16 = 30 };

/// One row in a ggml type. Q8_0 and Q4_0 take the scale 1/64 and 1/8 and clamp: exact for the tiny model's small values
/// only in Q8_0; Q4_0 keeps what its four bits hold.
inline void put_row(Blob& out, GgufType type, const float* v, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    if (type == GgufType::kF32) put(out, v[i]);
    if (type == GgufType::kF16) put(out, formats::to_fp16(v[i]));
    if (type == GgufType::kBf16) put(out, formats::to_bf16(v[i]));
  }
  if (type == GgufType::kQ8_0)
    for (std::size_t b = 0; b < n; b += 32) {
      put(out, formats::to_fp16(1.0F / 64));
      for (std::size_t i = 0; i < 32; ++i) put(out, static_cast<std::int8_t>(v[b + i] * 64));
    }
  if (type == GgufType::kQ4_0)
    for (std::size_t b = 0; b < n; b += 32) {
      put(out, formats::to_fp16(1.0F / 8));
      const auto code = [&](std::size_t i) {
        return static_cast<int>(std::min(15.0F, std::max(0.0F, std::nearbyint(v[b + i] * 8) + 8)));
      };
      for (std::size_t i = 0; i < 16; ++i) out.push_back(static_cast<std::uint8_t>(code(i) | code(i + 16) << 4));
    }
}

/// What a GGUF file holds beside the plain model.
struct GgufExtra {
  std::vector<std::pair<std::string, std::uint32_t>> numbers;
  std::vector<std::pair<std::string, float>> reals;
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, const NamedTensor*>> tensors;
  std::vector<std::int32_t> kinds;               // of tokens
  std::map<std::string, std::uint64_t> offsets;  // in place of a tensor's own
  bool first = false;                            // before the other metadata
  std::string architecture = "llama";
  bool without_feed_forward = false;  // the dense one
};

inline Blob gguf_bytes(const TinyModel& m, GgufType linear_type, bool with_tokenizer = true, std::uint32_t version = 3,
                       const GgufExtra& extra = {}) {
  struct Entry {
    std::string name;
    const NamedTensor* tensor;
    GgufType type;
  };
  std::vector<Entry> entries = {{"token_embd.weight", &m.embedding, GgufType::kF32},
                                {"output_norm.weight", &m.final_norm, GgufType::kF32}};
  if (!m.shape.tie_word_embeddings) entries.push_back({"output.weight", &m.lm_head, GgufType::kF32});
  for (std::size_t i = 0; i < m.layers.size(); ++i) {
    const std::string p = "blk." + std::to_string(i) + ".";
    const TinyModel::Layer& l = m.layers[i];
    entries.push_back({p + "attn_norm.weight", &l.attention_norm, GgufType::kF32});
    entries.push_back({p + "ffn_norm.weight", &l.ffn_norm, GgufType::kF32});
    for (const auto& [name, t] : std::vector<std::pair<std::string, const NamedTensor*>>{{"attn_q", &l.q},
                                                                                         {"attn_k", &l.k},
                                                                                         {"attn_v", &l.v},
                                                                                         {"attn_output", &l.o},
                                                                                         {"ffn_gate", &l.gate},
                                                                                         {"ffn_up", &l.up},
                                                                                         {"ffn_down", &l.down}})
      if (!extra.without_feed_forward || name.compare(0, 4, "ffn_") != 0)
        entries.push_back({p + name + ".weight", t, linear_type});
  }
  for (const auto& [name, tensor] : extra.tensors) entries.push_back({name, tensor, GgufType::kF32});
  Blob out = {'G', 'G', 'U', 'F'};
  const auto put_string = [&](const std::string& text) {
    put(out, static_cast<std::uint64_t>(text.size()));
    out.insert(out.end(), text.begin(), text.end());
  };
  const auto key = [&](const std::string& name, std::uint32_t type) {
    put_string(name);
    put(out, type);
  };
  const auto number = [&](const std::string& name, int value) {
    key(name, 4);
    put(out, static_cast<std::uint32_t>(value));
  };
  put(out, version);
  put(out, static_cast<std::uint64_t>(entries.size()));
  put(out, static_cast<std::uint64_t>(with_tokenizer ? 13 : 9) + extra.numbers.size() + extra.reals.size() +
               extra.texts.size() + (extra.kinds.empty() ? 0 : 1));
  const auto put_extra = [&] {
    for (const auto& [name, value] : extra.numbers) number(name, static_cast<int>(value));
    for (const auto& [name, value] : extra.reals) {
      key(name, 6);
      put(out, value);
    }
    for (const auto& [name, value] : extra.texts) {
      key(name, 8);
      put_string(value);
    }
  };
  if (extra.first) put_extra();
  key("general.architecture", 8);
  put_string(extra.architecture);
  const std::string own = extra.architecture + ".";
  number(own + "embedding_length", m.shape.hidden_size);
  number(own + "feed_forward_length", m.shape.intermediate_size);
  number(own + "block_count", m.shape.num_hidden_layers);
  number(own + "attention.head_count", m.shape.num_attention_heads);
  number(own + "attention.head_count_kv", m.shape.num_key_value_heads);
  number(own + "context_length", static_cast<int>(m.max_context));
  key(own + "attention.layer_norm_rms_epsilon", 6);
  put(out, 1e-5F);
  key(own + "rope.freq_base", 6);
  put(out, 10000.0F);
  if (with_tokenizer) {
    key("tokenizer.ggml.model", 8);
    put_string("llama");
    key("tokenizer.ggml.tokens", 9);
    put(out, std::uint32_t{8});
    put(out, static_cast<std::uint64_t>(tiny_pieces().size()));
    for (const std::string& p : tiny_pieces()) put_string(p == " " ? "\xE2\x96\x81" : p);
    key("tokenizer.ggml.scores", 9);
    put(out, std::uint32_t{6});
    put(out, static_cast<std::uint64_t>(tiny_pieces().size()));
    for (const std::string& p : tiny_pieces()) put(out, p == "ab" ? -1.0F : -5.0F);
    number("tokenizer.ggml.bos_token_id", 1);
  }
  if (!extra.kinds.empty()) {
    key("tokenizer.ggml.token_type", 9);
    put(out, std::uint32_t{5});
    put(out, static_cast<std::uint64_t>(extra.kinds.size()));
    for (const std::int32_t kind : extra.kinds) put(out, kind);
  }
  if (!extra.first) put_extra();
  Blob data;
  for (const Entry& e : entries) {
    put_string(e.name);
    const std::size_t matrices = e.tensor->matrices;
    put(out, static_cast<std::uint32_t>(matrices > 1 ? 3 : e.tensor->rows > 1 ? 2 : 1));
    put(out, static_cast<std::uint64_t>(e.tensor->cols));
    if (e.tensor->rows > 1) put(out, static_cast<std::uint64_t>(e.tensor->rows / matrices));
    if (matrices > 1) put(out, static_cast<std::uint64_t>(matrices));
    put(out, e.type);
    const auto other = extra.offsets.find(e.name);
    put(out, other == extra.offsets.end() ? static_cast<std::uint64_t>(data.size()) : other->second);
    for (std::size_t r = 0; r < e.tensor->rows; ++r)
      put_row(data, e.type, e.tensor->values.data() + r * e.tensor->cols, e.tensor->cols);
    data.resize((data.size() + 31) / 32 * 32);
  }
  out.resize((out.size() + 31) / 32 * 32);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

/// Rows of a query or key projection, from adjacent RoPE pairs to half-split ones: channel 2i -> i, 2i+1 -> i +
/// head_dim/2.
inline NamedTensor half_split(const NamedTensor& t, std::size_t head_dim) {
  NamedTensor out = t;
  for (std::size_t r = 0; r < t.rows; ++r) {
    const std::size_t c = r % head_dim, target = r - c + c / 2 + (c % 2) * head_dim / 2;
    std::copy_n(t.values.begin() + static_cast<std::ptrdiff_t>(r * t.cols), t.cols,
                out.values.begin() + static_cast<std::ptrdiff_t>(target * t.cols));
  }
  return out;
}

inline std::string config_json(const TinyModel& m) {
  const auto& s = m.shape;
  return "{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": " + std::to_string(s.hidden_size) +
         ", \"intermediate_size\": " + std::to_string(s.intermediate_size) +
         ",\n \"num_hidden_layers\": " + std::to_string(s.num_hidden_layers) +
         ", \"num_attention_heads\": " + std::to_string(s.num_attention_heads) +
         ", \"num_key_value_heads\": " + std::to_string(s.num_key_value_heads) +
         ",\n \"vocab_size\": " + std::to_string(s.vocab_size) +
         ", \"max_position_embeddings\": " + std::to_string(m.max_context) +
         ", \"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0, \"rope_scaling\": null,\n \"tie_word_embeddings\": " +
         (s.tie_word_embeddings ? "true" : "false") + "}\n";
}

/// A Hugging Face folder in `dtype` (kF32, kF16 or kBf16), in `shards` files with an index when there are several.
inline void write_huggingface(const TinyModel& m, const std::filesystem::path& folder, testbench::Dtype dtype,
                              std::size_t shards = 1) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << config_json(m);
  std::vector<std::pair<std::string, NamedTensor>> all = {{"model.embed_tokens.weight", m.embedding},
                                                          {"model.norm.weight", m.final_norm}};
  if (!m.shape.tie_word_embeddings) all.emplace_back("lm_head.weight", m.lm_head);
  const auto head_dim = static_cast<std::size_t>(m.shape.head_dim);
  for (std::size_t i = 0; i < m.layers.size(); ++i) {
    const std::string p = "model.layers." + std::to_string(i) + ".";
    const TinyModel::Layer& l = m.layers[i];
    all.emplace_back(p + "input_layernorm.weight", l.attention_norm);
    all.emplace_back(p + "self_attn.q_proj.weight", half_split(l.q, head_dim));
    all.emplace_back(p + "self_attn.k_proj.weight", half_split(l.k, head_dim));
    all.emplace_back(p + "self_attn.v_proj.weight", l.v);
    all.emplace_back(p + "self_attn.o_proj.weight", l.o);
    all.emplace_back(p + "post_attention_layernorm.weight", l.ffn_norm);
    all.emplace_back(p + "mlp.gate_proj.weight", l.gate);
    all.emplace_back(p + "mlp.up_proj.weight", l.up);
    all.emplace_back(p + "mlp.down_proj.weight", l.down);
  }
  std::string index = "{\"weight_map\": {";
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::string file = shards == 1 ? "model.safetensors" : "model-" + std::to_string(shard) + ".safetensors";
    std::vector<testbench::TensorToWrite> tensors;
    std::vector<Blob> data(all.size());
    for (std::size_t i = shard; i < all.size(); i += shards) {
      for (const float v : all[i].second.values) {
        if (dtype == testbench::Dtype::kF32) put(data[i], v);
        if (dtype == testbench::Dtype::kF16) put(data[i], formats::to_fp16(v));
        if (dtype == testbench::Dtype::kBf16) put(data[i], formats::to_bf16(v));
      }
      std::vector<std::size_t> shape = {all[i].second.cols};
      if (all[i].second.rows > 1) shape.insert(shape.begin(), all[i].second.rows);
      tensors.push_back({all[i].first, dtype, shape, data[i].data()});
      index += (index.back() == '{' ? "\"" : ", \"") + all[i].first + "\": \"" + file + "\"";
    }
    testbench::write_safetensors(folder / file, tensors);
  }
  if (shards > 1) std::ofstream(folder / "model.safetensors.index.json") << index << "}}";
}

/// A folder of its own for a test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "harmonia-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const Blob& bytes) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return file(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace harmonia::test
