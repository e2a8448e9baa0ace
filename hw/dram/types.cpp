#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

const char* cmd_name(Cmd c, bool split_activate) {
  static const char* const names[kCmdCount] = {"ACT", "ACT2",  "PRE",    "PREA",   "RD",  "WR",
                                               "REF", "REFpb", "CAS_RD", "CAS_WR", "PDE", "PDX"};
  if (c == Cmd::kAct && split_activate) return "ACT1";
  return names[static_cast<int>(c)];
}

const char* param_name(Param p) {
  static const char* const names[] = {
#define X(name, meaning) #name,
      HARMONIA_DRAM_PARAMETERS(X)
#undef X
  };
  return names[static_cast<int>(p)];
}

const char* param_meaning(Param p) {
  static const char* const meanings[] = {
#define X(name, meaning) meaning,
      HARMONIA_DRAM_PARAMETERS(X)
#undef X
  };
  return meanings[static_cast<int>(p)];
}

}  // namespace harmonia::dram
