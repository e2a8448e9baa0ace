// DDR3 (JESD79-3): no bank groups, eight banks.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard ddr3() {
  Standard s;
  s.name = "DDR3";
  s.has_bank_groups = false;
  s.rules = with_common_rules(usual_recovery_rules());
  s.presets = {
      {"DDR3-1600", "DDR3-1600K 4Gb x8, 64-bit channel, 1 rank",
       "JESD79-3 speed bin 1600K (11-11-11) and its ns rules at 1.25 ns", "RTRS XP CKE currents",
       "tCK_ps=1250 rate_MTs=1600 width_bits=64 BL=8 bankgroups=1 banks_per_group=8 rows=65536 columns=1024 "
       "CL=11 CWL=8 RCD=11 RP=11 RAS=28 RC=39 WR=12 RTP=6 CCD_S=4 CCD_L=4 RRD_S=5 RRD_L=5 WTR_S=6 WTR_L=6 FAW=24 "
       "RFC=208 REFI=6240 "
       "RTRS=2 XP=5 CKE=4 queue_entries=64 mapping=rbc "
       "VDD=1.5 IDD0=55 IDD2N=32 IDD3N=38 IDD2P=12 IDD3P=30 IDD4R=157 IDD4W=128 IDD5B=155 devices=8"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
