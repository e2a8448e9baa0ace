// What every block between streams has: a descriptor queue, a clock, an account of its time, and one routine that does what
// can be done.
//
// Models: a block that works through its descriptors in order and that makes progress whenever a descriptor, a chunk, or news
//   of a chunk it sent has come. It keeps the cycle at which its work is done so far, which may lie ahead of simulated time.
// Does not model: what a block does with a chunk; its input and output streams, which are members of the block.
#pragma once

#include <algorithm>
#include <systemc>
#include <utility>

#include "harmonia/tlm/activity.h"
#include "harmonia/tlm/clock.h"
#include "harmonia/tlm/descriptor_port.h"
#include "harmonia/tlm/payload_pool.h"

namespace harmonia::bus {

template <class Descriptor>
class StreamBlock : public sc_core::sc_module {
 public:
  DescriptorPort<Descriptor> command;

  const Activity& activity() const { return activity_; }
  /// The cycle at which the block's work so far is done.
  Cycle free_at() const { return free_; }

 protected:
  /// check: what is wrong with a descriptor (DescriptorPort).
  StreamBlock(sc_core::sc_module_name name, double clock_mhz, typename DescriptorPort<Descriptor>::Check check = {})
      : sc_module(name),
        command(
            "command", [this] { progress(); }, std::move(check)),
        clock_(clock_mhz) {}

  /// Does one thing: takes a chunk, ends a piece of work, sends a result. False: there is nothing that can be done now.
  virtual bool step() = 0;

  /// Does all that can be done. To be called whenever something has come; a call from within step() is made good after it.
  void progress() {
    if (in_progress_) {
      again_ = true;
      return;
    }
    do {
      again_ = false;
      in_progress_ = true;
      try {
        while (step()) {
        }
      } catch (...) {
        in_progress_ = false;
        throw;
      }
      in_progress_ = false;
    } while (again_);
  }

  /// The block has nothing to do before cycle `at`: the time until then, if any, was spent waiting for `why`.
  void wait_until(Cycle at, Wait why) {
    if (at <= free_) return;
    activity_.wait(why, at - free_);
    free_ = at;
  }

  /// A chunk that stood at the output from cycle `ready` on was taken at `at`: for so long it held the block. Answers by
  /// how many cycles.
  Cycle held(Cycle ready, Cycle at) {
    if (at <= ready) return 0;
    activity_.wait(Wait::output, at - ready);
    free_ += at - ready;
    return at - ready;
  }

  Clock clock_;
  PayloadPool pool_;
  Activity activity_;
  Cycle free_ = 0;

 private:
  bool in_progress_ = false, again_ = false;
};

}  // namespace harmonia::bus
