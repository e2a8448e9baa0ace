// Request traces in their three forms, plain and gzip.
#include "harmonia/testbench/replay/request_trace.h"

#include "tests/fuzz/support.h"

using namespace harmonia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::InputFile file(".csv");
  try {
    testbench::read_request_trace(file.write(data, size), 1000);
  } catch (const config::InputError&) {
  }
  return 0;
}
