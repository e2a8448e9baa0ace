#include "harmonia/hw/formats/linear_weights.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace harmonia::formats {
namespace {

bool is_words(WeightFormat format) { return format->storage.coding == Coding::words; }

// The difference of two 8-bit codes does not fit a byte.
bool needs_nine_bits(WeightFormat format) { return format->zero_point && format->storage.bits == 8; }

IntFormat int_format(WeightFormat format, std::size_t group) {
  IntFormat f;
  f.bits = code_bits(format);
  f.zero_point = format->zero_point;
  f.group = group;
  if (group == 0 || group % static_cast<std::size_t>(kBfp8.group_size) != 0)
    throw std::invalid_argument("integer weights share a scale over " + std::to_string(group) +
                                " columns, expected a multiple of " + std::to_string(kBfp8.group_size));
  return f;
}

}  // namespace

LinearWeights LinearWeights::encode(WeightFormat format, const float* w, std::size_t rows, std::size_t cols,
                                    CodebookKind codebook, std::uint64_t seed, std::size_t int_group) {
  if (rows == 0 || cols == 0) throw std::invalid_argument("a matrix of weights needs rows and columns");
  if (is_codebook(format)) {
    const Codebook chosen =
        format->levels != nullptr ? format->levels() : kmeans_train(w, rows, cols, code_bits(format), seed);
    return from_codebook(format, kmeans_encode(chosen, w, rows, cols), codebook);
  }
  LinearWeights out;
  out.format_ = format;
  out.rows_ = rows;
  out.cols_ = cols;
  if (is_words(format)) {
    out.fp16_.resize(rows * cols);
    to_fp16(w, rows * cols, out.fp16_.data());
  } else {
    out.ints_ = int_encode(int_format(format, int_group), w, rows, cols);
  }
  return out;
}

LinearWeights LinearWeights::from_integers(IntTensor tensor) {
  LinearWeights out;
  const std::optional<WeightFormat> format = integer_format(tensor.format.bits, tensor.format.zero_point);
  if (!format)
    throw std::invalid_argument("integer weights of " + std::to_string(tensor.format.bits) + " bits are not supported");
  out.format_ = *format;
  int_format(out.format_, tensor.format.group);
  out.rows_ = tensor.rows;
  out.cols_ = tensor.cols;
  out.ints_ = std::move(tensor);
  return out;
}

LinearWeights LinearWeights::from_kmeans(KmeansTensor tensor, CodebookKind codebook) {
  if (const auto format = kmeans_format(tensor.bits())) return from_codebook(*format, std::move(tensor), codebook);
  throw std::invalid_argument("a K-means matrix of " + std::to_string(tensor.bits()) + " bits is not supported");
}

LinearWeights LinearWeights::from_codebook(WeightFormat format, KmeansTensor tensor, CodebookKind codebook) {
  LinearWeights out;
  out.format_ = format;
  out.kind_ = codebook;
  out.rows_ = tensor.rows;
  out.cols_ = tensor.cols;
  if (codebook != CodebookKind::kBf16) out.integer_ = make_integer_codebook(tensor.codebook, codebook);
  out.in_use_ = codebook == CodebookKind::kBf16 ? bf16_codebook(tensor.codebook) : dequantised_codebook(out.integer_);
  out.kmeans_ = std::move(tensor);
  return out;
}

LinearWeights::Streams LinearWeights::streams() const {
  Streams s;
  if (is_words(format_)) {
    s.codes = reinterpret_cast<const std::uint8_t*>(fp16_.data());
    s.code_row_bytes = cols_ * 2;
  } else if (is_codebook(format_)) {
    s.codes = kmeans_.packed.data();
    s.code_row_bytes = kmeans_.row_bytes();
    s.scales = reinterpret_cast<const std::uint8_t*>(kmeans_.scales.data());
    s.scale_row_bytes = kmeans_.row_blocks() * 2;
  } else {
    s.codes = ints_.packed.data();
    s.code_row_bytes = ints_.row_bytes();
    s.scales = reinterpret_cast<const std::uint8_t*>(ints_.scales.data());
    s.scale_row_bytes = ints_.row_groups() * 2;
    if (ints_.format.zero_point) {
      s.zeros = ints_.zeros.data();
      s.zero_row_bytes = ints_.row_groups();
    }
  }
  return s;
}

