// The tokenizers of llama2.c and GGUF files.
#include "harmonia/testbench/tokenizer/tokenizer.h"

#include <cstdint>
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/message_of.h"
#include "tests/support/model_files.h"

namespace harmonia::testbench {
namespace {

using test::Blob;
using test::GgufType;
using test::message_of;
using test::TinyModel;

Bytes view(const Blob& blob) { return {blob.data(), blob.size(), "test"}; }

TEST_CASE("tokenizers of llama2.c and GGUF agree, merge and fall back to bytes") {
  const Blob blob = test::llama2c_tokenizer_bytes();
  const Blob gguf = test::gguf_bytes(TinyModel(), GgufType::kF16);
  for (const Tokenizer& t : {parse_llama2c_tokenizer(view(blob), 263), parse_gguf_tokenizer(view(gguf))}) {
    REQUIRE(t.encode("", true) == std::vector<int>{1});
    REQUIRE(t.encode("ab", true) == std::vector<int>{1, 259, 262});
    REQUIRE(t.encode("aab", false) == std::vector<int>{259, 260, 262});
    REQUIRE(t.encode("z\xC3\xA9", false) == std::vector<int>{259, 3 + 'z', 3 + 0xC3, 3 + 0xA9});
    for (const std::string text : {"ab ba", "caf\xC3\xA9", "\xFF\xFE broken", "a\nb"})
      REQUIRE(t.decode(t.encode(text, true)) == text);
  }
}

TEST_CASE("a tokenizer of another vocabulary is refused") {
  const Blob blob = test::llama2c_tokenizer_bytes();
  for (const std::int64_t vocab : {std::int64_t{262}, std::int64_t{264}, std::int64_t{512}, std::int64_t{0},
                                   std::int64_t{-1}, std::int64_t{INT32_MAX}, INT64_MAX})
    REQUIRE_FALSE(message_of([&] { parse_llama2c_tokenizer(view(blob), vocab); }).empty());
  const test::TemporaryFolder folder;
  const std::string gguf = folder.write("model.gguf", test::gguf_bytes(TinyModel(), GgufType::kF16));
  const std::string message = message_of([&] { load_tokenizer(gguf, 512); });
  REQUIRE_THAT(message, ContainsSubstring("263 tokens") && ContainsSubstring("512"));
  const std::string none = folder.write("none.gguf", test::gguf_bytes(TinyModel(), GgufType::kF16, false));
  REQUIRE_FALSE(message_of([&] { load_tokenizer(none, 263); }).empty());
}

}  // namespace
}  // namespace harmonia::testbench
