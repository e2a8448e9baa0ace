#include "harmonia/hw/program/linear_mode.h"

#include "harmonia/config/error.h"

namespace harmonia::accelerator {
namespace {

LinearMode fp16_mode(WeightFormat format) {
  LinearMode mode;
  mode.decode = format == WeightFormat::kFp16 ? decoder::DecodeKind::pass
                : is_codebook(format)         ? decoder::DecodeKind::codebook_fp16
                                              : decoder::DecodeKind::integer_fp16;
  mode.operand = pe::Operand::fp16;
  mode.passes = 1;
  return mode;
}

}  // namespace

LinearMode linear_mode(WeightFormat format, formats::CodebookKind codebook, bool bfp_array) {
  if (format == WeightFormat::kInt8Zero)
    throw config::InputError(
        "weights.zero_point: the decoder has no mode for int8 with zero-points: q - z takes 9 bits");
  if (!bfp_array) return fp16_mode(format);
  switch (format) {
    case WeightFormat::kFp16:
      return {decoder::DecodeKind::to_bfp8, pe::Operand::bfp8, 2, false};
    case WeightFormat::kInt8:
      return {decoder::DecodeKind::integer, pe::Operand::integer, 2, false};
    case WeightFormat::kInt4:
    case WeightFormat::kInt4Zero:
      return {decoder::DecodeKind::integer, pe::Operand::integer, 1, false};
    default:
      break;
  }
  if (codebook == formats::CodebookKind::kBf16)
    throw config::InputError(
        "weights.codebook: bf16 is the numeric reference and has no mode on an integer PE array; take int8 or int5");
  LinearMode mode;
  mode.one_bit = format == WeightFormat::kKmeans1;
  mode.passes = codebook == formats::CodebookKind::kInt5 || mode.one_bit || format == WeightFormat::kTernary ? 1 : 2;
  return mode;
}

}  // namespace harmonia::accelerator
