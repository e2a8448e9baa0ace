// Stages of a pipeline in one simulation, with the links between them.
//
//   host --> pipeline --micro-batches--> stage 0 .. P-1 (an accelerator, or a device group)
//                                        stage s == links, one for each of its devices ==> stage s+1
// Models: a step's sequences in micro-batches, each a step of every stage, in turn; the residual stream of a micro-batch from each
//   device of a stage to its counterpart in the next by CollectiveUnit and Link (send_receive); room for one micro-batch that is done and
//   has not left, and for one that has come and is not begun; logits put together from the micro-batches.
// Does not model: the time between vector unit and collective unit; a step that begins before the one before has left the last stage.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <systemc>
#include <utility>
#include <vector>

#include "harmonia/hw/accelerator/accelerator.h"
#include "harmonia/hw/link/collective_module.h"
#include "harmonia/hw/link/link_module.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::accelerator {

/// The sequences of a step in so many micro-batches, as many in each as may be; the first ones have one more where they do not divide.
std::vector<StepWork> micro_batches(const StepWork& work, std::size_t count);

struct PipelineConfig {
  link::Config link;
  std::size_t micro_batches = 1;
  std::uint64_t hidden = 0, vocabulary = 0;  // of the model
  /// Rows are carried; otherwise as many zeros.
  bool functional = false;
};

struct PipelineStage {
  bus::MemoryTarget<>* command;
  std::vector<vector::VectorUnit*> units;  // of its devices, as many in each stage
};

class Pipeline final : public sc_core::sc_module {
 public:
  /// Steps and logits as Sequencer::tsock, for the whole model.
  bus::MemoryTarget<> tsock{"tsock"};

  /// The stages must outlive it. connect (empty: bind directly) makes the connections to and from links,
  /// "stage0_device1_to_link" and "link_to_stage1_device1".
  Pipeline(sc_core::sc_module_name name, const PipelineConfig& config, std::vector<PipelineStage> stages,
           const Connect& connect = {});

  /// Called when a stage begins a micro-batch of a step, and when it has done it.
  std::function<void(std::size_t stage, std::size_t batch)> on_begin, on_done;
  /// When the last step was given, when it had left the last stage, and the micro-batches in it.
  const sc_core::sc_time& step_begin() const { return step_begin_; }
  const sc_core::sc_time& step_end() const { return step_end_; }
  const std::vector<StepWork>& batches() const { return batches_; }
  /// Sent over all links, without headers of packets.
  std::uint64_t payload_bytes() const;

 private:
  using Rows = std::vector<std::vector<formats::Fp16>>;  // of each device
  struct Stage {
    std::size_t begun = 0, done = 0;    // micro-batches of the step
    bool busy = false, holds = false;   // works; has results that cannot go to `out` yet
    bool came = false, leaves = false;  // a micro-batch in the room for what came; one in the room for what leaves
    bool under_way = false;             // the latter is on the links
    std::size_t leaving = 0;            // its number
    Rows in, out;
  };
  struct Hop {
    std::vector<std::unique_ptr<link::CollectiveUnit>> units;  // of each device sender and receiver
    std::vector<std::unique_ptr<link::Link>> links;
    std::size_t missing = 0;
  };
  std::optional<sc_core::sc_time> request(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void refuse(tlm::tlm_response_status status, const sc_core::sc_time& when);
  void answered(std::size_t stage, const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when);
  void act(std::size_t stage);
  void advance();
  bool advance(std::size_t stage);
  void begin(std::size_t stage);
  void send(std::size_t stage);
  void arrived(std::size_t stage);
  void finish_step();
  bool last(std::size_t stage) const { return stage + 1 == stages_.size(); }

  PipelineConfig config_;
  std::vector<PipelineStage> stages_;
  std::vector<std::unique_ptr<bus::MemoryInitiator<>>> isock_;
  std::vector<Stage> state_;
  std::vector<Hop> hops_;                              // behind each stage but the last
  bus::TimedQueue<std::pair<std::size_t, bool>> due_;  // stage, or hop that has arrived
  bus::PayloadPool pool_;
  bus::PayloadPtr asked_, logits_asked_;
  std::uint32_t layers_ = 0, head_columns_ = 0;
  std::vector<StepWork> batches_;
  std::vector<unsigned char> logits_;
  std::size_t finished_ = 0;
  sc_core::sc_time step_begin_, step_end_;
  bool failed_ = false, advancing_ = false;
};

}  // namespace harmonia::accelerator
