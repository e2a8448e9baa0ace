#include "harmonia/testbench/weights/huggingface.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/config/fields.h"
#include "harmonia/config/json.h"
#include "harmonia/config/json_values.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/testbench/weights/safetensors.h"

namespace harmonia::testbench {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestConfig = 16U << 20;

std::string read_text(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) throw config::InputError({path.string()}, "cannot be read: " + error.message());
  if (size > kLargestConfig)
    throw config::InputError({path.string()}, fmt::format("has {} bytes, expected at most 16 MiB of JSON", size));
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw config::InputError({path.string()}, "cannot be read");
  return text.str();
}

/// The files of a checkpoint, and what an index says in which of them each tensor lies.
struct CheckpointFiles {
  std::vector<fs::path> paths;
  fs::path index;                           // empty: there is none
  std::map<std::string, fs::path> file_of;  // by tensor
};

CheckpointFiles checkpoint_files(const fs::path& path) {
  if (!fs::is_directory(path)) return {{path}, {}, {}};
  if (fs::exists(path / "model.safetensors")) return {{path / "model.safetensors"}, {}, {}};
  const fs::path index = path / "model.safetensors.index.json";
  if (!fs::exists(index))
    throw config::InputError({path.string()}, "holds neither model.safetensors nor model.safetensors.index.json");
  const json j = config::parse_json_values(read_text(index), index.string());
  if (!j.is_object() || !j.contains("weight_map") || !j["weight_map"].is_object())
    throw config::InputError({index.string()}, "has no weight_map");
  CheckpointFiles found;
  found.index = index;
  std::set<fs::path> files;
  for (const auto& [tensor, file] : j["weight_map"].items()) {
    // Only names inside the folder: an index must not make the program read elsewhere.
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != fs::path(file.get<std::string>()))
      throw config::InputError({index.string()},
                               "the file of tensor " + config::printable(tensor) + " is not a plain file name");
    files.insert(found.file_of[tensor] = path / file.get<std::string>());
  }
  if (files.empty()) throw config::InputError({index.string()}, "weight_map is empty");
  found.paths.assign(files.begin(), files.end());
  return found;
}

/// The files of a checkpoint and a view of each tensor by name.
class Checkpoint {
 public:
  explicit Checkpoint(const CheckpointFiles& of) {
    for (const fs::path& p : of.paths) {
      files_.push_back(std::make_shared<SafetensorsFile>(p));
      for (const TensorView& t : files_.back()->tensors())
        if (!tensors_.emplace(t.name, std::make_pair(&t, files_.back().get())).second)
          throw config::InputError({p.string()},
                                   "tensor " + config::printable(t.name) + " is in another file of the checkpoint too");
    }
    if (!of.index.empty()) compare_with(of);
  }

