#include "harmonia/testbench/commands/version.h"

#include <fmt/core.h>
#include <harmonia_revision.h>  // written by the build (cmake/Revision.cmake)
#include <zlib.h>

#include <boost/version.hpp>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <systemc>

namespace harmonia::testbench {

std::string program_version() { return HARMONIA_VERSION; }

std::string program_revision() { return HARMONIA_REVISION; }

std::vector<std::pair<std::string, std::string>> library_versions() {
#ifdef __clang__
  const std::string compiler = "clang++ " + std::to_string(__clang_major__) + '.' + std::to_string(__clang_minor__);
#else
  const std::string compiler = "g++ " + std::to_string(__GNUC__) + '.' + std::to_string(__GNUC_MINOR__);
#endif
  const auto three = [](int major, int minor, int patch) { return fmt::format("{}.{}.{}", major, minor, patch); };
  return {
      {"compiler", compiler},
      {"SystemC", sc_core::sc_release()},
      {"Boost", three(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
      {"fmt", three(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
      {"nlohmann_json", three(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
      {"yaml-cpp", HARMONIA_YAML_CPP_VERSION},
      {"pugixml", three(PUGIXML_VERSION / 1000, PUGIXML_VERSION / 10 % 100, PUGIXML_VERSION % 10)},
      {"zlib", ZLIB_VERSION}};
}

std::string version_text() {
  std::string out = fmt::format("harmonia {} (revision {})\n", program_version(), program_revision());
  for (const auto& [name, version] : library_versions()) out += fmt::format("  {:<14} {}\n", name, version);
  return out;
}

}  // namespace harmonia::testbench
