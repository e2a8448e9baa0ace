// The RTL twin of the FP16-to-BFP converter, bfp_converter.sv, behind the interface of the golden functions in
// harmonia/formats/bfp.h: give vectors, get results and cycles.
//
// Models: G = 32, truncation, M = 8 and M = 4, rows and residual groups grown in place, the nonfinite counter.
// Does not model: other group sizes, mantissa widths and roundings (std::invalid_argument).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/rtl/stream.h"

namespace harmonia::converter {

/// Streams: input 0 s_axis, output m_axis. Throughout, groups of 32.
std::unique_ptr<rtl::StreamDut> make_bfp_converter_rtl();

inline constexpr std::uint64_t kBfpConverterRtlStages = 4;

/// s_axis beat for `count` <= 32 values, the rest zero.
rtl::Beat row_beat(const formats::BfpFormat& format, const formats::Fp16* x, std::size_t count, bool last = false);
/// s_axis beat that puts x at `place` of a stored M = 8 group.
rtl::Beat merge_beat(formats::Fp16 x, int place, const std::uint8_t* stored, bool last = false);
/// What the model answers to an s_axis beat; adds to *nonfinite.
rtl::Beat golden_beat(const rtl::Beat& input, std::uint64_t* nonfinite);

class BfpConverterRtl {
 public:
  /// compare: every result is checked against the model (rtl::Difference at the first that differs).
  explicit BfpConverterRtl(bool compare = false, const rtl::Stalls& stalls = {});
  /// Takes another simulation of the same RTL.
  BfpConverterRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls = {});
  ~BfpConverterRtl();

  /// As formats::encode_row().
  std::size_t encode_row(const formats::BfpFormat& format, const formats::Fp16* x, std::size_t n, std::uint8_t* out);
  /// As formats::append_row(); format M = 8.
  std::size_t append_row(const formats::BfpFormat& format, const formats::Fp16* x, std::size_t channels, int count,
                         std::uint8_t* groups);
  /// Clock cycles so far.
  std::uint64_t cycles() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace harmonia::converter
