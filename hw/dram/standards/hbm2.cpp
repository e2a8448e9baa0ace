// HBM2 and HBM2E (JESD235), one pseudo channel: row and column commands on separate pins, two-cycle ACT whose timings
// count from the second edge.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard hbm2() {
  Standard s;
  s.name = "HBM2";
  s.extensions = {"HBM2E"};
  s.has_ranks = false;
  s.has_pseudo_channels = true;
  s.split_command_bus = true;
  s.from_last_edge = true;
  s.set_command_cycles({{Cmd::kAct, 2}});
  s.rules = with_common_rules(usual_recovery_rules());
  s.presets = {
      {"HBM2-2000", "HBM2 2.0 Gb/s, one 64-bit pseudo channel",
       "JESD235 refresh and turnaround rules; core timings as in Ramulator 2.1 hbm2.py and DRAMsim3 HBM2_8Gb_x128.ini",
       "CL CWL RCDRD RCDWR RP RAS RC WR RTP RRD_S RRD_L RFCpb RTRS XP CKE currents",
       "tCK_ps=1000 rate_MTs=2000 width_bits=64 BL=4 bankgroups=4 banks_per_group=4 rows=32768 columns=128 "
       "CL=14 CWL=5 RCDRD=14 RCDWR=12 RP=14 RAS=34 RC=48 WR=16 RTP=5 CCD_S=2 CCD_L=4 RRD_S=4 RRD_L=6 WTR_S=6 WTR_L=8 "
       "RTW=13 FAW=16 RFC=260 RFCpb=130 PBR2PBR=130 RREFD=8 REFI=3900 "
       "RTRS=2 XP=8 CKE=8 queue_entries=128 mapping=rbc "
       "VDD=1.2 IDD0=65 IDD2N=40 IDD3N=55 IDD2P=28 IDD3P=40 IDD4R=390 IDD4W=500 IDD5B=250 devices=1",
       "hbm2_2000.rbc"},
      {"HBM2-2400", "HBM2 2.4 Gb/s, one 64-bit pseudo channel",
       "as HBM2-2000; core timings as in Ramulator 2.1 hbm2.py, the rest from ns at 833 ps",
       "CL CWL RCDRD RCDWR RP RAS RC WR RTP RRD_S RRD_L FAW RFC RFCpb RTRS XP CKE currents",
       "tCK_ps=833.333 rate_MTs=2400 width_bits=64 BL=4 bankgroups=4 banks_per_group=4 rows=32768 columns=128 "
       "CL=17 CWL=6 RCDRD=17 RCDWR=14 RP=17 RAS=40 RC=57 WR=19 RTP=6 CCD_S=2 CCD_L=4 RRD_S=5 RRD_L=8 WTR_S=8 WTR_L=10 "
       "FAW=20 RFC=312 RFCpb=156 PBR2PBR=156 RREFD=10 REFI=4680 "
       "RTRS=2 XP=10 CKE=10 queue_entries=128 mapping=rbc "
       "VDD=1.2 IDD0=68 IDD2N=42 IDD3N=58 IDD2P=28 IDD3P=40 IDD4R=460 IDD4W=590 IDD5B=250 devices=1"},
      {"HBM2E-3200", "HBM2E 3.2 Gb/s, one 64-bit pseudo channel",
       "HBM2-2000 in ns at 625 ps; CCD_S 2 nCK by JESD235; RRD and FAW as in a public Ramulator 2 preset",
       "CL CWL RCDRD RCDWR RP RAS RC WR RTP CCD_L RRD_S RRD_L WTR_S WTR_L FAW RFC RFCpb RTRS XP CKE currents",
       "tCK_ps=625 rate_MTs=3200 width_bits=64 BL=4 bankgroups=4 banks_per_group=4 rows=32768 columns=128 "
       "CL=23 CWL=8 RCDRD=23 RCDWR=20 RP=23 RAS=55 RC=78 WR=26 RTP=8 CCD_S=2 CCD_L=4 RRD_S=5 RRD_L=6 WTR_S=10 WTR_L=13 "
       "FAW=26 RFC=416 RFCpb=208 PBR2PBR=208 RREFD=13 REFI=6240 "
       "RTRS=2 XP=13 CKE=13 queue_entries=128 mapping=rbc "
       "VDD=1.2 IDD0=75 IDD2N=45 IDD3N=62 IDD2P=28 IDD3P=40 IDD4R=600 IDD4W=760 IDD5B=260 devices=1"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
