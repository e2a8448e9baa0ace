#include "harmonia/testbench/weights/llama2c.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "harmonia/config/error.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kFields = 7;
constexpr std::uint32_t kMagic = 0x616b3432;  // "ak42": version 1 and later
constexpr std::size_t kHeaderBytes = 256;     // of those versions, padded with zeros

/// What a file says before its tensors.
struct Header {
  int version = 0;
  std::array<std::int32_t, kFields> field{};
  bool shared_head = false;
  std::size_t group = 0;  // version 2: elements that share a scale
  std::size_t bytes = sizeof(field);
};

[[noreturn]] void fail(const Bytes& file, const std::string& message) {
  throw config::InputError({file.name}, message);
}

Header read_header(const Bytes& file) {
  Header h;
  if (file.size < sizeof(h.field))
    fail(file, fmt::format("truncated header: a llama2.c checkpoint begins with 28 bytes, the file has {}", file.size));
  std::uint32_t magic = 0;
  std::memcpy(&magic, file.data, sizeof(magic));
  std::size_t at = 0;
  if (magic == kMagic) {
    if (file.size < kHeaderBytes)
      fail(file,
           fmt::format(
               "truncated header: a llama2.c checkpoint of version 1 or later begins with 256 bytes, the file has {}",
               file.size));
    std::int32_t version = 0;
    std::memcpy(&version, file.data + 4, sizeof(version));
    if (version != 1 && version != 2)
      fail(file, fmt::format("byte 4: version {} of llama2.c's checkpoints is not known, expected 1 or 2", version));
    h.version = version;
    h.bytes = kHeaderBytes;
    at = 8;
  }
  std::memcpy(h.field.data(), file.data + at, sizeof(h.field));
  static const char* const kNames[] = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                       "n_kv_heads", "vocab_size", "seq_len"};
  for (std::size_t i = 0; i < kFields; ++i) {
    // Version 0 says with a negative size of the vocabulary that the head is not shared.
    const bool either_sign = i == 5 && h.version == 0;
    if (either_sign ? h.field[i] == 0 || h.field[i] == INT32_MIN : h.field[i] <= 0)
      fail(file, fmt::format("byte {}: {} is {}, expected a positive number", at + 4 * i, kNames[i], h.field[i]));
  }
  if (h.version == 0) {
    h.shared_head = h.field[5] > 0;
    h.field[5] = std::abs(h.field[5]);
    return h;
  }
  const std::uint8_t shared = file.data[36];
  if (shared > 1) fail(file, fmt::format("byte 36: the shared classifier is {}, expected 0 or 1", shared));
  h.shared_head = shared == 1;
  if (h.version == 2) {
    std::int32_t group = 0;
    std::memcpy(&group, file.data + 37, sizeof(group));
    if (group < 1 || group > 65536)
      fail(file, fmt::format("byte 37: the group of a scale is {}, expected 1 to 65536 elements", group));
    h.group = static_cast<std::size_t>(group);
  }
  return h;
}

/// One tensor per layer, all layers in a row, or one for the model; in the order of the file.
struct Entry {
  const char* name;
  std::int64_t rows, cols;
  bool quantised;  // version 2: 8-bit integers, then an FP32 scale per group
  std::optional<ModelTensor> of_layer = std::nullopt;
  WeightView ModelWeights::*model_view = nullptr;
};

std::vector<Entry> file_order(const Header& h, const ModelInfo& info) {
  const accelerator::ModelShape& s = info.shape;
  const std::int64_t dim = s.hidden_size, kv = s.kv_width(), hidden = s.intermediate_size, vocab = s.vocab_size;
  const bool q = h.version == 2;
  const Entry norms[] = {{"rms_att", 1, dim, false, ModelTensor::attention_norm},
                         {"rms_ffn", 1, dim, false, ModelTensor::ffn_norm},
                         {"rms_final", 1, dim, false, std::nullopt, &ModelWeights::final_norm}};
  const Entry embedding = {"token_embedding", vocab, dim, q, std::nullopt, &ModelWeights::embedding};
  const Entry attention[] = {{"wq", dim, dim, q, ModelTensor::q},
                             {"wk", kv, dim, q, ModelTensor::k},
                             {"wv", kv, dim, q, ModelTensor::v},
                             {"wo", dim, dim, q, ModelTensor::o}};
  const Entry feed_forward[] = {{"w1", hidden, dim, q, ModelTensor::gate},
                                {"w2", dim, hidden, q, ModelTensor::down},
                                {"w3", hidden, dim, q, ModelTensor::up}};
  const Entry head = {"wcls", vocab, dim, q, std::nullopt, &ModelWeights::lm_head};
  std::vector<Entry> order;
  const auto add = [&](const auto& entries) {
    for (const Entry& e : entries) order.push_back(e);
  };
  if (h.version == 0) {
    order.push_back(embedding);
    order.push_back(norms[0]);
    add(attention);
    order.push_back(norms[1]);
    add(feed_forward);
    order.push_back(norms[2]);
    const std::int64_t table = info.max_context * (s.head_dim / 2);
    order.push_back({"freq_cis_real", 1, table, false});
    order.push_back({"freq_cis_imag", 1, table, false});
  } else {
    add(norms);
    order.push_back(embedding);
    add(attention);
    add(feed_forward);
  }
  if (!h.shared_head) order.push_back(head);
  return order;
}

}  // namespace

