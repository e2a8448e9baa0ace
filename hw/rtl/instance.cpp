#include "harmonia/hw/rtl/instance.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace harmonia::rtl {
namespace {

constexpr std::uint64_t kPatience = 10000;

class FastInstance final : public Instance {
 public:
  explicit FastInstance(std::unique_ptr<StreamDut> dut) : dut_(std::move(dut)), check_(*dut_) {}

  void run(StreamJob&& job, bus::Cycle start, Done done) override {
    StreamDriver& driver = check_.driver();
    const std::uint64_t first = driver.cycles();
    std::size_t waiting = 0;
    for (std::size_t i = 0; i < job.inputs.size(); ++i) {
      for (const Beat& beat : job.inputs[i]) driver.push(i, beat);
      waiting += job.inputs[i].size();
    }
    const std::size_t shown = job.inputs.size() - 1;
    for (std::size_t i = 0; i < job.expected.size(); ++i)
      check_.expect(job.expected[i],
                    job.inputs[shown].empty() ? Beat{} : job.inputs[shown][std::min(i, job.inputs[shown].size() - 1)],
                    shown, job.what);
    StreamOutcome outcome;
    outcome.begin = outcome.result_end = start;
    outcome.accept_ends.assign(job.inputs.size(), start);
    std::vector<std::size_t> left(job.inputs.size());
    for (std::size_t i = 0; i < left.size(); ++i) left[i] = job.inputs[i].size();
    std::uint64_t idle = 0;
    try {
      while (outcome.results.size() < job.results || waiting != 0) {
        const bool taken = driver.cycle();
        const bus::Cycle now = start + (driver.cycles() - first);
        idle = taken ? 0 : idle + 1;
        for (std::size_t i = 0; i < left.size(); ++i) {
          if (driver.pending(i) == left[i]) continue;
          waiting -= left[i] - driver.pending(i);
          left[i] = driver.pending(i);
          outcome.accept_ends[i] = now;
          idle = 0;
        }
        if (taken) {
          if (!job.expected.empty()) check_.check(driver.last_result());
          outcome.results.push_back(driver.last_result());
          outcome.result_end = now;
        }
        if (idle > kPatience)
          throw Difference(fmt::format(
              "{}: nothing has moved for {} cycles; {} beats wait to be accepted, {} results are still expected",
              dut_->name(), kPatience, waiting, job.results - outcome.results.size()));
      }
    } catch (const Difference& difference) {
      throw Difference(fmt::format("{}, cycle {} of the block's clock: {}", job.what,
                                   start + (driver.cycles() - first) - 1, difference.what()));
    }
    outcome.status = dut_->status();
    done(std::move(outcome));
  }

 private:
  std::unique_ptr<StreamDut> dut_;
  SideBySide check_;
};

}  // namespace

InstanceFactory fast_instances(DutFactory make) {
  return [make = std::move(make)](unsigned) -> std::unique_ptr<Instance> {
    return std::make_unique<FastInstance>(make());
  };
}

InstanceArray::InstanceArray(const InstanceFactory& make, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) instances_.push_back(make(static_cast<unsigned>(i)));
}

void InstanceArray::run(std::vector<StreamJob>&& jobs, const std::vector<bus::Cycle>& starts,
                        std::function<void(std::vector<StreamOutcome>&&)> done) {
  struct Shared {
    std::vector<StreamOutcome> outcomes;
    std::size_t left = 1;
    std::function<void(std::vector<StreamOutcome>&&)> done;
    void one() {
      if (--left == 0) done(std::move(outcomes));
    }
  };
  auto shared = std::make_shared<Shared>();
  shared->outcomes.resize(jobs.size());
  shared->done = std::move(done);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const bus::Cycle start = starts.size() == 1 ? starts[0] : starts[i];
    StreamOutcome& outcome = shared->outcomes[i];
    outcome.begin = outcome.result_end = start;
    if (jobs[i].empty()) continue;
    ++shared->left;
    instances_[i]->run(std::move(jobs[i]), start, [shared, i](StreamOutcome&& result) {
      shared->outcomes[i] = std::move(result);
      shared->one();
    });
  }
  shared->one();
}

}  // namespace harmonia::rtl
