// Sequencer: takes steps from the host, gives every block its descriptors, knows when what was written may be read.
//
// Models: descriptors per layer, a bounded number of layers ahead; one decision per descriptor; completion of writes as
// the
//   condition for reads of the same data (KV appends before attention, spilled activations before their use); a fixed
//   overhead before each layer where a machine has one; kernels one after another, each behind its constant, on a
//   machine that stands for a GPU (hw/program/kernels.h).
//   Of a mixture layer the experts are ordered when the router's results are here, the next layer behind them.
// Does not model: a processor that computes the descriptors; their transport takes no bandwidth.
//
// Host interface: one TLM write to `tsock` starts a step; its response comes when the step is complete. A TLM read from
// `tsock` afterwards gives the logits of functional runs: FP16 [sequences that wanted them][vocabulary].
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/hw/accelerator/sequencer_config.h"
#include "harmonia/hw/program/conservation.h"
#include "harmonia/hw/program/step_program.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/clock.h"
#include "harmonia/tlm/memory_initiator.h"
#include "harmonia/tlm/memory_target.h"
#include "harmonia/tlm/timed_queue.h"

namespace harmonia::accelerator {

/// Start of a step command; `sequences` SequenceStep follow, then `tokens` 32-bit token numbers.
struct StepHeader {
  std::uint32_t sequences = 0;
  std::uint32_t tokens = 0;
  std::uint32_t layers = 0;  // simulate only the first so many layers (sampled fidelity); 0: all
  /// Sampled fidelity: lm_head ends after three pieces of so many output channels, a marker behind each; 0: it is
  /// whole.
  std::uint32_t head_columns = 0;
  /// 1: no layers and no norms; the step's vectors are read from memory and multiplied by the matrix of lm_head alone.
  std::uint32_t single_linear = 0;
  std::uint32_t reserved = 0;
};
std::vector<unsigned char> encode_step(const StepWork& work, std::uint32_t layers = 0, std::uint32_t head_columns = 0,
                                       bool single_linear = false);

struct StepRecord {
  sc_core::sc_time begin, end;
  std::vector<sc_core::sc_time>
      layer_begin;  // when the vector unit turned to each layer; the last entry: after the last layer
  Expected expected;
  bool resident = true;
};

class Sequencer : public sc_core::sc_module {
 public:
  Sequencer(sc_core::sc_module_name name, const SequencerConfig& config, const ModelShape& shape, const MemoryMap& map,
            const OnChip& chip, const StepProgram::Settings& settings);

  bus::MemoryTarget<> tsock{"tsock"};
  bus::ChunkInput host;  // target socket tsock_host: logits and markers from the vector unit
  /// Command sockets, by Queue; the smoother gets the converter's descriptors too.
  std::array<std::unique_ptr<bus::MemoryInitiator<>>, queue_count> isock;
  bus::MemoryInitiator<> isock_smoother{"isock_smoother"};

  /// Of the step under way or done last.
  const StepRecord& record() const { return record_; }
  const StepProgram* program() const { return program_.get(); }
  /// Sums over all steps.
  const Expected& expected() const { return expected_; }
  std::uint64_t steps() const { return steps_; }
  /// Called when the vector unit has passed marker `number`: 0 embedding, 1 to L the layers, then the pieces of
  /// lm_head.
  std::function<void(std::uint32_t number)> on_marker;
  /// Called when a kernel of a machine that stands for a GPU has ended: its class, and the part of the step that it is of.
  std::function<void(OperationClass, std::size_t part)> on_kernel;
  /// Called for each class of operation number once a batch exists; lets observers of blocks sort their records.
  OperationClass class_of(std::uint32_t operation) const {
    return program_ ? program_->class_of(operation) : OperationClass::elementwise;
  }
  /// Of a device among several that are all simulated: begins an all-reduce of so many values, and says later when this device has
  /// the sum. Empty: an all-reduce takes what the settings say.
  using Done = std::function<void(const sc_core::sc_time& when)>;
  std::function<void(std::uint64_t values, Done done)> all_reduce;
  /// Which part of the step under way an operation is of: 0 embedding, 1 to L the layers, then the pieces of lm_head.
  std::size_t part_of(std::uint32_t operation) const {
    return static_cast<std::size_t>(std::lower_bound(part_ends_.begin(), part_ends_.end(), operation) -
                                    part_ends_.begin());
  }

