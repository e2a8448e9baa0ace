#include "harmonia/hw/link/reduction.h"

#include <cstring>
#include <deque>
#include <stdexcept>
#include <utility>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::link {

const config::NameTable<Reduction>& reduction_names() {
  static const config::NameTable<Reduction> names = {{"fp16", Reduction::fp16}, {"fp32", Reduction::fp32}};
  return names;
}

Reducer::Reducer(Reduction reduction, unsigned own, unsigned devices, std::vector<float> values)
    : reduction_(reduction), own_(own), devices_(devices), values_(std::move(values)) {
  for (float& x : values_) x = rounded(x);
}

float Reducer::rounded(float x) const {
  return reduction_ == Reduction::fp16 ? formats::to_float(formats::to_fp16(x)) : x;
}

std::vector<unsigned char> Reducer::encoded(Piece piece) const {
  const unsigned width = element_bytes(reduction_);
  std::vector<unsigned char> bytes(piece.count * width);
  for (std::uint64_t i = 0; i < piece.count; ++i) {
    const float x = values_.at(piece.begin + i);
    const formats::Fp16 half = formats::to_fp16(x);
    std::memcpy(bytes.data() + i * width, width == 2 ? static_cast<const void*>(&half) : &x, width);
  }
  return bytes;
}

float Reducer::decoded(const unsigned char* data, std::uint64_t index) const {
  if (reduction_ == Reduction::fp16) {
    formats::Fp16 half;
    std::memcpy(static_cast<void*>(&half), data + 2 * index, 2);
    return formats::to_float(half);
  }
  float x = 0;
  std::memcpy(&x, data + 4 * index, 4);
  return x;
}

void Reducer::apply(const Action& action, const unsigned char* data) {
  const Piece& piece = action.piece;
  for (std::uint64_t i = 0; i < piece.count; ++i) {
    float& x = values_.at(piece.begin + i);
    switch (action.kind) {
      case Action::Kind::send:
        return;
      case Action::Kind::receive:
        x = decoded(data, i);
        break;
      case Action::Kind::receive_add:
        x = rounded(x + decoded(data, i));
        break;
      case Action::Kind::receive_keep: {
        std::vector<float>& of_peer = kept_[action.peer];
        of_peer.resize(values_.size());
        of_peer[piece.begin + i] = decoded(data, i);
        break;
      }
      case Action::Kind::add_kept: {
        const auto term = [&](unsigned device) {
          return device == own_ ? values_[piece.begin + i] : kept_.at(device)[piece.begin + i];
        };
        float sum = term(0);
        for (unsigned device = 1; device < devices_; ++device) sum = rounded(sum + term(device));
        x = sum;
        break;
      }
    }
  }
}

std::vector<std::vector<float>> reduce(const Schedule& schedule, Reduction reduction,
                                       std::vector<std::vector<float>> values) {
  const auto devices = static_cast<unsigned>(schedule.size());
  std::vector<Reducer> own;
  for (unsigned r = 0; r < devices; ++r) own.emplace_back(reduction, r, devices, std::move(values.at(r)));
  std::map<std::pair<unsigned, unsigned>, std::deque<std::vector<unsigned char>>> under_way;
  std::vector<std::size_t> done(devices);
  for (bool progress = true; progress;) {
    progress = false;
    for (unsigned r = 0; r < devices; ++r)
      for (; done[r] < schedule[r].size(); ++done[r], progress = true) {
        const Action& action = schedule[r][done[r]];
        if (action.kind == Action::Kind::send) {
          under_way[{r, action.peer}].push_back(own[r].encoded(action.piece));
        } else if (action.kind == Action::Kind::add_kept) {
          own[r].apply(action, nullptr);
        } else {
          auto& waiting = under_way[{action.peer, r}];
          if (waiting.empty()) break;
          own[r].apply(action, waiting.front().data());
          waiting.pop_front();
        }
      }
  }
  std::vector<std::vector<float>> results;
  for (unsigned r = 0; r < devices; ++r) {
    if (done[r] != schedule[r].size()) throw std::logic_error("a receive of the schedule never gets its message");
    results.push_back(own[r].values());
  }
  return results;
}

}  // namespace harmonia::link
