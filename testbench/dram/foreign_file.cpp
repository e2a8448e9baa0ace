#include "harmonia/testbench/dram/foreign_file.h"

#include <algorithm>

#include "harmonia/config/error.h"

namespace harmonia::testbench {
namespace {

constexpr const char* kInstead =
    ", which is not read; expected a DRAM channel as YAML (`harmonia list drams` names presets that it can be based "
    "on, docs/dram.md "
    "lists the keys)";

}  // namespace

std::string foreign_by_line(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  line.remove_prefix(first);
  for (const char* section : {"[dram_structure]", "[timing]", "[power]", "[system]", "[other]"})
    if (line.compare(0, std::string_view(section).size(), section) == 0) return "a configuration of DRAMsim3 (INI)";
  // gem5: r|w|u, address, bytes, flags, tick.
  if (line.size() > 2 && line[1] == ',' && (line[0] == 'r' || line[0] == 'w' || line[0] == 'u') &&
      std::count(line.begin(), line.end(), ',') == 4)
    return "a packet trace of gem5 in ASCII";
  return {};
}

std::string foreign_by_keys(const config::Node& document) {
  if (!document.is_map()) return {};
  if (document.find("MemorySystem") && document.find("Frontend")) return "a configuration of Ramulator 2";
  for (const char* key : {"memspec", "simulation", "mcconfig", "CONGEN"})
    if (document.find(key)) return std::string("a configuration of DRAMSys (") + key + ")";
  return {};
}

void refuse_foreign(const std::string& file, std::string_view first_line) {
  const std::string what = foreign_by_line(first_line);
  if (what.empty()) return;
  if (what.find("trace") != std::string::npos)
    throw config::InputError({file, 0, 0},
                             "this is " + what +
                                 ", which is not read; expected one of: 0xADDR READ|WRITE CYCLE, LD|ST ADDR, "
                                 "R|W c,...,row,column, CYCLE: read|write 0xADDR, or the heading op,addr_hex");
  throw config::InputError({file, 0, 0}, "this is " + what + kInstead);
}

void refuse_foreign(const std::string& file, const config::Node& document) {
  const std::string what = foreign_by_keys(document);
  if (!what.empty()) throw config::InputError({file, 0, 0}, "this is " + what + kInstead);
}

}  // namespace harmonia::testbench
