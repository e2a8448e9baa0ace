#include "harmonia/testbench/weights/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"

namespace harmonia::testbench {
namespace {

enum ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};
constexpr std::array<std::size_t, 13> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr int kDeepestArray = 4;
constexpr std::size_t kMostDimensions = 4;

struct Value {
  std::uint32_t type = 0;
  std::uint32_t element_type = 0;  // arrays
  std::uint64_t count = 1;         // arrays
  std::size_t offset = 0;          // of the value, or of an array's first element
};

struct Tensor {
  std::uint32_t type = 0;
  std::int64_t rows = 1, cols = 1;
  std::uint64_t offset = 0;  // from the start of the tensor data
  bool used = false;
};

class Reader {
 public:
  explicit Reader(const Bytes& bytes) : bytes_(bytes) {}

  [[noreturn]] void fail(std::size_t offset, const std::string& message) const {
    throw config::InputError({bytes_.name}, fmt::format("byte {}: {}", offset, message));
  }
  std::size_t offset() const { return offset_; }
  std::size_t left() const { return bytes_.size - offset_; }
  void seek(std::size_t offset) { offset_ = offset; }

  template <typename T>
  T read(const char* what) {
    if (left() < sizeof(T)) fail(offset_, std::string("the file ends before ") + what);
    T value;
    std::memcpy(&value, bytes_.data + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }

  std::string_view string(const char* what) {
    const std::size_t start = offset_;
    const auto length = read<std::uint64_t>(what);
    if (length > left()) fail(start, fmt::format("{} has {} bytes, the file has {} left", what, length, left()));
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data + offset_), static_cast<std::size_t>(length));
    offset_ += static_cast<std::size_t>(length);
    return text;
  }

  Value value(int depth = 0) {
    Value v;
    v.type = read<std::uint32_t>("a metadata type");
    return body(v, depth);
  }

 private:
  void skip_elements(std::uint32_t type, std::uint64_t count, int depth) {
    const std::size_t start = offset_;
    if (type >= kValueBytes.size()) fail(start, fmt::format("metadata type {} is unknown", type));
    if (kValueBytes[type] > 0) {
      const std::size_t size = saturating_multiply(static_cast<std::size_t>(count), kValueBytes[type]);
      if (size > left())
        fail(start, fmt::format("a metadata value needs {} bytes, the file has {} left", size, left()));
      offset_ += size;
      return;
    }
    // Each string takes at least 8 bytes and each array 12, so this ends with the file whatever `count` says.
    for (std::uint64_t i = 0; i < count; ++i) {
      if (type == kString) {
        string("a metadata string");
      } else {
        Value nested;
        nested.type = kArray;
        body(nested, depth + 1);
      }
    }
  }

  Value body(Value v, int depth) {
    if (depth > kDeepestArray) fail(offset_, fmt::format("metadata arrays are nested deeper than {}", kDeepestArray));
    if (v.type == kArray) {
      v.element_type = read<std::uint32_t>("an array's element type");
      v.count = read<std::uint64_t>("an array's length");
      v.offset = offset_;
      skip_elements(v.element_type, v.count, depth);
    } else {
      v.offset = offset_;
      skip_elements(v.type, 1, depth);
    }
    return v;
  }

  const Bytes& bytes_;
  std::size_t offset_ = 0;
};

/// Header, metadata and tensor table; the tables grow as entries are read, so a lying count allocates nothing.
class Gguf {
 public:
  explicit Gguf(const Bytes& bytes) : bytes_(bytes), reader_(bytes) {
    if (!is_gguf(bytes)) reader_.fail(0, "is no GGUF file");
    reader_.seek(4);
    const auto version = reader_.read<std::uint32_t>("the version");
    if (version != 2 && version != 3)
      reader_.fail(4, fmt::format("GGUF version {} is not supported, expected 2 or 3 (little endian)", version));
    const auto tensor_count = reader_.read<std::uint64_t>("the number of tensors");
    const auto value_count = reader_.read<std::uint64_t>("the number of metadata values");
    for (std::uint64_t i = 0; i < value_count; ++i) {
      const std::string key(reader_.string("a metadata key"));
      const std::size_t start = reader_.offset();
      if (!values_.emplace(key, reader_.value()).second)
        reader_.fail(start, "metadata key " + config::printable(key) + " is there twice, expected once");
    }
    for (std::uint64_t i = 0; i < tensor_count; ++i) read_tensor_entry();
    const std::size_t tables_end = reader_.offset();  // reading a value moves the reader
    const std::uint64_t alignment = number("general.alignment", 32);
    if (alignment == 0 || alignment > 65536 || (alignment & (alignment - 1)) != 0)
      reader_.fail(values_["general.alignment"].offset,
                   fmt::format("general.alignment is {}, expected a power of two up to 65536", alignment));
    data_start_ = (tables_end + alignment - 1) / alignment * alignment;
    check_places(alignment);
  }

