#include "harmonia/hw/decoder/lut_decoder_rtl.h"

#include <Vlut_decoder.h>

#include <algorithm>
#include <stdexcept>

#include "harmonia/hw/decoder/lut_decoder_ports.h"
#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/rtl/engine.h"

namespace harmonia::decoder {

namespace {

constexpr std::size_t kBlock = kLutDecoderRtlLanes;
constexpr std::size_t kBeatBytes = kBlock / 2;

bool is_int4(LutDecoderRtlMode mode) {
  return mode == LutDecoderRtlMode::kInt4 || mode == LutDecoderRtlMode::kInt4ZeroPoint;
}
int bits_of(LutDecoderRtlMode mode) {
  return mode == LutDecoderRtlMode::kOneBit ? 1 : mode == LutDecoderRtlMode::kTwoBit ? 2 : 4;
}
std::size_t row_bytes(LutDecoderRtlMode mode, std::size_t cols) {
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits_of(mode));
  return cols / per_byte + (cols % per_byte != 0);
}

}  // namespace

std::unique_ptr<rtl::StreamDut> make_lut_decoder_rtl() {
  return std::make_unique<rtl::VerilatedDut<Vlut_decoder>>("lut_decoder", bind_lut_decoder<Vlut_decoder>);
}

std::vector<rtl::Beat> codebook_beats(LutDecoderRtlMode mode, const std::int8_t* table) {
  std::vector<rtl::Beat> beats(is_int4(mode) ? 1 : std::size_t{1} << bits_of(mode));
  for (std::size_t i = 0; i < beats.size(); ++i) {
    beats[i].data[0] = is_int4(mode) ? std::uint8_t{0} : static_cast<std::uint8_t>(table[i]);
    beats[i].user = static_cast<std::uint32_t>(mode);
    beats[i].last = i + 1 == beats.size();
  }
  return beats;
}

LutDecoderRtlRow row_beats(LutDecoderRtlMode mode, const std::uint8_t* packed, std::size_t cols,
                           const std::uint16_t* scales, const std::uint8_t* zeros) {
  LutDecoderRtlRow row;
  const std::size_t bytes = row_bytes(mode, cols);
  for (std::size_t at = 0; at < bytes; at += kBeatBytes) {
    const std::size_t n = std::min(kBeatBytes, bytes - at);
    rtl::Beat beat;
    std::copy_n(packed + at, n, beat.data.begin());
    beat.keep = rtl::keep_of(n);
    beat.last = at + n == bytes;
    row.index.push_back(beat);
  }
  const std::size_t per_scale = is_int4(mode) ? formats::kIntGroup : kBlock;
  for (std::size_t i = 0; i < cols / per_scale + (cols % per_scale != 0); ++i) {
    rtl::Beat beat;
    beat.data[0] = static_cast<std::uint8_t>(scales[i]);
    beat.data[1] = static_cast<std::uint8_t>(scales[i] >> 8);
    beat.user = zeros ? zeros[i] : 0;
    row.scale.push_back(beat);
  }
  return row;
}

std::vector<rtl::Beat> golden_row(LutDecoderRtlMode mode, const std::int8_t* table, const std::uint8_t* packed,
                                  std::size_t cols, const std::uint16_t* scales, const std::uint8_t* zeros) {
  // The stored bytes decide how many weights are decoded; the bits that pad a row's last byte are codes as well.
  const std::size_t decoded = row_bytes(mode, cols) * 8 / static_cast<std::size_t>(bits_of(mode));
  std::vector<std::int8_t> codes(decoded);
  if (mode == LutDecoderRtlMode::kInt4) {
    formats::int_unpack_signed(packed, decoded, 4, codes.data());
  } else if (mode == LutDecoderRtlMode::kInt4ZeroPoint) {
    std::vector<std::int16_t> wide(decoded);
    formats::int_decode_row_codes({4, true, formats::kIntGroup}, packed, zeros, decoded, wide.data());
    std::transform(wide.begin(), wide.end(), codes.begin(), [](std::int16_t v) { return static_cast<std::int8_t>(v); });
  } else {
    formats::kmeans_decode_row_int8(table, bits_of(mode), packed, decoded, codes.data());
  }
  std::vector<rtl::Beat> beats;
  for (std::size_t at = 0; at < decoded; at += kBlock) {
    const std::size_t n = std::min(kBlock, decoded - at);
    rtl::Beat beat;
    std::transform(codes.data() + at, codes.data() + at + n, beat.data.begin(),
                   [](std::int8_t v) { return static_cast<std::uint8_t>(v); });
    beat.keep = rtl::keep_of(n);
    beat.user = scales[is_int4(mode) ? at / formats::kIntGroup : at / kBlock];
    beat.last = at + n == decoded;
    beats.push_back(beat);
  }
  return beats;
}