ModelWeights parse_llama2c(const Bytes& bytes) {
  const Header h = read_header(bytes);
  ModelWeights model;
  model.source = bytes.name;
  accelerator::ModelShape& s = model.info.shape;
  s.name = "llama2.c";
  s.hidden_size = h.field[0];
  s.intermediate_size = h.field[1];
  s.num_hidden_layers = h.field[2];
  s.num_attention_heads = h.field[3];
  s.num_key_value_heads = h.field[4];
  s.vocab_size = h.field[5];
  s.tie_word_embeddings = h.shared_head;
  s.rope_theta = 10000.0;  // fixed in run.c, as is epsilon
  s.rms_norm_eps = 1e-5;
  model.info.max_context = h.field[6];
  if (s.hidden_size % s.num_attention_heads != 0)
    fail(bytes, fmt::format("dim {} is no multiple of n_heads {}", s.hidden_size, s.num_attention_heads));
  s.head_dim = s.hidden_size / s.num_attention_heads;
  model.info.validate(bytes.name);

  const std::vector<Entry> order = file_order(h, model.info);
  const auto layers = static_cast<std::size_t>(s.num_hidden_layers);
  const auto elements = [](const Entry& e) {
    return saturating_multiply(static_cast<std::size_t>(e.rows), static_cast<std::size_t>(e.cols));
  };
  const auto tensor_bytes = [&](const Entry& e) {
    return e.quantised ? saturating_add(elements(e), saturating_multiply(elements(e) / h.group, 4))
                       : saturating_multiply(4, elements(e));
  };
  std::size_t offset = h.bytes;
  for (const Entry& e : order) {
    if (e.quantised && elements(e) % h.group != 0)
      fail(bytes, fmt::format("{} has {} elements, expected a multiple of the group of a scale ({})", e.name,
                              elements(e), h.group));
    const std::size_t all = saturating_multiply(tensor_bytes(e), e.of_layer ? layers : 1);
    const std::size_t end = saturating_add(offset, all);
    if (end > bytes.size)
      fail(bytes, fmt::format("truncated: {} at byte {} needs {} bytes, the file has {} there", e.name, offset, all,
                              bytes.size - offset));
    offset = end;
  }
  if (offset != bytes.size)
    fail(bytes, fmt::format("the header implies {} bytes, the file has {}", offset, bytes.size));

  model.layers.resize(layers);
  offset = h.bytes;
  for (const Entry& e : order) {
    // Tables of one row per layer in version 0: they hold what RoPE computes anyway.
    const bool kept = e.of_layer || e.model_view;
    for (std::size_t layer = 0; layer < (e.of_layer ? layers : 1); ++layer) {
      WeightView view;
      view.rows = e.rows;
      view.cols = e.cols;
      view.bytes = tensor_bytes(e);
      view.data = bytes.data + offset;
      view.name = e.of_layer ? fmt::format("layers.{}.{}", layer, e.name) : e.name;
      if (e.quantised) {
        view.type = ElementType::kInt8Float;
        view.group = h.group;
        view.scales = view.data + elements(e);
      }
      if (kept) (e.of_layer ? model.layers[layer][*e.of_layer] : model.*e.model_view) = view;
      offset += view.bytes;
    }
  }
  if (s.tie_word_embeddings) model.lm_head = model.embedding;
  model.validate();
  return model;
}

}  // namespace harmonia::testbench