  /// The names of tensors that tensor() was not asked for.
  std::vector<std::string> unused_tensors() const {
    std::vector<std::string> names;
    for (const auto& [name, t] : tensors_)
      if (!t.used) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> names;
    for (const auto& [key, value] : values_) names.push_back(key);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool has(const std::string& key) const { return values_.count(key) != 0; }

  /// An unsigned integer of any width.
  std::uint64_t number(const std::string& key) {
    const Value v = get(key);
    reader_.seek(v.offset);
    const std::size_t start = v.offset;
    std::int64_t value = -1;
    switch (v.type) {
      case kUint8:
        value = reader_.read<std::uint8_t>("a value");
        break;
      case kInt8:
        value = reader_.read<std::int8_t>("a value");
        break;
      case kUint16:
        value = reader_.read<std::uint16_t>("a value");
        break;
      case kInt16:
        value = reader_.read<std::int16_t>("a value");
        break;
      case kUint32:
        value = reader_.read<std::uint32_t>("a value");
        break;
      case kInt32:
        value = reader_.read<std::int32_t>("a value");
        break;
      case kUint64:
      case kInt64:
        value = reader_.read<std::int64_t>("a value");
        break;
      default:
        reader_.fail(start, key + " is not an integer");
    }
    if (value < 0) reader_.fail(start, key + " is negative or too large");
    return static_cast<std::uint64_t>(value);
  }
  std::uint64_t number(const std::string& key, std::uint64_t absent) { return has(key) ? number(key) : absent; }

  double real(const std::string& key, double absent) { return has(key) ? real(key) : absent; }
  double real(const std::string& key) {
    const Value v = get(key);
    reader_.seek(v.offset);
    if (v.type == kFloat32) return static_cast<double>(reader_.read<float>("a value"));
    if (v.type == kFloat64) return reader_.read<double>("a value");
    reader_.fail(v.offset, key + " is not a real number");
  }

  std::string text(const std::string& key) {
    const Value v = get(key);
    if (v.type != kString) reader_.fail(v.offset, key + " is not a string");
    reader_.seek(v.offset);
    return std::string(reader_.string("a value"));
  }

  bool flag(const std::string& key, bool absent) {
    if (!has(key)) return absent;
    const Value v = get(key);
    if (v.type != kBool) reader_.fail(v.offset, key + " is not a truth value");
    reader_.seek(v.offset);
    return reader_.read<std::uint8_t>("a value") != 0;
  }

  Value array(const std::string& key, std::uint32_t element_type) {
    const Value v = get(key);
    if (v.type != kArray || v.element_type != element_type)
      reader_.fail(v.offset, key + " is not an array of the expected type");
    return v;
  }

  Reader& reader() { return reader_; }
  bool has_tensor(const std::string& name) const { return tensors_.count(name) != 0; }

  WeightView tensor(const std::string& name) {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) throw config::InputError({bytes_.name}, "has no tensor " + name);
    it->second.used = true;
    const Tensor& t = it->second;
    WeightView view;
    view.name = name;
    view.rows = t.rows;
    view.cols = t.cols;
    const std::optional<ElementType> type = element_type(t.type);
    if (!type)
      throw config::InputError(
          {bytes_.name},
          fmt::format("tensor {} has ggml type {}, expected F32, F16, BF16, Q8_0 or Q4_0", name, t.type));
    view.type = *type;
    const std::size_t row = row_bytes(view.type, view.cols);
    if (row == 0)
      throw config::InputError(
          {bytes_.name},
          fmt::format("tensor {} has rows of {} elements, expected a multiple of 32 for its type", name, view.cols));
    view.bytes = saturating_multiply(row, static_cast<std::size_t>(view.rows));
    const std::size_t start = saturating_add(data_start_, static_cast<std::size_t>(t.offset));
    if (start > bytes_.size || view.bytes > bytes_.size - start)
      throw config::InputError({bytes_.name}, fmt::format("tensor {} at byte {} needs {} bytes, beyond the file's {}",
                                                          name, start, view.bytes, bytes_.size));
    view.data = bytes_.data + start;
    return view;
  }