  const std::vector<std::shared_ptr<SafetensorsFile>>& files() const { return files_; }
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }
  /// Every tensor is read, or known to follow from the configuration, or refused by name.
  void refuse_unread() const {
    for (const auto& [name, entry] : tensors_) {
      const std::string rotary = ".rotary_emb.inv_freq";
      const bool derived =
          name.size() > rotary.size() && name.compare(name.size() - rotary.size(), rotary.size(), rotary) == 0;
      if (!derived && read_.count(name) == 0)
        throw config::InputError({file(name)},
                                 "tensor " + config::printable(name) +
                                     " is no part of the model that its configuration describes, expected embeddings, "
                                     "linears and norms of its layers: without it the model's values would be wrong");
    }
  }
  /// The index names every tensor, in the file that holds it.
  void compare_with(const CheckpointFiles& of) const {
    const auto fail = [&](const std::string& tensor, const std::string& what) {
      throw config::InputError({of.index.string()}, "weight_map " + what + " tensor " + config::printable(tensor));
    };
    for (const auto& [name, path] : of.file_of) {
      const auto it = tensors_.find(name);
      if (it == tensors_.end()) fail(name, "names a file that has no");
      if (it->second.second->path() != path) fail(name, "names another file than the one that has the");
    }
    for (const auto& [name, entry] : tensors_)
      if (of.file_of.count(name) == 0) fail(name, "does not name the file of");
  }
  std::string file(const std::string& name) const { return tensors_.at(name).second->path().string(); }

  /// Whether there is a matrix of that name in any of the forms that weight() reads.
  bool has_weight(const std::string& prefix) const {
    for (const char* suffix : {".weight", ".weight_packed", ".weight_int", ".weight_bfp", ".weight_mx"})
      if (has(prefix + suffix)) return true;
    return false;
  }

  const TensorView& at(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it != tensors_.end()) {
      read_.insert(name);
      return *it->second.first;
    }
    return files_.front()->at(name);  // throws, and knows the nearest name
  }

  /// X.weight, or X.weight_packed with its scales and centroids.
  WeightView weight(const std::string& prefix) const {
    if (has(prefix + ".weight_packed")) return packed(prefix);
    if (has(prefix + ".weight_int")) return integers(prefix);
    if (has(prefix + ".weight_bfp")) return block_floating_point(prefix);
    if (has(prefix + ".weight_mx")) return microscaling(prefix);
    return plain(prefix + ".weight");
  }

  /// The matrices of all experts of a layer, by the words before and behind their numbers, as one.
  WeightView experts(const std::string& before, const std::string& behind, int count) const {
    WeightView all;
    for (int e = 0; e < count; ++e) all.parts.push_back(plain(fmt::format("{}{}.{}.weight", before, e, behind)));
    const WeightView& first = all.parts.front();
    for (const WeightView& part : all.parts)
      if (part.rows != first.rows || part.cols != first.cols)
        throw config::InputError({file(part.name)},
                                 fmt::format("tensor {} is [{}, {}], expected [{}, {}] as of {}", part.name, part.rows,
                                             part.cols, first.rows, first.cols, first.name));
    all.name = before + "*." + behind + ".weight";
    all.type = first.type;
    all.rows = count * first.rows;
    all.cols = first.cols;
    all.data = first.data;
    for (const WeightView& part : all.parts) all.bytes += part.bytes;
    return all;
  }

  /// The matrices of all experts of a layer as one, stored as blocks of 32 microscaling FP4 values (gpt-oss): of the stored rows
  /// each `step`-th from `first` on.
  WeightView microscaling_experts(const std::string& prefix, int count, std::size_t first, std::size_t step) const {
    const TensorView& blocks = at(prefix + "_blocks");
    const TensorView& scales = at(prefix + "_scales");
    const std::vector<std::size_t>& shape = blocks.shape;
    const bool fits = blocks.dtype == Dtype::kU8 && shape.size() == 4 && shape[0] == static_cast<std::size_t>(count) &&
                      shape[1] >= step && shape[1] % step == 0 && shape[2] >= 1 && shape[3] == formats::kMxBlock / 2 &&
                      scales.dtype == Dtype::kU8 &&
                      scales.shape == std::vector<std::size_t>{shape[0], shape[1], shape[2]};
    if (!fits)
      throw config::InputError(
          {file(blocks.name)},
          fmt::format("tensors {} {} {} and {} {} {} do not fit together, expected U8 [{}, out, in/32, {}] and U8 "
                      "[{}, out, in/32]",
                      blocks.name, dtype_name(blocks.dtype), shape_text(shape), scales.name, dtype_name(scales.dtype),
                      shape_text(scales.shape), count, formats::kMxBlock / 2, count));
    WeightView view;
    view.name = blocks.name;
    view.type = ElementType::kMx;
    view.mx_element = formats::MxElement::kFp4;
    view.rows = static_cast<std::int64_t>(shape[0] * shape[1] / step);
    view.cols = static_cast<std::int64_t>(shape[2] * formats::kMxBlock);
    view.row_step = static_cast<std::int64_t>(step);
    view.data = blocks.data + first * shape[2] * shape[3];
    view.bytes = blocks.bytes - first * shape[2] * shape[3];
    view.scales = scales.data + first * shape[2];
    return view;
  }

  /// A tensor that is stored as numbers.
  WeightView plain(const std::string& name) const {
    const TensorView& t = at(name);
    WeightView view;
    view.name = t.name;
    view.data = t.data;
    view.bytes = t.bytes;
    switch (t.dtype) {
      case Dtype::kF32:
        view.type = ElementType::kF32;
        break;
      case Dtype::kF16:
        view.type = ElementType::kF16;
        break;
      case Dtype::kBf16:
        view.type = ElementType::kBf16;
        break;
      default:
        throw config::InputError({file(t.name)},
                                 "tensor " + t.name + " is " + dtype_name(t.dtype) + ", expected F32, F16 or BF16");
    }
    set_shape(t, view);
    return view;
  }

 private:
  void set_shape(const TensorView& t, WeightView& view) const {
    if (t.shape.empty() || t.shape.size() > 2 ||
        std::any_of(t.shape.begin(), t.shape.end(), [](std::size_t n) { return n < 1 || n > INT32_MAX; }))
      throw config::InputError({file(t.name)},
                               "tensor " + t.name + " is " + shape_text(t.shape) + ", expected a matrix or a vector");
    view.rows = t.shape.size() == 2 ? static_cast<std::int64_t>(t.shape[0]) : 1;
    view.cols = static_cast<std::int64_t>(t.shape.back());
  }

  WeightView packed(const std::string& prefix) const {
    const TensorView& codes = at(prefix + ".weight_packed");
    const TensorView& scales = at(prefix + ".scales");
    const TensorView& centroids = at(prefix + ".centroids");
    const auto fail = [&](const std::string& message) { throw config::InputError({file(codes.name)}, message); };
    if (codes.dtype != Dtype::kU8 || codes.shape.size() != 2)
      fail("tensor " + codes.name + " is " + dtype_name(codes.dtype) + " " + shape_text(codes.shape) +
           ", expected U8 [out, in*n/8]");
    if (scales.dtype != Dtype::kBf16 || scales.shape.size() != 2)
      fail("tensor " + scales.name + " is " + dtype_name(scales.dtype) + " " + shape_text(scales.shape) +
           ", expected BF16 [out, in/64]");
    if (centroids.dtype != Dtype::kF32 || centroids.shape.size() != 1)
      fail("tensor " + centroids.name + " is " + dtype_name(centroids.dtype) + " " + shape_text(centroids.shape) +
           ", expected F32 [2^n]");
    int bits = 0;
    for (int n = 1; n <= 8; ++n)
      if (centroids.shape[0] == std::size_t{1} << n) bits = n;
    if (bits == 0)
      fail(fmt::format("tensor {} has {} values, expected a power of two from 2 to 256", centroids.name,
                       centroids.shape[0]));
    WeightView view;
    view.name = codes.name;
    view.type = ElementType::kLut;
    view.data = codes.data;
    view.bytes = codes.bytes;
    view.code_bits = bits;
    view.scales = scales.data;
    view.centroids = centroids.data;
    std::vector<float> values(centroids.shape[0]);
    std::memcpy(values.data(), centroids.data, centroids.bytes);
    try {
      formats::make_codebook(std::move(values));
    } catch (const std::invalid_argument& e) {
      fail("tensor " + centroids.name + ": " + e.what());
    }
    WeightView ignored;
    set_shape(codes, ignored);
    view.rows = ignored.rows;
    view.cols = inferred_columns(codes, scales, bits);
    return view;
  }

  WeightView integers(const std::string& prefix) const {
    const TensorView& codes = at(prefix + ".weight_int");
    const TensorView& scales = at(prefix + ".scales");
    const auto fail = [&](const std::string& message) { throw config::InputError({file(codes.name)}, message); };
    const std::size_t bits = metadata_number(codes.name + ".bits"), group = metadata_number(codes.name + ".group");
    const std::size_t cols = metadata_number(codes.name + ".cols");
    if ((bits != 2 && bits != 3 && bits != 4 && bits != 8) || group < 1 || cols < 1)
      fail("the metadata of tensor " + codes.name + " lack its bits (2, 3, 4 or 8), group and cols");
    const std::size_t groups = formats::int_groups(cols, group);
    if (!is_code_matrix(codes, formats::int_row_bytes(cols, static_cast<int>(bits))) ||
        !is(scales, Dtype::kF16, codes.shape[0], groups))
      fail(fmt::format("tensors {} {} and {} {} do not fit together at {} bits, {} columns", codes.name,
                       shape_text(codes.shape), scales.name, shape_text(scales.shape), bits, cols));
    WeightView view = code_view(codes, ElementType::kInt, cols);
    view.code_bits = static_cast<int>(bits);
    view.scales = scales.data;
    view.group = group;
    if (has(prefix + ".zeros")) {
      const TensorView& zeros = at(prefix + ".zeros");
      if (!is(zeros, Dtype::kU8, codes.shape[0], groups))
        fail(fmt::format("tensor {} is {}, expected U8 [{}, {}]", zeros.name, shape_text(zeros.shape), codes.shape[0],
                         groups));
      view.zeros = zeros.data;
    }
    return view;
  }

  WeightView block_floating_point(const std::string& prefix) const {
    const TensorView& codes = at(prefix + ".weight_bfp");
    const std::size_t bits = metadata_number(codes.name + ".bits"), group = metadata_number(codes.name + ".group");
    const std::size_t cols = metadata_number(codes.name + ".cols");
    formats::BfpFormat f;
    f.mantissa_bits = static_cast<int>(bits);
    f.group_size = static_cast<int>(group);
    if (!f.valid() || cols < 1)
      throw config::InputError({file(codes.name)},
                               "the metadata of tensor " + codes.name + " lack its bits (1 .. 11), group and cols");
    if (!is_code_matrix(codes, f.row_bytes(cols)))
      throw config::InputError({file(codes.name)},
                               fmt::format("tensor {} is {} {}, expected U8 [out, {}]", codes.name,
                                           dtype_name(codes.dtype), shape_text(codes.shape), f.row_bytes(cols)));
    WeightView view = code_view(codes, ElementType::kBfp, cols);
    view.code_bits = f.mantissa_bits;
    view.group = group;
    return view;
  }

  WeightView microscaling(const std::string& prefix) const {
    const TensorView& codes = at(prefix + ".weight_mx");
    const TensorView& scales = at(prefix + ".scales");
    const std::size_t cols = metadata_number(codes.name + ".cols");
    const auto* name =
        std::find(std::begin(kMxElementNames), std::end(kMxElementNames), metadata_text(codes.name + ".element"));
    if (name == std::end(kMxElementNames) || cols < 1)
      throw config::InputError({file(codes.name)}, "the metadata of tensor " + codes.name +
                                                       " lack its element (int8, int4 or fp4) and cols");
    const auto element = static_cast<formats::MxElement>(name - std::begin(kMxElementNames));
    if (!is_code_matrix(codes, formats::mx_row_bytes(cols, element)) ||
        !is(scales, Dtype::kU8, codes.shape[0], formats::mx_blocks(cols)))
      throw config::InputError({file(codes.name)},
                               fmt::format("tensors {} {} and {} {} do not fit together at {} columns", codes.name,
                                           shape_text(codes.shape), scales.name, shape_text(scales.shape), cols));
    WeightView view = code_view(codes, ElementType::kMx, cols);
    view.scales = scales.data;
    view.mx_element = element;
    return view;
  }

  static bool is(const TensorView& t, Dtype dtype, std::size_t rows, std::size_t columns) {
    return t.dtype == dtype && t.shape.size() == 2 && t.shape[0] == rows && t.shape[1] == columns;
  }
  static bool is_code_matrix(const TensorView& t, std::size_t row_bytes) {
    return t.shape.size() == 2 && t.shape[0] >= 1 && t.shape[0] <= INT32_MAX &&
           is(t, Dtype::kU8, t.shape[0], row_bytes);
  }
  /// `codes` was checked to be a code matrix.
  static WeightView code_view(const TensorView& codes, ElementType type, std::size_t cols) {
    WeightView view;
    view.name = codes.name;
    view.type = type;
    view.rows = static_cast<std::int64_t>(codes.shape[0]);
    view.cols = static_cast<std::int64_t>(cols);
    view.data = codes.data;
    view.bytes = codes.bytes;
    return view;
  }

  /// Metadata of the file that holds the key's tensor; empty when there are none.
  std::string metadata_text(const std::string& key) const {
    for (const auto& f : files_) {
      const auto it = f->metadata().find(key);
      if (it != f->metadata().end()) return it->second;
    }
    return {};
  }
  /// A number from the metadata of the file that holds the key's tensor; 0 when it is absent or no number below 2^31.
  std::size_t metadata_number(const std::string& key) const {
    std::size_t n = 0;
    for (const char c : metadata_text(key)) {
      if (c < '0' || c > '9') return 0;
      n = n * 10 + static_cast<std::size_t>(c - '0');
      if (n > INT32_MAX) return 0;
    }
    return n;
  }

  /// The number of inputs is not stored: the packed width gives it when a row fills its bytes; otherwise (an input that
  /// is no multiple of 8/n, or 3-bit planes with a short block) it is looked up in the file's own metadata.
  std::int64_t inferred_columns(const TensorView& codes, const TensorView& scales, int bits) const {
    const std::size_t stated = metadata_number(codes.name + ".cols");
    const std::size_t cols = stated > 0 ? stated : codes.shape[1] * 8 / static_cast<std::size_t>(bits);
    if (cols < 1 || cols > INT32_MAX || formats::kmeans_row_bytes(cols, bits) != codes.shape[1] ||
        scales.shape[0] != codes.shape[0] || scales.shape[1] != formats::kmeans_blocks(cols))
      throw config::InputError({file(codes.name)},
                               fmt::format("tensors {} {} and {} {} do not fit together at {} bits", codes.name,
                                           shape_text(codes.shape), scales.name, shape_text(scales.shape), bits));
    return static_cast<std::int64_t>(cols);
  }

  std::vector<std::shared_ptr<SafetensorsFile>> files_;
  std::map<std::string, std::pair<const TensorView*, const SafetensorsFile*>> tensors_;
  mutable std::set<std::string> read_;  // names that at() was asked for
};

}  // namespace

