// A scenario: YAML, names that are looked up, every check of its fields.
#include "harmonia/testbench/scenario/scenario.h"

#include "harmonia/config/yaml.h"
#include "tests/fuzz/support.h"

using namespace harmonia;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const testbench::Library library;
  try {
    const config::Node document =
        config::parse_yaml(std::string_view(reinterpret_cast<const char*>(data), size), "input.yaml");
    const testbench::LoadedScenario loaded = testbench::load_scenario(document, {}, library);
    // What was accepted reads back from its own resolved form.
    testbench::load_scenario(loaded.resolved, {}, library);
  } catch (const config::InputError&) {
  }
  return 0;
}
