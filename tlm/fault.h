// One fault on a TLM connection, as a test injects it.
//
// Models: which transaction of which socket it strikes, and how. Does not model: several faults at once, or faults that stay (but for a
//   memory cell, which keeps its flipped bit until it is written).
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace harmonia::bus {

enum class FaultKind : std::uint8_t {
  flipped_bit,  ///< one bit of the data is wrong on the wires: of a write on its way to the target, of a read on its way back
  flipped_cell,  ///< one bit of the memory behind the socket is wrong when a read comes for it
  wrong_length,  ///< the target sees a shorter transaction
  lost,          ///< the target's response never arrives
  doubled,       ///< the response arrives twice
  late,          ///< the response arrives late
  reordered,     ///< the response arrives after that of the transaction behind it
  error_status,  ///< the response says that the target failed
};
inline constexpr std::array<FaultKind, 8> kFaultKinds = {
    FaultKind::flipped_bit, FaultKind::flipped_cell, FaultKind::wrong_length, FaultKind::lost,
    FaultKind::doubled,     FaultKind::late,         FaultKind::reordered,    FaultKind::error_status};
/// "flipped_bit".
const char* name_of(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::flipped_bit;
  std::string socket;             // name of the connection
  std::uint64_t transaction = 0;  // the first on that socket is 0
  std::uint64_t amount = 0;       // bit of the data, bytes that are missing, ps of delay; otherwise 0
};
/// "flipped_bit:decoder_to_pe_array:12:345".
std::string text_of(const Fault& fault);
/// The fault of such a text. Throws config::InputError that says which part is wrong.
Fault fault_of(const std::string& text);

}  // namespace harmonia::bus
