// The RTL twin of the outlier smoother, outlier_smoother.sv, behind the interface of the golden functions in
// harmonia/formats/smoothing.h: set a head's offsets, give keys, get smoothed keys and cycles.
//
// Models: a table of 8 heads with 4 flagged channels each, 32 channels per cycle, FP16 subtraction. Does not model: the
// choice of the offsets, more heads or channels than the table holds (std::invalid_argument).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "harmonia/hw/formats/smoothing.h"
#include "harmonia/hw/rtl/stream.h"

namespace harmonia::smoother {

/// Streams: inputs s_axis_table, s_axis, in this order; output m_axis.
std::unique_ptr<rtl::StreamDut> make_outlier_smoother_rtl();

inline constexpr std::size_t kOutlierSmootherRtlHeads = 8;
inline constexpr std::size_t kOutlierSmootherRtlEntries = 4;
inline constexpr std::size_t kOutlierSmootherRtlChannels = 256;
inline constexpr std::uint64_t kOutlierSmootherRtlStages = 3;
enum OutlierSmootherRtlStream : std::size_t { kTableStream, kKeyStream };

/// s_axis_table beat.
rtl::Beat table_beat(std::size_t head, std::size_t entry, bool flagged, std::size_t channel, formats::Fp16 offset);
/// s_axis beat: `count` <= 32 channels from `first_channel` (a multiple of 32) of one token.
rtl::Beat key_beat(std::size_t head, std::size_t first_channel, const formats::Fp16* key, std::size_t count, bool last);

class OutlierSmootherRtl {
 public:
  /// compare: every result is checked against the model (rtl::Difference at the first that differs).
  explicit OutlierSmootherRtl(bool compare = false, const rtl::Stalls& stalls = {});
  /// Takes another simulation of the same RTL.
  OutlierSmootherRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls = {});
  ~OutlierSmootherRtl();

  /// Replaces the offsets of a head.
  void set_offsets(std::size_t head, const formats::KeyOffsets& offsets);
  /// As formats::subtract_offsets() with the head's offsets, for `tokens` keys of head_dim channels, one after another.
  void subtract_offsets(std::size_t head, formats::Fp16* key, std::size_t head_dim, std::size_t tokens = 1);
  /// Clock cycles so far.
  std::uint64_t cycles() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace harmonia::smoother
