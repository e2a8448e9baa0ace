#include "harmonia/testbench/weights/llama2c.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "harmonia/config/error.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kHeaderFields = 7;
constexpr std::uint32_t kVersionedMagic = 0x616b3432;  // "ak42"

}  // namespace

ModelWeights parse_llama2c(const Bytes& bytes) {
  const auto fail = [&](const std::string& message) { throw config::InputError({bytes.name}, message); };
  std::array<std::int32_t, kHeaderFields> header{};
  if (bytes.size < sizeof(header))
    fail("truncated header: a llama2.c checkpoint begins with 28 bytes, the file has " + std::to_string(bytes.size));
  std::memcpy(header.data(), bytes.data, sizeof(header));
  if (static_cast<std::uint32_t>(header[0]) == kVersionedMagic)
    fail("is a llama2.c checkpoint of version 1 or later; version 0 was expected (export with --version 0)");

  static const char* const kNames[] = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                       "n_kv_heads", "vocab_size", "seq_len"};
  for (std::size_t i = 0; i < kHeaderFields; ++i) {
    const bool vocabulary = i == 5;
    const bool valid = vocabulary ? header[i] != 0 && header[i] != INT32_MIN : header[i] > 0;
    if (!valid)
      fail(std::string("byte ") + std::to_string(4 * i) + ": " + kNames[i] + " is " + std::to_string(header[i]) +
           ", expected a positive number");
  }

  ModelWeights model;
  model.source = bytes.name;
  accelerator::ModelShape& s = model.info.shape;
  s.name = "llama2.c";
  s.hidden_size = header[0];
  s.intermediate_size = header[1];
  s.num_hidden_layers = header[2];
  s.num_attention_heads = header[3];
  s.num_key_value_heads = header[4];
  s.vocab_size = std::abs(header[5]);
  s.tie_word_embeddings = header[5] > 0;
  s.rope_theta = 10000.0;  // fixed in run.c, as is epsilon
  s.rms_norm_eps = 1e-5;
  model.info.max_context = header[6];
  if (s.hidden_size % s.num_attention_heads != 0)
    fail("dim " + std::to_string(s.hidden_size) + " is no multiple of n_heads " +
         std::to_string(s.num_attention_heads));
  s.head_dim = s.hidden_size / s.num_attention_heads;
  model.info.validate(bytes.name);

  // The order of the file. Each entry is one tensor per layer, all layers in a row, or one for the model.
  struct Entry {
    const char* name;
    std::int64_t rows, cols;
    bool per_layer;
    WeightView LayerWeights::*layer_view;
    WeightView ModelWeights::*model_view;
  };
  const std::int64_t dim = s.hidden_size, kv = s.kv_width(), hidden = s.intermediate_size;
  const std::int64_t table = model.info.max_context * (s.head_dim / 2);
  const Entry order[] = {
      {"token_embedding", s.vocab_size, dim, false, nullptr, &ModelWeights::embedding},
      {"rms_att", 1, dim, true, &LayerWeights::attention_norm, nullptr},
      {"wq", dim, dim, true, &LayerWeights::q, nullptr},
      {"wk", kv, dim, true, &LayerWeights::k, nullptr},
      {"wv", kv, dim, true, &LayerWeights::v, nullptr},
      {"wo", dim, dim, true, &LayerWeights::o, nullptr},
      {"rms_ffn", 1, dim, true, &LayerWeights::ffn_norm, nullptr},
      {"w1", hidden, dim, true, &LayerWeights::gate, nullptr},
      {"w2", dim, hidden, true, &LayerWeights::down, nullptr},
      {"w3", hidden, dim, true, &LayerWeights::up, nullptr},
      {"rms_final", 1, dim, false, nullptr, &ModelWeights::final_norm},
      {"freq_cis_real", 1, table, false, nullptr, nullptr},
      {"freq_cis_imag", 1, table, false, nullptr, nullptr},
      {"wcls", s.vocab_size, dim, false, nullptr, &ModelWeights::lm_head},
  };
  const auto entry_bytes = [&](const Entry& e) {
    std::size_t n =
        saturating_multiply(4, saturating_multiply(static_cast<std::size_t>(e.rows), static_cast<std::size_t>(e.cols)));
    return e.per_layer ? saturating_multiply(n, static_cast<std::size_t>(s.num_hidden_layers)) : n;
  };
  const auto skipped = [&](const Entry& e) { return e.model_view == &ModelWeights::lm_head && s.tie_word_embeddings; };

  std::size_t offset = sizeof(header);
  for (const Entry& e : order) {
    if (skipped(e)) continue;
    const std::size_t need = saturating_add(offset, entry_bytes(e));
    if (need > bytes.size)
      fail("truncated: " + std::string(e.name) + " at byte " + std::to_string(offset) + " needs " +
           std::to_string(entry_bytes(e)) + " bytes, the file has " + std::to_string(bytes.size - offset) + " there");
    offset = need;
  }
  if (offset != bytes.size)
    fail("the header implies " + std::to_string(offset) + " bytes, the file has " + std::to_string(bytes.size));

  model.layers.resize(static_cast<std::size_t>(s.num_hidden_layers));
  offset = sizeof(header);
  for (const Entry& e : order) {
    if (skipped(e)) continue;
    const std::size_t all = entry_bytes(e);
    const std::size_t one = e.per_layer ? all / static_cast<std::size_t>(s.num_hidden_layers) : all;
    WeightView view;
    view.rows = e.rows;
    view.cols = e.cols;
    view.bytes = one;
    for (std::size_t layer = 0; layer < (e.per_layer ? model.layers.size() : 1); ++layer) {
      view.data = bytes.data + offset + layer * one;
      view.name = e.per_layer ? "layers." + std::to_string(layer) + "." + e.name : e.name;
      if (e.layer_view) model.layers[layer].*e.layer_view = view;
      if (e.model_view) model.*e.model_view = view;
    }
    offset += all;
  }
  if (s.tie_word_embeddings) model.lm_head = model.embedding;
  model.validate();
  return model;
}

}  // namespace harmonia::testbench