struct LutDecoderRtl::State {
  State(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
      : engine(std::move(dut), compare, stalls) {}

  rtl::Engine engine;
  LutDecoderRtlMode mode = LutDecoderRtlMode::kOneBit;
  bool loaded = false;
  std::array<std::int8_t, 16> table{};
};

LutDecoderRtl::LutDecoderRtl(bool compare, const rtl::Stalls& stalls)
    : LutDecoderRtl(make_lut_decoder_rtl(), compare, stalls) {}
LutDecoderRtl::LutDecoderRtl(std::unique_ptr<rtl::StreamDut> dut, bool compare, const rtl::Stalls& stalls)
    : state_(std::make_unique<State>(std::move(dut), compare, stalls)) {}
LutDecoderRtl::~LutDecoderRtl() = default;

void LutDecoderRtl::load(int bits, const std::int8_t* table) {
  if (bits != 1 && bits != 2 && bits != 4) {
    throw std::invalid_argument("lut_decoder RTL: expected codes of 1, 2 or 4 bits, got " + std::to_string(bits));
  }
  state_->mode = bits == 1   ? LutDecoderRtlMode::kOneBit
                 : bits == 2 ? LutDecoderRtlMode::kTwoBit
                             : LutDecoderRtlMode::kFourBit;
  std::copy_n(table, std::size_t{1} << bits, state_->table.begin());
  state_->loaded = true;
  for (const rtl::Beat& beat : codebook_beats(state_->mode, table)) state_->engine.driver().push(kCodebookStream, beat);
}

void LutDecoderRtl::load_int4(bool zero_point) {
  state_->mode = zero_point ? LutDecoderRtlMode::kInt4ZeroPoint : LutDecoderRtlMode::kInt4;
  state_->loaded = true;
  for (const rtl::Beat& beat : codebook_beats(state_->mode, nullptr)) {
    state_->engine.driver().push(kCodebookStream, beat);
  }
}

void LutDecoderRtl::decode_row(const std::uint8_t* packed, std::size_t cols, const std::uint16_t* scales,
                               const std::uint8_t* zeros, std::int8_t* codes, std::uint16_t* block_scales) {
  State& s = *state_;
  if (!s.loaded || cols == 0 || (s.mode == LutDecoderRtlMode::kInt4ZeroPoint && !zeros)) {
    throw std::invalid_argument(
        "lut_decoder RTL: load a codebook first; a row has weights, and zero-points if loaded so");
  }
  // A codebook offered late would meet a row already under way when the streams stall.
  while (s.engine.driver().pending(kCodebookStream)) s.engine.driver().cycle();
  const LutDecoderRtlRow row = row_beats(s.mode, packed, cols, scales, zeros);
  for (const rtl::Beat& beat : row.index) s.engine.driver().push(kIndexStream, beat);
  for (const rtl::Beat& beat : row.scale) s.engine.driver().push(kScaleStream, beat);
  if (s.engine.compare()) {
    const std::size_t per_beat = 4 / static_cast<std::size_t>(bits_of(s.mode));
    std::size_t block = 0;
    for (const rtl::Beat& beat : golden_row(s.mode, s.table.data(), packed, cols, scales, zeros)) {
      s.engine.expect(beat, row.index[block / per_beat], kIndexStream);
      ++block;
    }
  }
  std::size_t at = 0;
  s.engine.take((cols + kBlock - 1) / kBlock, [&](const rtl::Beat& beat) {
    const std::size_t n = std::min(kBlock, cols - at);
    std::transform(beat.data.begin(), beat.data.begin() + static_cast<std::ptrdiff_t>(n), codes + at,
                   [](std::uint8_t v) { return static_cast<std::int8_t>(v); });
    if (block_scales) block_scales[at / kBlock] = static_cast<std::uint16_t>(beat.user);
    at += n;
  });
}

std::uint64_t LutDecoderRtl::cycles() const { return state_->engine.driver().cycles(); }

}  // namespace harmonia::decoder
