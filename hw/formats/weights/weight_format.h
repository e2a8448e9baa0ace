// The registry of weight formats: everything that the machine, the quantiser and the commands ask of a format.
//
// Models: name, stored size, levels, how the decoder expands the codes, which operand and how many passes the PE array
// takes. Does not model: the values themselves (linear_weights.h), decode rates (a configuration of the decoder).
//
// A format is one file of this folder that returns its traits; hw/formats/weights/CMakeLists.txt lists the files.
// Source: number formats specification, sections 1 to 3 and 5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/operand.h"
#include "harmonia/hw/formats/pe.h"

namespace harmonia::formats {

/// How the codes of a format are stored and what they mean.
enum class Coding : std::uint8_t {
  words,     // FP16 words
  integers,  // group integers (int_quant.h)
  codebook   // indices into a codebook with bf16 block scales (kmeans.h)
};

/// Stored size of a weight format: `bits` per code, and `scale_bits` per block of `block` consecutive input features.
struct WeightStorage {
  Coding coding = Coding::words;
  int bits = 16;
  int block = 0;       // 0: no scales
  int scale_bits = 0;  // scale and, if there is one, the zero-point's byte; a row's zero-points follow its scales

  /// Codebook indices whose width does not divide a byte are stored as bit planes.
  bool bit_planes() const { return coding == Coding::codebook && kmeans_bit_planes(bits); }
  /// Rows begin at a byte.
  std::uint64_t index_row_bytes(std::uint64_t k) const {
    return bit_planes() ? (k + 7) / 8 * static_cast<std::uint64_t>(bits)
                        : (k * static_cast<std::uint64_t>(bits) + 7) / 8;
  }
  std::uint64_t scale_row_bytes(std::uint64_t k) const {
    const auto b = static_cast<std::uint64_t>(block);
    return b == 0 ? 0 : ((k + b - 1) / b * static_cast<std::uint64_t>(scale_bits) + 7) / 8;
  }
  double bits_per_weight() const { return bits + (block == 0 ? 0.0 : double(scale_bits) / block); }
};

/// How a format runs on a PE array.
struct ArrayMode {
  Expansion decode = Expansion::codebook;
  Operand operand = Operand::codebook;
  int passes = 2;  // per group of 32 MACs
  bool one_bit = false;
};

/// What one file of this folder says about a format.
struct WeightFormatTraits {
  std::string name;
  std::string description;  // of the codes and their scale, as `harmonia list formats` prints it
  std::string source;
  WeightStorage storage;
  bool zero_point = false;                // integers: a zero-point per group
  std::string with_zero_point;            // integers: name of the format with a zero-point, if there is one
  const Codebook& (*levels)() = nullptr;  // codebook: its fixed levels; null: trained on each matrix
  PeMode pe_mode = PeMode::kM8L8;         // on a BFP array; with an int8 codebook
  int passes = 2;                         // of the BFP array per group of 32 MACs; with an int8 codebook
  std::string refused;                    // why the machine cannot run it; empty: it can

  bool is_codebook() const { return storage.coding == Coding::codebook; }
  /// Levels that are trained on each matrix: the K-means formats.
  bool is_trained() const { return is_codebook() && levels == nullptr; }
};

/// A registered format. Small, copied by value; equal when it is the same entry of the registry. The default is fp16.
class WeightFormat {
 public:
  WeightFormat();
  explicit WeightFormat(const WeightFormatTraits& traits) : traits_(&traits) {}

  const WeightFormatTraits* operator->() const { return traits_; }
  const WeightFormatTraits& operator*() const { return *traits_; }
  friend bool operator==(WeightFormat a, WeightFormat b) { return a.traits_ == b.traits_; }
  friend bool operator!=(WeightFormat a, WeightFormat b) { return a.traits_ != b.traits_; }

 private:
  const WeightFormatTraits* traits_;
};

/// Every registered format, in the order of the documentation.
const std::vector<WeightFormat>& weight_formats();
std::optional<WeightFormat> find_weight_format(std::string_view name);
/// Throws std::invalid_argument that lists the names.
WeightFormat weight_format(std::string_view name);

inline const char* name(WeightFormat format) { return format->name.c_str(); }
inline bool is_codebook(WeightFormat format) { return format->is_codebook(); }
inline int code_bits(WeightFormat format) { return format->storage.bits; }

/// The format with, and the one without, a zero-point per group. Without: the format itself when it has none.
std::optional<WeightFormat> with_zero_point(WeightFormat format);
WeightFormat without_zero_point(WeightFormat format);

/// The format of integer codes of this width; the one whose codebook is trained. None: not registered.
std::optional<WeightFormat> integer_format(int bits, bool zero_point);
std::optional<WeightFormat> kmeans_format(int bits);

/// On an array that takes BFP operands. Throws std::invalid_argument for a bf16 codebook, which has no integers.
ArrayMode bfp_array_mode(WeightFormat format, CodebookKind codebook);
/// On a plain FP16 array: the decoder expands every format to FP16.
ArrayMode fp16_array_mode(WeightFormat format);

/// A codebook format of `bits` with the block scales of kmeans.h: what kmeans.cpp, nf4.cpp and ternary.cpp have in
/// common. `meaning` begins the description.
WeightFormatTraits codebook_traits(const std::string& name, int bits, const std::string& meaning);
/// Group integers with an FP16 scale per 128, in two's complement or with a zero-point (the name gets a 'z').
WeightFormatTraits integer_traits(int bits, bool zero_point);

}  // namespace harmonia::formats
