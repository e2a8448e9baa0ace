#include "harmonia/testbench/quantize/quantize.h"

#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <map>
#include <stdexcept>
#include <utility>
#include <variant>

#include "harmonia/config/error.h"
#include "harmonia/config/fields.h"
#include "harmonia/config/yaml.h"
#include "harmonia/hw/formats/lloyd_max.h"
#include "harmonia/testbench/weights/huggingface.h"
#include "harmonia/testbench/weights/safetensors.h"

namespace harmonia::testbench {
namespace {

using formats::BfpFormat;
using formats::CodebookFormat;
using formats::Float16Kind;
using formats::IntFormat;
using formats::MxFormat;

/// Owns what is written until the file is complete.
class Output {
 public:
  template <typename T>
  void add(const std::string& name, Dtype dtype, std::vector<std::size_t> shape, const std::vector<T>& values) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
    kept_.emplace_back(bytes, bytes + values.size() * sizeof(T));
    tensors.push_back({name, dtype, std::move(shape), kept_.back().data()});
  }

  /// A tensor that stays 16 bits wide; a file's own 16-bit type is kept bit for bit.
  std::size_t add_plain(const std::string& name, const WeightView& view) {
    std::vector<std::size_t> shape = {static_cast<std::size_t>(view.cols)};
    if (view.rows > 1) shape.insert(shape.begin(), static_cast<std::size_t>(view.rows));
    const std::size_t n = static_cast<std::size_t>(view.rows) * static_cast<std::size_t>(view.cols);
    if (view.type == ElementType::kF16 || view.type == ElementType::kBf16) {
      tensors.push_back(
          {name, view.type == ElementType::kF16 ? Dtype::kF16 : Dtype::kBf16, std::move(shape), view.data});
    } else {
      const std::vector<float> values = view.read();
      std::vector<formats::Fp16> halves(n);
      formats::to_fp16(values.data(), n, halves.data());
      add(name, Dtype::kF16, std::move(shape), halves);
    }
    return 2 * n;
  }

  std::vector<TensorToWrite> tensors;
  std::map<std::string, std::string> metadata;

 private:
  std::deque<std::vector<std::uint8_t>> kept_;
};

/// What a matrix became: its values as they are read back, and its size.
struct Stored {
  std::vector<float> values;
  std::vector<float> machine_values;  // empty: the same
  std::size_t bits = 0;
};

/// Encodes one matrix into tensors of the output, by kind of format.
struct Encode {
  Output& out;
  const std::string& prefix;
  const std::vector<float>& w;
  std::size_t rows, cols;
  formats::CodebookKind codebook;
  std::uint64_t seed;

  Stored operator()(Float16Kind kind) const {
    Stored s;
    s.bits = 16 * w.size();
    s.values.resize(w.size());
    if (kind == Float16Kind::kFp16) {
      std::vector<formats::Fp16> halves(w.size());
      formats::to_fp16(w.data(), w.size(), halves.data());
      formats::to_float(halves.data(), w.size(), s.values.data());
      out.add(prefix + ".weight", Dtype::kF16, {rows, cols}, halves);
    } else {
      std::vector<formats::Bf16> halves(w.size());
      for (std::size_t i = 0; i < w.size(); ++i) {
        halves[i] = formats::to_bf16(w[i]);
        s.values[i] = formats::to_float(halves[i]);
      }
      out.add(prefix + ".weight", Dtype::kBf16, {rows, cols}, halves);
    }
    return s;
  }

  Stored operator()(const CodebookFormat& f) const {
    formats::Codebook trained =
        f.fixed != nullptr ? *f.fixed : formats::kmeans_train(w.data(), rows, cols, f.bits, seed);
    formats::KmeansTensor t = formats::kmeans_encode(trained, w.data(), rows, cols);
    if (f.held)
      t.codebook = *f.held == formats::CodebookKind::kBf16
                       ? formats::bf16_codebook(trained)
                       : formats::dequantised_codebook(formats::make_integer_codebook(trained, *f.held));
    const std::string codes = prefix + ".weight_packed";
    out.add(codes, Dtype::kU8, {rows, t.row_bytes()}, t.packed);
    out.add(prefix + ".scales", Dtype::kBf16, {rows, t.row_blocks()}, t.scales);
    out.add(prefix + ".centroids", Dtype::kF32, {t.codebook.centroids.size()}, t.codebook.centroids);
    out.metadata[codes + ".cols"] = std::to_string(cols);
    Stored s;
    s.bits = 8 * t.packed.size() + 16 * t.scales.size() + 32 * t.codebook.centroids.size();
    s.values = formats::kmeans_decode(t);
    t.codebook = formats::dequantised_codebook(formats::make_integer_codebook(t.codebook, codebook));
    s.machine_values = formats::kmeans_decode(t);
    return s;
  }

  Stored operator()(const IntFormat& f) const {
    const formats::IntTensor t = formats::int_encode(f, w.data(), rows, cols);
    const std::string codes = prefix + ".weight_int";
    out.add(codes, Dtype::kU8, {rows, t.row_bytes()}, t.packed);
    out.add(prefix + ".scales", Dtype::kF16, {rows, t.row_groups()}, t.scales);
    if (f.zero_point) out.add(prefix + ".zeros", Dtype::kU8, {rows, t.row_groups()}, t.zeros);
    out.metadata[codes + ".cols"] = std::to_string(cols);
    out.metadata[codes + ".bits"] = std::to_string(f.bits);
    out.metadata[codes + ".group"] = std::to_string(f.group);
    Stored s;
    // Zero-points count as wide as the codes, though a file keeps each in a byte.
    const std::size_t zero_bits = rows * (t.row_groups() * static_cast<std::size_t>(f.zero_point ? f.bits : 0));
    s.bits = 8 * t.packed.size() + 16 * t.scales.size() + zero_bits;
    s.values = formats::int_decode(t);
    return s;
  }

