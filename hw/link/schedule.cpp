#include "harmonia/hw/link/schedule.h"

#include <algorithm>
#include <stdexcept>

namespace harmonia::link {
namespace {

using Kind = Action::Kind;

class Builder {
 public:
  Builder(unsigned devices, std::uint64_t elements, std::uint64_t message_elements)
      : n_(devices), elements_(elements), message_(message_elements), schedule_(devices) {}

  void ring(bool reduce, bool gather);
  void direct();
  void direct_scatter();
  void direct_gather();
  void tree();
  void point_to_point();
  Schedule take() { return std::move(schedule_); }

 private:
  Piece part(unsigned index) const { return piece_of(elements_, n_, index % n_); }
  std::vector<Piece> messages(Piece whole) const {
    std::vector<Piece> all;
    for (std::uint64_t at = 0; at < whole.count; at += message_)
      all.push_back({whole.begin + at, std::min(message_, whole.count - at)});
    return all;
  }
  void transfer(unsigned device, Kind kind, unsigned peer, Piece whole) {
    for (const Piece& piece : messages(whole)) schedule_[device].push_back({kind, peer % n_, piece});
  }
  void exchange(Kind received, bool by_receiver);

  unsigned n_;
  std::uint64_t elements_, message_;
  Schedule schedule_;
};

/// One ring, in which everything goes to the next device. Part c ends, reduced, at device c.
void Builder::ring(bool reduce, bool gather) {
  for (unsigned r = 0; r < n_; ++r) {
    for (unsigned s = 0; reduce && s + 1 < n_; ++s) {
      transfer(r, Kind::send, r + 1, part(r + 2 * n_ - 1 - s));
      transfer(r, Kind::receive_add, r + n_ - 1, part(r + 2 * n_ - 2 - s));
    }
    for (unsigned s = 0; gather && s + 1 < n_; ++s) {
      transfer(r, Kind::send, r + 1, part(r + n_ - s));
      transfer(r, Kind::receive, r + n_ - 1, part(r + n_ - 1 - s));
    }
  }
}

/// Every device sends to those behind it in turn, and takes from those before it in turn, so that no two send to the same one at a
/// time. by_receiver: what is sent is the part of the receiver, otherwise that of the sender.
void Builder::exchange(Kind received, bool by_receiver) {
  for (unsigned r = 0; r < n_; ++r) {
    for (unsigned s = 1; s < n_; ++s) transfer(r, Kind::send, r + s, part(by_receiver ? r + s : r));
    for (unsigned s = 1; s < n_; ++s) transfer(r, received, r + n_ - s, part(by_receiver ? r : r + n_ - s));
  }
}

void Builder::direct() {
  const Piece whole{0, elements_};
  for (unsigned r = 0; r < n_; ++r) {
    for (unsigned s = 1; s < n_; ++s) transfer(r, Kind::send, r + s, whole);
    for (unsigned s = 1; s < n_; ++s) transfer(r, Kind::receive_keep, r + n_ - s, whole);
    schedule_[r].push_back({Kind::add_kept, r, whole});
  }
}

void Builder::direct_scatter() {
  exchange(Kind::receive_keep, true);
  for (unsigned r = 0; r < n_; ++r) schedule_[r].push_back({Kind::add_kept, r, part(r)});
}

void Builder::direct_gather() { exchange(Kind::receive, false); }

/// Device r is the child of (r - 1) / 2. Message by message, so that the levels work at the same time.
void Builder::tree() {
  const std::vector<Piece> pieces = messages({0, elements_});
  const auto children = [&](unsigned r, auto&& each) {
    for (unsigned child = 2 * r + 1; child <= 2 * r + 2 && child < n_; ++child) each(child);
  };
  for (unsigned r = 0; r < n_; ++r) {
    std::vector<Action>& own = schedule_[r];
    for (const Piece& piece : pieces) {
      children(r, [&](unsigned child) { own.push_back({Kind::receive_add, child, piece}); });
      if (r != 0) own.push_back({Kind::send, (r - 1) / 2, piece});
    }
    for (const Piece& piece : pieces) {
      if (r != 0) own.push_back({Kind::receive, (r - 1) / 2, piece});
      children(r, [&](unsigned child) { own.push_back({Kind::send, child, piece}); });
    }
  }
}

void Builder::point_to_point() {
  transfer(0, Kind::send, 1, {0, elements_});
  transfer(1, Kind::receive, 0, {0, elements_});
}

}  // namespace

const config::NameTable<Collective>& collective_names() {
  static const config::NameTable<Collective> names = {{"all_reduce", Collective::all_reduce},
                                                      {"reduce_scatter", Collective::reduce_scatter},
                                                      {"all_gather", Collective::all_gather},
                                                      {"send_receive", Collective::send_receive}};
  return names;
}

const config::NameTable<Algorithm>& algorithm_names() {
  static const config::NameTable<Algorithm> names = {{"ring", Algorithm::ring},
                                                     {"direct", Algorithm::direct},
                                                     {"direct_two_step", Algorithm::direct_two_step},
                                                     {"tree", Algorithm::tree}};
  return names;
}

const config::NameTable<Topology>& topology_names() {
  static const config::NameTable<Topology> names = {
      {"ring", Topology::ring}, {"full", Topology::full}, {"switch", Topology::switched}, {"shared", Topology::shared}};
  return names;
}

Piece piece_of(std::uint64_t elements, unsigned parts, unsigned index) {
  const std::uint64_t each = elements / parts, more = elements % parts;
  return {index * each + std::min<std::uint64_t>(index, more), each + (index < more ? 1 : 0)};
}

std::string refusal(Collective collective, Algorithm algorithm, Topology topology, unsigned devices) {
  const std::string what =
      config::name_of(collective_names(), collective) + " by " + config::name_of(algorithm_names(), algorithm);
  if (devices < 2) return what + " is between at least 2 devices";
  const bool reduces = collective == Collective::all_reduce;
  if (collective == Collective::send_receive && algorithm != Algorithm::direct)
    return what + " does not exist, expected direct";
  if (!reduces && (algorithm == Algorithm::tree || algorithm == Algorithm::direct_two_step))
    return what + " is not modelled, expected ring or direct";
  if (topology == Topology::ring && algorithm != Algorithm::ring && devices > 2 &&
      collective != Collective::send_receive)
    return what + " needs a path between devices that are no neighbours, and a ring of " + std::to_string(devices) +
           " has none, expected algorithm ring, or topology full or switch";
  if (topology == Topology::shared && algorithm != Algorithm::ring)
    return what +
           " is not modelled where all devices share one path, expected algorithm ring, or topology full or switch";
  return {};
}

Schedule make_schedule(Collective collective, Algorithm algorithm, unsigned devices, std::uint64_t elements,
                       std::uint64_t message_elements) {
  if (const std::string why = refusal(collective, algorithm, Topology::switched, devices); !why.empty())
    throw std::invalid_argument(why);
  if (message_elements == 0) throw std::invalid_argument("message_elements is 0, expected at least 1");
  Builder builder(devices, elements, message_elements);
  const bool reduce = collective == Collective::all_reduce || collective == Collective::reduce_scatter;
  const bool gather = collective == Collective::all_reduce || collective == Collective::all_gather;
  if (collective == Collective::send_receive) {
    builder.point_to_point();
  } else if (algorithm == Algorithm::ring) {
    builder.ring(reduce, gather);
  } else if (algorithm == Algorithm::tree) {
    builder.tree();
  } else if (algorithm == Algorithm::direct && collective == Collective::all_reduce) {
    builder.direct();
  } else {
    if (reduce) builder.direct_scatter();
    if (gather) builder.direct_gather();
  }
  return builder.take();
}

double elements_sent(Collective collective, Algorithm algorithm, unsigned devices, std::uint64_t elements) {
  const double n = devices, all = static_cast<double>(elements);
  if (collective == Collective::send_receive) return all / n;
  if (collective != Collective::all_reduce) return (n - 1) / n * all;
  if (algorithm == Algorithm::direct) return (n - 1) * all;
  return 2 * (n - 1) / n * all;  // the tree's 2 (N-1) messages too, shared by N devices
}

}  // namespace harmonia::link
