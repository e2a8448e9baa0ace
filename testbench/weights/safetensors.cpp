#include "harmonia/testbench/weights/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/iostreams/device/mapped_file.hpp>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "harmonia/config/error.h"
#include "harmonia/config/json_values.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/testbench/files/output_file.h"

namespace harmonia::testbench {
namespace {

using config::InputError;

struct DtypeInfo {
  Dtype dtype;
  const char* name;
  std::size_t bytes;
};

constexpr std::array<DtypeInfo, 15> kDtypes = {{{Dtype::kBool, "BOOL", 1},
                                                {Dtype::kU8, "U8", 1},
                                                {Dtype::kI8, "I8", 1},
                                                {Dtype::kU16, "U16", 2},
                                                {Dtype::kI16, "I16", 2},
                                                {Dtype::kU32, "U32", 4},
                                                {Dtype::kI32, "I32", 4},
                                                {Dtype::kU64, "U64", 8},
                                                {Dtype::kI64, "I64", 8},
                                                {Dtype::kF8E4M3, "F8_E4M3", 1},
                                                {Dtype::kF8E5M2, "F8_E5M2", 1},
                                                {Dtype::kF16, "F16", 2},
                                                {Dtype::kBf16, "BF16", 2},
                                                {Dtype::kF32, "F32", 4},
                                                {Dtype::kF64, "F64", 8}}};

const DtypeInfo& info(Dtype dtype) {
  const auto* found =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeInfo& d) { return d.dtype == dtype; });
  if (found == kDtypes.end()) throw std::invalid_argument("not a safetensors element type");
  return *found;
}

// The reference implementation's own limit: a header beyond it is a lie, not a model.
constexpr std::uint64_t kHeaderLimitBytes = 100'000'000;

// False when the product does not fit.
bool product(const std::vector<std::size_t>& factors, std::size_t& result) {
  result = 1;
  for (const std::size_t f : factors) {
    if (f != 0 && result > std::numeric_limits<std::size_t>::max() / f) return false;
    result *= f;
  }
  return true;
}

// One entry of the header. `data` is the part of the file after the header.
TensorView read_entry(const std::string& file, const std::string& name, const nlohmann::json& entry,
                      const std::uint8_t* data, std::size_t data_bytes) {
  const auto fail = [&](const std::string& what) -> InputError {
    return InputError({file, 0, 0}, "tensor '" + config::printable(name) + "': " + what);
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets"))
    throw fail("expected an object with dtype, shape and data_offsets");
  for (const auto& [key, value] : entry.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      throw fail("has the key '" + config::printable(key) + "', expected dtype, shape and data_offsets alone");
  TensorView view;
  view.name = name;

  const nlohmann::json& dtype = entry["dtype"];
  if (!dtype.is_string()) throw fail("dtype is not a string");
  const std::string& type_name = dtype.get_ref<const std::string&>();
  const auto* type =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeInfo& d) { return type_name == d.name; });
  if (type == kDtypes.end())
    throw fail("unknown dtype '" + config::printable(type_name) + "', expected one such as F32, F16, BF16 or U8");
  view.dtype = type->dtype;

  const nlohmann::json& shape = entry["shape"];
  if (!shape.is_array()) throw fail("shape is not an array");
  for (const nlohmann::json& extent : shape) {
    if (!extent.is_number_unsigned()) throw fail("shape holds something other than non-negative integers");
    view.shape.push_back(extent.get<std::size_t>());
  }

  const nlohmann::json& offsets = entry["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned())
    throw fail("data_offsets is not a pair of non-negative integers");
  const std::uint64_t begin = offsets[0].get<std::uint64_t>();
  const std::uint64_t end = offsets[1].get<std::uint64_t>();
  if (begin > end || end > data_bytes)
    throw fail(fmt::format("data_offsets [{}, {}] leave the file's {} bytes of data", begin, end, data_bytes));

  std::size_t elements = 0;
  if (!product(view.shape, elements) || elements > std::numeric_limits<std::size_t>::max() / type->bytes ||
      elements * type->bytes != end - begin)
    throw fail(fmt::format("shape {} of {} does not take the {} bytes of its data_offsets", shape_text(view.shape),
                           type_name, end - begin));
  view.data = data + begin;
  view.bytes = end - begin;
  return view;
}

nlohmann::json parse_header(const std::string& file, const char* begin, const char* end) {
  const std::string_view text(begin, static_cast<std::size_t>(end - begin));
  nlohmann::json header = config::parse_json_values(text, [&](std::size_t byte, const std::string& what) {
    throw InputError({file, 0, 0}, fmt::format("the header, at byte {} of the file: {}", 8 + byte, what));
  });
  if (!header.is_object()) throw InputError({file, 0, 0}, "the header is not a JSON object");
  return header;
}

template <typename T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T, typename Convert>
std::vector<float> convert(const TensorView& tensor, Convert to) {
  std::vector<float> out(tensor.elements());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = to(load<T>(tensor.data + i * sizeof(T)));
  return out;
}

template <typename T>
std::vector<float> convert(const TensorView& tensor) {
  return convert<T>(tensor, [](T value) { return static_cast<float>(value); });
}

}  // namespace

