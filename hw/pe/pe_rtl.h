// The RTL twin of one processing element, pe.sv, behind the interface of the golden functions in
// harmonia/formats/pe.h: give groups, get exact partials with their exponents, or whole dot products, and cycles.
//
// Models: 32 lanes, six modes, one group per cycle (two cycles in M8M8 and M8L8). FP32 accumulation across groups is
// not in the RTL: the dot functions do it here, in the order of the golden ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/rtl/stream.h"

namespace harmonia::pe {

/// Streams: inputs s_axis_a, s_axis_w, in this order; output m_axis.
std::unique_ptr<rtl::StreamDut> make_pe_rtl();

inline constexpr std::uint64_t kPeRtlStages = 7;
enum PeRtlStream : std::size_t { kFirstOperand, kSecondOperand };

/// value = partial * 2^exponent.
struct PeResult {
  std::int32_t partial = 0;
  int exponent = 0;
};
inline bool operator==(const PeResult& a, const PeResult& b) {
  return a.partial == b.partial && a.exponent == b.exponent;
}

/// s_axis_a beat of a stored BFP8 group; s_axis_w beats of a stored group (M8M4: 21 bytes, M8M8: 37), of 32 integers,
/// and of 32 one-bit codes (4 bytes, first element in the most significant bit). m_axis beat of a result.
rtl::Beat first_operand(const std::uint8_t* group, bool last = false);
rtl::Beat bfp_operand(formats::PeMode mode, const std::uint8_t* group);
rtl::Beat integer_operand(formats::PeMode mode, const std::int8_t* weights);
rtl::Beat one_bit_operand(const std::uint8_t* codes, int q0, int q1);
rtl::Beat result_beat(const PeResult& result, bool last = false);
PeResult result_of(const rtl::Beat& beat);
/// What the model answers.
rtl::Beat golden_beat(const rtl::Beat& first, const rtl::Beat& second);

class PeRtl {
 public:
  /// compare: every result is checked against the model (rtl::Difference at the first that differs).
  explicit PeRtl(bool compare = false, const rtl::Stalls& stalls = {});
  /// Takes another simulation of the same RTL.
  PeRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls = {});
  ~PeRtl();

  /// `groups` results. a: stored BFP8 groups, one after another. b: stored groups of 21 (M8M4) or 37 (M8M8) bytes; w:
  /// 32 integers per group (M8W4, M8L5: -15..15; M8L8: any); codes: 4 bytes per group.
  void partials_bfp(formats::PeMode mode, const std::uint8_t* a, const std::uint8_t* b, std::size_t groups,
                    PeResult* results);
  void partials_int(formats::PeMode mode, const std::uint8_t* a, const std::int8_t* w, std::size_t groups,
                    PeResult* results);
  void partials_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1, std::size_t groups,
                     PeResult* results);

  /// As the golden functions of the same names, BFP8 first operand at G = 32.
  float dot_bfp(const std::uint8_t* a, const formats::BfpFormat& fb, const std::uint8_t* b, std::size_t n,
                float sum = 0.0f);
  float dot_int(const std::uint8_t* a, const std::int8_t* w, const formats::Fp16* scales, std::size_t n,
                std::size_t scale_group = formats::kIntegerScaleGroup);
  float dot_codebook(formats::PeMode mode, const std::uint8_t* a, const std::int8_t* q,
                     const formats::Bf16* block_scales, float codebook_scale, std::size_t n);
  float dot_codebook_1bit(const std::uint8_t* a, const std::uint8_t* codes, int q0, int q1,
                          const formats::Bf16* block_scales, float codebook_scale, std::size_t n);
  /// Clock cycles so far.
  std::uint64_t cycles() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace harmonia::pe
