// HBM3 (JESD238), one pseudo channel. ACT takes 1.5 clocks of the row pins, counted as two; timings count from the
// second.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard hbm3() {
  Standard s;
  s.name = "HBM3";
  s.has_ranks = false;
  s.has_pseudo_channels = true;
  s.split_command_bus = true;
  s.from_last_edge = true;
  s.set_command_cycles({{Cmd::kAct, 2}});
  s.defaults = {{Param::PPD, "2"}};
  s.rules = with_common_rules(usual_recovery_rules());
  s.presets = {
      {"HBM3-6400", "HBM3 6.4 Gb/s 8Gb per channel, one 32-bit pseudo channel",
       "JESD238 tables 4 and 84 (organisation, refresh); core timings as in Ramulator 2.1 hbm3.py",
       "CL CWL RCDRD RCDWR RP RAS RC WR RTP RRD_S RRD_L WTR_S WTR_L RTW FAW RTRS XP CKE currents",
       "tCK_ps=625 rate_MTs=6400 width_bits=32 BL=8 bankgroups=4 banks_per_group=4 rows=32768 columns=256 "
       "CL=20 CWL=10 RCDRD=31 RCDWR=15 RP=26 RAS=45 RC=72 WR=33 RTP=9 CCD_S=2 CCD_L=4 RRD_S=4 RRD_L=5 WTR_S=7 WTR_L=10 "
       "RTW=20 FAW=24 RFC=560 RFCpb=320 PBR2PBR=320 RREFD=13 REFI=6240 "
       "RTRS=2 XP=13 CKE=13 queue_entries=128 mapping=rbc "
       "VDD=1.1 IDD0=75 IDD2N=45 IDD3N=62 IDD2P=28 IDD3P=40 IDD4R=600 IDD4W=760 IDD5B=280 devices=1"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