  Stored operator()(const BfpFormat& f) const {
    const std::size_t row = f.row_bytes(cols);
    std::vector<std::uint8_t> groups(rows * row);
    std::vector<formats::Fp16> halves(cols);
    Stored s;
    s.values.resize(w.size());
    for (std::size_t r = 0; r < rows; ++r) {
      formats::to_fp16(w.data() + r * cols, cols, halves.data());
      formats::encode_row(f, halves.data(), cols, groups.data() + r * row);
      formats::decode_row(f, groups.data() + r * row, cols, s.values.data() + r * cols);
    }
    const std::string codes = prefix + ".weight_bfp";
    out.add(codes, Dtype::kU8, {rows, row}, groups);
    out.metadata[codes + ".cols"] = std::to_string(cols);
    out.metadata[codes + ".bits"] = std::to_string(f.mantissa_bits);
    out.metadata[codes + ".group"] = std::to_string(f.group_size);
    s.bits = rows * f.groups(cols) * f.group_bits();
    return s;
  }

  Stored operator()(const MxFormat& f) const {
    const formats::MxTensor t = formats::mx_encode(f, w.data(), rows, cols);
    const std::string codes = prefix + ".weight_mx";
    out.add(codes, Dtype::kU8, {rows, formats::mx_row_bytes(cols, f.element)}, t.elements);
    out.add(prefix + ".scales", Dtype::kU8, {rows, formats::mx_blocks(cols)}, t.scales);
    out.metadata[codes + ".cols"] = std::to_string(cols);
    out.metadata[codes + ".element"] = kMxElementNames[static_cast<std::size_t>(f.element)];
    Stored s;
    s.bits = 8 * (t.elements.size() + t.scales.size());
    s.values = formats::mx_decode(t);
    return s;
  }
};

}  // namespace

QuantizeReport quantize_model(const ModelWeights& model, const QuantizeOptions& options,
                              const std::filesystem::path& path,
                              const std::function<void(std::size_t, std::size_t)>& progress) {
  const accelerator::ModelShape& shape = model.info.shape;
  const bool plain_llama = is_plain_llama(model.info);
  if (!options.smoothing.empty() && shape.qk_norm)
    throw config::InputError({model.source},
                             "queries and keys are normed behind their projections, which takes smoothing factors out "
                             "again; expected no --smooth");
  Output out;
  QuantizeReport report;
  const bool quantized_head = options.lm_head.name != "fp16";
  std::size_t total = quantized_head ? 1 : 0;
  for (int l = 0; l < shape.num_hidden_layers; ++l)
    for (const ModelTensor tensor : accelerator::layer_graph(shape, l).layer_matrices())
      total += accelerator::stays_16_bit(tensor) ? 0 : 1;
  const auto encode = [&](const std::string& prefix, const WeightView& view, const formats::StorageFormat& format,
                          const std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!std::isfinite(values[i]))
        throw config::InputError({model.source}, fmt::format("tensor {}: value [{}, {}] is not finite", view.name,
                                                             i / static_cast<std::size_t>(view.cols),
                                                             i % static_cast<std::size_t>(view.cols)));
    const Stored s = std::visit(Encode{out, prefix, values, static_cast<std::size_t>(view.rows),
                                       static_cast<std::size_t>(view.cols), options.codebook, options.seed},
                                format.format);
    TensorReport t;
    t.name = prefix;
    t.format = format.name;
    t.rows = view.rows;
    t.cols = view.cols;
    t.bytes = (s.bits + 7) / 8;
    t.bits_per_weight = static_cast<double>(s.bits) / static_cast<double>(values.size());
    t.snr_db = formats::quantisation_error(values.data(), s.values.data(), values.size()).snr_db;
    t.machine_snr_db = s.machine_values.empty()
                           ? t.snr_db
                           : formats::quantisation_error(values.data(), s.machine_values.data(), values.size()).snr_db;
    report.tensors.push_back(t);
    report.quantized_bytes += t.bytes;
    report.quantized_weights += values.size();
    if (progress) progress(report.tensors.size(), total);
  };

  const auto plain = [&](const std::string& name, const WeightView& view) {
    report.other_bytes += out.add_plain(name + ".weight", view);
  };
  plain(huggingface_name(ModelTensor::embedding), model.embedding);
  const std::vector<float> none;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const std::vector<float>& factors = options.smoothing.empty() ? none : options.smoothing[i];
    for (const ModelTensor tensor : accelerator::layer_graph(shape, static_cast<int>(i)).layer_tensors()) {
      const WeightView& view = model.layers[i][tensor];
      const std::string name = huggingface_layer(i) + written_name(tensor);
      if (accelerator::info_of(tensor).kind == accelerator::TensorKind::matrix && !accelerator::stays_16_bit(tensor))
        encode(name, view, options.format, folded(model.info, tensor, view, factors));
      else
        plain(name, view);
    }
  }
  plain(huggingface_name(ModelTensor::final_norm), model.final_norm);
  const std::string head = huggingface_name(ModelTensor::lm_head);
  if (quantized_head)
    encode(head, model.lm_head, options.lm_head, model.lm_head.read());
  else if (!model.info.shape.tie_word_embeddings)
    plain(head, model.lm_head);

  out.metadata[kModelMetadataKey] = huggingface_config(model.info);
  if (!plain_llama) out.metadata[kShapeMetadataKey] = config::to_json(config::dump(shape));
  out.metadata["harmonia.format"] = options.format.name;
  write_safetensors(path, out.tensors, out.metadata);
  return report;
}

}  // namespace harmonia::testbench
