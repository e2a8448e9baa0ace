#include "harmonia/testbench/runs/pipeline_times.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace harmonia::testbench {

double PipelineTimes::mean_busy_ps() const {
  return stages == 0 ? 0 : std::accumulate(busy_ps.begin(), busy_ps.end(), 0.0) / static_cast<double>(stages);
}

void PipelineTimes::scale_busy(double factor) {
  for (double& busy : busy_ps) busy *= factor;
}

void PipelineTimes::add(const PipelineTimes& o, double factor) {
  if (o.stages == 0) return;
  if (stages == 0) {
    *this = o;
    std::fill(busy_ps.begin(), busy_ps.end(), 0.0);
    std::fill(hop_ps.begin(), hop_ps.end(), 0.0);
  }
  for (std::size_t i = 0; i < busy_ps.size(); ++i) busy_ps[i] += factor * o.busy_ps[i];
  for (std::size_t i = 0; i < hop_ps.size(); ++i) hop_ps[i] += factor * o.hop_ps[i];
}

double PipelineFlow::enter(const PipelineTimes& t, std::size_t m, double ready_ps, PassTime& waits) {
  const std::size_t stages = free_.size();
  const double before = end_;
  double here = ready_ps, link = 0, bubble = 0;
  for (std::size_t s = 0; s < stages; ++s) {
    const double start = std::max(free_[s], here), idle = start - free_[s];
    const double on_link = s == 0 ? 0.0 : std::min(idle, t.hop_ps[m]);
    link += on_link;
    bubble += idle - on_link;
    begun_[s] = start;
    const double done = start + t.busy(s, m);
    free_[s] = done;
    here = done;
    if (s + 1 == stages) continue;
    free_[s] = std::max(done, hop_end_[s]);
    bubble += free_[s] - done;
    here = hop_end_[s] = std::max(free_[s], begun_[s + 1]) + t.hop_ps[m];
  }
  end_ = std::max(end_, here);
  waits.ps += end_ - before;
  waits.link_ps += link / static_cast<double>(stages);
  waits.bubble_ps += bubble / static_cast<double>(stages);
  return here;
}

PassTime PipelineFlow::pass(const PipelineTimes& t, bool returns) {
  ready_.resize(t.batches, 0.0);
  PassTime sum;
  for (std::size_t m = 0; m < t.batches; ++m) ready_[m] = enter(t, m, returns ? ready_[m] : 0.0, sum);
  return sum;
}

PassTime steady_pass(const PipelineTimes& t) {
  // Times between passes become periodic. Most often the period is one pass; where it is not, the mean of many tells.
  constexpr std::size_t kSettling = 256, kCounted = 256, kMost = kSettling + kCounted;
  PipelineFlow flow(t.stages);
  double before = 0;
  std::size_t same = 0, count = 0;
  PassTime last;
  double counted_from = 0;
  for (; count < kMost && same <= t.stages + t.batches; ++count) {
    if (count == kSettling) counted_from = flow.end_ps();
    last = flow.pass(t, true);
    same = std::abs(last.ps - before) <= 1e-12 * before ? same + 1 : 0;
    before = last.ps;
  }
  if (count == kMost) last.ps = (flow.end_ps() - counted_from) / static_cast<double>(kCounted);
  // What a stage is not busy with, it waits for.
  const double waits = std::max(0.0, last.ps - t.mean_busy_ps());
  last.link_ps = std::min(last.link_ps, waits);
  last.bubble_ps = waits - last.link_ps;
  return last;
}

}  // namespace harmonia::testbench
