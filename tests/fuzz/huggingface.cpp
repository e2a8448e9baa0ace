// A .safetensors file with the model's description in its metadata, and, when the input begins with a brace,
// config.json.
#include "harmonia/testbench/weights/huggingface.h"

#include "tests/fuzz/support.h"

using namespace harmonia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::InputFile file(".safetensors");
  try {
    if (size > 0 && data[0] == '{')
      testbench::parse_huggingface_config(std::string(reinterpret_cast<const char*>(data), size), "config.json");
    else
      fuzz::use(testbench::load_huggingface(file.write(data, size)));
  } catch (const config::InputError&) {
  }
  return 0;
}
