// The RTL twin of the K-means LUT decoder, lut_decoder.sv, behind the interface of the golden functions in
// harmonia/formats/kmeans.h and int_quant.h: give packed rows, get codes and cycles.
//
// Models: n = 1, 2, 4 through a programmed codebook, INT4 with and without zero-points, 64 weights per cycle, reload of
// the codebook. Does not model: n = 3 and n = 8 (std::invalid_argument), arithmetic on scales.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "harmonia/hw/rtl/stream.h"

namespace harmonia::decoder {

/// Streams: inputs s_axis_codebook, s_axis_index, s_axis_scale, in this order; output m_axis.
std::unique_ptr<rtl::StreamDut> make_lut_decoder_rtl();

inline constexpr std::size_t kLutDecoderRtlLanes = 64;
inline constexpr std::uint64_t kLutDecoderRtlStages = 3;
enum LutDecoderRtlStream : std::size_t { kCodebookStream, kIndexStream, kScaleStream };

/// What the first beat of a codebook packet selects (its tuser).
enum class LutDecoderRtlMode : std::uint32_t { kOneBit = 0, kTwoBit = 1, kFourBit = 2, kInt4 = 4, kInt4ZeroPoint = 5 };

class LutDecoderRtl {
 public:
  /// compare: every result is checked against the model (rtl::Difference at the first that differs).
  explicit LutDecoderRtl(bool compare = false, const rtl::Stalls& stalls = {});
  /// Takes another simulation of the same RTL.
  LutDecoderRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls = {});
  ~LutDecoderRtl();

  /// Programs the codebook: 2^bits signed integers, bits = 1, 2 or 4. Takes effect with the next row.
  void load(int bits, const std::int8_t* table);
  /// INT4 pass.
  void load_int4(bool zero_point);

  /// One row of `cols` > 0 weights. packed: ceil(cols * bits / 8) bytes; scales: one 16-bit word per 64 (K-means) or
  /// 128 (INT4) weights; zeros: one byte per scale, null when there are none. codes: `cols` values; block_scales, when
  /// not null: the scale that travels with each block of 64.
  void decode_row(const std::uint8_t* packed, std::size_t cols, const std::uint16_t* scales, const std::uint8_t* zeros,
                  std::int8_t* codes, std::uint16_t* block_scales = nullptr);
  /// Clock cycles so far.
  std::uint64_t cycles() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Beats of a packet that programs the decoder, and of one row; and what the model answers to that row. For testbenches
/// that drive a StreamDut themselves.
struct LutDecoderRtlRow {
  std::vector<rtl::Beat> index;
  std::vector<rtl::Beat> scale;
};
std::vector<rtl::Beat> codebook_beats(LutDecoderRtlMode mode, const std::int8_t* table);
LutDecoderRtlRow row_beats(LutDecoderRtlMode mode, const std::uint8_t* packed, std::size_t cols,
                           const std::uint16_t* scales, const std::uint8_t* zeros);
std::vector<rtl::Beat> golden_row(LutDecoderRtlMode mode, const std::int8_t* table, const std::uint8_t* packed,
                                  std::size_t cols, const std::uint16_t* scales, const std::uint8_t* zeros);

}  // namespace harmonia::decoder
