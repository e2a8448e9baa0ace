// DDR4 (JESD79-4): bank groups, one command a cycle.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard ddr4() {
  Standard s;
  s.name = "DDR4";
  s.rules = with_common_rules(usual_recovery_rules());
  s.presets = {
      {"DDR4-3200", "DDR4-3200AA 8Gb x8, 64-bit channel, 1 rank",
       "JESD79-4 speed bin 3200AA (22-22-22); values as in DRAMsim3 DDR4_8Gb_x8_3200.ini and Ramulator 2.1 ddr4.py",
       "RTRS XP CKE currents",
       "tCK_ps=625 rate_MTs=3200 width_bits=64 BL=8 bankgroups=4 banks_per_group=4 rows=65536 columns=1024 "
       "CL=22 CWL=16 RCD=22 RP=22 RAS=52 RC=74 WR=24 RTP=12 CCD_S=4 CCD_L=8 RRD_S=4 RRD_L=8 WTR_S=4 WTR_L=12 RTW=12 "
       "FAW=34 RFC=560 REFI=12480 "
       "RTRS=2 XP=10 CKE=8 queue_entries=64 mapping=bgi "
       "VDD=1.2 IDD0=57 Ibeta=56.25 IDD2N=37 IDD3N=52 IDD2P=25 IDD3P=43 IDD4R=168 IDD4W=150 IDD5B=250 devices=8",
       "ddr4_3200.bgi"},
      {"DDR4-2400", "DDR4-2400T 8Gb x8, 64-bit channel, 1 rank",
       "JESD79-4 speed bin 2400T (17-17-17) and its ns rules at 833 ps", "RTRS XP CKE currents",
       "tCK_ps=833.333 rate_MTs=2400 width_bits=64 BL=8 bankgroups=4 banks_per_group=4 rows=65536 columns=1024 "
       "CL=17 CWL=12 RCD=17 RP=17 RAS=39 RC=56 WR=18 RTP=9 CCD_S=4 CCD_L=6 RRD_S=4 RRD_L=6 WTR_S=3 WTR_L=9 FAW=26 "
       "RFC=420 REFI=9360 "
       "RTRS=2 XP=8 CKE=6 queue_entries=64 mapping=bgi "
       "VDD=1.2 IDD0=48 IDD2N=34 IDD3N=43 IDD2P=25 IDD3P=37 IDD4R=135 IDD4W=123 IDD5B=250 devices=8"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
