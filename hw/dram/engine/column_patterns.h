// Repeating orders of column commands among a few banks, for the fast path.
//
// Row hits of one kind that wait for a few banks are served in an order that repeats: each bank serves a round of
// columns (as many as move its burst address by a constant), and then the ages of all have grown by as much. A pattern is
// one such period in which every column comes as soon as the data bus takes it, played as if every bank were ready. With
// banks that are ready no later than the pattern needs them, the choices of FR-FCFS are the same.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "harmonia/hw/dram/engine/address_decoder.h"
#include "harmonia/hw/dram/types.h"

namespace harmonia::dram {

constexpr int kLongestPeriod = 64;       // column commands
constexpr std::size_t kMostMembers = 8;  // banks of a pattern

/// Column commands of a bank after which its burst address has moved by a constant.
struct ColumnRound {
  explicit ColumnRound(const AddressField& column);
  int length = 0;                           // 0: the address never moves evenly
  std::uint64_t mask = 0;                   // column bits that are zero at the beginning of a round
  std::int64_t step = 0;                    // how much younger the next access of a bank is within a round
  std::int64_t advance = 0;                 // and a round later
  int length_shift = 0, advance_shift = 0;  // log2 of both, which are powers of two
  bool begins_at(std::uint64_t burst) const { return (burst & mask) == 0; }
};

struct ColumnPattern {
  struct Member {
    std::int64_t advance;  // of its age up to its last access
    int group;             // the first member of the same bank group
    Cycle first;           // its first access, from the beginning of the period
    /// How much younger it is, at least and at most, than each member before it, for the choices to hold.
    std::array<std::int64_t, kMostMembers> least, most;
  };
  int members = 0, steps = 0;
  Cycle length = 0;
  Cycle sum_of_times = 0;  // of the steps, from the beginning
  std::array<Member, kMostMembers> member{};
  std::array<std::uint32_t, kLongestPeriod> step{};  // which member is served
};

/// A bank as a pattern sees it.
struct PatternBank {
  std::uint64_t burst;  // the next access
  std::int64_t age;
  int group;
};

/// Plays the choices among the oldest banks, first one of them, then two, ... Returns the first period found that leads
/// back to where it began, or nothing. `to_group` and `to_unit` are the distances of two column commands.
std::unique_ptr<const ColumnPattern> find_column_pattern(const std::vector<PatternBank>& oldest_first,
                                                         const ColumnRound& round, Cycle to_group, Cycle to_unit);

}  // namespace harmonia::dram