 private:
  /// Of ggml's numbers; empty for types that are not read.
  static std::optional<ElementType> element_type(std::uint32_t ggml_type) {
    switch (ggml_type) {
      case 0:
        return ElementType::kF32;
      case 1:
        return ElementType::kF16;
      case 2:
        return ElementType::kQ4_0;
      case 8:
        return ElementType::kQ8_0;
      case 30:
        return ElementType::kBf16;
      default:
        return std::nullopt;
    }
  }

  /// Offsets are multiples of the alignment, and no tensor lies on another's bytes.
  void check_places(std::uint64_t alignment) const {
    std::vector<std::pair<std::uint64_t, const std::pair<const std::string, Tensor>*>> by_place;
    for (const auto& entry : tensors_) {
      if (entry.second.offset % alignment != 0)
        throw config::InputError({bytes_.name},
                                 fmt::format("tensor {} begins at offset {}, expected a multiple of the alignment ({})",
                                             entry.first, entry.second.offset, alignment));
      by_place.emplace_back(entry.second.offset, &entry);
    }
    std::sort(by_place.begin(), by_place.end());
    for (std::size_t i = 0; i + 1 < by_place.size(); ++i) {
      const auto& [name, t] = *by_place[i].second;
      const std::optional<ElementType> type = element_type(t.type);
      // At least a byte of a type whose size is not known.
      const std::size_t size =
          type ? saturating_multiply(row_bytes(*type, t.cols), static_cast<std::size_t>(t.rows)) : std::size_t{1};
      if (saturating_add(static_cast<std::size_t>(t.offset), size) > by_place[i + 1].first)
        throw config::InputError(
            {bytes_.name}, fmt::format("tensor {} at offset {} has {} bytes and reaches into tensor {} at offset {}",
                                       name, t.offset, size, by_place[i + 1].second->first, by_place[i + 1].first));
    }
  }

  Value get(const std::string& key) const {
    const auto it = values_.find(key);
    if (it == values_.end()) throw config::InputError({bytes_.name}, "has no metadata value " + key);
    return it->second;
  }

  void read_tensor_entry() {
    const std::string name(reader_.string("a tensor name"));
    const std::size_t start = reader_.offset();
    // Names stand in messages; one with a NUL would cut its message off.
    if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
      reader_.fail(start, "the tensor name '" + config::printable(name) + "' holds a control character, expected text");
    const auto dimensions = reader_.read<std::uint32_t>("a tensor's number of dimensions");
    if (dimensions < 1 || dimensions > kMostDimensions)
      reader_.fail(start, fmt::format("tensor {} has {} dimensions, expected 1 .. 4", name, dimensions));
    std::array<std::uint64_t, kMostDimensions> size = {1, 1, 1, 1};
    for (std::size_t d = 0; d < dimensions; ++d) {
      size[d] = reader_.read<std::uint64_t>("a tensor's dimension");
      if (size[d] < 1 || size[d] > INT32_MAX)
        reader_.fail(start, fmt::format("tensor {} has a dimension of {}, expected 1 .. 2147483647", name, size[d]));
    }
    Tensor t;
    t.cols = static_cast<std::int64_t>(size[0]);  // ggml lists the fastest dimension first
    // Those of all experts of a layer are one tensor, one matrix after the other.
    const bool of_experts = name.find("_exps.") != std::string::npos;
    if ((size[2] != 1 && !of_experts) || size[3] != 1)
      reader_.fail(start, fmt::format("tensor {} is of {} x {} x {} x {} values, expected a matrix or a vector", name,
                                      size[0], size[1], size[2], size[3]));
    if (saturating_multiply(size[1], size[2]) > INT32_MAX)
      reader_.fail(start,
                   fmt::format("tensor {} has {} x {} rows, expected 2147483647 or fewer", name, size[1], size[2]));
    t.rows = static_cast<std::int64_t>(size[1] * size[2]);
    t.type = reader_.read<std::uint32_t>("a tensor's type");
    t.offset = reader_.read<std::uint64_t>("a tensor's offset");
    if (!tensors_.emplace(name, t).second) reader_.fail(start, "tensor " + name + " is listed twice");
  }

