// SystemC module of the vector unit.
//
// Models: vector_unit.h behind TLM-2.0 streams: PE results and operands from memory in; rows to smoother and converter,
// and
//   logits to the host, out. Operations are done in the order of their descriptors. The residual stream, attention
//   outputs and results under way live in its scratch memory.
// Does not model: the scratch memory's capacity (the sequencer spills what does not fit).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <systemc>
#include <type_traits>
#include <utility>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/vector/descriptor_check.h"
#include "harmonia/hw/vector/vector_math.h"
#include "harmonia/hw/vector/vector_unit.h"
#include "harmonia/tlm/chunk_input.h"
#include "harmonia/tlm/stream_block.h"

namespace harmonia::vector {

/// A setup descriptor is followed by its table: SequenceRows, RoPE frequencies.
class VectorUnit final : public bus::StreamBlock<Descriptor> {
 public:
  VectorUnit(sc_core::sc_module_name name, const Config& config);

  bus::ChunkInput result;   // target socket tsock_result
  bus::ChunkInput operand;  // target socket tsock_operand
  bus::StreamSource<> isock{"isock"};
  bus::StreamSource<> isock_host{"isock_host"};
  std::function<void(const bus::Work&)> observer;

  std::uint64_t elements() const { return elements_total_; }
  bool idle() const { return command.empty(); }
  /// The residual stream of the step, [rows][hidden], while it is in the scratch memory; functional runs.
  const std::vector<formats::Fp16>& residual() const { return residual_; }
  /// Of a device among several, functional runs: its part of what is to change the residual stream, [rows][hidden]. Zeros where nothing
  /// was computed since the last sum, as of a layer in which no token goes to an expert of this device.
  const std::vector<formats::Fp16>& part() {
    if (!part_begun_) begin_part();
    return part_;
  }
  /// The sum of all devices' parts, as many values: changes the residual stream, which takes no time of its own.
  void put_sum(const std::vector<formats::Fp16>& sum);
  /// Of a stage of a pipeline, functional runs: rows of the residual stream that came from the stage before, for the next step's
  /// Embed of received rows.
  void put_rows(std::vector<formats::Fp16> rows) {
    functional_ = true;
    received_ = std::move(rows);
  }

 private:
  bool step() override;
  void begin();
  bool take_operand();
  bool take_result();
  void taken(const sc_core::sc_time& when);
  void finish();
  void setup(const Setup& d);
  std::string missing(const Descriptor& d) const;
  std::string missing_of(const Setup&) const { return {}; }
  std::string missing_of(const Marker&) const { return {}; }
  std::string missing_of(const Rows&) const { return {}; }
  std::string missing_of(const Embed& d) const;
  std::string missing_of(const Norm& d) const;
  std::string missing_of(const AddNormed& d) const;
  std::string missing_of(const Projection& d) const;
  std::string missing_of(const OnlineSoftmax& d) const;
  std::string missing_of(const AccumulateAttention& d) const;
  std::string missing_of(const StreamUpdate& d) const;
  std::string missing_of(const AddScaled& d) const;
  std::string missing_stream(std::uint64_t last_row, bool partial = false) const;

  // Functional runs: what each kind does to values.
  void compute();
  void compute(const Setup&) {}
  void compute(const Embed& d);
  void compute(const Norm& d);
  void compute(const AddNormed& d);
  void compute(const Rotation& d);
  void correct(const Projection& d);
  void compute(const Softmax& d);
  void compute(const OnlineSoftmax& d);
  void compute(const CollectAttention& d);
  void compute(const AccumulateAttention& d);
  template <class Update>
  std::enable_if_t<std::is_base_of_v<StreamUpdate, Update>> compute(const Update& d);
  void compute(const SiluMultiply& d);
  void compute(const Activate& d);
  void compute(const KeepBranch& d);
  void compute(const PassValues& d) { correct(d); }
  void compute(const PassScores&) {}
  void compute(const PassSums&) {}
  void compute(const Route& d);
  void compute(const ScaleOfRows& d);
  void compute(const AddScaled& d);
  void compute(const Logits& d);
  void compute(const Marker&) {}
  const formats::Fp16* take_gains(const Norm& d, const formats::Fp16* words);
  void normalise(const Norm& d, const formats::Fp16* row, formats::Fp16* out) const;
  static void collect_rows(const Norm& d, const formats::Fp16* from, std::vector<formats::Fp16>& to);
  static void add_bias(const formats::Fp16* bias, std::vector<formats::Fp16>& rows, const Results& d);
  const formats::Fp16* operand_words() const { return reinterpret_cast<const formats::Fp16*>(operand_data_.data()); }

