// GDDR6 (JESD250) and GDDR6X-class parts, one 16-bit channel; CK runs at an eighth of the data rate.
#include "harmonia/hw/dram/standard.h"

namespace harmonia::dram::standards {

Standard gddr6() {
  Standard s;
  s.name = "GDDR6";
  s.has_ranks = false;
  s.rules = with_common_rules(usual_recovery_rules());
  s.presets = {
      {"GDDR6-16000", "GDDR6 16 Gb/s, one 16-bit channel of a 16Gb part",
       "JESD250 organisation; timings scaled in ns from public GDDR6 presets (RCDRD 15, RP 15, RAS 30, FAW 16, RFC 120 "
       "ns, REFI 1.9 us)",
       "CL CWL RCDRD RCDWR RP RAS RC WR RTP CCD_L RRD_S RRD_L WTR_S WTR_L FAW RFC REFI RFCpb RTRS XP CKE currents",
       "tCK_ps=500 rate_MTs=16000 width_bits=16 BL=16 bankgroups=4 banks_per_group=4 rows=32768 columns=1024 "
       "CL=28 CWL=8 RCDRD=30 RCDWR=20 RP=30 RAS=60 RC=90 WR=32 RTP=5 CCD_S=2 CCD_L=3 RRD_S=8 RRD_L=8 WTR_S=10 WTR_L=13 "
       "FAW=32 RFC=240 RFCpb=120 PBR2PBR=120 RREFD=16 REFI=3800 "
       "RTRS=2 XP=16 CKE=16 queue_entries=128 mapping=cbg "
       "VDD=1.35 IDD0=80 IDD2N=50 IDD3N=70 IDD2P=30 IDD3P=45 IDD4R=1100 IDD4W=1050 IDD5B=260 devices=1"},
      {"GDDR6-18000", "GDDR6 18 Gb/s, one 16-bit channel of a 16Gb part (24 of them: 864 GB/s, an L40S)",
       "GDDR6-16000 in ns at 444.4 ps",
       "CL CWL RCDRD RCDWR RP RAS RC WR RTP CCD_L RRD_S RRD_L WTR_S WTR_L FAW RFC REFI RFCpb RTRS XP CKE currents",
       "tCK_ps=444.444 rate_MTs=18000 width_bits=16 BL=16 bankgroups=4 banks_per_group=4 rows=32768 columns=1024 "
       "CL=32 CWL=9 RCDRD=34 RCDWR=23 RP=34 RAS=68 RC=102 WR=36 RTP=6 CCD_S=2 CCD_L=4 RRD_S=9 RRD_L=9 WTR_S=12 "
       "WTR_L=15 FAW=36 RFC=270 RFCpb=135 PBR2PBR=135 RREFD=18 REFI=4275 "
       "RTRS=2 XP=18 CKE=18 queue_entries=128 mapping=cbg "
       "VDD=1.35 IDD0=82 IDD2N=52 IDD3N=72 IDD2P=30 IDD3P=45 IDD4R=1240 IDD4W=1180 IDD5B=265 devices=1"},
      {"GDDR6X-21000", "GDDR6X-class 21 Gb/s (PAM4), one 16-bit channel (24 of them: 1008 GB/s, an RTX 4090)",
       "no public timing table: GDDR6-16000 in ns at 381 ps",
       "CL CWL RCDRD RCDWR RP RAS RC WR RTP CCD_S CCD_L RRD_S RRD_L WTR_S WTR_L FAW RFC REFI RFCpb RTRS XP CKE "
       "currents",
       "tCK_ps=380.952 rate_MTs=21000 width_bits=16 BL=16 bankgroups=4 banks_per_group=4 rows=32768 columns=1024 "
       "CL=37 CWL=11 RCDRD=40 RCDWR=27 RP=40 RAS=79 RC=119 WR=42 RTP=7 CCD_S=2 CCD_L=4 RRD_S=11 RRD_L=11 WTR_S=14 "
       "WTR_L=17 FAW=42 RFC=315 RFCpb=158 PBR2PBR=158 RREFD=21 REFI=4988 "
       "RTRS=2 XP=21 CKE=21 queue_entries=128 mapping=cbg "
       "VDD=1.35 IDD0=84 IDD2N=54 IDD3N=74 IDD2P=30 IDD3P=45 IDD4R=1300 IDD4W=1250 IDD5B=270 devices=1"},
  };
  return s;
}

}  // namespace harmonia::dram::standards
