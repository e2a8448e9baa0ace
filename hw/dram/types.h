// The words that the whole DRAM model shares: clock cycles, command names, timing parameters.
//
// Models: one DRAM channel in integer command-clock cycles (tCK of the standard: CK for DDR/LPDDR/HBM, not WCK).
// Does not model: electrical behaviour, training, temperature-dependent refresh rates, self refresh, ECC.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace harmonia::dram {

/// A point in time or a duration in command-clock cycles (tCK). Absolute times count from 0 at reset.
using Cycle = std::int64_t;
/// "Never": later than every reachable time, yet safe to add distances to.
constexpr Cycle kNever = Cycle{1} << 60;

enum class Op : std::uint8_t { kRead, kWrite };

/// Commands on the bus. kAct is the whole of a one- or two-cycle activate; on LPDDR5 it is ACT1 and kAct2 follows it.
/// kRefPb refreshes one bank (LPDDR, HBM) or the same bank of every group (DDR5's REFsb).
enum class Cmd : std::uint8_t { kAct, kAct2, kPre, kPreAll, kRd, kWr, kRef, kRefPb, kCasRd, kCasWr, kPdEnter, kPdExit };
constexpr int kCmdCount = 12;
/// The name in command traces: ACT (ACT1 on LPDDR5), ACT2, PRE, PREA, RD, WR, REF, REFpb, CAS_RD, CAS_WR, PDE, PDX.
const char* cmd_name(Cmd c, bool split_activate = false);

/// Timing parameters in command-clock cycles, named as in data sheets without the leading t or n.
/// X(name, meaning)
#define HARMONIA_DRAM_PARAMETERS(X)                                                           \
  X(CL, "read latency: RD to first data beat")                                                \
  X(CWL, "write latency: WR to first data beat")                                              \
  X(RCDRD, "ACT to RD, same bank (key RCD sets RCDRD and RCDWR)")                             \
  X(RCDWR, "ACT to WR, same bank")                                                            \
  X(RP, "PRE to ACT, same bank")                                                              \
  X(RPab, "PREA to ACT and to REFpb")                                                         \
  X(RPREF, "PREA to REF (0: RPab; on LPDDR5 RP)")                                             \
  X(RAS, "ACT to PRE, same bank")                                                             \
  X(RC, "ACT to ACT, same bank")                                                              \
  X(WR, "end of write data to PRE, same bank")                                                \
  X(RTP, "RD to PRE, same bank")                                                              \
  X(CCD_S, "column command to the same kind, other bank group")                               \
  X(CCD_L, "column command to the same kind, same bank group")                                \
  X(CCD_L_WR, "WR to WR, same bank group (0: as CCD_L)")                                      \
  X(RRD_S, "ACT to ACT, other bank group")                                                    \
  X(RRD_L, "ACT to ACT, same bank group")                                                     \
  X(WTR_S, "end of write data to RD, other bank group")                                       \
  X(WTR_L, "end of write data to RD, same bank group")                                        \
  X(RTW, "RD to WR, same rank (0: computed as CL + burst + 2 - CWL)")                         \
  X(FAW, "window that holds at most four ACT of a rank")                                      \
  X(RFC, "all-bank REF to any row command")                                                   \
  X(RFCpb, "per-bank or same-bank refresh to a row command of the bank")                      \
  X(REFI, "average interval of all-bank refreshes")                                           \
  X(REFIpb, "average interval of per-bank refreshes (0: REFI divided by the number of them)") \
  X(RREFD, "per-bank refresh to a row command of another bank")                               \
  X(RTRS, "bubble on the data bus between two ranks")                                         \
  X(PPD, "PRE to PRE, any bank")                                                              \
  X(AAD, "LPDDR5: latest ACT2 after ACT1")                                                    \
  X(WCKPST, "LPDDR5: cycles that WCK stays in step after the last data beat")                 \
  X(DQSCK, "LPDDR4: extra clocks of the read strobe, added to the read latency")              \
  X(PBR2PBR, "per-bank refresh to the next one of another bank (0: as RFCpb)")                \
  X(BLMAX, "LPDDR5: BL/n_max, data time of a burst in its own bank group (0: burst_cycles)")  \
  X(XP, "power-down exit to the next command")                                                \
  X(CKE, "least time between power-down entry and exit")

enum class Param : std::uint8_t {
#define X(name, meaning) name,
  HARMONIA_DRAM_PARAMETERS(X)
#undef X
      kCount
};
constexpr int kParamCount = static_cast<int>(Param::kCount);

const char* param_name(Param p);
const char* param_meaning(Param p);

/// Where a command goes. unit is rank * pseudo_channels + pseudo channel; bank counts all banks of the unit,
/// bankgroup * banks_per_group + bank in group. -1: every bank (PREA, REF, PDE, PDX) or no meaning (row of a PRE).
struct Command {
  Cycle cycle;  // first edge
  Cmd cmd;
  std::int16_t unit;
  std::int16_t bankgroup;
  std::int16_t bank_in_group;
  std::int32_t row;
  std::int32_t column;  // in bursts: column address divided by the burst length
};

/// Sees every command in the order of issue (cycle order per command bus).
class CommandObserver {
 public:
  virtual ~CommandObserver() = default;
  virtual void on_command(const Command& c) = 0;
};

}  // namespace harmonia::dram