ModelInfo parse_huggingface_config(const std::string& text, const std::string& file, const char* model_type) {
  config::Node document = config::parse_json(text, file);
  if (model_type && document.is_map() && !document.find("model_type"))
    document.set("model_type", config::Node::scalar(model_type, true, document.where), document.where);
  const ModelConfig model = read_model_config(document);
  require_plain_values(model);
  ModelInfo info;
  info.shape = model.shape;
  info.max_context = model.shape.max_position_embeddings == 0 ? 2048 : model.shape.max_position_embeddings;
  info.rope_pairing = model.half_split_rope ? formats::RopePairing::kHalfSplit : formats::RopePairing::kAdjacent;
  info.rope_scaling = model.rope_scaling;
  info.gains_less_one = model.gains_less_one;
  info.validate(file);
  return info;
}

std::string huggingface_config(const ModelInfo& info) {
  const accelerator::ModelShape& s = info.shape;
  json j = {
      {"model_type", "llama"},
      {"hidden_size", s.hidden_size},
      {"intermediate_size", s.intermediate_size},
      {"num_hidden_layers", s.num_hidden_layers},
      {"num_attention_heads", s.num_attention_heads},
      {"num_key_value_heads", s.num_key_value_heads},
      {"head_dim", s.head_dim},
      {"vocab_size", s.vocab_size},
      {"tie_word_embeddings", s.tie_word_embeddings},
      {"rope_theta", s.rope_theta},
      {"rms_norm_eps", s.rms_norm_eps},
      {"max_position_embeddings", info.max_context},
      {"harmonia_rope_pairing", info.rope_pairing == formats::RopePairing::kAdjacent ? "adjacent" : "half_split"}};
  const RopeScaling& scaling = info.rope_scaling;
  if (scaling.kind == RopeScaling::Kind::linear)
    j["rope_scaling"] = {{"rope_type", "linear"}, {"factor", scaling.factor}};
  if (scaling.kind == RopeScaling::Kind::yarn)
    j["rope_scaling"] = {{"rope_type", "yarn"},
                         {"factor", scaling.factor},
                         {"original_max_position_embeddings", scaling.original_context},
                         {"beta_fast", scaling.beta_fast},
                         {"beta_slow", scaling.beta_slow},
                         {"truncate", scaling.truncate},
                         {"attention_factor", scaling.magnitude}};
  if (scaling.kind == RopeScaling::Kind::llama3)
    j["rope_scaling"] = {{"rope_type", "llama3"},
                         {"factor", info.rope_scaling.factor},
                         {"low_freq_factor", info.rope_scaling.low_frequency_factor},
                         {"high_freq_factor", info.rope_scaling.high_frequency_factor},
                         {"original_max_position_embeddings", info.rope_scaling.original_context}};
  return j.dump();
}

