#include "harmonia/testbench/weights/model_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/fp16.h"

namespace harmonia::testbench {
namespace {

constexpr std::int64_t kLargestSize = 2147483647;
constexpr std::int64_t kMostLayers = 4096;
constexpr std::int64_t kQBlock = 32;
constexpr std::size_t kQ8Bytes = 34;  // FP16 scale, 32 int8
// FP16 scale, 16 bytes: element i in the low nibble of byte i, element i + 16 in the high one.
constexpr std::size_t kQ4Bytes = 18;

template <typename T>
T load(const std::uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

template <typename T>
std::vector<T> load_all(const std::uint8_t* p, std::size_t n) {
  std::vector<T> values(n);
  std::memcpy(values.data(), p, n * sizeof(T));
  return values;
}

float bf16_at(const std::uint8_t* p) { return formats::to_float(formats::Bf16{load<std::uint16_t>(p)}); }

float fp16_at(const std::uint8_t* p) { return formats::to_float(formats::Fp16{load<std::uint16_t>(p)}); }

std::string dimensions(std::int64_t rows, std::int64_t cols) { return fmt::format("[{}, {}]", rows, cols); }

}  // namespace

std::size_t saturating_multiply(std::size_t a, std::size_t b) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  return b != 0 && a > most / b ? most : a * b;
}

std::size_t saturating_add(std::size_t a, std::size_t b) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  return a > most - b ? most : a + b;
}

void ModelInfo::validate(const std::string& file) const {
  const auto fail = [&](const std::string& message) { throw config::InputError({file}, message); };
  const std::string problem = shape.problem();
  if (!problem.empty()) fail(problem);
  if (!shape.layers.empty()) fail("listed layers (architecture: custom) are not read from files of weights");
  if (shape.num_hidden_layers > kMostLayers)
    fail(fmt::format("num_hidden_layers {}, expected at most {}", shape.num_hidden_layers, kMostLayers));
  if (std::int64_t{shape.num_attention_heads} * shape.head_dim > kLargestSize)
    fail("heads * head dimension is out of range");
  if (max_context < 1 || max_context > kLargestSize)
    fail(fmt::format("the context length is {}, expected 1 .. {}", max_context, kLargestSize));
  if (!(shape.rms_norm_eps >= 0.0) || !(shape.rms_norm_eps < 1.0)) fail("RMSNorm's epsilon is out of range 0 .. 1");
  if (!(shape.rope_theta > 0.0) || !std::isfinite(shape.rope_theta)) fail("RoPE's theta is not a positive number");
}

namespace {

constexpr double kPi = 3.14159265358979323846;

/// The pair, a real number, that turns so often in the original context.
double pair_of_turns(double turns, double original, double theta, double channels) {
  return channels * std::log(original / (turns * 2.0 * kPi)) / (2.0 * std::log(theta));
}

/// Pairs that turn often keep their frequency, those that turn seldom are divided by the factor, between them a linear blend.
double yarn_frequency(const RopeScaling& s, double theta, double channels, double frequency, double pair) {
  double low = pair_of_turns(s.beta_fast, s.original_context, theta, channels),
         high = pair_of_turns(s.beta_slow, s.original_context, theta, channels);
  if (s.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, channels - 1.0);
  if (low == high) high += 0.001;
  const double stretched = std::min(1.0, std::max(0.0, (pair - low) / (high - low)));
  return frequency / s.factor * stretched + frequency * (1.0 - stretched);
}

}  // namespace

double rope_frequency(const ModelInfo& info, std::int64_t pair, int layer) {
  const accelerator::ModelShape& shape = info.shape;
  const double channels = shape.rotary_dim != 0 ? shape.rotary_dim : shape.head_dim;
  const bool own = layer >= 0 && shape.own_theta(layer);
  const double theta = own ? shape.window_rope_theta : shape.rope_theta;
  const double frequency = std::pow(theta, -2.0 * static_cast<double>(pair) / channels);
  const RopeScaling& s = info.rope_scaling;
  if (own || s.kind == RopeScaling::Kind::none) return frequency;
  if (s.kind == RopeScaling::Kind::linear) return frequency / s.factor;
  if (s.kind == RopeScaling::Kind::yarn)
    return yarn_frequency(s, theta, channels, frequency, static_cast<double>(pair));
  // Llama 3.1: wavelengths far below the original context stay, far above it are stretched, between them a linear
  // blend.
  const double wavelength = 2.0 * kPi / frequency;
  if (wavelength < s.original_context / s.high_frequency_factor) return frequency;
  if (wavelength > s.original_context / s.low_frequency_factor) return frequency / s.factor;
  const double blend =
      (s.original_context / wavelength - s.low_frequency_factor) / (s.high_frequency_factor - s.low_frequency_factor);
  return (1.0 - blend) * frequency / s.factor + blend * frequency;
}

