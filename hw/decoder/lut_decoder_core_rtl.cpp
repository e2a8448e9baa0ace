#include "harmonia/hw/decoder/lut_decoder_core_rtl.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/hw/decoder/lut_decoder.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"

namespace harmonia::decoder {
namespace {

using bus::Cycle;
constexpr std::size_t kBlock = 64;

class RtlCore final : public DecoderCore {
 public:
  RtlCore(const rtl::InstanceFactory& make, std::size_t count, bool compare)
      : instances_(make, count), lane_free_(count, 0), compare_(compare) {}

  bool handles(const Descriptor& d) const override {
    if (d.bit_planes != 0 || d.expansions != 1.0f) return false;
    if (d.kind == DecodeKind::codebook) return d.block == 64 && (d.bits == 1 || d.bits == 2 || d.bits == 4);
    return d.kind == DecodeKind::integer && d.block == 128 && d.bits == 4;
  }
  const std::uint8_t* row(std::uint32_t row) const override { return decoded_.data() + row * row_bytes_; }

  void run(const Descriptor& d, const std::uint8_t* codes, std::size_t code_bytes, const std::uint8_t* scales,
           Cycle start, bool follows, Done done) override {
    const std::size_t row_blocks = (d.row_elements + kBlock - 1) / kBlock;
    row_bytes_ = decoded_row_bytes(d);
    if (!open_) {
      open_ = true;
      next_block_ = 0;
      decoded_.assign(d.rows * row_bytes_, 0);
    }
    const LutDecoderRtlMode mode =
        d.kind == DecodeKind::integer
            ? (d.zero_point != 0 ? LutDecoderRtlMode::kInt4ZeroPoint : LutDecoderRtlMode::kInt4)
        : d.bits == 1 ? LutDecoderRtlMode::kOneBit
        : d.bits == 2 ? LutDecoderRtlMode::kTwoBit
                      : LutDecoderRtlMode::kFourBit;
    std::vector<rtl::StreamJob> jobs(instances_.size());
    const bool reload = tensor_ != d.tensor || !tensor_;
    if (reload) {
      tensor_ = d.tensor;
      for (rtl::StreamJob& job : jobs) {
        job.inputs.resize(3);
        job.inputs[kCodebookStream] = codebook_beats(mode, d.codebook);
        job.what = name(d) + ", codebook";
      }
      next_lane_ = 0;
    }

    const std::uint64_t stored_row = d.index_row_bytes(), whole_rows = code_bytes / stored_row;
    const std::size_t in_row = static_cast<std::size_t>(code_bytes - whole_rows * stored_row) * 8 / d.bits / kBlock;
    const std::size_t complete = whole_rows * row_blocks + std::min(in_row, row_blocks - 1) * (whole_rows < d.rows);
    const std::size_t scale_words = d.blocks_per_row(), scale_row = scale_words * d.scale_bytes_per_block();
    auto order = std::make_shared<std::vector<std::vector<std::size_t>>>(jobs.size());
    for (; next_block_ < complete; ++next_block_, next_lane_ = (next_lane_ + 1) % jobs.size()) {
      const std::size_t r = next_block_ / row_blocks, b = next_block_ % row_blocks;
      const std::size_t first = b * kBlock, count = std::min<std::size_t>(kBlock, d.row_elements - first);
      const std::uint8_t* packed = codes + r * stored_row + first * d.bits / 8;
      const std::uint8_t* row_scales = scales + r * scale_row;
      const std::size_t s = first / d.block;
      std::uint16_t scale = 0;
      std::memcpy(&scale, row_scales + 2 * s, 2);
      const std::uint8_t* zero = d.zero_point != 0 ? row_scales + 2 * scale_words + s : nullptr;
      const LutDecoderRtlRow beats = row_beats(mode, packed, count, &scale, zero);
      rtl::StreamJob& job = jobs[next_lane_];
      if (job.inputs.empty()) job.inputs.resize(3);
      job.inputs[kIndexStream].insert(job.inputs[kIndexStream].end(), beats.index.begin(), beats.index.end());
      job.inputs[kScaleStream].insert(job.inputs[kScaleStream].end(), beats.scale.begin(), beats.scale.end());
      ++job.results;
      (*order)[next_lane_].push_back(next_block_);
      if (!compare_) continue;
      for (const rtl::Beat& beat : golden_row(mode, d.codebook, packed, count, &scale, zero))
        job.expected.push_back(beat);
      job.what = name(d) + ", lane group " + std::to_string(next_lane_);
    }
    if (code_bytes == d.index_bytes()) open_ = false;

    std::vector<Cycle> starts(jobs.size(), start);
    if (follows && !reload && start > 0)
      for (std::size_t l = 0; l < jobs.size(); ++l) starts[l] = std::max(lane_free_[l], start - 1);
    instances_.run(
        std::move(jobs), starts,
        [this, d, order, row_blocks, start, done = std::move(done)](std::vector<rtl::StreamOutcome>&& outcomes) {
          Result result{start, start};
          for (std::size_t l = 0; l < outcomes.size(); ++l) {
            const rtl::StreamOutcome& o = outcomes[l];
            if (o.accept_ends.empty()) continue;
            lane_free_[l] = std::max(o.accept_ends[kCodebookStream], o.accept_ends[kIndexStream]);
            result.done = std::max(result.done, lane_free_[l]);
            result.out = std::max(result.out, o.result_end);
            for (std::size_t i = 0; i < o.results.size(); ++i) store(d, (*order)[l][i], row_blocks, o.results[i]);
          }
          // A chunk that completes no block leaves as its predecessors do.
          result.out = std::max(result.out, result.done + kLutDecoderRtlStages);
          done(result);
        });
  }

 private:
  static std::string name(const Descriptor& d) {
    return "decoder, operation " + std::to_string(d.operation) + ", tensor " + std::to_string(d.tensor);
  }
  void store(const Descriptor& d, std::size_t block, std::size_t row_blocks, const rtl::Beat& beat) {
    std::uint8_t* out = decoded_.data() + block / row_blocks * row_bytes_;
    const std::size_t first = block % row_blocks * kBlock;
    std::copy_n(beat.data.begin(), std::min<std::size_t>(kBlock, d.row_elements - first), out + first);
    const auto scale = static_cast<std::uint16_t>(beat.user);
    std::memcpy(out + d.row_elements + 2 * (first / d.block), &scale, 2);
  }

  rtl::InstanceArray instances_;
  std::vector<Cycle> lane_free_;
  std::vector<std::uint8_t> decoded_;
  std::size_t row_bytes_ = 0, next_block_ = 0, next_lane_ = 0;
  bool open_ = false;
  std::optional<std::uint32_t> tensor_;
  bool compare_;
};

}  // namespace

std::unique_ptr<DecoderCore> make_rtl_core(const rtl::InstanceFactory& instances, std::size_t blocks_per_cycle,
                                           bool compare) {
  return std::make_unique<RtlCore>(instances, blocks_per_cycle, compare);
}

}  // namespace harmonia::decoder
