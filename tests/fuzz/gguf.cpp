// GGUF: the model and the tokenizer of one file.
#include "harmonia/testbench/weights/gguf.h"

#include "harmonia/testbench/tokenizer/tokenizer.h"
#include "tests/fuzz/support.h"

using namespace harmonia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const testbench::Bytes bytes{data, size, "input"};
  try {
    fuzz::use(testbench::parse_gguf_tokenizer(bytes));
  } catch (const config::InputError&) {
  }
  try {
    fuzz::use(testbench::parse_gguf(bytes));
  } catch (const config::InputError&) {
  }
  return 0;
}