std::size_t row_bytes(ElementType type, std::int64_t cols) {
  const auto n = static_cast<std::size_t>(cols);
  switch (type) {
    case ElementType::kF32:
      return saturating_multiply(n, 4);
    case ElementType::kF16:
    case ElementType::kBf16:
      return saturating_multiply(n, 2);
    case ElementType::kQ8_0:
      return cols % kQBlock == 0 ? saturating_multiply(n / kQBlock, kQ8Bytes) : 0;
    case ElementType::kQ4_0:
      return cols % kQBlock == 0 ? saturating_multiply(n / kQBlock, kQ4Bytes) : 0;
    case ElementType::kLut:
    case ElementType::kInt:
    case ElementType::kBfp:
    case ElementType::kMx:
    case ElementType::kInt8Float:
      break;  // depends on the code width too
  }
  return 0;
}

void WeightView::read_row(std::int64_t row, float* out) const {
  if (!parts.empty()) {
    const std::int64_t each = parts.front().rows;
    parts[static_cast<std::size_t>(row / each)].read_row(row % each, out);
    return;
  }
  const auto n = static_cast<std::size_t>(cols);
  switch (type) {
    case ElementType::kF32:
      std::memcpy(out, data + static_cast<std::size_t>(row) * n * 4, n * 4);
      return;
    case ElementType::kF16:
      for (std::size_t i = 0; i < n; ++i) out[i] = fp16_at(data + (static_cast<std::size_t>(row) * n + i) * 2);
      return;
    case ElementType::kBf16:
      for (std::size_t i = 0; i < n; ++i) out[i] = bf16_at(data + (static_cast<std::size_t>(row) * n + i) * 2);
      return;
    case ElementType::kQ8_0: {
      const std::uint8_t* block = data + static_cast<std::size_t>(row) * row_bytes(type, cols);
      for (std::size_t i = 0; i < n; i += kQBlock, block += kQ8Bytes) {
        const float scale = fp16_at(block);
        for (std::size_t j = 0; j < kQBlock; ++j)
          out[i + j] = static_cast<float>(static_cast<std::int8_t>(block[2 + j])) * scale;
      }
      return;
    }
    case ElementType::kQ4_0: {
      const std::uint8_t* block = data + static_cast<std::size_t>(row) * row_bytes(type, cols);
      for (std::size_t i = 0; i < n; i += kQBlock, block += kQ4Bytes) {
        const float scale = fp16_at(block);
        for (std::size_t j = 0; j < kQBlock / 2; ++j) {
          out[i + j] = static_cast<float>((block[2 + j] & 15) - 8) * scale;
          out[i + j + kQBlock / 2] = static_cast<float>((block[2 + j] >> 4) - 8) * scale;
        }
      }
      return;
    }
    case ElementType::kInt8Float: {
      const std::size_t first = static_cast<std::size_t>(row) * n;
      for (std::size_t i = 0; i < n; ++i) {
        float scale;
        std::memcpy(&scale, scales + (first + i) / group * sizeof(float), sizeof(float));
        out[i] = static_cast<float>(static_cast<std::int8_t>(data[first + i])) * scale;
      }
      return;
    }
    // The file's arrays may be unaligned; the decoders of the formats library want typed ones.
    case ElementType::kLut: {
      const formats::Codebook codebook{code_bits, load_all<float>(centroids, std::size_t{1} << code_bits)};
      const std::size_t blocks = formats::kmeans_blocks(n);
      const auto row_scales = load_all<formats::Bf16>(scales + static_cast<std::size_t>(row) * blocks * 2, blocks);
      formats::kmeans_decode_row_f32(codebook,
                                     data + static_cast<std::size_t>(row) * formats::kmeans_row_bytes(n, code_bits),
                                     row_scales.data(), n, out);
      return;
    }
    case ElementType::kInt: {
      const std::size_t groups = formats::int_groups(n, group);
      const auto row_scales = load_all<formats::Fp16>(scales + static_cast<std::size_t>(row) * groups * 2, groups);
      const std::uint8_t* row_zeros = zeros == nullptr ? nullptr : zeros + static_cast<std::size_t>(row) * groups;
      formats::int_decode_row({code_bits, zeros != nullptr, group},
                              data + static_cast<std::size_t>(row) * formats::int_row_bytes(n, code_bits),
                              row_scales.data(), row_zeros, n, out);
      return;
    }
    case ElementType::kBfp: {
      formats::BfpFormat f;
      f.mantissa_bits = code_bits;
      f.group_size = static_cast<int>(group);
      formats::decode_row(f, data + static_cast<std::size_t>(row) * f.row_bytes(n), n, out);
      return;
    }
    case ElementType::kMx: {
      const auto at = static_cast<std::size_t>(row * row_step);
      formats::mx_decode_row(mx_element, data + at * formats::mx_row_bytes(n, mx_element),
                             scales + at * formats::mx_blocks(n), n, out);
      return;
    }
  }
}

