#include "harmonia/hw/decoder/lut_decoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/tlm/field_check.h"

namespace harmonia::decoder {

namespace {

formats::IntFormat int_format(const Descriptor& d) {
  formats::IntFormat format;
  format.bits = d.bits;
  format.zero_point = d.zero_point != 0;
  format.group = d.block;
  return format;
}

void round_row(const std::vector<float>& values, std::uint8_t* out) {
  std::vector<formats::Fp16> rounded(values.size());
  formats::to_fp16(values.data(), values.size(), rounded.data());
  std::memcpy(out, rounded.data(), 2 * rounded.size());
}

}  // namespace

std::size_t decoded_row_bytes(const Descriptor& d) {
  switch (d.kind) {
    case DecodeKind::to_bfp8:
      return formats::kBfp8.row_bytes(d.row_elements);
    case DecodeKind::pass:
    case DecodeKind::codebook_fp16:
    case DecodeKind::integer_fp16:
      return 2 * std::size_t{d.row_elements};
    default:
      return d.row_elements + 2 * d.blocks_per_row();
  }
}

std::string fault_of(const Descriptor& d) {
  bus::FieldCheck c;
  c.within("rows", d.rows, 1, 1 << 24).within("row_elements", d.row_elements, 1, 1 << 24);
  c.kind("kind", d.kind, DecodeKind::integer_fp16);
  c.require_real(d.expansions >= 1 && d.expansions < 1e6f, "expansions", static_cast<double>(d.expansions), "1 to 1e6");
  c.flag("bit_planes", d.bit_planes).flag("zero_point", d.zero_point);
  const bool words = d.kind == DecodeKind::to_bfp8 || d.kind == DecodeKind::pass;
  if (words)
    c.equal("bits", d.bits, 16, "FP16 words").equal("block", d.block, 0, "FP16 words have no scales");
  else
    c.within("bits", d.bits, 1, 8)
        .require((d.block != 0 || d.uses_codebook()) && d.block % 32 == 0, "block", d.block,
                 "a multiple of 32, or of a codebook 0");
  const std::uint64_t entry = d.kind == DecodeKind::codebook_fp16 ? sizeof(float) : 1;
  if (d.uses_codebook() && d.codebook_size != 0 && c.good())
    c.within("codebook_size", d.codebook_size, entry, entry << d.bits);
  else if (!d.uses_codebook())
    c.equal("codebook_size", d.codebook_size, 0, "integers and words have no codebook");
  return c.fault();
}

void decode_row(const Descriptor& d, const std::uint8_t* codes, const std::uint8_t* scales, std::uint8_t* out) {
  const std::size_t n = d.row_elements;
  switch (d.kind) {
    case DecodeKind::to_bfp8: {
      std::vector<formats::Fp16> row(n);
      std::memcpy(static_cast<void*>(row.data()), codes, 2 * n);
      formats::encode_row(formats::kBfp8, row.data(), n, out);
      return;
    }
    case DecodeKind::pass:
      std::memcpy(out, codes, 2 * n);
      return;
    case DecodeKind::codebook_fp16: {
      formats::Codebook book;
      book.bits = d.bits;
      book.centroids.resize(std::size_t{1} << d.bits);
      std::memcpy(book.centroids.data(), d.codebook, book.centroids.size() * sizeof(float));
      std::vector<formats::Bf16> words(d.blocks_per_row());
      std::memcpy(static_cast<void*>(words.data()), scales, 2 * words.size());
      std::vector<float> values(n);
      formats::kmeans_decode_row_f32(book, codes, words.data(), n, values.data());
      round_row(values, out);
      return;
    }
    case DecodeKind::integer_fp16: {
      std::vector<formats::Fp16> words(d.blocks_per_row());
      std::memcpy(static_cast<void*>(words.data()), scales, 2 * words.size());
      std::vector<float> values(n);
      formats::int_decode_row(int_format(d), codes, words.data(), scales + 2 * d.blocks_per_row(), n, values.data());
      round_row(values, out);
      return;
    }
    case DecodeKind::codebook:
      formats::kmeans_decode_row_int8(d.codebook, d.bits, codes, n, reinterpret_cast<std::int8_t*>(out));
      break;
    case DecodeKind::integer: {
      std::vector<std::int16_t> wide(n);
      formats::int_decode_row_codes(int_format(d), codes, scales + 2 * d.blocks_per_row(), n, wide.data());
      std::transform(wide.begin(), wide.end(), reinterpret_cast<std::int8_t*>(out),
                     [](std::int16_t q) { return static_cast<std::int8_t>(q); });
      break;
    }
  }
  std::memcpy(out + n, scales, 2 * d.blocks_per_row());
}

void Timing::begin(const Descriptor& d) {
  reload_ = 0;
  // Integers need no entries, but one write that sets the mode.
  if (d.uses_codebook() && d.tensor != tensor_)
    reload_ = static_cast<std::uint64_t>(config_.reload_cycles_per_entry) << d.bits;
  else if (d.tensor != tensor_ && d.kind == DecodeKind::integer)
    reload_ = static_cast<std::uint64_t>(config_.reload_cycles_per_entry);
  tensor_ = d.tensor;
  rate_ = config_.rate(d.bits) / static_cast<double>(d.expansions);
}

Timing::Slot Timing::chunk(bus::Cycle arrival, std::uint64_t elements) {
  Slot slot;
  if (arrival > free_) {
    activity_.wait(bus::Wait::input, arrival - free_);
    backlog_ = 0;
  }
  slot.start = std::max(arrival, free_);
  activity_.wait(bus::Wait::reload, reload_);
  const double cycles = backlog_ + static_cast<double>(elements) / rate_;
  const auto whole = static_cast<std::uint64_t>(std::ceil(cycles - 1e-9));
  // What a chunk leaves unused of its last cycle serves the next one, if that follows at once.
  backlog_ = cycles - static_cast<double>(whole);
  activity_.busy += whole;
  slot.done = slot.start + reload_ + whole;
  reload_ = 0;
  slot.done_alone = slot.done;
  // The chunk is at the output one pipeline length later; while the output is occupied the whole pipeline stalls.
  slot.out = slot.done + static_cast<bus::Cycle>(config_.pipeline_cycles);
  if (output_free_ > slot.out) {
    activity_.wait(bus::Wait::output, output_free_ - slot.out);
    slot.done += output_free_ - slot.out;
    slot.out = output_free_;
  }
  free_ = slot.done;
  return slot;
}

}  // namespace harmonia::decoder
