#include "harmonia/testbench/quantize/quantize.h"

#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/testbench/weights/huggingface.h"
#include "harmonia/testbench/weights/safetensors.h"

namespace harmonia::testbench {
namespace {

using accelerator::LinearWeights;
using accelerator::WeightFormat;

/// Owns what is written until the file is complete.
class Output {
 public:
  void add(const std::string& name, Dtype dtype, std::vector<std::size_t> shape, const void* data) {
    tensors.push_back({name, dtype, std::move(shape), data});
  }

  /// A tensor that stays 16 bits wide; a file's own 16-bit type is kept bit for bit.
  std::size_t add_plain(const std::string& name, const WeightView& view) {
    std::vector<std::size_t> shape = {static_cast<std::size_t>(view.cols)};
    if (view.rows > 1) shape.insert(shape.begin(), static_cast<std::size_t>(view.rows));
    const std::size_t n = static_cast<std::size_t>(view.rows) * static_cast<std::size_t>(view.cols);
    if (view.type == ElementType::kF16 || view.type == ElementType::kBf16) {
      add(name, view.type == ElementType::kF16 ? Dtype::kF16 : Dtype::kBf16, std::move(shape), view.data);
    } else {
      const std::vector<float> values = view.read();
      halves_.emplace_back(n);
      formats::to_fp16(values.data(), n, halves_.back().data());
      add(name, Dtype::kF16, std::move(shape), halves_.back().data());
    }
    return 2 * n;
  }

  void add_encoded(const std::string& prefix, LinearWeights w) {
    linears_.push_back(std::move(w));
    const LinearWeights& kept = linears_.back();
    const LinearWeights::Streams s = kept.streams();
    const std::size_t rows = kept.rows();
    if (accelerator::is_codebook(kept.format())) {
      const std::string codes = prefix + ".weight_packed";
      add(codes, Dtype::kU8, {rows, s.code_row_bytes}, s.codes);
      add(prefix + ".scales", Dtype::kBf16, {rows, s.scale_row_bytes / 2}, s.scales);
      add(prefix + ".centroids", Dtype::kF32, {kept.codebook().centroids.size()}, kept.codebook().centroids.data());
      metadata[codes + ".cols"] = std::to_string(kept.cols());
    } else if (kept.format() == WeightFormat::kFp16) {
      add(prefix + ".weight", Dtype::kF16, {rows, kept.cols()}, s.codes);
    } else {
      const std::string codes = prefix + ".weight_int";
      add(codes, Dtype::kU8, {rows, s.code_row_bytes}, s.codes);
      add(prefix + ".scales", Dtype::kF16, {rows, s.scale_row_bytes / 2}, s.scales);
      if (s.zeros != nullptr) add(prefix + ".zeros", Dtype::kU8, {rows, s.zero_row_bytes}, s.zeros);
      metadata[codes + ".cols"] = std::to_string(kept.cols());
      metadata[codes + ".bits"] = std::to_string(kept.integers().format.bits);
      metadata[codes + ".group"] = std::to_string(kept.integers().format.group);
    }
  }

  std::vector<TensorToWrite> tensors;
  std::map<std::string, std::string> metadata;

 private:
  std::deque<LinearWeights> linears_;
  std::deque<std::vector<formats::Fp16>> halves_;
};

double decoded_snr(const LinearWeights& w, const std::vector<float>& original, bool stored_codebook) {
  std::vector<float> decoded(original.size());
  for (std::size_t r = 0; r < w.rows(); ++r) w.decode_row(r, decoded.data() + r * w.cols(), stored_codebook);
  return snr_db(original.data(), decoded.data(), original.size());
}

}  // namespace

double snr_db(const float* x, const float* y, std::size_t n) {
  double signal = 0.0, noise = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double error = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    signal += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    noise += error * error;
  }
  return noise > 0.0 ? 10.0 * std::log10(signal / noise) : std::numeric_limits<double>::infinity();
}

QuantizeReport quantize_model(const ModelWeights& model, const QuantizeOptions& options,
                              const std::filesystem::path& path,
                              const std::function<void(std::size_t, std::size_t)>& progress) {
  Output out;
  QuantizeReport report;
  const std::size_t total = model.layers.size() * 7 + 1;
  const auto encode = [&](const std::string& prefix, const WeightView& view, WeightFormat format,
                          const std::vector<float>& values) {
    LinearWeights w;
    try {
      w = LinearWeights::encode(format, values.data(), static_cast<std::size_t>(view.rows),
                                static_cast<std::size_t>(view.cols), options.codebook, options.seed, options.int_group);
    } catch (const std::invalid_argument& e) {
      throw config::InputError({model.source}, "tensor " + view.name + ": " + e.what());
    }
    report.tensors.push_back({prefix, accelerator::name(format), view.rows, view.cols, w.stored_bytes(),
                              w.bits_per_weight(), decoded_snr(w, values, true), decoded_snr(w, values, false)});
    report.quantized_bytes += w.stored_bytes();
    report.quantized_weights += values.size();
    out.add_encoded(prefix, std::move(w));
    if (progress) progress(report.tensors.size(), total);
  };

  report.other_bytes += out.add_plain("model.embed_tokens.weight", model.embedding);
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const LayerWeights& l = model.layers[i];
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    const std::vector<float> none;
    const std::vector<float>& factors = options.smoothing.empty() ? none : options.smoothing[i];
    report.other_bytes += out.add_plain(prefix + "input_layernorm.weight", l.attention_norm);
    encode(prefix + "self_attn.q_proj", l.q, options.format, folded_query(model.info, l.q, factors));
    encode(prefix + "self_attn.k_proj", l.k, options.format, folded_key(model.info, l.k, factors));
    encode(prefix + "self_attn.v_proj", l.v, options.format, l.v.read());
    encode(prefix + "self_attn.o_proj", l.o, options.format, l.o.read());
    report.other_bytes += out.add_plain(prefix + "post_attention_layernorm.weight", l.ffn_norm);
    encode(prefix + "mlp.gate_proj", l.gate, options.format, l.gate.read());
    encode(prefix + "mlp.up_proj", l.up, options.format, l.up.read());
    encode(prefix + "mlp.down_proj", l.down, options.format, l.down.read());
  }
  report.other_bytes += out.add_plain("model.norm.weight", model.final_norm);
  if (options.lm_head != WeightFormat::kFp16)
    encode("lm_head", model.lm_head, options.lm_head, model.lm_head.read());
  else if (!model.info.shape.tie_word_embeddings)
    report.other_bytes += out.add_plain("lm_head.weight", model.lm_head);

  out.metadata[kModelMetadataKey] = huggingface_config(model.info);
  out.metadata["harmonia.format"] = accelerator::name(options.format);
  write_safetensors(path, out.tensors, out.metadata);
  return report;
}

}  // namespace harmonia::testbench