const char* dtype_name(Dtype dtype) { return info(dtype).name; }
std::size_t dtype_bytes(Dtype dtype) { return info(dtype).bytes; }

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += fmt::format("{}{}", (i ? ", " : ""), shape[i]);
  return text + ']';
}

struct SafetensorsFile::State {
  std::filesystem::path path;
  boost::iostreams::mapped_file_source map;
  std::vector<TensorView> tensors;
  std::unordered_map<std::string, std::size_t> index;
  std::map<std::string, std::string> metadata;
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  const std::string file = path.string();
  state_->path = path;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) throw InputError({file, 0, 0}, "no such file");
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) throw InputError({file, 0, 0}, error.message());
  if (size < 8) throw InputError({file, 0, 0}, fmt::format("too short for a safetensors file ({} bytes)", size));
  try {
    state_->map.open(path.string());
  } catch (const std::exception& e) {
    throw InputError({file, 0, 0}, std::string("cannot be read: ") + e.what());
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(state_->map.data());
  std::uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) header_bytes = header_bytes << 8 | bytes[i];
  if (header_bytes > kHeaderLimitBytes || header_bytes > state_->map.size() - 8)
    throw InputError(
        {file, 0, 0},
        fmt::format("not a safetensors file, or a truncated one: it states a header of {} bytes in a file of {}",
                    header_bytes, size));
  const std::uint8_t* data = bytes + 8 + header_bytes;
  const std::size_t data_bytes = state_->map.size() - 8 - header_bytes;
  const nlohmann::json header = parse_header(file, state_->map.data() + 8, state_->map.data() + 8 + header_bytes);

  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      state_->tensors.push_back(read_entry(file, name, entry, data, data_bytes));
      continue;
    }
    if (!entry.is_object()) throw InputError({file, 0, 0}, "__metadata__ is not an object");
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string())
        throw InputError({file, 0, 0}, "__metadata__ '" + config::printable(key) + "' is not a string");
      state_->metadata[key] = value.get<std::string>();
    }
  }

  std::sort(state_->tensors.begin(), state_->tensors.end(), [](const TensorView& a, const TensorView& b) {
    return std::pair(a.data, a.bytes) < std::pair(b.data, b.bytes);
  });
  const std::uint8_t* next = data;
  for (const TensorView& t : state_->tensors) {
    if (t.data != next)
      throw InputError({file, 0, 0},
                       "tensor '" + config::printable(t.name) + "': its data " +
                           (t.data < next ? "overlap those of another tensor" : "leave a gap before them"));
    next = t.data + t.bytes;
  }
  if (next != data + data_bytes)
    throw InputError({file, 0, 0}, fmt::format("{} bytes after the last tensor", data + data_bytes - next));
  for (std::size_t i = 0; i < state_->tensors.size(); ++i) state_->index[state_->tensors[i].name] = i;
}

SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::filesystem::path& SafetensorsFile::path() const { return state_->path; }
const std::vector<TensorView>& SafetensorsFile::tensors() const { return state_->tensors; }
const std::map<std::string, std::string>& SafetensorsFile::metadata() const { return state_->metadata; }

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto found = state_->index.find(name);
  return found == state_->index.end() ? nullptr : &state_->tensors[found->second];
}

const TensorView& SafetensorsFile::at(const std::string& name) const {
  if (const TensorView* found = find(name)) return *found;
  std::string message = "no tensor '" + config::printable(name) + "'";
  std::vector<std::string> names;
  for (const TensorView& t : state_->tensors) names.push_back(t.name);
  const std::string nearest = config::nearest(name, names);
  if (!nearest.empty()) message += ", nearest: '" + config::printable(nearest) + "'";
  throw InputError({state_->path.string(), 0, 0}, message);
}

const TensorView& SafetensorsFile::at(const std::string& name, Dtype dtype,
                                      const std::vector<std::size_t>& shape) const {
  const TensorView& tensor = at(name);
  if (tensor.dtype != dtype || tensor.shape != shape)
    throw InputError({state_->path.string(), 0, 0}, "tensor '" + config::printable(name) + "' is " +
                                                        dtype_name(tensor.dtype) + ' ' + shape_text(tensor.shape) +
                                                        ", expected " + dtype_name(dtype) + ' ' + shape_text(shape));
  return tensor;
}

std::vector<float> to_float(const TensorView& tensor) {
  switch (tensor.dtype) {
    case Dtype::kBool:
    case Dtype::kU8:
      return convert<std::uint8_t>(tensor);
    case Dtype::kI8:
      return convert<std::int8_t>(tensor);
    case Dtype::kU16:
      return convert<std::uint16_t>(tensor);
    case Dtype::kI16:
      return convert<std::int16_t>(tensor);
    case Dtype::kU32:
      return convert<std::uint32_t>(tensor);
    case Dtype::kI32:
      return convert<std::int32_t>(tensor);
    case Dtype::kU64:
      return convert<std::uint64_t>(tensor);
    case Dtype::kI64:
      return convert<std::int64_t>(tensor);
    case Dtype::kF32:
      return convert<float>(tensor);
    case Dtype::kF64:
      return convert<double>(tensor);
    case Dtype::kF16:
      return convert<std::uint16_t>(tensor, [](std::uint16_t bits) { return formats::to_float(formats::Fp16{bits}); });
    case Dtype::kBf16:
      return convert<std::uint16_t>(tensor, [](std::uint16_t bits) { return formats::to_float(formats::Bf16{bits}); });
    case Dtype::kF8E4M3:
    case Dtype::kF8E5M2:
      break;
  }
  throw InputError("tensor '" + tensor.name + "': " + dtype_name(tensor.dtype) + " cannot be read as numbers here");
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::vector<std::size_t> sizes;
  std::size_t offset = 0;
  for (const TensorToWrite& t : tensors) {
    std::size_t elements = 0;
    if (!product(t.shape, elements)) throw std::invalid_argument("tensor '" + t.name + "' is too large");
    if (t.name == "__metadata__" || header.contains(t.name))
      throw std::invalid_argument("tensor name '" + t.name + "' occurs twice or is reserved");
    sizes.push_back(elements * dtype_bytes(t.dtype));
    header[t.name] = {
        {"dtype", dtype_name(t.dtype)}, {"shape", t.shape}, {"data_offsets", {offset, offset + sizes.back()}}};
    offset += sizes.back();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');

  OutputFile out(path);
  std::string length;
  for (std::size_t i = 0; i < 8; ++i) length += static_cast<char>(text.size() >> 8 * i & 0xFF);
  out.write(length);
  out.write(text);
  for (std::size_t i = 0; i < tensors.size(); ++i) out.write({static_cast<const char*>(tensors[i].data), sizes[i]});
  out.commit();
}

}  // namespace harmonia::testbench
