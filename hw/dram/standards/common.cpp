// Timing rules that the standards share.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram {

std::vector<TimingRule> with_common_rules(const std::vector<TimingRule>& own) {
  using C = Cmd;
  using L = Level;
  std::vector<TimingRule> rules = {
      // One bank: open, access, close, open again.
      {L::kBank, C::kAct, C::kRd, "RCDRD"},
      {L::kBank, C::kAct, C::kWr, "RCDWR"},
      {L::kBank, C::kAct, C::kPre, "RAS"},
      {L::kBank, C::kAct, C::kAct, "RC"},
      {L::kBank, C::kAct, C::kRefPb, "RC"},
      {L::kBank, C::kPre, C::kAct, "RP"},
      {L::kBank, C::kPre, C::kRefPb, "RP"},
      {L::kUnit, C::kPre, C::kRef, "RP"},
      {L::kUnit, C::kPreAll, C::kAct, "RPab"},
      {L::kUnit, C::kPreAll, C::kRef, "RPREF"},
      {L::kUnit, C::kPreAll, C::kRefPb, "RPab"},
      {L::kUnit, C::kPre, C::kPre, "PPD"},
      // Activates of one unit.
      {L::kBankGroup, C::kAct, C::kAct, "RRD_L"},
      {L::kUnit, C::kAct, C::kAct, "RRD_S"},
      {L::kUnit, C::kAct, C::kAct, "FAW", 4},
      // Column commands of one unit.
      {L::kBankGroup, C::kRd, C::kRd, "CCD_L"},
      {L::kUnit, C::kRd, C::kRd, "CCD_S"},
      {L::kBankGroup, C::kWr, C::kWr, "CCD_L_WR"},
      {L::kUnit, C::kWr, C::kWr, "CCD_S"},
      {L::kUnit, C::kRd, C::kWr, "RTW"},
      // Column commands of two ranks on one data bus: only the bus itself and a bubble.
      {L::kOtherUnit, C::kRd, C::kRd, "BURST + RTRS"},
      {L::kOtherUnit, C::kWr, C::kWr, "BURST + RTRS"},
      {L::kOtherUnit, C::kRd, C::kWr, "CL + BURST + RTRS - CWL"},
      {L::kOtherUnit, C::kWr, C::kRd, "CWL + BURST + RTRS - CL"},
      // Refresh.
      {L::kUnit, C::kRef, C::kAct, "RFC"},
      {L::kUnit, C::kRef, C::kRef, "RFC"},
      {L::kUnit, C::kRef, C::kRefPb, "RFC"},
      {L::kBank, C::kRefPb, C::kAct, "RFCpb"},
      {L::kBank, C::kRefPb, C::kRefPb, "RFCpb"},
      {L::kUnit, C::kRefPb, C::kRef, "RFCpb"},
      {L::kUnit, C::kRefPb, C::kRefPb, "PBR2PBR"},
      {L::kUnit, C::kRefPb, C::kAct, "RREFD"},
      {L::kUnit, C::kAct, C::kRefPb, "RRD_S"},
      // Power-down.
      {L::kUnit, C::kPdExit, C::kAct, "XP"},
      {L::kUnit, C::kPdExit, C::kRd, "XP"},
      {L::kUnit, C::kPdExit, C::kWr, "XP"},
      {L::kUnit, C::kPdExit, C::kPre, "XP"},
      {L::kUnit, C::kPdExit, C::kRef, "XP"},
      {L::kUnit, C::kPdExit, C::kRefPb, "XP"},
      {L::kUnit, C::kPdExit, C::kPdEnter, "CKE"},
      {L::kUnit, C::kPdEnter, C::kPdExit, "CKE"},
      {L::kUnit, C::kRd, C::kPdEnter, "CL + BURST + 1"},
      {L::kUnit, C::kWr, C::kPdEnter, "CWL + BURST + WR + 1"},
      {L::kUnit, C::kRef, C::kPdEnter, "RFC"},
      {L::kUnit, C::kRefPb, C::kPdEnter, "RFCpb"},
      {L::kUnit, C::kPre, C::kPdEnter, "1"},
      {L::kUnit, C::kPreAll, C::kPdEnter, "1"},
      {L::kUnit, C::kAct, C::kPdEnter, "RCDRD"},
  };
  rules.insert(rules.end(), own.begin(), own.end());
  return rules;
}

const std::vector<TimingRule>& usual_recovery_rules() {
  static const std::vector<TimingRule> rules = {
      {Level::kBank, Cmd::kRd, Cmd::kPre, "RTP"},
      {Level::kBank, Cmd::kWr, Cmd::kPre, "CWL + BURST + WR"},
      {Level::kBankGroup, Cmd::kWr, Cmd::kRd, "CWL + BURST + WTR_L"},
      {Level::kUnit, Cmd::kWr, Cmd::kRd, "CWL + BURST + WTR_S"},
  };
  return rules;
}

}  // namespace harmonia::dram
