// Safetensors files, read through a memory map and written whole: 8 bytes of little-endian header length, a JSON header
// that names each tensor's element type, shape and byte range, then the data.
// Source: the safetensors format description (Hugging Face).
//
// Models: the file format, defensively. Every length that the header states is checked against the file before use,
// byte ranges must tile the data without gap or overlap, and what is wrong is told in a config::InputError. Does not
// model: sharded checkpoints (an index file over several files), sub-byte element types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace harmonia::testbench {

enum class Dtype { kBool, kU8, kI8, kU16, kI16, kU32, kI32, kU64, kI64, kF8E4M3, kF8E5M2, kF16, kBf16, kF32, kF64 };

/// The name that the format uses, such as "BF16".
const char* dtype_name(Dtype dtype);
std::size_t dtype_bytes(Dtype dtype);

/// One tensor of an open file. `data` points into the map, lives as long as the file object and may be unaligned.
struct TensorView {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<std::size_t> shape;  ///< empty: a scalar
  const std::uint8_t* data = nullptr;
  std::size_t bytes = 0;

  std::size_t elements() const { return bytes / dtype_bytes(dtype); }
};

/// "[48, 512]"
std::string shape_text(const std::vector<std::size_t>& shape);

/// An open file. Movable, not copyable; views stay valid until it is destroyed.
class SafetensorsFile {
 public:
  /// Maps the file and checks its whole header. Throws config::InputError.
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  const std::filesystem::path& path() const;
  /// In the order of their data in the file.
  const std::vector<TensorView>& tensors() const;
  const std::map<std::string, std::string>& metadata() const;

  /// Null when there is none of that name.
  const TensorView* find(const std::string& name) const;
  /// Throws config::InputError, naming the most similar tensor, when there is none of that name.
  const TensorView& at(const std::string& name) const;
  /// As at(), and the tensor must have this type and shape.
  const TensorView& at(const std::string& name, Dtype dtype, const std::vector<std::size_t>& shape) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Every element as FP32: F32, F16 and BF16 exactly; F64 and 32-bit or wider integers rounded to nearest-even; small
/// integers exactly. Throws config::InputError for the 8-bit float types.
std::vector<float> to_float(const TensorView& tensor);

/// A tensor to be written; `data` must stay valid until write_safetensors returns.
struct TensorToWrite {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<std::size_t> shape;
  const void* data = nullptr;
};

/// Writes beside the target and renames, so that the file appears complete or not at all; data starts at a multiple of
/// 8 bytes. Throws std::invalid_argument for a name that occurs twice, config::RunError when the file cannot be
/// written.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace harmonia::testbench
