// Bytes by channel and traffic class in bins of time; bins grow with the run, so that there are never more than so many.
// Models: bytes spread evenly over the stretch they are reported for. A request's bytes are reported when it is
//   answered, though it began to move them before: what a bin gets beyond its channel's peak goes to the bins in front.
// Does not model: where in the stretch they moved.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "harmonia/testbench/results/run_result.h"

namespace harmonia::testbench {

class BandwidthBins {
 public:
  using Bytes = std::array<double, kTrafficClasses>;
  /// Bins of a channel when nobody asked for a length of them, and the most of all channels when somebody did.
  static constexpr std::size_t kUnasked = 400, kMost = std::size_t{1} << 17;

  /// bin_s > 0. Neighbours are merged and the bin doubles whenever a channel has more than `most` bins.
  /// `peak`: bytes a second of one channel.
  BandwidthBins(double bin_s, double peak, std::size_t most = kUnasked) : bin_s_(bin_s), peak_(peak), most_(most) {}
  /// Bins of `interval_s` for so many channels; 0: a four-hundredth of the run or somewhat more.
  static BandwidthBins asked(double interval_s, double peak, std::size_t channels) {
    if (interval_s <= 0) return {1e-6, peak};
    return {interval_s, peak, std::max<std::size_t>(1, kMost / std::max<std::size_t>(1, channels))};
  }

  double bin_s() const { return bin_s_; }
  void add(std::size_t channel, double begin_s, double end_s, const Bytes& bytes) {
    if (series_.size() <= channel) series_.resize(channel + 1);
    while (end_s / bin_s_ > static_cast<double>(most_)) merge();
    const auto first = static_cast<std::size_t>(begin_s / bin_s_), last = static_cast<std::size_t>(end_s / bin_s_);
    std::vector<Bytes>& series = series_[channel];
    if (series.size() <= last) series.resize(last + 1);
    const double length = end_s - begin_s;
    for (std::size_t i = first; i <= last; ++i) {
      const double from = std::max(begin_s, static_cast<double>(i) * bin_s_),
                   to = std::min(end_s, static_cast<double>(i + 1) * bin_s_);
      const double share = first == last || length <= 0 ? (i == first ? 1.0 : 0.0) : std::max(0.0, to - from) / length;
      for (std::size_t c = 0; c < bytes.size(); ++c) series[i][c] += share * bytes[c];
    }
    for (std::size_t i = last; i > 0; --i) {
      const double room =
          peak_ * (std::min(end_s, static_cast<double>(i + 1) * bin_s_) - static_cast<double>(i) * bin_s_);
      const double sum = std::accumulate(series[i].begin(), series[i].end(), 0.0);
      if (sum <= room) {
        if (i <= first) break;
        continue;
      }
      for (std::size_t c = 0; c < bytes.size(); ++c) {
        const double moved = series[i][c] * (1 - room / sum);
        series[i][c] -= moved;
        series[i - 1][c] += moved;
      }
    }
  }
  /// As lines of bandwidth.csv; bytes are rounded so that the sum over bins keeps to the total.
  std::vector<BandwidthSample> samples() const {
    std::vector<BandwidthSample> out;
    std::size_t bins = 0;
    for (const auto& s : series_) bins = std::max(bins, s.size());
    std::vector<Bytes> sum(series_.size()), given(series_.size());
    for (std::size_t i = 0; i < bins; ++i)
      for (std::size_t channel = 0; channel < series_.size(); ++channel) {
        BandwidthSample sample;
        sample.start_s = static_cast<double>(i) * bin_s_;
        sample.channel = static_cast<int>(channel);
        for (std::size_t c = 0; c < kTrafficClasses; ++c) {
          if (i < series_[channel].size()) sum[channel][c] += series_[channel][i][c];
          const double whole = std::max(0.0, std::round(sum[channel][c]) - given[channel][c]);
          given[channel][c] += whole;
          sample.bytes[c] = static_cast<std::uint64_t>(whole);
        }
        out.push_back(sample);
      }
    return out;
  }

 private:
  void merge() {
    bin_s_ *= 2;
    for (std::vector<Bytes>& s : series_) {
      for (std::size_t i = 0; i < s.size(); ++i)
        for (std::size_t c = 0; c < kTrafficClasses; ++c) {
          if (i % 2 == 0) s[i / 2][c] = s[i][c] + (i + 1 < s.size() ? s[i + 1][c] : 0.0);
        }
      s.resize((s.size() + 1) / 2);
    }
  }

  double bin_s_, peak_;
  std::size_t most_;
  std::vector<std::vector<Bytes>> series_;
};

}  // namespace harmonia::testbench