std::size_t LinearWeights::stored_bytes() const {
  const Streams s = streams();
  const std::size_t zeros =
      ints_.format.zero_point ? (s.zero_row_bytes * static_cast<std::size_t>(ints_.format.bits) + 7) / 8 : 0;
  return rows_ * (s.code_row_bytes + s.scale_row_bytes + zeros) + kmeans_.codebook.centroids.size() * sizeof(float);
}

double LinearWeights::bits_per_weight() const {
  return rows_ == 0 ? 0.0 : 8.0 * static_cast<double>(stored_bytes()) / static_cast<double>(rows_ * cols_);
}

void LinearWeights::decode_row(std::size_t row, float* out, bool stored_codebook) const {
  if (is_words(format_))
    to_float(fp16_.data() + row * cols_, cols_, out);
  else if (is_codebook(format_))
    kmeans_decode_row_f32(stored_codebook ? kmeans_.codebook : in_use_, kmeans_.row_packed(row),
                          kmeans_.row_scales(row), cols_, out);
  else
    int_decode_row(ints_.format, ints_.row_packed(row), ints_.row_scales(row), ints_.row_zeros(row), cols_, out);
}

void LinearWeights::decode_row_fp16(std::size_t row, Fp16* out) const {
  if (is_words(format_)) {
    std::copy_n(fp16_.begin() + static_cast<std::ptrdiff_t>(row * cols_), cols_, out);
    return;
  }
  std::vector<float> values(cols_);
  decode_row(row, values.data());
  to_fp16(values.data(), cols_, out);
}

void LinearWeights::decode_row_codes(std::size_t row, std::int16_t* out) const {
  if (is_words(format_)) throw std::invalid_argument("fp16 weights have no integer codes");
  if (is_codebook(format_)) {
    if (kind_ == CodebookKind::kBf16)
      throw std::invalid_argument("codebook bf16 is a numeric reference: a BFP array has no mode for it");
    std::vector<std::int8_t> narrow(cols_);
    kmeans_decode_row_int8(integer_.q.data(), kmeans_.bits(), kmeans_.row_packed(row), cols_, narrow.data());
    std::copy(narrow.begin(), narrow.end(), out);
    return;
  }
  int_decode_row_codes(ints_.format, ints_.row_packed(row), ints_.row_zeros(row), cols_, out);
}

PeMode LinearWeights::pe_mode() const {
  const bool narrow = is_codebook(format_) && kind_ == CodebookKind::kInt5 && format_->pe_mode == PeMode::kM8L8;
  return narrow ? PeMode::kM8L5 : format_->pe_mode;
}

void LinearWeights::prepare(ActivationFormat activations) {
  activations_ = activations;
  operand8_.clear();
  operand16_.clear();
  operand_bfp_.clear();
  operand_fp16_.clear();
  operand_array_.reset();
  if (activations == ActivationFormat::fp16) {
    operand_fp16_.resize(rows_ * cols_);
    for (std::size_t r = 0; r < rows_; ++r) decode_row_fp16(r, operand_fp16_.data() + r * cols_);
  } else if (is_words(format_)) {
    const std::size_t row = kBfp8.row_bytes(cols_);
    operand_bfp_.resize(rows_ * row);
    for (std::size_t r = 0; r < rows_; ++r)
      encode_row(kBfp8, fp16_.data() + r * cols_, cols_, operand_bfp_.data() + r * row);
  } else {
    std::vector<std::int16_t>& wide = operand16_;
    wide.resize(rows_ * cols_);
    for (std::size_t r = 0; r < rows_; ++r) decode_row_codes(r, wide.data() + r * cols_);
    if (needs_nine_bits(format_)) return;
    operand8_.resize(wide.size());
    std::transform(wide.begin(), wide.end(), operand8_.begin(),
                   [](std::int16_t q) { return static_cast<std::int8_t>(q); });
    wide = {};
  }
}

