// When the stages of a pipeline work, and what they wait for, from the time that each takes for each micro-batch.
//
// Models: stages in a row. Each works through the micro-batches of a step in their order, one at a time; what it gives goes over a
//   link to the next stage while it works on. Each hop holds one micro-batch that the sender has done and one that the receiver has not
//   begun: a stage goes on when the micro-batch before has left, and a transfer begins when the receiver has begun the one before.
//   Micro-batches of decode steps begin again at the first stage when the last has done their tokens; those of a prefill follow each
//   other; those of a replay begin when they are given.
// Does not model: where the times come from (pipeline_steps.h); stages that change the order of micro-batches.
#pragma once

#include <cstddef>
#include <vector>

namespace harmonia::testbench {

/// Of one step: what each stage takes for each micro-batch, and each micro-batch to the next stage. Picoseconds.
struct PipelineTimes {
  std::size_t stages = 0, batches = 0;
  std::vector<double> busy_ps;  // [stage][micro-batch]
  std::vector<double> hop_ps;   // [micro-batch]

  double busy(std::size_t stage, std::size_t batch) const { return busy_ps[stage * batches + batch]; }
  /// Of all micro-batches, mean of the stages.
  double mean_busy_ps() const;
  /// Scales what stages take, and leaves the links' times.
  void scale_busy(double factor);
  /// Adds `factor` times the other; an empty one takes the other's shape.
  void add(const PipelineTimes& other, double factor);
};

/// Time of a pass of all micro-batches through the pipeline, and what the mean stage waits for meanwhile: for what is on a link, and
/// for other stages. The rest is busy.
struct PassTime {
  double ps = 0, link_ps = 0, bubble_ps = 0;
};

class PipelineFlow {
 public:
  explicit PipelineFlow(std::size_t stages) : free_(stages), hop_end_(stages), begun_(stages) {}
  /// returns: a micro-batch begins when the one of its number has left the last stage in the pass before. What it gives adds up over
  /// the passes to the time of all and to what stages waited for between their first and their last work.
  PassTime pass(const PipelineTimes& times, bool returns);
  /// One micro-batch of the times, behind all before it, that may begin at the first stage at `ready_ps` or later: when it leaves the
  /// last stage. What stages wait for is added to `waits`.
  double enter(const PipelineTimes& times, std::size_t batch, double ready_ps, PassTime& waits);
  /// When the first stage can begin another micro-batch.
  double first_free_ps() const { return free_.front(); }
  /// When the last micro-batch so far left the last stage.
  double end_ps() const { return end_; }

 private:
  std::vector<double> free_, hop_end_,
      begun_;                  // of each stage; of the hop behind it; when it began its last micro-batch
  std::vector<double> ready_;  // of each micro-batch
  double end_ = 0;
};

/// One of many equal passes in which micro-batches return: without the filling of the first and the emptying of the last.
PassTime steady_pass(const PipelineTimes& times);

}  // namespace harmonia::testbench
