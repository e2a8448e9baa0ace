// LPDDR4 (JESD209-4): no bank groups; ACT, RD and WR take four clocks of the command bus, PRE and REF two.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard lpddr4() {
  Standard s;
  s.name = "LPDDR4";
  s.has_bank_groups = false;
  s.from_last_edge = true;
  s.trace_shows_last_edge = true;
  s.set_command_cycles({{Cmd::kAct, 4},
                        {Cmd::kRd, 4},
                        {Cmd::kWr, 4},
                        {Cmd::kPre, 2},
                        {Cmd::kPreAll, 2},
                        {Cmd::kRef, 2},
                        {Cmd::kRefPb, 2}});
  s.write_data_delay = 1;
  s.read_recovery_after_burst = true;
  s.has_read_strobe_delay = true;
  s.defaults = {{Param::PPD, "4"}};
  // JESD209-4: from the read, BL/2 + max(8, RTP) - 8; a write needs one clock (tDQSS) before its data.
  s.rules = with_common_rules({
      {Level::kBank, Cmd::kRd, Cmd::kPre, "BURST + RTP - 8"},
      {Level::kBank, Cmd::kWr, Cmd::kPre, "CWL + 1 + BURST + WR"},
      {Level::kBankGroup, Cmd::kWr, Cmd::kRd, "CWL + 1 + BURST + WTR_L"},
      {Level::kUnit, Cmd::kWr, Cmd::kRd, "CWL + 1 + BURST + WTR_S"},
  });
  s.presets = {
      {"LPDDR4-3200", "LPDDR4-3200 8Gb x16, one 16-bit channel",
       "JESD209-4; values as in DRAMSys 5.1 JEDEC_8Gb_LPDDR4-3200_16bit.json", "RTRS XP CKE RTW currents",
       "tCK_ps=625 rate_MTs=3200 width_bits=16 BL=16 bankgroups=1 banks_per_group=8 rows=65536 columns=1024 "
       "CL=28 CWL=14 RCD=29 RP=29 RPab=34 RAS=68 RC=97 WR=29 RTP=12 CCD_S=8 CCD_L=8 RRD_S=16 RRD_L=16 WTR_S=16 "
       "WTR_L=16 RTW=24 FAW=64 RFC=448 RFCpb=224 PBR2PBR=224 RREFD=16 REFI=6246 "
       "PPD=4 RTRS=2 XP=12 CKE=12 queue_entries=128 mapping=rbc "
       "VDD=1.1 IDD0=60 IDD2N=25 IDD3N=30 IDD2P=3 IDD3P=9 IDD4R=230 IDD4W=210 IDD5B=110 devices=1",
       "lpddr4_3200.rbc"},
      {"LPDDR4-4266", "LPDDR4-4266 16Gb x16, one 16-bit channel",
       "JESD209-4; values as in DRAMSys 5.1 JEDEC_1Gbx16_LPDDR4-4266.json", "RTRS XP CKE RTW currents",
       "tCK_ps=468.75 rate_MTs=4266 width_bits=16 BL=16 bankgroups=1 banks_per_group=8 rows=131072 columns=1024 "
       "CL=36 CWL=18 RCD=39 RP=39 RPab=45 RAS=90 RC=129 WR=39 RTP=17 CCD_S=8 CCD_L=8 RRD_S=22 RRD_L=22 WTR_S=22 "
       "WTR_L=22 FAW=86 RFC=812 RFCpb=406 PBR2PBR=406 RREFD=22 REFI=8341 REFIpb=1042 "
       "PPD=4 RTRS=2 XP=16 CKE=16 queue_entries=128 mapping=rbc "
       "VDD=1.1 IDD0=60 IDD2N=25 IDD3N=30 IDD2P=3 IDD3P=9 IDD4R=290 IDD4W=265 IDD5B=110 devices=1"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