  const Bytes& bytes_;
  Reader reader_;
  std::unordered_map<std::string, Value> values_;
  std::unordered_map<std::string, Tensor> tensors_;
  std::size_t data_start_ = 0;
};

/// Name of a tensor in GGUF files, behind "blk.N." when it belongs to a layer and, but of biases, without its suffix.
std::string gguf_name(ModelTensor tensor) {
  switch (tensor) {
    case ModelTensor::embedding:
      return "token_embd";
    case ModelTensor::attention_norm:
      return "attn_norm";
    case ModelTensor::q:
      return "attn_q";
    case ModelTensor::k:
      return "attn_k";
    case ModelTensor::v:
      return "attn_v";
    case ModelTensor::o:
      return "attn_output";
    case ModelTensor::ffn_norm:
      return "ffn_norm";
    case ModelTensor::gate:
      return "ffn_gate";
    case ModelTensor::up:
      return "ffn_up";
    case ModelTensor::down:
      return "ffn_down";
    case ModelTensor::final_norm:
      return "output_norm";
    case ModelTensor::lm_head:
      return "output";
    case ModelTensor::q_bias:
      return "attn_q.bias";
    case ModelTensor::k_bias:
      return "attn_k.bias";
    case ModelTensor::v_bias:
      return "attn_v.bias";
    case ModelTensor::q_norm:
      return "attn_q_norm";
    case ModelTensor::k_norm:
      return "attn_k_norm";
    case ModelTensor::router:
      return "ffn_gate_inp";
    case ModelTensor::expert_gate:
      return "ffn_gate_exps";
    case ModelTensor::expert_up:
      return "ffn_up_exps";
    case ModelTensor::expert_down:
      return "ffn_down_exps";
    case ModelTensor::shared_gate:
      return "ffn_gate_shexp";
    case ModelTensor::shared_up:
      return "ffn_up_shexp";
    case ModelTensor::shared_down:
      return "ffn_down_shexp";
    case ModelTensor::shared_scale:
      return "ffn_gate_inp_shexp";
    default:  // of models that are refused before
      break;
  }
  throw std::logic_error(std::string("no name in files is known for the tensor ") + accelerator::name_of(tensor));
}

}  // namespace

bool is_gguf(const Bytes& bytes) { return bytes.size >= 4 && std::memcmp(bytes.data, "GGUF", 4) == 0; }

