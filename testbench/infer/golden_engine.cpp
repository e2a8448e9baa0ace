#include "harmonia/testbench/infer/golden_engine.h"

#include <cmath>
#include <stdexcept>

#include "harmonia/config/error.h"

namespace harmonia::testbench {
namespace {

using accelerator::ModelTensor;
using formats::LinearWeights;
using formats::WeightFormat;

std::vector<formats::Fp16> to_fp16(const WeightView& view) {
  const std::vector<float> values = view.read();
  std::vector<formats::Fp16> out(values.size());
  formats::to_fp16(values.data(), values.size(), out.data());
  return out;
}

LinearWeights encode(const WeightView& view, const std::vector<float>& values, WeightFormat format,
                     const InferConfig& c) {
  try {
    return LinearWeights::encode(format, values.data(), static_cast<std::size_t>(view.rows),
                                 static_cast<std::size_t>(view.cols), c.weights.codebook, c.seed,
                                 static_cast<std::size_t>(c.weights.group_size));
  } catch (const std::invalid_argument& e) {
    throw config::InputError("tensor " + view.name + ": " + e.what());
  }
}

}  // namespace

std::shared_ptr<accelerator::GoldenModelWeights> prepare_weights(const ModelWeights& model, const InferConfig& c,
                                                                 const SmoothingFactors& factors) {
  auto out = std::make_shared<accelerator::GoldenModelWeights>();
  out->shape = model.info.shape;
  out->rope_pairing = model.info.rope_pairing;
  if (model.info.rope_scaling.kind != RopeScaling::Kind::none) {
    const accelerator::ModelShape& shape = model.info.shape;
    for (int i = 0; i < (shape.rotary_dim != 0 ? shape.rotary_dim : shape.head_dim) / 2; ++i)
      out->rope_frequencies.push_back(static_cast<float>(rope_frequency(model.info, i)));
    out->rope_magnitude = static_cast<float>(model.info.rope_scaling.magnitude);
  }
  out->embedding = to_fp16(model.embedding);
  out->final_norm = to_fp16(model.final_norm);

  const auto matrix = [&](const WeightView& view, const std::string& format, const std::vector<float>* folded) {
    const bool stored = format == "stored";
    const WeightFormat wanted = stored ? WeightFormat() : weight_format(c.weights, format);
    if (folded == nullptr && view.type == ElementType::kLut) {
      LinearWeights w = LinearWeights::from_kmeans(view.kmeans(), c.weights.codebook);
      if (stored || w.format() == wanted) return w;
    }
    // The machine has modes for 4- and 8-bit integers whose groups are whole BFP groups.
    if (folded == nullptr && view.type == ElementType::kInt && view.code_bits >= 4 && view.group % 32 == 0) {
      LinearWeights w = LinearWeights::from_integers(view.integers());
      if (stored || w.format() == wanted) return w;
    }
    return encode(view, folded != nullptr ? *folded : view.read(), wanted, c);
  };
  const auto linear = [&](const WeightView& view, const std::vector<float>* folded = nullptr) {
    return matrix(view, c.weights.format, folded);
  };
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const LayerWeights& l = model.layers[i];
    accelerator::GoldenLayerWeights g;
    for (const ModelTensor tensor : accelerator::layer_graph(model.info.shape, static_cast<int>(i)).layer_tensors()) {
      if (accelerator::info_of(tensor).kind == accelerator::TensorKind::gains) {
        g.gains[tensor] = to_fp16(l[tensor]);
      } else if (accelerator::stays_16_bit(tensor)) {
        g.matrices[tensor] = encode(l[tensor], l[tensor].read(), formats::weight_format("fp16"), c);
      } else if (!factors.empty() && is_folded(tensor)) {
        const std::vector<float> values = folded(model.info, tensor, l[tensor], factors[i]);
        g.matrices[tensor] = linear(l[tensor], &values);
      } else {
        g.matrices[tensor] = linear(l[tensor]);
      }
    }
    out->layers.push_back(std::move(g));
  }
  out->lm_head = matrix(model.lm_head, c.weights.lm_head, nullptr);
  return out;
}

WeightBytes weight_bytes(const accelerator::GoldenModelWeights& weights) {
  WeightBytes b;
  std::size_t elements = 0;
  for (std::size_t l = 0; l < weights.layers.size(); ++l)
    for (const ModelTensor tensor : accelerator::layer_graph(weights.shape, static_cast<int>(l)).layer_matrices()) {
      const LinearWeights& w = weights.layers[l].matrices[tensor];
      b.linears += w.stored_bytes();
      elements += w.rows() * w.cols();
    }
  b.output_head = weights.lm_head.stored_bytes();
  if (elements > 0) b.bits_per_linear_weight = 8.0 * static_cast<double>(b.linears) / static_cast<double>(elements);
  return b;
}

std::string summary_of(const InferConfig& config, const accelerator::GoldenModelWeights& weights) {
  InferConfig named = config;
  const auto name = [](std::string& format, const LinearWeights& w) {
    if (format == "stored") format = std::string("as stored (") + w.format()->name + ")";
  };
  name(named.weights.format, weights.layers.front().matrices[ModelTensor::q]);
  name(named.weights.lm_head, weights.lm_head);
  return named.summary();
}

namespace {

accelerator::GoldenLlama golden_of(std::shared_ptr<accelerator::GoldenModelWeights> weights, const InferConfig& c) {
  try {
    return {std::move(weights), c.golden()};
  } catch (const std::invalid_argument& e) {
    throw config::InputError("activations.format " + c.activations.name() + ": " + e.what());
  }
}

}  // namespace

GoldenEngine::GoldenEngine(const ModelInfo& info, std::shared_ptr<accelerator::GoldenModelWeights> weights,
                           const InferConfig& c)
    : info_(info), config_(c), golden_(golden_of(std::move(weights), c)) {}

void GoldenEngine::step(const std::vector<int>& tokens, std::vector<float>& logits) {
  check(tokens);
  const auto vocab = static_cast<std::size_t>(info_.shape.vocab_size);
  logits_.resize(tokens.size() * vocab);
  logits.resize(logits_.size());
  golden_.step(tokens.data(), tokens.size(), logits_.data());
  formats::to_float(logits_.data(), logits_.size(), logits.data());
}

std::size_t GoldenEngine::kv_bytes() const {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < golden_.weights().layers.size(); ++i) bytes += golden_.layer(i).cache().live_bytes();
  return bytes;
}

}  // namespace harmonia::testbench
