// Collectives as schedules: what each device sends and receives, and in which order, without time.
//
// Models: all-reduce, reduce-scatter, all-gather and send/receive by ring, by direct exchange (all to all, in one step or in two) and
//   by a binary tree. The order in which partial sums are added follows from the schedule and is the same on every device.
// Does not model: reductions inside a switch, several rings or trees at once.
//
// Order of the sums of element e, device by device:
//   ring              devices c+1, c+2, ..., c of e's part c of N (Piece p of N equal parts)
//   direct            0, 1, ..., N-1 (the same on every device)
//   direct_two_step   0, 1, ..., N-1
//   tree              own + (sum of child 2r+1) + (sum of child 2r+2), from the leaves to device 0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"

namespace harmonia::link {

enum class Collective : std::uint8_t { all_reduce, reduce_scatter, all_gather, send_receive };
enum class Algorithm : std::uint8_t { ring, direct, direct_two_step, tree };
/// ring: each device has links to its neighbours and sends all of its bandwidth one way round (two rings that turn against each other
/// at half of it take the same time). full: one to each other device, which share its bandwidth. switched: all of its
/// bandwidth to whichever device it sends to. shared: one link's bandwidth for all devices together, as that of a host which
/// they reach each other through; ring only.
enum class Topology : std::uint8_t { ring, full, switched, shared };

const config::NameTable<Collective>& collective_names();
const config::NameTable<Algorithm>& algorithm_names();
const config::NameTable<Topology>& topology_names();

/// Elements [begin, begin + count) of a vector.
struct Piece {
  std::uint64_t begin = 0, count = 0;
};
/// Part `index` of `parts` nearly equal ones; the first ones have one element more where it does not divide.
Piece piece_of(std::uint64_t elements, unsigned parts, unsigned index);

struct Action {
  enum class Kind : std::uint8_t {
    send,
    receive,       // replaces the piece
    receive_add,   // is added to the piece
    receive_keep,  // is laid aside until add_kept
    add_kept       // kept parts and the own one become their sum, in the order of the devices
  };
  Kind kind = Kind::send;
  unsigned peer = 0;
  Piece piece;
};

/// What each device does, in its order. A send does not wait for its message to leave, a receive waits for its message.
using Schedule = std::vector<std::vector<Action>>;

/// Throws std::invalid_argument for an algorithm that the collective does not have.
/// elements: of the whole vector; of send_receive, from device 0 to device 1. message_elements: transfers are cut into such pieces.
Schedule make_schedule(Collective collective, Algorithm algorithm, unsigned devices, std::uint64_t elements,
                       std::uint64_t message_elements);
/// Why the pair cannot be; empty when it can.
std::string refusal(Collective collective, Algorithm algorithm, Topology topology, unsigned devices);

/// Elements that one device sends in the mean over all devices, by the formula of the algorithm, apart from any schedule:
/// an all-reduce by ring 2 (N-1)/N of the vector.
double elements_sent(Collective collective, Algorithm algorithm, unsigned devices, std::uint64_t elements);

}  // namespace harmonia::link
