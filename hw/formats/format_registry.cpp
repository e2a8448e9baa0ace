#include "harmonia/hw/formats/format_registry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/nf4.h"
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::formats {
namespace {

std::vector<std::string> split_name(const std::string& name) {
  std::vector<std::string> parts = {""};
  for (const char c : name) {
    if (c == ':')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

// The whole text as a number of at most `digits` digits, or -1.
int number(const std::string& text, std::size_t digits) {
  if (text.empty() || text.size() > digits || text.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoi(text);
}

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

std::invalid_argument unknown(const std::string& name, const std::string& expected) {
  return std::invalid_argument("unknown number format '" + name + "', expected " + expected);
}

decltype(StorageFormat::format) of_weights(const WeightFormatTraits& t) {
  switch (t.storage.coding) {
    case Coding::words:
      return Float16Kind::kFp16;
    case Coding::integers:
      return IntFormat{t.storage.bits, t.zero_point, static_cast<std::size_t>(t.storage.block)};
    case Coding::codebook:
      break;
  }
  return CodebookFormat{t.storage.bits, t.levels != nullptr ? &t.levels() : nullptr, {}};
}

bool family(const std::string& text, StorageFormat* out) {
  if (const std::optional<WeightFormat> weights = find_weight_format(text)) {
    out->format = of_weights(**weights);
  } else if (text == "bf16") {
    out->format = Float16Kind::kBf16;
  } else if (starts_with(text, "bfp")) {
    BfpFormat f;
    f.mantissa_bits = number(text.substr(3), 2);
    if (!f.valid()) return false;
    out->format = f;
  } else if (starts_with(text, "int")) {
    IntFormat f;
    f.zero_point = text.back() == 'z';
    f.bits = number(text.substr(3, text.size() - 3 - (f.zero_point ? 1 : 0)), 1);
    if (f.bits != 2 && f.bits != 3 && f.bits != 4 && f.bits != 8) return false;
    out->format = f;
  } else if (text == "fp4") {
    out->format = CodebookFormat{4, &fp4_codebook(), {}};
  } else if (text == "mxint8") {
    out->format = MxFormat{MxElement::kInt8, MxRounding::kNearest};
  } else if (text == "mxint4") {
    out->format = MxFormat{MxElement::kInt4, MxRounding::kNearest};
  } else if (text == "mxfp4") {
    out->format = MxFormat{MxElement::kFp4, MxRounding::kNearest};
  } else {
    return false;
  }
  return true;
}

// What suffixes a family takes, each applied to its configuration; "" when the suffix was applied.
struct Suffix {
  const std::string& text;

  std::string operator()(Float16Kind&) const { return "no suffix"; }
  std::string operator()(BfpFormat& f) const {
    BfpFormat changed = f;
    if (text == "e5")
      changed.exponent_bits = 5;
    else if (text == "e8")
      changed.exponent_bits = 8;
    else if (text == "ne")
      changed.rounding = Rounding::kNearestEven;
    else if (starts_with(text, "g"))
      changed.group_size = number(text.substr(1), 3);
    else
      return "e5, e8, ne or gN";
    if (!changed.valid()) return "g8, g16, g32, g64 or g128";
    f = changed;
    return "";
  }
  std::string operator()(IntFormat& f) const {
    const int group = starts_with(text, "g") ? number(text.substr(1), 7) : -1;
    if (group < 1) return "gN";
    f.group = static_cast<std::size_t>(group);
    return "";
  }
  std::string operator()(CodebookFormat& f) const {
    if (text == "int8")
      f.held = CodebookKind::kInt8;
    else if (text == "int5")
      f.held = CodebookKind::kInt5;
    else if (text == "bf16")
      f.held = CodebookKind::kBf16;
    else
      return "int8, int5 or bf16";
    return "";
  }
  std::string operator()(MxFormat& f) const {
    if (text == "nearest")
      f.rounding = MxRounding::kNearest;
    else if (text == "even")
      f.rounding = MxRounding::kEven;
    else if (text == "floor")
      f.rounding = MxRounding::kFloor;
    else
      return "nearest, even or floor";
    return "";
  }
};

struct BitsPerValue {
  double operator()(Float16Kind) const { return 16; }
  double operator()(const BfpFormat& f) const { return f.bits_per_value(); }
  double operator()(const IntFormat& f) const { return int_bits_per_value(f); }
  double operator()(const CodebookFormat& f) const { return f.bits + 16.0 / kKmeansBlock; }
  double operator()(const MxFormat& f) const { return mx_bits_per_value(f.element); }
};

struct CodeMeaning {
  const char* operator()(Float16Kind) const { return "biased exponent"; }
  const char* operator()(const BfpFormat&) const { return "signed mantissa"; }
  const char* operator()(const IntFormat& f) const { return f.zero_point ? "unsigned integer" : "integer"; }
  const char* operator()(const CodebookFormat&) const { return "codebook index"; }
  const char* operator()(const MxFormat& f) const { return f.element == MxElement::kFp4 ? "E2M1 bits" : "integer"; }
};

class Histogram {
 public:
  // Codes of every format lie within 12 signed bits.
  static constexpr int kOffset = 4096;
  void add(int code) { ++count_[static_cast<std::size_t>(code + kOffset)]; }
  std::vector<CodeCount> codes() const {
    std::vector<CodeCount> result;
    for (std::size_t i = 0; i < count_.size(); ++i)
      if (count_[i] != 0) result.push_back({static_cast<int>(i) - kOffset, count_[i]});
    return result;
  }

 private:
  std::vector<std::uint64_t> count_ = std::vector<std::uint64_t>(2 * kOffset);
};

struct Store {
  const float* values;
  std::size_t rows;
  std::size_t cols;
  std::uint64_t seed;

  RoundTrip operator()(Float16Kind kind) const {
    RoundTrip r;
    Histogram histogram;
    r.values.resize(rows * cols);
    for (std::size_t i = 0; i < r.values.size(); ++i) {
      if (kind == Float16Kind::kFp16) {
        const Fp16 x = to_fp16(values[i]);
        histogram.add(x.bits >> 10 & 31);
        r.values[i] = to_float(x);
      } else {
        const Bf16 x = to_bf16(values[i]);
        histogram.add(x.bits >> 7 & 255);
        r.values[i] = to_float(x);
      }
    }
    r.histogram = histogram.codes();
    r.stored_bits = std::uint64_t{16} * rows * cols;
    return r;
  }

  RoundTrip operator()(const BfpFormat& f) const {
    RoundTrip r;
    Histogram histogram;
    r.values.resize(rows * cols);
    std::vector<Fp16> half(cols);
    std::vector<std::uint8_t> stored(f.row_bytes(cols));
    BfpGroup group;
    for (std::size_t row = 0; row < rows; ++row) {
      to_fp16(values + row * cols, cols, half.data());
      encode_row(f, half.data(), cols, stored.data());
      decode_row(f, stored.data(), cols, r.values.data() + row * cols);
      for (std::size_t i = 0; i < cols; ++i) {
        const std::size_t at = i % static_cast<std::size_t>(f.group_size);
        if (at == 0) unpack(f, stored.data() + i / static_cast<std::size_t>(f.group_size) * f.group_bytes(), &group);
        histogram.add(group.negative[at] ? -static_cast<int>(group.magnitude[at]) : group.magnitude[at]);
      }
    }
    r.histogram = histogram.codes();
    r.stored_bits = std::uint64_t{rows} * f.groups(cols) * f.group_bits();
    return r;
  }

  RoundTrip operator()(const IntFormat& f) const {
    RoundTrip r;
    Histogram histogram;
    const IntTensor t = int_encode(f, values, rows, cols);
    r.values = int_decode(t);
    std::vector<std::uint8_t> codes(cols);
    std::vector<std::int8_t> signed_codes(cols);
    for (std::size_t row = 0; row < rows; ++row) {
      int_unpack_unsigned(t.row_packed(row), cols, f.bits, codes.data());
      int_unpack_signed(t.row_packed(row), cols, f.bits, signed_codes.data());
      for (std::size_t i = 0; i < cols; ++i) histogram.add(f.zero_point ? codes[i] : signed_codes[i]);
    }
    r.histogram = histogram.codes();
    const std::size_t group_bits = 16 + (f.zero_point ? static_cast<std::size_t>(f.bits) : 0);
    r.stored_bits = std::uint64_t{rows} * (8 * t.row_bytes() + group_bits * t.row_groups());
    return r;
  }

  RoundTrip operator()(const CodebookFormat& f) const {
    RoundTrip r;
    Histogram histogram;
    const Codebook codebook = f.fixed != nullptr ? *f.fixed : kmeans_train(values, rows, cols, f.bits, seed);
    // Indices belong to the real codebook; what it is held as changes the values that are read.
    KmeansTensor t = kmeans_encode(codebook, values, rows, cols);
    std::uint64_t codebook_bits = 32;
    if (f.held == CodebookKind::kBf16) {
      t.codebook = bf16_codebook(codebook);
      codebook_bits = 16;
    } else if (f.held) {
      t.codebook = dequantised_codebook(make_integer_codebook(codebook, *f.held));
      codebook_bits = *f.held == CodebookKind::kInt8 ? 8 : 5;
    }
    const bool has_scale = f.held && *f.held != CodebookKind::kBf16;
    r.values = kmeans_decode(t);
    std::vector<std::uint8_t> indices(cols);
    for (std::size_t row = 0; row < rows; ++row) {
      kmeans_unpack(t.row_packed(row), cols, f.bits, indices.data());
      for (const std::uint8_t index : indices) histogram.add(index);
    }
    r.histogram = histogram.codes();
    r.stored_bits = std::uint64_t{rows} * (8 * t.row_bytes() + 16 * t.row_blocks());
    if (f.fixed == nullptr) r.stored_bits += (codebook_bits << f.bits) + (has_scale ? 32 : 0);
    r.codebook = t.codebook.centroids;
    return r;
  }

  RoundTrip operator()(const MxFormat& f) const {
    RoundTrip r;
    Histogram histogram;
    const MxTensor t = mx_encode(f, values, rows, cols);
    r.values = mx_decode(t);
    const std::size_t row_bytes = mx_row_bytes(cols, f.element);
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t i = 0; i < cols; ++i) {
        const std::uint8_t* elements = t.elements.data() + row * row_bytes;
        if (f.element == MxElement::kInt8) {
          histogram.add(static_cast<std::int8_t>(elements[i]));
        } else {
          const int code = elements[i / 2] >> (i % 2 * 4) & 15;
          histogram.add(f.element == MxElement::kInt4 && code >= 8 ? code - 16 : code);
        }
      }
    r.histogram = histogram.codes();
    r.stored_bits = std::uint64_t{rows} * 8 * (row_bytes + mx_blocks(cols));
    return r;
  }
};

}  // namespace

double StorageFormat::bits_per_value() const { return std::visit(BitsPerValue{}, format); }
const char* StorageFormat::code_meaning() const { return std::visit(CodeMeaning{}, format); }

StorageFormat storage_format(const std::string& name) {
  const std::vector<std::string> parts = split_name(name);
  StorageFormat result;
  result.name = name;
  if (!family(parts[0], &result)) {
    std::string expected = "one of";
    for (const StorageFormatInfo& f : storage_formats()) expected += ' ' + f.name;
    throw unknown(name, expected);
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string expected = std::visit(Suffix{parts[i]}, result.format);
    if (!expected.empty()) throw unknown(name, expected + " after '" + parts[0] + "'");
  }
  return result;
}

const std::vector<StorageFormatInfo>& storage_formats() {
  static const std::vector<StorageFormatInfo> list = [] {
    std::vector<StorageFormatInfo> formats;
    const auto add = [&](const std::string& name, const std::string& summary) {
      for (const StorageFormatInfo& f : formats)
        if (f.name == name) return;
      StorageFormat format;
      family(name, &format);
      formats.push_back({name, format.bits_per_value(), summary});
    };
    // Weight formats of the machine from their registry, each among its relatives that are stored only.
    const auto add_weights = [&](Coding coding, const std::string& suffixes) {
      for (const WeightFormat f : weight_formats())
        if (f->storage.coding == coding) add(f->name, f->description + suffixes);
    };
    add_weights(Coding::words, "");
    add("bf16", "bfloat16");
    for (int m = kMaxMantissaBits; m >= 1; --m)
      add("bfp" + std::to_string(m),
          "sign and " + std::to_string(m) + "-bit mantissa, 8-bit exponent per 32 (:e5 :ne :gN)");
    add_weights(Coding::integers, " (:gN)");
    for (const int bits : {3, 2}) {
      const std::string integer = "int" + std::to_string(bits);
      add(integer, "integers, FP16 scale per 128 (:gN)");
      add(integer + "z", "integers with zero-point, FP16 scale per 128 (:gN)");
    }
    const std::string held = " (:int8 :int5 :bf16)";
    add_weights(Coding::codebook, held);
    add("fp4", "E2M1 levels, bf16 absmax scale per 64" + held);
    add("mxint8", "microscaling, 8-bit integers, power-of-two scale per 32 (:nearest :even :floor)");
    add("mxint4", "microscaling, 4-bit integers, power-of-two scale per 32 (:nearest :even :floor)");
    add("mxfp4", "microscaling, E2M1, power-of-two scale per 32 (:nearest :even :floor)");
    return formats;
  }();
  return list;
}

RoundTrip round_trip(const StorageFormat& format, const float* values, std::size_t rows, std::size_t cols,
                     std::uint64_t seed) {
  if (rows == 0 || cols == 0) throw std::invalid_argument("an empty tensor");
  for (std::size_t i = 0; i < rows * cols; ++i)
    if (!std::isfinite(values[i]))
      throw std::invalid_argument("value [" + std::to_string(i / cols) + ", " + std::to_string(i % cols) +
                                  "] is not finite");
  return std::visit(Store{values, rows, cols, seed}, format.format);
}

QuantisationError quantisation_error(const float* reference, const float* value, std::size_t n) {
  double signal = 0;
  double noise = 0;
  QuantisationError result;
  for (std::size_t i = 0; i < n; ++i) {
    const double r = reference[i];
    const double e = std::abs(r - static_cast<double>(value[i]));
    signal += r * r;
    noise += e * e;
    result.max_error = std::max(result.max_error, e);
  }
  result.mean_square = n == 0 ? 0 : noise / static_cast<double>(n);
  result.snr_db = noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
  return result;
}

}  // namespace harmonia::formats