namespace {

/// Architectures whose layers are read. Norms of queries and keys are of channels in the pairs' order, which files of the first
/// change.
struct GgufArchitecture {
  std::string_view name;
  formats::RopePairing pairing;
  bool head_norms;
  bool mixture = false;     // where the file has more than one expert
  bool normalised = false;  // the weights of a token's experts add up to 1
  bool all_heads = false;   // the norms are over all heads
};
constexpr GgufArchitecture kArchitectures[] = {{"llama", formats::RopePairing::kAdjacent, false, true, true},
                                               {"qwen2", formats::RopePairing::kHalfSplit, false},
                                               {"qwen3", formats::RopePairing::kHalfSplit, true},
                                               {"qwen2moe", formats::RopePairing::kHalfSplit, false, true, false},
                                               {"qwen3moe", formats::RopePairing::kHalfSplit, true, true, true},
                                               {"olmoe", formats::RopePairing::kHalfSplit, true, true, false, true}};

const GgufArchitecture& architecture_of(const std::string& name, const std::string& file) {
  for (const GgufArchitecture& a : kArchitectures)
    if (a.name == name) return a;
  throw config::InputError({file}, "general.architecture is '" + config::printable(name) +
                                       "', expected 'llama', 'qwen2', 'qwen3', 'qwen2moe', 'qwen3moe' or 'olmoe'");
}

/// Keys of the architecture that are read, and those that change nothing that is computed here.
constexpr std::string_view kReadKeys[] = {"embedding_length",
                                          "feed_forward_length",
                                          "block_count",
                                          "attention.head_count",
                                          "attention.head_count_kv",
                                          "context_length",
                                          "attention.key_length",
                                          "attention.value_length",
                                          "rope.dimension_count",
                                          "rope.freq_base",
                                          "attention.layer_norm_rms_epsilon",
                                          "attention.sliding_window",
                                          "vocab_size"};

/// Everything that a file may ask for beside the plain layer is refused by name, unless it has the value that changes
/// nothing.
void refuse_unread_keys(Gguf& file, const std::string& name, const std::string& prefix, bool mixture) {
  const auto refuse = [&](const std::string& key, const std::string& why) {
    throw config::InputError({name}, "metadata key " + key + " " + why);
  };
  static const std::set<std::string_view> neutral_one = {"rope.scale_linear",        "rope.scaling.factor",
                                                         "rope.scaling.attn_factor", "residual_scale",
                                                         "embedding_scale",          "logit_scale"};
  static const std::set<std::string_view> neutral_zero = {"attention.clamp_kqv",    "attention.max_alibi_bias",
                                                          "attn_logit_softcapping", "final_logit_softcapping",
                                                          "attention.scale",        "rope.scaling.yarn_log_multiplier"};
  for (const std::string& key : file.keys()) {
    if (key.compare(0, prefix.size(), prefix) != 0) continue;  // other namespaces describe the file, not the layers
    const std::string_view own = std::string_view(key).substr(prefix.size());
    if (std::find(std::begin(kReadKeys), std::end(kReadKeys), own) != std::end(kReadKeys)) continue;
    if (neutral_one.count(own) != 0 || neutral_zero.count(own) != 0) {
      const double neutral = neutral_one.count(own) != 0 ? 1.0 : 0.0, value = file.real(key, neutral);
      if (value != neutral) refuse(key, fmt::format("is {}, which is not supported", value));
    } else if (own == "rope.scaling.type") {
      const std::string type = file.text(key);
      if (type != "none") refuse(key, "is '" + config::printable(type) + "', which is not supported; expected none");
    } else if (own == "rope.scaling.original_context_length" || own == "rope.scaling.finetuned") {
      // Says something of a scaling whose type is checked above.
    } else if (own == "attention.causal") {
      if (!file.flag(key, true)) refuse(key, "is false, expected a decoder");
    } else if (own == "use_parallel_residual") {
      if (file.flag(key, false)) refuse(key, "is true, which is not supported");
    } else if (mixture && (own == "expert_count" || own == "expert_used_count" || own == "expert_feed_forward_length" ||
                           own == "expert_shared_feed_forward_length")) {
      // Read with the mixture.
    } else if (own == "expert_count" || own == "expert_used_count" || own == "expert_shared_count") {
      if (file.number(key) > 1)
        refuse(key, fmt::format("is {}: mixtures of experts are not supported", file.number(key)));
    } else if (own == "tensor_data_layout") {
      const std::string layout = file.text(key);
      if (layout != "Meta AI original pth" && layout != "reference")
        refuse(key, "is '" + config::printable(layout) + "', expected the reference layout");
    } else {
      refuse(config::printable(key), "is not known, expected a plain llama");
    }
  }
}

}  // namespace

namespace {

/// The mixture that a file's layers are, all of them.
accelerator::Mixture read_mixture(Gguf& file, const GgufArchitecture& architecture, const std::string& keys,
                                  int feed_forward) {
  accelerator::Mixture m;
  const auto count = [&](const std::string& key, std::uint64_t absent) {
    const std::uint64_t n = absent == 0 ? file.number(keys + key) : file.number(keys + key, absent);
    return static_cast<int>(std::min<std::uint64_t>(n, INT32_MAX));
  };
  m.experts = count("expert_count", 0);
  m.experts_per_token = count("expert_used_count", 0);
  m.expert_width = count("expert_feed_forward_length", static_cast<std::uint64_t>(feed_forward));
  m.normalised = architecture.normalised;
  if (file.has_tensor("blk.0." + gguf_name(ModelTensor::shared_gate) + ".weight")) {
    m.shared_width = count("expert_shared_feed_forward_length", static_cast<std::uint64_t>(feed_forward));
    m.shared_gate = file.has_tensor("blk.0." + gguf_name(ModelTensor::shared_scale) + ".weight");
  }
  return m;
}

}  // namespace

