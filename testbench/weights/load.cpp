#include <filesystem>

#include "harmonia/testbench/weights/gguf.h"
#include "harmonia/testbench/weights/huggingface.h"
#include "harmonia/testbench/weights/llama2c.h"
#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

ModelWeights load_weights(const std::string& path) {
  const std::filesystem::path p(path);
  if (std::filesystem::is_directory(p) || p.extension() == ".safetensors") {
    ModelWeights model = load_huggingface(p);
    model.require_finite();
    return model;
  }
  const auto file = std::make_shared<MappedFile>(path);
  ModelWeights model = is_gguf(file->bytes()) ? parse_gguf(file->bytes()) : parse_llama2c(file->bytes());
  model.storage.push_back(file);
  model.require_finite();
  return model;
}

}  // namespace harmonia::testbench