bool is_plain_llama(const ModelInfo& info) {
  const accelerator::ModelShape& shape = info.shape;
  accelerator::ModelShape plain;
  plain.name = shape.name;
  plain.hidden_size = shape.hidden_size;
  plain.num_hidden_layers = shape.num_hidden_layers;
  plain.num_attention_heads = shape.num_attention_heads;
  plain.num_key_value_heads = shape.num_key_value_heads;
  plain.intermediate_size = shape.intermediate_size;
  plain.vocab_size = shape.vocab_size;
  plain.head_dim = shape.head_dim;
  plain.tie_word_embeddings = shape.tie_word_embeddings;
  plain.rope_theta = shape.rope_theta;
  plain.rms_norm_eps = shape.rms_norm_eps;
  plain.max_position_embeddings = shape.max_position_embeddings;
  return config::dump(shape) == config::dump(plain);
}

std::string huggingface_layer(std::size_t layer) { return fmt::format("model.layers.{}.", layer); }

std::string huggingface_name(ModelTensor tensor) {
  switch (tensor) {
    case ModelTensor::embedding:
      return "model.embed_tokens";
    case ModelTensor::attention_norm:
      return "input_layernorm";
    case ModelTensor::q:
      return "self_attn.q_proj";
    case ModelTensor::k:
      return "self_attn.k_proj";
    case ModelTensor::v:
      return "self_attn.v_proj";
    case ModelTensor::o:
      return "self_attn.o_proj";
    case ModelTensor::ffn_norm:
      return "post_attention_layernorm";
    case ModelTensor::gate:
      return "mlp.gate_proj";
    case ModelTensor::up:
      return "mlp.up_proj";
    case ModelTensor::down:
      return "mlp.down_proj";
    case ModelTensor::final_norm:
      return "model.norm";
    case ModelTensor::lm_head:
      return "lm_head";
    case ModelTensor::q_norm:
      return "self_attn.q_norm";
    case ModelTensor::k_norm:
      return "self_attn.k_norm";
    default:  // biases and mixtures have names that follow no one pattern
      break;
  }
  throw std::logic_error(std::string("no name in files is known for the tensor ") + accelerator::name_of(tensor));
}

