#include "harmonia/hw/smoother/outlier_smoother_core_rtl.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"

namespace harmonia::smoother {
namespace {

using bus::Cycle;
using formats::Fp16;
using formats::KeyOffsets;

class RtlCore final : public SmootherCore {
 public:
  RtlCore(const rtl::InstanceFactory& make, int lanes, bool compare)
      : instances_(make, static_cast<std::size_t>(lanes) / formats::kBfpGroup), compare_(compare) {}

  void run(const TableKey& key, const KeyOffsets& offsets, const Fp16* keys, std::uint32_t rows, std::uint32_t columns,
           Cycle start, Done done) override {
    if (columns > kOutlierSmootherRtlChannels || offsets.count > kOutlierSmootherRtlEntries)
      throw std::invalid_argument("outlier_smoother RTL: a key has at most 256 channels, 4 of them with an offset");
    auto shared = std::make_shared<Done>(std::move(done));
    const std::size_t head = place_of(key, offsets);
    if (!written_) {
      subtract(head, offsets, keys, rows, columns, start, shared);
      return;
    }
    // Table first: it has been written when the keys come.
    std::vector<rtl::StreamJob> jobs(instances_.size());
    for (rtl::StreamJob& job : jobs) {
      job.inputs.resize(2);
      for (std::size_t e = 0; e < kOutlierSmootherRtlEntries; ++e) {
        const bool flagged = e < offsets.count;
        job.inputs[kTableStream].push_back(
            table_beat(head, e, flagged, flagged ? offsets.channel[e] : 0, flagged ? offsets.offset[e] : Fp16{}));
      }
      job.what = "smoother, table";
    }
    const KeyOffsets copy = offsets;
    instances_.run(std::move(jobs), {start}, [=](std::vector<rtl::StreamOutcome>&&) {
      subtract(head, copy, keys, rows, columns, start, shared);
    });
  }

 private:
  /// The table's row of a head; written_ says whether it must be written. The oldest gives way when all are taken.
  std::size_t place_of(const TableKey& key, const KeyOffsets& offsets) {
    const auto same = [](const KeyOffsets& a, const KeyOffsets& b) {
      if (a.count != b.count) return false;
      for (std::size_t i = 0; i < a.count; ++i)
        if (a.channel[i] != b.channel[i] || a.offset[i].bits != b.offset[i].bits) return false;
      return true;
    };
    auto found = places_.find(key);
    if (found == places_.end()) {
      const std::size_t place = next_++ % kOutlierSmootherRtlHeads;
      for (auto it = places_.begin(); it != places_.end(); ++it)
        if (it->second.first == place) {
          places_.erase(it);
          break;
        }
      places_[key] = {place, offsets};
      written_ = true;
      return place;
    }
    written_ = !same(found->second.second, offsets);
    found->second.second = offsets;
    return found->second.first;
  }

  void subtract(std::size_t head, const KeyOffsets& offsets, const Fp16* keys, std::uint32_t rows,
                std::uint32_t columns, Cycle start, const std::shared_ptr<Done>& done) {
    std::vector<rtl::StreamJob> jobs(instances_.size());
    struct Piece {
      std::size_t at, count;
    };
    auto order = std::make_shared<std::vector<std::vector<Piece>>>(instances_.size());
    std::size_t i = 0;
    std::vector<Fp16> golden;
    for (std::uint32_t r = 0; r < rows; ++r) {
      const std::size_t row = std::size_t{r} * columns;
      if (compare_) {
        golden.assign(keys + row, keys + row + columns);
        formats::subtract_offsets(offsets, golden.data());
      }
      for (std::uint32_t c = 0; c < columns; c += 32, ++i) {
        const std::size_t lane = i % jobs.size(), count = std::min<std::size_t>(formats::kBfpGroup, columns - c);
        rtl::StreamJob& job = jobs[lane];
        if (job.inputs.empty()) job.inputs.resize(2);
        job.inputs[kKeyStream].push_back(key_beat(head, c, keys + row + c, count, false));
        ++job.results;
        (*order)[lane].push_back({row + c, count});
        if (!compare_) continue;
        rtl::Beat expected = key_beat(head, c, golden.data() + c, count, false);
        expected.user = 0;
        job.expected.push_back(expected);
        job.what = "smoother, keys, lane " + std::to_string(lane);
      }
    }
    for (rtl::StreamJob& job : jobs) {
      if (job.results == 0) continue;
      job.inputs[kKeyStream].back().last = true;
      if (compare_) job.expected.back().last = true;
    }
    const std::size_t size = std::size_t{rows} * columns;
    instances_.run(std::move(jobs), {start}, [order, size, done, start](std::vector<rtl::StreamOutcome>&& outcomes) {
      Result result;
      result.free = result.ready = start;
      result.keys.resize(size);
      for (std::size_t lane = 0; lane < outcomes.size(); ++lane) {
        const rtl::StreamOutcome& o = outcomes[lane];
        if (o.results.empty()) continue;
        result.free = std::max(result.free, o.accept_ends[kKeyStream]);
        result.ready = std::max(result.ready, o.result_end);
        for (std::size_t b = 0; b < o.results.size(); ++b) {
          const Piece& piece = (*order)[lane][b];
          for (std::size_t c = 0; c < piece.count; ++c)
            result.keys[piece.at + c].bits =
                static_cast<std::uint16_t>(o.results[b].data[2 * c] | o.results[b].data[2 * c + 1] << 8);
        }
      }
      (*done)(std::move(result));
    });
  }

  rtl::InstanceArray instances_;
  std::map<TableKey, std::pair<std::size_t, KeyOffsets>> places_;
  std::size_t next_ = 0;
  bool written_ = false;
  bool compare_;
};

}  // namespace

std::unique_ptr<SmootherCore> make_rtl_core(const rtl::InstanceFactory& instances, int lanes, bool compare) {
  return std::make_unique<RtlCore>(instances, lanes, compare);
}

}  // namespace harmonia::smoother
