// Every storage format by its name: bits per value with all metadata, and what a tensor becomes when it is stored and
// read back. For tables, commands and tests; blocks use the formats' own headers.
//
// Models: names, sizes, the round trip, the histogram of codes. Does not model: which tensor should have which format
// (hw/kv_cache), how fast a format is read.
//
// A name is a family with optional suffixes after colons, such as "kmeans4:int8", "int4:g64" or "mxfp4:even":
//   fp16 bf16
//   bfp1 .. bfp11         groups of 32, 8-bit stored exponent, truncation    :e5 5-bit exponent  :ne nearest-even  :gN
//   int8 int4 int3 int2   symmetric, groups of 128                           :gN group size
//   int8z .. int2z        with a zero-point                                  :gN
//   kmeans1 2 3 4 8       codebook trained on the tensor                     :int8 :int5 :bf16 codebook held as such
//   nf4 fp4 ternary       fixed codebooks, as K-means otherwise              :int8 :int5 :bf16
//   mxint8 mxint4 mxfp4   nearest, half away from zero                       :even :floor :nearest
// A K-means family without a suffix keeps the real-valued codebook.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/mx.h"

namespace harmonia::formats {

/// A 16-bit float format.
enum class Float16Kind { kFp16, kBf16 };

/// K-means indices, or a fixed codebook.
struct CodebookFormat {
  int bits = 4;
  const Codebook* fixed = nullptr;   ///< null: trained on the tensor
  std::optional<CodebookKind> held;  ///< none: real-valued
};

struct StorageFormat {
  std::string name;  ///< as given
  std::variant<Float16Kind, BfpFormat, IntFormat, CodebookFormat, MxFormat> format;

  /// With scales, exponents and zero-points of full groups; without the codebook, which a tensor stores once.
  double bits_per_value() const;
  /// What the codes of the histogram are: "index", "signed magnitude", "biased exponent", ...
  const char* code_meaning() const;
};

/// Throws std::invalid_argument for a name that is not one of the above and says what was expected.
StorageFormat storage_format(const std::string& name);

/// One line of a list of formats.
struct StorageFormatInfo {
  std::string name;
  double bits_per_value = 0;
  std::string summary;
};
/// Every family without suffixes, 16-bit formats first.
const std::vector<StorageFormatInfo>& storage_formats();

struct CodeCount {
  int code = 0;
  std::uint64_t count = 0;
};

struct RoundTrip {
  std::vector<float> values;         ///< row-major [rows, cols], what is read back
  std::vector<CodeCount> histogram;  ///< ascending codes that occur
  std::uint64_t stored_bits = 0;     ///< of this shape, codebook included
  std::vector<float> codebook;       ///< the values that codes select, when the format has a codebook
};

/// Stores `values`, row-major [rows, cols], and reads them back. Groups run along the columns. `seed` is that of
/// codebook training. Throws std::invalid_argument for an empty tensor or a value that is not finite.
RoundTrip round_trip(const StorageFormat& format, const float* values, std::size_t rows, std::size_t cols,
                     std::uint64_t seed = 0);

/// How far `value` is from `reference`, n values each, sums in double.
struct QuantisationError {
  double snr_db = 0;       ///< 10 log10(sum r^2 / sum (r - v)^2); infinite when nothing differs
  double max_error = 0;    ///< largest |r - v|
  double mean_square = 0;  ///< mean (r - v)^2
};
QuantisationError quantisation_error(const float* reference, const float* value, std::size_t n);

}  // namespace harmonia::formats