  /// Values of each all-reduce between devices, in the order in which they began, of all steps.
  const std::vector<std::uint64_t>& all_reduces() const { return all_reduces_; }

 private:
  struct Item {
    std::vector<unsigned char> bytes;
    bool gated = false;
    Queue on = Queue::kv_write;
    std::uint64_t count = 0;
    std::uint64_t kernel = 0;  // from 1, in the order of the step; 0: none
  };
  /// A kernel that has not begun.
  struct Kernel {
    OperationClass operation_class;
    double us;
    std::uint64_t reduced_values;
  };
  enum class Due : std::uint8_t { batch, kernel };
  struct Marker {
    std::uint32_t number;
  };

  std::optional<sc_core::sc_time> request(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival);
  void start(tlm::tlm_generic_payload& payload);
  void host_chunk();
  std::string host_fault(const bus::Chunk& chunk, std::uint64_t bytes) const;
  void marker(std::uint32_t number);
  void push_next_batch(double overhead_us = 0);
  void mark_kernels(Batch& batch) const;
  std::uint64_t kernel_of(const Batch& batch, Queue q, std::size_t item) const;
  void await_kernel();
  void begin_next_kernel();
  void end_kernel();
  void push(Batch&& batch, double overhead_us);
  void push_due();
  void push_batch(double overhead_us);
  void routed();
  void end_part(Batch&& batch, double overhead_us);
  template <class D>
  void queue_all(Queue q, const std::vector<D>& list, const Batch& batch);
  void pump(Queue q);
  void pump_all();
  void send(Queue q, const std::vector<unsigned char>& bytes);
  void add_marker(Batch& batch);
  void written(Queue q);
  void finish_if_done();

  SequencerConfig config_;
  bus::Clock clock_;
  const ModelShape& shape_;
  const MemoryMap& map_;
  OnChip chip_;
  StepProgram::Settings settings_;
  std::shared_ptr<ScoredRouting> scored_;  // of functional runs: in place of the settings' routing
  bus::PayloadPool pool_;

  bus::PayloadPtr command_;  // the step under way
  StepWork work_;
  std::unique_ptr<StepProgram> program_;
  StepRecord record_;
  Expected expected_;
  std::uint64_t steps_ = 0;
  bool single_linear_ = false;
  unsigned layers_ = 0;      // of this step
  unsigned head_parts_ = 1;  // of lm_head
  std::uint64_t head_columns_ = 0;
  unsigned next_batch_ = 0;               // 0 embedding, 1.. layers, then head
  std::uint32_t markers_ = 0;             // sent
  std::vector<std::uint32_t> part_ends_;  // last operation of each part of the step
  std::deque<double> due_;                // batches that may be added, each with the time before its first kernel
  bool routing_due_ = false;              // the second half of a mixture layer waits for the router's results
  bool all_pushed_ = false, last_marker_seen_ = false;
  std::array<std::deque<Item>, queue_count> items_;
  std::array<std::size_t, queue_count> base_{};  // number of the first item of the batch being added, in items_
  std::array<sc_core::sc_time, queue_count> free_{};
  // Kernels: descriptors of those up to `begun_` may go to their blocks.
  std::deque<Kernel> kernels_;
  std::uint64_t kernels_queued_ = 0, kernels_begun_ = 0, kernels_ended_ = 0;
  OperationClass kernel_class_ = OperationClass::elementwise;
  std::vector<bool> ends_kernel_;  // by marker
  std::uint64_t kv_writes_ = 0, out_writes_ = 0, kv_written_ = 0, out_written_ = 0;
  std::vector<unsigned char> logits_;
  unsigned logit_rows_ = 0;
  bus::TimedQueue<Queue> writes_done_;
  bus::TimedQueue<Marker> markers_due_;
  bus::TimedQueue<int> routings_due_;
  bus::TimedQueue<Due> overhead_done_;      // before a layer or a kernel
  std::vector<std::uint64_t> all_reduces_;  // values of each, begun so far
};

}  // namespace harmonia::accelerator
