#include "harmonia/hw/golden/weights.h"

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace harmonia::accelerator {
namespace {

void expect_length(const char* tensor, std::uint64_t is, std::uint64_t expected) {
  if (is != expected) throw std::invalid_argument(fmt::format("{} has {} elements, expected {}", tensor, is, expected));
}

void expect_matrix(ModelTensor tensor, const formats::LinearWeights& w, const ModelShape& shape) {
  const TensorInfo& info = info_of(tensor);
  const std::uint64_t rows = size_of(info.rows, shape), columns = size_of(info.columns, shape);
  if (w.rows() != rows || w.cols() != columns)
    throw std::invalid_argument(
        fmt::format("{} is [{}, {}], expected [{}, {}]", info.name, w.rows(), w.cols(), rows, columns));
}

void expect_vector(ModelTensor tensor, const std::vector<formats::Fp16>& values, const ModelShape& shape) {
  expect_length(name_of(tensor), values.size(), info_of(tensor).elements(shape));
}

}  // namespace

void GoldenModelWeights::validate() const {
  const std::string problem = shape.problem();
  if (!problem.empty()) throw std::invalid_argument(problem);
  if (!rope_frequencies.empty())
    expect_length("rope_frequencies", rope_frequencies.size(),
                  static_cast<std::uint64_t>((shape.rotary_dim != 0 ? shape.rotary_dim : shape.head_dim) / 2));
  expect_vector(ModelTensor::embedding, embedding, shape);
  expect_length("layers", layers.size(), static_cast<std::uint64_t>(shape.num_hidden_layers));
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const ModelShape own = shape.of_layer(static_cast<int>(l));
    for (const ModelTensor tensor : layer_graph(shape, static_cast<int>(l)).layer_tensors()) {
      if (info_of(tensor).kind == TensorKind::matrix)
        expect_matrix(tensor, layers[l].matrices[tensor], own);
      else
        expect_vector(tensor, layers[l].gains[tensor], own);
    }
  }
  expect_vector(ModelTensor::final_norm, final_norm, shape);
  expect_matrix(ModelTensor::lm_head, lm_head, shape);
}

void GoldenModelWeights::prepare(const GoldenSettings& settings) {
  if (settings.linears && settings.activations != formats::ActivationFormat::fp16)
    throw std::invalid_argument("linears of another design take FP16 activations");
  const auto one = [&settings](formats::LinearWeights& w, bool may_be_words) {
    const bool words = may_be_words && w.format()->storage.coding == formats::Coding::words;
    if (settings.linears && (!words || settings.linears->takes_words()))
      w.prepare(*settings.linears);
    else
      w.prepare(settings.activations);
  };
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (const ModelTensor tensor : layer_graph(shape, static_cast<int>(l)).layer_matrices())
      one(layers[l].matrices[tensor], stays_16_bit(tensor));
  one(lm_head, true);
}

}  // namespace harmonia::accelerator