ModelWeights parse_gguf(const Bytes& bytes) {
  Gguf file(bytes);
  const std::string name = file.text("general.architecture");
  const GgufArchitecture& architecture = architecture_of(name, bytes.name);
  const std::string keys = std::string(architecture.name) + ".";
  if (file.number("split.count", 0) > 1) throw config::InputError({bytes.name}, "split.count above 1 is not supported");
  if (file.has("general.type") && file.text("general.type") != "model")
    throw config::InputError(
        {bytes.name}, "general.type is '" + config::printable(file.text("general.type")) + "', expected 'model'");

  ModelWeights model;
  model.source = bytes.name;
  accelerator::ModelShape& s = model.info.shape;
  const auto size = [&](const std::string& key) {
    const std::uint64_t n = file.number(keys + key);
    if (n > INT32_MAX)
      throw config::InputError({bytes.name}, fmt::format("{}{} is {}, which is too large", keys, key, n));
    return static_cast<int>(n);
  };
  s.name = "gguf";
  s.hidden_size = size("embedding_length");
  s.intermediate_size = size("feed_forward_length");
  s.num_hidden_layers = size("block_count");
  s.num_attention_heads = size("attention.head_count");
  s.num_key_value_heads =
      file.has(keys + "attention.head_count_kv") ? size("attention.head_count_kv") : s.num_attention_heads;
  model.info.max_context = size("context_length");
  if (s.num_attention_heads < 1 || s.hidden_size % s.num_attention_heads != 0)
    throw config::InputError({bytes.name}, "embedding_length is no multiple of attention.head_count");
  s.head_dim =
      file.has(keys + "attention.key_length") ? size("attention.key_length") : s.hidden_size / s.num_attention_heads;
  if (file.has(keys + "rope.dimension_count") && size("rope.dimension_count") != s.head_dim)
    throw config::InputError({bytes.name},
                             "rope.dimension_count is not the head dimension; partial RoPE is not supported");
  if (file.has(keys + "attention.value_length") && size("attention.value_length") != s.head_dim)
    throw config::InputError({bytes.name}, fmt::format("{}attention.value_length is {}, expected that of the keys ({})",
                                                       keys, size("attention.value_length"), s.head_dim));
  const bool mixture = architecture.mixture && file.number(keys + "expert_count", 0) > 1;
  refuse_unread_keys(file, bytes.name, keys, mixture);
  if (mixture) s.mixture = read_mixture(file, architecture, keys, s.intermediate_size);
  if (mixture && (s.mixture.experts_per_token < 1 || s.mixture.experts_per_token > s.mixture.experts))
    throw config::InputError({bytes.name}, fmt::format("{}expert_used_count is {}, expected 1 to the {} experts", keys,
                                                       s.mixture.experts_per_token, s.mixture.experts));
  // A window of every layer; one that holds the whole context is none.
  if (file.has(keys + "attention.sliding_window") && size("attention.sliding_window") < model.info.max_context)
    s.sliding_window = size("attention.sliding_window");
  s.qkv_bias = file.has_tensor("blk.0.attn_q.bias");
  s.qk_norm = architecture.head_norms;
  s.qk_norm_all_heads = architecture.all_heads;
  if (file.has_tensor("rope_freqs.weight"))
    throw config::InputError({bytes.name}, "has a table of RoPE frequency factors, which is not supported");
  s.rms_norm_eps = file.real(keys + "attention.layer_norm_rms_epsilon");
  s.rope_theta = file.real(keys + "rope.freq_base", 10000.0);
  model.info.rope_pairing = architecture.pairing;
  const std::string head = gguf_name(ModelTensor::lm_head) + ".weight";
  s.tie_word_embeddings = !file.has_tensor(head);

  model.embedding = file.tensor(gguf_name(ModelTensor::embedding) + ".weight");
  s.vocab_size = static_cast<int>(model.embedding.rows);
  if (file.has(keys + "vocab_size") && size("vocab_size") != s.vocab_size)
    throw config::InputError(
        {bytes.name}, fmt::format("{}vocab_size is {} and token_embd.weight has {} rows, expected the same", keys,
                                  size("vocab_size"), s.vocab_size));
  model.info.validate(bytes.name);
  // Views are allocated for layers whose tensors exist, not for what the header promises.
  for (int i = 0; i < s.num_hidden_layers; ++i) {
    const std::string prefix = fmt::format("blk.{}.", i);
    LayerWeights layer;
    for (const ModelTensor tensor : accelerator::layer_graph(s, i).layer_tensors())
      layer[tensor] =
          file.tensor(prefix + gguf_name(tensor) + (gguf_name(tensor).find('.') == std::string::npos ? ".weight" : ""));
    model.layers.push_back(std::move(layer));
  }
  model.final_norm = file.tensor(gguf_name(ModelTensor::final_norm) + ".weight");
  model.lm_head = s.tie_word_embeddings ? model.embedding : file.tensor(head);
  if (const std::vector<std::string> unused = file.unused_tensors(); !unused.empty())
    throw config::InputError({bytes.name},
                             "tensor " + config::printable(unused.front()) + " is no part of a plain llama" +
                                 (unused.size() > 1 ? fmt::format(", nor are {} others", unused.size() - 1) : "") +
                                 "; expected the tensors of embeddings, seven linears and two norms a layer");
  model.validate();
  return model;
}