ArrayRows LinearWeights::integer_rows(const ArrayArithmetic& array) const {
  ArrayRows all;
  all.integers.resize(rows_ * cols_);
  std::vector<std::int16_t> codes(cols_);
  for (std::size_t r = 0; r < rows_; ++r) {
    decode_row_codes(r, codes.data());
    for (std::size_t c = 0; c < cols_; ++c) {
      if (codes[c] < array.least() || codes[c] > array.largest())
        throw std::invalid_argument(std::string("weights in ") + format_->name + " have the integer " +
                                    std::to_string(codes[c]) + ", expected " + std::to_string(array.least()) + " to " +
                                    std::to_string(array.largest()) + ", which the PEs of " + array.name() +
                                    " multiply");
      all.integers[r * cols_ + c] = static_cast<std::int8_t>(codes[c]);
    }
  }
  const bool codebook = is_codebook(format_);
  all.block = codebook ? kCodebookBlock : ints_.format.group;
  const std::size_t blocks = (cols_ + all.block - 1) / all.block;
  for (std::size_t r = 0; r < rows_; ++r)
    for (std::size_t b = 0; b < blocks; ++b)
      all.scales.push_back(codebook ? to_float(kmeans_.row_scales(r)[b]) : to_float(ints_.row_scales(r)[b]));
  if (codebook) all.last = integer_.scale;
  return all;
}

void LinearWeights::prepare(const ArrayArithmetic& array) {
  if (is_words(format_) && !array.takes_words())
    throw std::invalid_argument(std::string("weights are 16-bit words, expected integers of ") +
                                std::to_string(array.least()) + " to " + std::to_string(array.largest()) +
                                ", which the PEs of " + array.name() + " multiply");
  prepare(ActivationFormat::fp16);
  ArrayRows all;
  if (array.takes_words())
    all.words = operand_fp16_;
  else
    all = integer_rows(array);
  all.rows = rows_;
  all.cols = cols_;
  operand_array_ = array.matrix(std::move(all));
  operand_fp16_ = {};
}

void LinearWeights::multiply_rows(const void* x, std::size_t tokens, std::size_t first, std::size_t count,
                                  Fp16* out) const {
  if (operand_array_) return operand_array_->multiply(static_cast<const Fp16*>(x), tokens, first, count, out);
  if (activations_ == ActivationFormat::fp16) {
    const auto* rows = static_cast<const Fp16*>(x);
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t r = 0; r < count; ++r)
        out[t * count + r] = to_fp16(dot_fp16(rows + t * cols_, operand_fp16_.data() + (first + r) * cols_, cols_));
    return;
  }
  const std::size_t row = kBfp8.row_bytes(cols_), start = first * cols_;
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::uint8_t* a = static_cast<const std::uint8_t*>(x) + t * row;
    Fp16* y = out + t * count;
    if (is_words(format_))
      gemv_bfp(kBfp8, a, kBfp8, operand_bfp_.data() + first * row, row, count, cols_, y);
    else if (is_codebook(format_))
      gemv_codebook(kBfp8, a, operand8_.data() + start, kmeans_.row_scales(first), integer_.scale, count, cols_, y);
    else if (needs_nine_bits(format_))
      for (std::size_t r = 0; r < count; ++r)
        y[r] = to_fp16(dot_int(kBfp8, a, operand16_.data() + start + r * cols_, ints_.row_scales(first + r), cols_,
                               ints_.format.group));
    else
      gemv_int(kBfp8, a, operand8_.data() + start, ints_.row_scales(first), count, cols_, ints_.format.group, y);
  }
}

}  // namespace harmonia::formats
