// What the fuzz targets share: a file with the input as its contents, and the use of a model that a reader accepted.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"

namespace harmonia::fuzz {

/// A file of this process that is written anew for each input; in memory where the system has such a folder.
class InputFile {
 public:
  explicit InputFile(const std::string& ending) {
    const std::filesystem::path memory = "/dev/shm";
    const std::filesystem::path folder =
        std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    path_ = (folder / ("harmonia-fuzz-" + std::to_string(getpid()) + ending)).string();
  }
  ~InputFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& write(const std::uint8_t* data, std::size_t size) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return path_;
  }

 private:
  std::string path_;
};

/// A model that a loader took must be usable: a token runs through it (every tensor is decoded on the way).
inline void use(testbench::ModelWeights model) {
  const auto shared = std::make_shared<const testbench::ModelWeights>(std::move(model));
  testbench::ReferenceLlama engine(shared);
  std::vector<float> logits;
  engine.step({shared->info.shape.vocab_size - 1}, logits);
}

inline void use(const testbench::Tokenizer& tokenizer) {
  const std::vector<int> tokens = tokenizer.encode("ab ba \xC3\xA9\xFF once upon a time", true);
  tokenizer.decode(tokens);
}

}  // namespace harmonia::fuzz
