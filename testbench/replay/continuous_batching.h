// Continuous batching: which requests of a trace run together in each step, and when each of their tokens comes.
//
// Models: first come, first served admission under a limit of sequences and of KV-cache tokens, where a request
// reserves
//   room for its whole prompt and output when it is admitted; prompts processed in chunks, as many tokens of them a
//   step as one chunk has, mixed with one token of every sequence that is decoding; the last chunk of a prompt gives
//   the first output token; requests that can never fit are refused. Where several steps are under way at a time, as in the stages of
//   a pipeline, sequences are in as many groups, each of which has a step of its own: a request goes to the group with the fewest
//   sequences when it is admitted, and stays there. (So does vLLM's engine before version 1, with a scheduler for each stage.)
// Does not model: preemption, priorities, prefix sharing, output lengths that the scheduler does not know.
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/testbench/replay/request_trace.h"

namespace harmonia::testbench {

struct BatchLimits {
  std::uint64_t sequences = 16;
  std::uint64_t kv_tokens = 0;
  std::uint64_t chunk_tokens = 512;                  // 0: whole prompts
  std::uint64_t request_tokens = ~std::uint64_t{0};  // prompt and output of one request; longer ones are refused
  std::uint64_t groups = 1;                          // of sequences, whose steps are under way at a time

  /// At most, in one step.
  std::uint64_t step_sequences() const { return (sequences + groups - 1) / groups; }
};

/// A request's way through the machine. Times are seconds after the first arrival.
struct RequestProgress {
  Request request;
  bool refused = false;
  double admitted_s = -1, first_token_s = -1, last_token_s = -1;  // -1: not yet
  std::uint64_t generated = 0;
};

/// What the queue and the batch were like over time, up to the end of the last step.
struct BatchingStatistics {
  double seconds = 0, idle_s = 0;  // idle: nothing in flight
  double running_mean = 0, waiting_mean = 0, kv_tokens_mean = 0;
  std::uint64_t running_max = 0, waiting_max = 0, kv_tokens_max = 0;
};

class ContinuousBatching {
 public:
  /// Throws std::invalid_argument when a limit is 0 that must not be.
  ContinuousBatching(const std::vector<Request>& requests, const BatchLimits& limits);

  /// What one sequence does in a step.
  struct Part {
    std::uint64_t request = 0;
    std::uint64_t slot = 0;    // 0 .. sequences - 1, the same from admission to the end
    std::uint64_t cached = 0;  // tokens in the KV cache before the step
    std::uint64_t tokens = 1;
    bool prefill = false;
    bool token_out = true;  // the step ends with an output token of this sequence
  };

  /// Admits what has arrived by `now` and puts the next step of a group together. Empty: none of its sequences is in flight; where that
  /// is so of all groups, next_arrival() says when to come back. Times of calls ascend, whatever the groups.
  const std::vector<Part>& begin_step(double now, std::uint64_t group = 0);
  /// The group's step under way; empty: there is none.
  const std::vector<Part>& step(std::uint64_t group) const { return steps_[group]; }
  /// The group's step begun last ended at `end`.
  void end_step(double end, std::uint64_t group = 0);

  bool finished() const { return active_.empty() && next_ == requests_.size(); }
  /// Arrival of the next request that was not admitted yet; meaningless when finished.
  double next_arrival() const { return next_ < requests_.size() ? requests_[next_].request.arrival_s : 0; }
  const std::vector<RequestProgress>& requests() const { return requests_; }
  std::uint64_t completed() const { return completed_; }
  std::uint64_t refused() const { return refused_; }
  BatchingStatistics statistics() const;

 private:
  struct Active {
    std::uint64_t request, slot, cached, prompt, output, group;
  };
  void admit(double now);
  std::uint64_t smallest_group() const;
  void pass(double now);
  static std::uint64_t room(const Request& r) {
    return static_cast<std::uint64_t>(r.prompt_tokens) + static_cast<std::uint64_t>(r.output_tokens);
  }

  std::vector<RequestProgress> requests_;
  BatchLimits limits_;
  std::vector<Active> active_;  // in order of admission
  std::vector<std::uint64_t> free_slots_;
  std::vector<std::vector<Part>> steps_;  // of each group
  std::size_t next_ = 0;                  // not admitted or refused before it
  std::size_t arrived_ = 0;               // by now_
  double now_ = 0;
  double running_s_ = 0, waiting_s_ = 0, reserved_s_ = 0;  // integrals over time
  std::uint64_t waiting_ = 0;
  BatchingStatistics statistics_;
  std::uint64_t reserved_ = 0, completed_ = 0, refused_ = 0;
};

}  // namespace harmonia::testbench