std::string written_name(ModelTensor tensor) {
  switch (tensor) {
    case ModelTensor::embedding:
    case ModelTensor::attention_norm:
    case ModelTensor::q:
    case ModelTensor::k:
    case ModelTensor::v:
    case ModelTensor::o:
    case ModelTensor::ffn_norm:
    case ModelTensor::gate:
    case ModelTensor::up:
    case ModelTensor::down:
    case ModelTensor::final_norm:
    case ModelTensor::lm_head:
    case ModelTensor::q_norm:
    case ModelTensor::k_norm:
      return huggingface_name(tensor);
    default:
      return accelerator::name_of(tensor);
  }
}

namespace {

/// Numbers that no file holds in one place: made here, and kept as long as the model.
WeightView made(std::vector<float> values, std::string name, ModelWeights& model) {
  const auto kept = std::make_shared<const std::vector<float>>(std::move(values));
  model.storage.push_back(kept);
  WeightView view;
  view.name = std::move(name);
  view.rows = 1;
  view.cols = static_cast<std::int64_t>(kept->size());
  view.data = reinterpret_cast<const std::uint8_t*>(kept->data());
  view.bytes = kept->size() * sizeof(float);
  return view;
}

/// Gains of a norm, which some families store less one, with the biases of a LayerNorm behind them.
WeightView gains(const Checkpoint& checkpoint, const std::string& prefix, ModelWeights& model) {
  const WeightView stored = checkpoint.plain(prefix + ".weight");
  const bool centred = model.info.shape.layer_norm;
  if (!model.info.gains_less_one && !centred) return stored;
  std::vector<float> values = stored.read();
  if (model.info.gains_less_one)
    for (float& v : values) v += 1.0F;
  if (centred) {
    const std::vector<float> biases = checkpoint.plain(prefix + ".bias").read();
    values.insert(values.end(), biases.begin(), biases.end());
  }
  return made(std::move(values), stored.name, model);
}

/// A vector of all experts of a layer, which the file has as a row for each: of its values each `step`-th from `first` on.
WeightView of_experts(const WeightView& stored, std::int64_t width, std::size_t first, std::size_t step,
                      ModelWeights& model) {
  const int count = model.info.shape.mixture.experts;
  if (stored.rows != count || stored.cols != width * static_cast<std::int64_t>(step))
    throw config::InputError(
        {model.source}, fmt::format("tensor {} is [{}, {}], expected [{}, {}]", stored.name, stored.rows, stored.cols,
                                    count, width * static_cast<std::int64_t>(step)));
  const std::vector<float> all = stored.read();
  std::vector<float> values;
  for (std::size_t i = first; i < all.size(); i += step) values.push_back(all[i]);
  return made(std::move(values), stored.name, model);
}

/// Rows [first, first + count) of a matrix that is stored with others as one.
WeightView part_of(WeightView all, std::int64_t first, std::int64_t count) {
  if (first + count > all.rows)
    throw config::InputError(
        fmt::format("tensor {} has {} rows, expected {} or more", all.name, all.rows, first + count));
  all.data += static_cast<std::size_t>(first) * row_bytes(all.type, all.cols);
  all.rows = count;
  all.bytes = static_cast<std::size_t>(count) * row_bytes(all.type, all.cols);
  return all;
}

/// Names of norms by where they stand: before attention, behind it, before the feed-forward, behind it.
std::string norm_name(ModelTensor tensor, accelerator::NormPlacement norms) {
  using T = ModelTensor;
  if (tensor == T::attention_norm) return "input_layernorm";
  if (tensor == T::attention_post_norm) return "post_attention_layernorm";
  if (tensor == T::ffn_post_norm) return "post_feedforward_layernorm";
  return norms == accelerator::NormPlacement::both ? "pre_feedforward_layernorm" : "post_attention_layernorm";
}

/// Attention's and the dense feed-forward's vectors and matrices; families name some differently, or store several as one.
WeightView dense_tensor(const Checkpoint& checkpoint, const std::string& prefix, ModelTensor tensor,
                        ModelWeights& model) {
  using T = ModelTensor;
  const accelerator::ModelShape& shape = model.info.shape;
  const std::string attention = prefix + "self_attn.", feed_forward = prefix + "mlp.";
  const std::int64_t q = shape.q_width(), kv = shape.kv_width(), width = shape.intermediate_size;
  const bool fused = checkpoint.has(attention + "qkv_proj.weight"),
             plain_names = !checkpoint.has(feed_forward + "c_fc.weight");
  const auto of_qkv = [&](std::int64_t first, std::int64_t count) {
    return part_of(checkpoint.plain(attention + "qkv_proj.weight"), first, count);
  };
  switch (tensor) {
    case T::attention_norm:
    case T::attention_post_norm:
    case T::ffn_norm:
    case T::ffn_post_norm:
      return gains(checkpoint, prefix + norm_name(tensor, shape.norms), model);
    case T::q_norm:
    case T::k_norm:
      return gains(checkpoint, prefix + huggingface_name(tensor), model);
    case T::q_bias:
      return checkpoint.plain(attention + "q_proj.bias");
    case T::k_bias:
      return checkpoint.plain(attention + "k_proj.bias");
    case T::v_bias:
      return checkpoint.plain(attention + "v_proj.bias");
    case T::o_bias:
      return checkpoint.plain(attention + "o_proj.bias");
    case T::sinks:
      return checkpoint.plain(attention + "sinks");
    case T::gate_bias:
      return checkpoint.plain(feed_forward + "gate_proj.bias");
    case T::up_bias:
      return checkpoint.plain(feed_forward + (plain_names ? "up_proj.bias" : "c_fc.bias"));
    case T::down_bias:
      return checkpoint.plain(feed_forward + (plain_names ? "down_proj.bias" : "c_proj.bias"));
    case T::q:
      return fused ? of_qkv(0, q) : checkpoint.weight(attention + "q_proj");
    case T::k:
      return fused ? of_qkv(q, kv) : checkpoint.weight(attention + "k_proj");
    case T::v:
      return fused ? of_qkv(q + kv, kv) : checkpoint.weight(attention + "v_proj");
    case T::gate:
    case T::up:
      if (!checkpoint.has(feed_forward + "gate_up_proj.weight"))
        return checkpoint.weight(plain_names ? prefix + huggingface_name(tensor) : feed_forward + "c_fc");
      return part_of(checkpoint.plain(feed_forward + "gate_up_proj.weight"), tensor == T::gate ? 0 : width, width);
    case T::down:
      return checkpoint.weight(plain_names ? prefix + huggingface_name(tensor) : feed_forward + "c_proj");
    default:
      return checkpoint.weight(prefix + huggingface_name(tensor));
  }
}

/// What the layers of gpt-oss have of their own: experts in blocks of microscaling FP4, rows of gate and up in turn, with biases.
WeightView gpt_oss_tensor(const Checkpoint& checkpoint, const std::string& prefix, ModelTensor tensor,
                          ModelWeights& model) {
  using T = ModelTensor;
  const accelerator::Mixture& m = model.info.shape.mixture;
  const std::string both = prefix + "mlp.experts.gate_up_proj", down = prefix + "mlp.experts.down_proj";
  switch (tensor) {
    case T::router:
      return checkpoint.plain(prefix + "mlp.router.weight");
    case T::router_bias:
      return checkpoint.plain(prefix + "mlp.router.bias");
    case T::expert_gate:
      return checkpoint.microscaling_experts(both, m.experts, 0, 2);
    case T::expert_up:
      return checkpoint.microscaling_experts(both, m.experts, 1, 2);
    case T::expert_down:
      return checkpoint.microscaling_experts(down, m.experts, 0, 1);
    case T::expert_gate_bias:
      return of_experts(checkpoint.plain(both + "_bias"), m.expert_width, 0, 2, model);
    case T::expert_up_bias:
      return of_experts(checkpoint.plain(both + "_bias"), m.expert_width, 1, 2, model);
    case T::expert_down_bias:
      return of_experts(checkpoint.plain(down + "_bias"), model.info.shape.hidden_size, 0, 1, model);
    default:
      return dense_tensor(checkpoint, prefix, tensor, model);
  }
}

/// A tensor of a layer; of mixtures what the families name differently.
WeightView layer_tensor(const Checkpoint& checkpoint, const std::string& prefix, ModelTensor tensor,
                        ModelWeights& model) {
  using T = ModelTensor;
  if (checkpoint.has(prefix + "mlp.router.weight")) return gpt_oss_tensor(checkpoint, prefix, tensor, model);
  const bool mixtral = checkpoint.has(prefix + "block_sparse_moe.gate.weight");
  const std::string experts = prefix + (mixtral ? "block_sparse_moe.experts." : "mlp.experts.");
  const bool single = checkpoint.has(prefix + "mlp.shared_expert.gate_proj.weight");
  const std::string shared = prefix + (single ? "mlp.shared_expert." : "mlp.shared_experts.");
  const int count = model.info.shape.mixture.experts;
  switch (tensor) {
    case T::router:
      return checkpoint.plain(prefix + (mixtral ? "block_sparse_moe.gate.weight" : "mlp.gate.weight"));
    case T::expert_gate:
      return checkpoint.experts(experts, mixtral ? "w1" : "gate_proj", count);
    case T::expert_up:
      return checkpoint.experts(experts, mixtral ? "w3" : "up_proj", count);
    case T::expert_down:
      return checkpoint.experts(experts, mixtral ? "w2" : "down_proj", count);
    case T::shared_gate:
      return checkpoint.plain(shared + "gate_proj.weight");
    case T::shared_up:
      return checkpoint.plain(shared + "up_proj.weight");
    case T::shared_down:
      return checkpoint.plain(shared + "down_proj.weight");
    case T::shared_scale:
      return checkpoint.plain(prefix + "mlp.shared_expert_gate.weight");
    case T::router_bias:
    case T::expert_gate_bias:
    case T::expert_up_bias:
    case T::expert_down_bias:
      throw config::InputError({checkpoint.files().front()->path().string()},
                               "experts with biases are not read from files");
    default:
      return dense_tensor(checkpoint, prefix, tensor, model);
  }
}

}  // namespace

