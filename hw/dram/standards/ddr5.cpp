// DDR5 (JESD79-5): one 32-bit sub-channel; two-cycle ACT, RD and WR; refresh of one bank of every group (REFsb).
// Its 32 banks draw their background one by one (rho = 0): data sheets state IDD0, of one bank at a time, below IDD3N, of
// all 32 open, which leaves no room for half of IDD3N - IDD2N in every open-bank state (at most 0.19 of it).
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard ddr5() {
  Standard s;
  s.name = "DDR5";
  s.set_command_cycles({{Cmd::kAct, 2}, {Cmd::kRd, 2}, {Cmd::kWr, 2}});
  s.same_bank_refresh = true;
  s.defaults = {{Param::PPD, "2"}};
  s.rules = with_common_rules(usual_recovery_rules());
  s.presets = {
      {"DDR5-4800", "DDR5-4800B 16Gb x8, one 32-bit sub-channel, 1 rank",
       "JESD79-5 speed bin 4800B (40-39-39) and its ns rules at 416.67 ps; currents of a 4800 part as in the public "
       "chip_pow_config.py of github.com/Stardust-lf/ramulator2-latency-supported",
       "RTRS XP CKE currents",
       "tCK_ps=416.667 rate_MTs=4800 width_bits=32 BL=16 bankgroups=8 banks_per_group=4 rows=65536 columns=1024 "
       "CL=40 CWL=38 RCD=39 RP=39 RAS=77 RC=116 WR=72 RTP=18 CCD_S=8 CCD_L=12 CCD_L_WR=24 RRD_S=8 RRD_L=12 WTR_S=6 "
       "WTR_L=24 FAW=32 RFC=708 RFCpb=312 PBR2PBR=312 RREFD=72 REFI=9360 "
       "RTRS=2 XP=18 CKE=18 queue_entries=64 mapping=bgi "
       "VDD=1.1 IDD0=103 IDD2N=92 IDD3N=142 IDD2P=88 IDD3P=140 IDD4R=318 IDD4W=345 IDD5B=277 rho=0 devices=4"},
      {"DDR5-6400", "DDR5-6400B 16Gb x8, one 32-bit sub-channel, 1 rank",
       "JESD79-5 speed bin 6400B (52-52-52) and its ns rules at 312.5 ps; currents of a 6400 part as in the public "
       "chip_pow_config.py of github.com/Stardust-lf/ramulator2-latency-supported",
       "RTRS XP CKE currents",
       "tCK_ps=312.5 rate_MTs=6400 width_bits=32 BL=16 bankgroups=8 banks_per_group=4 rows=65536 columns=1024 "
       "CL=52 CWL=50 RCD=52 RP=52 RAS=103 RC=155 WR=96 RTP=24 CCD_S=8 CCD_L=16 CCD_L_WR=32 RRD_S=8 RRD_L=16 WTR_S=8 "
       "WTR_L=32 FAW=32 RFC=944 RFCpb=416 PBR2PBR=416 RREFD=96 REFI=12480 "
       "RTRS=2 XP=24 CKE=24 queue_entries=64 mapping=bgi "
       "VDD=1.1 IDD0=105 IDD2N=92 IDD3N=142 IDD2P=88 IDD3P=140 IDD4R=337 IDD4W=374 IDD5B=277 rho=0 devices=4"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
