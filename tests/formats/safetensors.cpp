#include "harmonia/testbench/weights/safetensors.h"

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/hw/formats/random.h"
#include "tests/support/catch.h"

using namespace harmonia::testbench;
using harmonia::config::InputError;

namespace {

// A folder of its own for each test case, removed at its end.
class Scratch {
 public:
  Scratch() : folder_(std::filesystem::temp_directory_path() / ("harmonia-safetensors-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Scratch() { std::filesystem::remove_all(folder_); }
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
};

std::string with_header(const std::string& header, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> 8 * i & 0xFF);
  return bytes + header + std::string(data_bytes, '\0');
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

template <typename Act>
std::string refused(Act act) {
  try {
    act();
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

std::string refusal(const std::filesystem::path& path) {
  return refused([&] { SafetensorsFile file(path); });
}

bool contains(const std::string& text, const std::string& part) {
  INFO("'" << text << "' should hold '" << part << "'");
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("safetensors: what is written is read back") {
  Scratch scratch;
  const std::vector<float> a = {1.5F, -2, 0.25F, 3, 4, 5};
  const std::vector<std::uint16_t> half = {0x3C00, 0xC000, 0x0001};
  const std::vector<std::uint16_t> brain = {0x3F80, 0xC000};
  const std::vector<std::int8_t> bytes = {-128, 127, 0};
  const double scalar = 0.1;
  const auto path = scratch.file("a.safetensors");
  write_safetensors(path,
                    {{"a", Dtype::kF32, {2, 3}, a.data()},
                     {"bytes", Dtype::kI8, {3}, bytes.data()},
                     {"half", Dtype::kF16, {3, 1}, half.data()},
                     {"brain", Dtype::kBf16, {2}, brain.data()},
                     {"empty", Dtype::kF32, {0, 7}, nullptr},
                     {"scalar", Dtype::kF64, {}, &scalar}},
                    {{"format", "test"}});
  SafetensorsFile file(path);
  CHECK(file.tensors().size() == 6);
  CHECK(file.metadata().at("format") == "test");
  CHECK(file.at("a").shape == std::vector<std::size_t>{2, 3});
  CHECK(to_float(file.at("a", Dtype::kF32, {2, 3})) == a);
  CHECK(to_float(file.at("bytes")) == std::vector<float>{-128, 127, 0});
  CHECK(to_float(file.at("half")) == std::vector<float>{1, -2, 0x1p-24F});
  CHECK(to_float(file.at("brain")) == std::vector<float>{1, -2});
  CHECK(to_float(file.at("empty")).empty());
  CHECK(to_float(file.at("scalar")) == std::vector<float>{0.1F});
  CHECK(file.find("b") == nullptr);
  CHECK(contains(refused([&] { file.at("hlaf"); }), "no tensor 'hlaf', nearest: 'half'"));
  CHECK(contains(refused([&] { file.at("a", Dtype::kF32, {3, 2}); }), "is F32 [2, 3], expected F32 [3, 2]"));
  CHECK_THROWS_AS(write_safetensors(path, {{"x", Dtype::kU8, {0}, nullptr}, {"x", Dtype::kU8, {0}, nullptr}}),
                  std::invalid_argument);
  CHECK(SafetensorsFile(path).tensors().size() == 6);
}

TEST_CASE("safetensors: lies in the header are refused, each with its own message") {
  Scratch scratch;
  const auto path = scratch.file("lie.safetensors");
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const struct {
    std::string bytes;
    std::string expected;
  } cases[] = {
      {"1234567", "too short"},
      {std::string(8, '\xFF'), "truncated"},
      {std::string("\x10\0\0\0\0\0\0\0{}", 10), "truncated"},
      {with_header("{\"t\":", 0), "this is not valid JSON"},
      {with_header("[]", 0), "not a JSON object"},
      {with_header(R"({"t":3})", 0), "expected an object with dtype"},
      {with_header(R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"scale":2}})", 1), "has the key 'scale'"},
      {with_header(R"({"\u001b[2J":3})", 0), "tensor '\\x1b[2J'"},
      {with_header(R"({"t":{"dtype":"\u001b[2J","shape":[1],"data_offsets":[0,1]}})", 1), "dtype '\\x1b[2J'"},
      {with_header(R"({"__metadata__":{"a":1}})", 0), "'a' is not a string"},
      {with_header(entry("F31", "[1]", "[0,4]"), 4), "unknown dtype 'F31'"},
      {with_header(entry("F32", "4", "[0,4]"), 4), "shape is not an array"},
      {with_header(entry("F32", "[-1]", "[0,4]"), 4), "non-negative"},
      {with_header(entry("F32", "[1.0]", "[0,4]"), 4), "non-negative"},
      {with_header(entry("F32", "[1]", "[0]"), 4), "pair"},
      {with_header(entry("F32", "[1]", "[0,-4]"), 4), "pair"},
      {with_header(entry("F32", "[1]", "[4,0]"), 4), "leave the file's 4 bytes"},
      {with_header(entry("F32", "[2]", "[0,8]"), 4), "leave the file's 4 bytes"},
      {with_header(entry("F32", "[2]", "[0,4]"), 4), "does not take the 4 bytes"},
      {with_header(entry("F32", "[4294967296,4294967296]", "[0,0]"), 0), "does not take the 0 bytes"},
      {with_header(entry("F32", "[4611686018427387904]", "[0,0]"), 0), "does not take the 0 bytes"},
      {with_header(entry("U8", "[2]", "[1,3]"), 3), "leave a gap"},
      {with_header(entry("U8", "[2]", "[0,2]"), 3), "1 bytes after the last tensor"},
      {with_header(
           R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
           3),
       "overlap"},
      {with_header(
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
           1),
       "at byte 61 of the file: key 'a' is there twice"},
      {with_header(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1),
       "at byte 39 of the file: key 'shape' is there twice"},
      {with_header(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "key 'k' is there twice"}};
  for (const auto& c : cases) {
    write(path, c.bytes);
    INFO(c.bytes);
    CHECK(contains(refusal(path), c.expected));
    CHECK(contains(refusal(path), "lie.safetensors"));
  }
  CHECK(contains(refusal(scratch.file("absent")), "no such file"));
}

TEST_CASE("safetensors: a damaged file is refused or read, never worse") {
  Scratch scratch;
  const auto path = scratch.file("damaged.safetensors");
  const std::vector<float> a(64, 1.0F);
  write_safetensors(path, {{"a", Dtype::kF32, {8, 8}, a.data()}, {"b", Dtype::kF32, {4}, a.data()}}, {{"k", "v"}});
  std::string good(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(good.data(), static_cast<std::streamsize>(good.size()));
  for (std::size_t length = 0; length < good.size(); ++length) {
    write(path, good.substr(0, length));
    REQUIRE(refusal(path) != "accepted");
  }
  const std::uint64_t seed = 11;
  INFO("seed " << seed);
  harmonia::formats::SplitMix64 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[random.next() % 160] = static_cast<char>(random.next() & 0xFF);
    write(path, bad);
    try {
      SafetensorsFile file(path);
      for (const TensorView& t : file.tensors())
        if (t.dtype != Dtype::kF8E4M3 && t.dtype != Dtype::kF8E5M2) REQUIRE(to_float(t).size() == t.elements());
    } catch (const InputError&) {
    }
  }
}