namespace {

/// Tokens that a user added are looked for in a text before anything is merged, which the tokenizer here does not do.
void require_known_kinds(Gguf& file, std::uint64_t tokens) {
  const std::string key = "tokenizer.ggml.token_type";
  if (!file.has(key)) return;
  const Value kinds = file.array(key, kInt32);
  Reader& reader = file.reader();
  if (kinds.count != tokens)
    reader.fail(kinds.offset,
                fmt::format("{} has {} entries, expected one for each of the {} tokens", key, kinds.count, tokens));
  reader.seek(kinds.offset);
  for (std::uint64_t t = 0; t < kinds.count; ++t) {
    const std::size_t at = reader.offset();
    const auto kind = reader.read<std::int32_t>("a kind of token");
    constexpr std::int32_t kUserDefined = 4, kLast = 6;
    if (kind == kUserDefined)
      reader.fail(at, fmt::format("{} says that token {} was added by a user, which is not supported", key, t));
    if (kind < 0 || kind > kLast)
      reader.fail(at, fmt::format("{} of token {} is {}, expected 0 to {}", key, t, kind, kLast));
  }
}

}  // namespace

GgufVocabulary parse_gguf_vocabulary(const Bytes& bytes) {
  Gguf file(bytes);
  const std::string kind = file.text("tokenizer.ggml.model");
  if (kind != "llama")
    throw config::InputError({bytes.name},
                             "tokenizer.ggml.model is '" + config::printable(kind) + "', expected 'llama'");
  const Value tokens = file.array("tokenizer.ggml.tokens", kString);
  const Value scores = file.array("tokenizer.ggml.scores", kFloat32);
  // Both arrays lie inside the file, each string taking at least 8 bytes, so their counts are bounded by its size.
  GgufVocabulary vocabulary;
  vocabulary.pieces.resize(static_cast<std::size_t>(tokens.count));
  Reader& reader = file.reader();
  reader.seek(tokens.offset);
  for (std::string& piece : vocabulary.pieces) {
    const std::string_view text = reader.string("a token");
    for (std::size_t i = 0; i < text.size();) {
      const bool blank = text.compare(i, 3, "\xE2\x96\x81") == 0;  // SentencePiece's visible blank, U+2581
      piece += blank ? ' ' : text[i];
      i += blank ? 3 : 1;
    }
  }
  vocabulary.scores.resize(static_cast<std::size_t>(scores.count));
  reader.seek(scores.offset);
  for (float& v : vocabulary.scores) {
    const std::size_t at = reader.offset();
    v = reader.read<float>("a score");
    if (!std::isfinite(v)) reader.fail(at, fmt::format("a token's score is {}, expected a finite number", v));
  }
  require_known_kinds(file, tokens.count);
  const auto token = [&](const char* key, std::uint64_t absent) {
    const std::uint64_t t = file.number(key, absent);
    return t > INT32_MAX ? -1 : static_cast<int>(t);
  };
  for (const char* key : {"tokenizer.ggml.add_eos_token", "tokenizer.ggml.remove_extra_whitespaces"})
    if (file.flag(key, false))
      throw config::InputError({bytes.name}, std::string(key) + " is true, which is not supported");
  if (file.has("tokenizer.ggml.precompiled_charsmap"))
    throw config::InputError({bytes.name},
                             "tokenizer.ggml.precompiled_charsmap normalises text, which is not supported");
  vocabulary.bos = token("tokenizer.ggml.bos_token_id", 1);  // SentencePiece's own numbers, where a file names none
  vocabulary.eos = token("tokenizer.ggml.eos_token_id", 2);
  vocabulary.add_bos = file.flag("tokenizer.ggml.add_bos_token", true);
  vocabulary.add_space = file.flag("tokenizer.ggml.add_space_prefix", true);
  return vocabulary;
}

}  // namespace harmonia::testbench
