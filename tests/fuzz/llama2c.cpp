// llama2.c's model.bin and tokenizer.bin: the first byte of the input chooses, the rest is the file.
#include "harmonia/testbench/weights/llama2c.h"

#include "tests/fuzz/support.h"

using namespace harmonia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const testbench::Bytes bytes{data + 1, size - 1, "input"};
  try {
    if (data[0] == 0)
      fuzz::use(testbench::parse_llama2c(bytes));
    else
      fuzz::use(testbench::parse_llama2c_tokenizer(bytes, 263));
  } catch (const config::InputError&) {
  }
  return 0;
}
