// LPDDR5 and LPDDR5X (JESD209-5) in bank-group mode, CK:WCK 1:4: activate in two commands, CAS to bring WCK in step.
// Distances from an activate count from ACT1.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard lpddr5() {
  Standard s;
  s.name = "LPDDR5";
  s.extensions = {"LPDDR5X"};
  s.split_activate = true;
  s.wck_sync = true;
  s.has_group_burst = true;
  s.refresh_urgency = RefreshUrgency::kAfterAccess;
  // JESD209-5 reads as RPab before REF here too. Ramulator 2.1, the only outside measurement of LPDDR5, and the checkers
  // that go with it count RP; set RPREF to be strict.
  s.defaults = {{Param::RPREF, "RP"}, {Param::BLMAX, "CCD_L"}, {Param::WCKPST, "1"}, {Param::PPD, "2"}};
  s.rules = with_common_rules({
      {Level::kBank, Cmd::kRd, Cmd::kPre, "RTP"},
      {Level::kBank, Cmd::kWr, Cmd::kPre, "CWL + BURST + WR"},
      // In its own bank group a burst occupies BL/n_max.
      {Level::kBankGroup, Cmd::kWr, Cmd::kRd, "CWL + BLMAX + WTR_L"},
      {Level::kUnit, Cmd::kWr, Cmd::kRd, "CWL + BURST + WTR_S"},
  });
  s.presets = {
      {"LPDDR5-6400", "LPDDR5-6400 8Gb x16, bank-group mode, CKR 4:1",
       "JESD209-5B tables 235, 330-344, 372 as cited by Ramulator 2.1 lpddr5.py", "RPREF RTW RTRS XP CKE currents",
       "tCK_ps=1250 rate_MTs=6400 width_bits=16 BL=16 bankgroups=4 banks_per_group=4 rows=32768 columns=1024 "
       "CL=17 CWL=9 RCD=15 RP=15 RPab=17 RAS=34 RC=49 WR=28 RTP=8 CCD_S=2 CCD_L=4 RRD_S=4 RRD_L=4 WTR_S=5 WTR_L=10 "
       "FAW=16 RFC=168 RFCpb=96 PBR2PBR=72 RREFD=6 REFI=3125 REFIpb=391 "
       "PPD=2 AAD=8 WCKPST=1 BLMAX=4 RTRS=2 XP=6 CKE=6 queue_entries=128 mapping=cbg "
       "VDD=1.05 IDD0=65 IDD2N=28 IDD3N=34 IDD2P=3 IDD3P=9 IDD4R=330 IDD4W=300 IDD5B=110 devices=1",
       "lpddr5_6400.cbg"},
      {"LPDDR5X-8533", "LPDDR5X-8533 8Gb x16, bank-group mode, CKR 4:1",
       "JESD209-5 ns rules at 937.5 ps (RCD 18, RP 18, RPab 21, RAS 42, WR 34, WTR_S 6.25, WTR_L 12, RRD 5, FAW 20, "
       "RFC 210 ns); latencies as in a public Ramulator 2 preset",
       "CL CWL RPREF RTP RTW RTRS XP CKE currents",
       "tCK_ps=937.5 rate_MTs=8533 width_bits=16 BL=16 bankgroups=4 banks_per_group=4 rows=32768 columns=1024 "
       "CL=26 CWL=12 RCD=20 RP=20 RPab=23 RAS=45 RC=65 WR=37 RTP=8 CCD_S=2 CCD_L=4 RRD_S=6 RRD_L=6 WTR_S=7 WTR_L=13 "
       "FAW=22 RFC=224 RFCpb=128 PBR2PBR=96 RREFD=8 REFI=4166 REFIpb=521 "
       "PPD=2 AAD=8 WCKPST=1 BLMAX=4 RTRS=2 XP=8 CKE=8 queue_entries=128 mapping=cbg "
       "VDD=1.05 IDD0=65 IDD2N=28 IDD3N=34 IDD2P=3 IDD3P=9 IDD4R=420 IDD4W=385 IDD5B=110 devices=1"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