formats::KmeansTensor WeightView::kmeans() const {
  if (type != ElementType::kLut) throw std::logic_error("tensor " + name + " holds no K-means codes");
  formats::KmeansTensor t;
  t.rows = static_cast<std::size_t>(rows);
  t.cols = static_cast<std::size_t>(cols);
  t.codebook = formats::make_codebook(load_all<float>(centroids, std::size_t{1} << code_bits));
  t.packed = load_all<std::uint8_t>(data, t.rows * t.row_bytes());
  t.scales = load_all<formats::Bf16>(scales, t.rows * t.row_blocks());
  return t;
}

formats::IntTensor WeightView::integers() const {
  if (type != ElementType::kInt) throw std::logic_error("tensor " + name + " holds no integer codes");
  formats::IntTensor t;
  t.rows = static_cast<std::size_t>(rows);
  t.cols = static_cast<std::size_t>(cols);
  t.format = {code_bits, zeros != nullptr, group};
  t.packed = load_all<std::uint8_t>(data, t.rows * t.row_bytes());
  t.scales = load_all<formats::Fp16>(scales, t.rows * t.row_groups());
  if (zeros != nullptr) t.zeros = load_all<std::uint8_t>(zeros, t.rows * t.row_groups());
  return t;
}

std::vector<float> WeightView::read() const {
  std::vector<float> values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
  for (std::int64_t r = 0; r < rows; ++r) read_row(r, values.data() + r * cols);
  return values;
}

void ModelWeights::require_finite() const {
  std::vector<float> row;
  const auto check = [&](const WeightView& t) {
    row.resize(static_cast<std::size_t>(t.cols));
    for (std::int64_t r = 0; r < t.rows; ++r) {
      t.read_row(r, row.data());
      for (std::size_t c = 0; c < row.size(); ++c)
        if (!std::isfinite(row[c]))
          throw config::InputError(
              {source},
              fmt::format("tensor {} holds {} in row {}, column {}, expected finite weights", t.name, row[c], r, c));
    }
  };
  check(embedding);
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (const ModelTensor tensor : accelerator::layer_graph(info.shape, static_cast<int>(l)).layer_tensors())
      check(layers[l][tensor]);
  check(final_norm);
  if (lm_head.data != embedding.data) check(lm_head);
}

void ModelWeights::validate() const {
  info.validate(source);
  const accelerator::ModelShape& s = info.shape;
  const auto expect = [&](ModelTensor tensor, const WeightView& t) {
    const accelerator::TensorInfo& wanted = accelerator::info_of(tensor);
    const auto rows = static_cast<std::int64_t>(size_of(wanted.rows, s)),
               columns = static_cast<std::int64_t>(size_of(wanted.columns, s));
    if (t.data == nullptr) throw config::InputError({source}, std::string("has no tensor for the ") + wanted.role);
    if (t.rows != rows || t.cols != columns)
      throw config::InputError({source}, "tensor " + t.name + " is " + dimensions(t.rows, t.cols) + ", expected " +
                                             dimensions(rows, columns) + " for the " + wanted.role);
  };
  expect(ModelTensor::embedding, embedding);
  if (static_cast<std::int64_t>(layers.size()) != s.num_hidden_layers)
    throw config::InputError({source}, fmt::format("has {} layers, expected {}", layers.size(), s.num_hidden_layers));
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (const ModelTensor tensor : accelerator::layer_graph(s, static_cast<int>(l)).layer_tensors())
      expect(tensor, layers[l][tensor]);
  expect(ModelTensor::final_norm, final_norm);
  expect(ModelTensor::lm_head, lm_head);
}

}  // namespace harmonia::testbench