ModelWeights load_huggingface(const fs::path& path) {
  const Checkpoint checkpoint(checkpoint_files(path));
  ModelWeights model;
  model.source = path.string();
  for (const auto& f : checkpoint.files()) model.storage.push_back(f);

  const auto& metadata = checkpoint.files().front()->metadata();
  const auto own = metadata.find(kModelMetadataKey);
  if (own != metadata.end()) {
    model.info = parse_huggingface_config(own->second, path.string(), "llama");
  } else {
    const fs::path config = (fs::is_directory(path) ? path : path.parent_path()) / "config.json";
    if (!fs::exists(config))
      throw config::InputError({path.string()}, std::string("the metadata has no key ") + kModelMetadataKey +
                                                    " and there is no " + config.string() + ", expected one of them");
    model.info = parse_huggingface_config(read_text(config), config.string());
  }

  const auto shape = metadata.find(kShapeMetadataKey);
  const bool written = shape != metadata.end();  // by this program, of a model that is no plain Llama
  if (written) {
    model.info.shape = {};
    config::read(model.info.shape, config::parse_json(shape->second, path.string()));
    model.info.validate(path.string());
  }
  model.embedding = checkpoint.weight(huggingface_name(ModelTensor::embedding));
  for (int i = 0; i < model.info.shape.num_hidden_layers; ++i) {
    const std::string prefix = huggingface_layer(static_cast<std::size_t>(i));
    LayerWeights l;
    for (const ModelTensor tensor : accelerator::layer_graph(model.info.shape, i).layer_tensors())
      if (!written)
        l[tensor] = layer_tensor(checkpoint, prefix, tensor, model);
      else if (accelerator::info_of(tensor).kind == accelerator::TensorKind::matrix)
        l[tensor] = checkpoint.weight(prefix + written_name(tensor));
      else
        l[tensor] = checkpoint.plain(prefix + written_name(tensor) + ".weight");
    model.layers.push_back(std::move(l));
  }
  model.final_norm = gains(checkpoint, huggingface_name(ModelTensor::final_norm), model);
  // Files of tied models may carry the head too; what is tied is the embedding.
  const auto& tied = model.info.shape.tie_word_embeddings;
  const std::string head_name = huggingface_name(ModelTensor::lm_head);
  const bool own_head = checkpoint.has_weight(head_name);
  model.lm_head = tied && !own_head ? model.embedding : checkpoint.weight(head_name);
  if (tied && own_head) {
    const WeightView &head = model.lm_head, &embedding = model.embedding;
    const bool comparable = head.type == embedding.type && head.bytes == embedding.bytes && head.scales == nullptr;
    const bool same = comparable && std::memcmp(head.data, embedding.data, head.bytes) == 0;
    if (comparable && !same)
      throw config::InputError(
          {checkpoint.file(head.name)},
          "tensor " + head.name +
              " differs from the embedding although tie_word_embeddings is true, expected the same "
              "values or no such tensor");
    model.notices.push_back(std::string("The file ties lm_head to the embedding and holds a tensor lm_head too") +
                            (same ? " with the same contents." : ", which differs; lm_head as stored is used."));
  }
  checkpoint.refuse_unread();
  model.validate();
  return model;
}

}  // namespace harmonia::testbench
