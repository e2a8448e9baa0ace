// Address traces in their forms, plain and gzip, held against a DDR4 channel.
#include "harmonia/testbench/dram/address_trace.h"

#include "harmonia/testbench/dram/channel_file.h"
#include "tests/fuzz/support.h"

using namespace harmonia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::InputFile file(".trace");
  static const dram::Config channel = testbench::load_channel("DDR4-3200").config;
  testbench::AddressTraceOptions options;
  options.limit = 1000;
  options.wrap = size % 2 != 0;
  try {
    testbench::AddressTrace trace(file.write(data, size), channel, options);
    for (testbench::TrafficRequest r; trace.next(r);) {
    }
  } catch (const config::InputError&) {
  }
  return 0;
}
