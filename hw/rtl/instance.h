// One RTL block at work inside the running system: it gets the beats of a piece of work and gives results with cycles.
//
// Models: a block whose clock runs only while it has work (a gated clock): between two pieces of work nothing is
// evaluated, whatever time has passed. Results leave at once; what makes a chunk wait at the block's output happens
// outside. Does not model: two pieces of work overlapping in one block's pipeline. Their results do not interact, so
// the cycles reported for each hold as if they did.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/rtl/stream.h"
#include "harmonia/tlm/cycle.h"

namespace harmonia::rtl {

struct StreamJob {
  std::vector<std::vector<Beat>> inputs;  // by input stream, in order
  std::size_t results = 0;
  std::vector<Beat> expected;  // what the model answers; empty: not compared
  std::string what;            // the transaction, for messages

  bool empty() const {
    for (const std::vector<Beat>& beats : inputs)
      if (!beats.empty()) return false;
    return true;
  }
};

struct StreamOutcome {
  std::vector<Beat> results;
  bus::Cycle begin = 0;                 // the first cycle of the work
  bus::Cycle result_end = 0;            // the first cycle after the last result
  std::vector<bus::Cycle> accept_ends;  // by input stream: the first cycle after its last beat was taken
  std::uint64_t status = 0;             // the block's status register afterwards
};

class Instance {
 public:
  using Done = std::function<void(StreamOutcome&&)>;
  virtual ~Instance() = default;
  /// Works from cycle `start` on; `done` is called when the last result is out, possibly before run() returns. One
  /// piece of work at a time. Throws Difference when a result is not the expected one or nothing moves.
  virtual void run(StreamJob&& job, bus::Cycle start, Done done) = 0;
};

/// Makes instance number `index` of a block.
using InstanceFactory = std::function<std::unique_ptr<Instance>(unsigned index)>;
using DutFactory = std::function<std::unique_ptr<StreamDut>()>;

/// The fast path: the simulated block is clocked inside run(), which returns with the results.
InstanceFactory fast_instances(DutFactory make);

/// Several instances side by side on parts of one piece of work.
class InstanceArray {
 public:
  InstanceArray(const InstanceFactory& make, std::size_t count);

  std::size_t size() const { return instances_.size(); }
  /// Runs jobs[i] on instance i, not before starts[i] (of the piece when there is one start only). Empty jobs are left
  /// out: their outcome has no results and no accept_ends.
  void run(std::vector<StreamJob>&& jobs, const std::vector<bus::Cycle>& starts,
           std::function<void(std::vector<StreamOutcome>&&)> done);

 private:
  std::vector<std::unique_ptr<Instance>> instances_;
};

}  // namespace harmonia::rtl