  // How the result of each kind leaves.
  void send(const Setup&) {}
  void send(const Embed& d);
  void send(const Norm& d);
  void send(const AddNormed& d);
  void send(const RotateQueries& d);
  void send(const RotateKeys& d);
  void send(const PassValues& d);
  void send(const PassScores& d);
  void send(const PassSums& d);
  void send(const Softmax& d);
  void send(const OnlineSoftmax& d);
  void send(const CollectAttention& d);
  void send(const AccumulateAttention& d);
  void send(const StreamUpdate& d);
  void send(const SiluMultiply& d);
  void send(const Activate& d);
  void send(const KeepBranch& d);
  void send(const Route& d);
  void send(const ScaleOfRows&) {}
  void send(const AddScaled&) {}
  void send(const Logits& d);
  void send(const Marker& d);
  void send_rows(std::uint32_t rows, std::uint32_t columns, const formats::Fp16* data, std::uint32_t stride);
  void send_blocks(const Rows& d, std::uint32_t block_columns, const formats::Fp16* data);
  void send_heads(const Projection& d);
  void send_heads_by_sequence(const Projection& d, bool in_chunks);
  void send_host(bus::PayloadPtr out, bus::HostResult what, std::uint32_t operation, std::uint32_t elements);

  Config config_;
  bool begun_ = false;
  unsigned unaccepted_ = 0;  // chunks sent and not known to be taken
  bus::Cycle begin_ = 0, ready_ = 0, busy_before_ = 0;
  std::uint32_t operand_bytes_ = 0;
  std::uint64_t results_ = 0, valued_results_ = 0, elements_total_ = 0;  // valued: they carried data
  StepShape queued_step_;                                                // of the last setup that was queued

  // The step's rows.
  std::vector<SequenceRows> sequences_;
  std::vector<std::uint32_t> logit_rows_;

  // Functional runs: contents of the scratch memory.
  bool functional_ = false;
  std::size_t hidden_ = 0, step_rows_ = 0;
  std::vector<std::uint8_t> operand_data_;
  std::vector<float> gamma_;
  std::array<std::vector<float>, 2> head_gains_;    // of queries and keys
  std::array<std::vector<formats::Fp16>, 2> wide_;  // their rows, where a norm is over all heads
  std::vector<formats::Fp16> residual_, branch_, attended_, gathered_, second_, out_;
  std::vector<formats::Fp16> part_, received_;
  bool part_is_branch_ = false;  // its sum is kept for a norm
  bool part_begun_ = false;      // since the last sum: experts add to what is there
  void begin_part();
  void (*part_update_)(const formats::Fp16*, const formats::Fp16*, std::size_t, formats::Fp16*) = nullptr;
  // Online softmax: of the rows whose blocks are under way. A block's results come when the scores of the next may have been
  // taken already; a row that sees nothing of a block has no factor.
  struct OnlineBlock {
    std::vector<std::optional<float>> factors;
    std::vector<float> sums;
  };
  std::vector<OnlineRow> online_;
  std::deque<OnlineBlock> online_blocks_;
  std::vector<float> accumulated_;
  // Of a mixture layer: scores of the router, experts of each row and their weights, the scale of the shared experts.
  std::vector<formats::Fp16> scores_;
  std::vector<std::uint32_t> chosen_;
  std::vector<float> weights_, shared_scale_;
  std::vector<float> frequencies_;  // of the setup table; empty: from theta
  std::unique_ptr<RopeTable> rope_;
  double rope_theta_ = 0;
  bool rope_half_ = false, rope_from_table_ = false;
};

}  // namespace harmonia::vector
