// The decoder's function against hw/formats, and its timing worked by hand. No kernel.
#include "harmonia/hw/decoder/lut_decoder.h"

#include <cstring>
#include <vector>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/int_quant.h"
#include "harmonia/hw/formats/kmeans.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::decoder;
using formats::Fp16;
using Bytes = std::vector<std::uint8_t>;

namespace {

Bytes pattern(std::size_t n, unsigned step = 37) {
  Bytes b(n);
  for (std::size_t i = 0; i < n; ++i) b[i] = static_cast<std::uint8_t>(i * step + 11);
  return b;
}

Bytes indices_of(std::size_t n, int bits) {
  Bytes b = pattern(n);
  for (std::uint8_t& index : b) index = static_cast<std::uint8_t>(index & ((1 << bits) - 1));
  return b;
}

Descriptor tile(DecodeKind kind, int bits, std::uint32_t row_elements, std::uint16_t block) {
  Descriptor d;
  d.kind = kind;
  d.bits = static_cast<std::uint8_t>(bits);
  d.rows = 1;
  d.row_elements = row_elements;
  d.block = block;
  return d;
}

Bytes decoded(const Descriptor& d, const Bytes& codes, const Bytes& scales) {
  Bytes out(decoded_row_bytes(d));
  decode_row(d, codes.data(), scales.data(), out.data());
  return out;
}

Bytes words(std::size_t n) {
  Bytes b;
  for (std::size_t i = 0; i < n; ++i) {
    const Fp16 x = formats::to_fp16(0.5f + 0.25f * static_cast<float>(i));
    const auto* p = reinterpret_cast<const std::uint8_t*>(&x);
    b.insert(b.end(), p, p + 2);
  }
  return b;
}

}  // namespace

TEST_CASE("decoder function: a codebook's entries for the codes of every width, then the row's scales") {
  for (int bits : {1, 2, 4, 8}) {
    INFO(bits << " bits");
    Descriptor d = tile(DecodeKind::codebook, bits, 96, 64);
    for (int i = 0; i < 256; ++i) d.codebook[i] = static_cast<std::int8_t>(7 * i - 100);
    const Bytes indices = indices_of(96, bits), scales = pattern(4, 5);
    Bytes codes(d.index_row_bytes());
    formats::kmeans_pack(indices.data(), 96, bits, codes.data());
    const Bytes out = decoded(d, codes, scales);
    REQUIRE(out.size() == 96 + 2 * 2);
    for (std::size_t i = 0; i < 96; ++i) REQUIRE(static_cast<std::int8_t>(out[i]) == d.codebook[indices[i]]);
    REQUIRE(Bytes(out.begin() + 96, out.end()) == scales);
  }
}

TEST_CASE("decoder function: integers with and without a zero-point") {
  for (bool zero_point : {false, true}) {
    Descriptor d = tile(DecodeKind::integer, 4, 128, 64);
    d.zero_point = zero_point ? 1 : 0;
    const Bytes codes = pattern(d.index_row_bytes());
    Bytes scales = words(2);
    if (zero_point) scales.insert(scales.end(), {3, 9});
    const Bytes out = decoded(d, codes, scales);
    REQUIRE(out.size() == 128 + 4);
    for (std::size_t i = 0; i < 128; ++i) {
      const int code = (codes[i / 2] >> (4 * (i % 2))) & 15;
      const int expected = zero_point ? code - scales[4 + i / 64] : (code >= 8 ? code - 16 : code);
      REQUIRE(static_cast<std::int8_t>(out[i]) == expected);
    }
    REQUIRE(Bytes(out.begin() + 128, out.end()) == Bytes(scales.begin(), scales.begin() + 4));
  }
}

TEST_CASE("decoder function: FP16 words become BFP8 groups, or pass as they are") {
  const Bytes codes = words(70);
  Descriptor d = tile(DecodeKind::to_bfp8, 16, 70, 0);
  Bytes expected(formats::kBfp8.row_bytes(70));
  std::vector<Fp16> row(70);
  std::memcpy(static_cast<void*>(row.data()), codes.data(), codes.size());
  formats::encode_row(formats::kBfp8, row.data(), 70, expected.data());
  REQUIRE(decoded(d, codes, {}) == expected);
  d.kind = DecodeKind::pass;
  REQUIRE(decoded(d, codes, {}) == codes);
}

TEST_CASE("decoder function: for an array of FP16 operands codes and integers become FP16 values") {
  Descriptor integers = tile(DecodeKind::integer_fp16, 4, 64, 64);
  const Bytes codes = pattern(32), scale = words(1);  // 0.5
  const Bytes out = decoded(integers, codes, scale);
  REQUIRE(out.size() == 128);
  for (std::size_t i = 0; i < 64; ++i) {
    const int code = (codes[i / 2] >> (4 * (i % 2))) & 15;
    const Fp16 expected = formats::to_fp16(0.5f * static_cast<float>(code >= 8 ? code - 16 : code));
    REQUIRE(std::memcmp(out.data() + 2 * i, &expected, 2) == 0);
  }

  integers.zero_point = 1;
  Bytes with_zero = scale;
  with_zero.push_back(5);
  const Bytes shifted = decoded(integers, codes, with_zero);
  for (std::size_t i = 0; i < 64; ++i) {
    const Fp16 expected = formats::to_fp16(0.5f * static_cast<float>(((codes[i / 2] >> (4 * (i % 2))) & 15) - 5));
    REQUIRE(std::memcmp(shifted.data() + 2 * i, &expected, 2) == 0);
  }

  Descriptor codebook = tile(DecodeKind::codebook_fp16, 2, 64, 64);
  const float centroids[] = {-1.5f, -0.25f, 0.5f, 2.0f};
  std::memcpy(codebook.codebook, centroids, sizeof centroids);
  const Bytes indices = indices_of(64, 2);
  Bytes two_bit(16);
  formats::kmeans_pack(indices.data(), 64, 2, two_bit.data());
  const std::uint16_t two = 0x4000;  // 2.0 as bf16
  Bytes scale_bytes(2);
  std::memcpy(scale_bytes.data(), &two, 2);
  const Bytes values = decoded(codebook, two_bit, scale_bytes);
  for (std::size_t i = 0; i < 64; ++i) {
    const Fp16 expected = formats::to_fp16(2.0f * centroids[indices[i]]);
    REQUIRE(std::memcmp(values.data() + 2 * i, &expected, 2) == 0);
  }
}

TEST_CASE("decoder descriptor: bytes of codes and scales, zero-points and bit planes included") {
  Descriptor d = tile(DecodeKind::integer, 4, 130, 64);
  d.rows = 3;
  REQUIRE(d.index_bytes() == 3 * 65);
  REQUIRE(d.scale_bytes() == 3 * 3 * 2);
  d.zero_point = 1;
  REQUIRE(d.scale_bytes() == 3 * 3 * 3);
  Descriptor planes = tile(DecodeKind::codebook, 3, 130, 64);
  REQUIRE(planes.index_row_bytes() == 49);  // 390 bits
  planes.bit_planes = 1;
  REQUIRE(planes.index_row_bytes() == 3 * 17);  // each plane is whole bytes
}

TEST_CASE("decoder descriptor: the least and the most of every field are taken, what is beyond is refused by name") {
  const auto fault = [](void (*change)(Descriptor&), DecodeKind kind = DecodeKind::integer) {
    Descriptor d = tile(kind, kind == DecodeKind::to_bfp8 ? 16 : 4, 64, kind == DecodeKind::to_bfp8 ? 0 : 64);
    change(d);
    return fault_of(d);
  };
  const std::string none;
  REQUIRE(fault([](Descriptor&) {}) == none);
  REQUIRE(fault([](Descriptor& d) { d.rows = 1 << 24; }) == none);
  REQUIRE(fault([](Descriptor& d) { d.row_elements = 1; }) == none);
  REQUIRE(fault([](Descriptor& d) { d.row_elements = 1 << 24; }) == none);
  REQUIRE(fault([](Descriptor& d) { d.bits = 1; }) == none);
  REQUIRE(fault([](Descriptor& d) { d.bits = 8; }) == none);
  REQUIRE(fault([](Descriptor& d) { d.block = 32; }) == none);
  REQUIRE(fault([](Descriptor& d) { d.block = 0; }, DecodeKind::codebook) == none);
  REQUIRE(fault([](Descriptor& d) { d.codebook_size = 1; }, DecodeKind::codebook) == none);
  REQUIRE(fault([](Descriptor& d) { d.codebook_size = 16; }, DecodeKind::codebook) == none);
  REQUIRE(fault([](Descriptor& d) { d.codebook_size = 64; }, DecodeKind::codebook_fp16) == none);
  REQUIRE(fault([](Descriptor&) {}, DecodeKind::to_bfp8) == none);

  REQUIRE_THAT(fault([](Descriptor& d) { d.rows = 0; }), ContainsSubstring("rows"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.rows = (1 << 24) + 1; }), ContainsSubstring("rows"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.row_elements = 0; }), ContainsSubstring("row_elements"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.row_elements = (1 << 24) + 1; }), ContainsSubstring("row_elements"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.bits = 0; }), ContainsSubstring("bits"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.bits = 9; }), ContainsSubstring("bits"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.bits = 15; }, DecodeKind::to_bfp8), ContainsSubstring("bits"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.block = 33; }), ContainsSubstring("block"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.block = 0; }), ContainsSubstring("block"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.block = 32; }, DecodeKind::to_bfp8), ContainsSubstring("block"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.codebook_size = 1; }), ContainsSubstring("codebook_size"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.codebook_size = 17; }, DecodeKind::codebook),
               ContainsSubstring("codebook_size"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.codebook_size = 3; }, DecodeKind::codebook_fp16),
               ContainsSubstring("codebook_size"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.bit_planes = 2; }), ContainsSubstring("bit_planes"));
  REQUIRE_THAT(fault([](Descriptor& d) { d.zero_point = 2; }), ContainsSubstring("zero_point"));
}

TEST_CASE("decoder timing: reload, rate and pipeline, with fractions of a cycle carried over") {
  Config config;
  config.weights_per_cycle = 100.0;
  config.pipeline_cycles = 3;
  config.reload_cycles_per_entry = 1;
  Timing timing(config);
  Descriptor d = tile(DecodeKind::codebook, 4, 512, 64);
  d.tensor = 1;

  timing.begin(d);
  Timing::Slot slot = timing.chunk(10, 512);  // 16 entries, then 5.12 cycles
  REQUIRE(slot.start == 10);
  REQUIRE(slot.done == 10 + 16 + 6);
  REQUIRE(slot.out == 32 + 3);
  timing.taken(35);
  slot = timing.chunk(20, 512);  // 5.12 - 0.88 cycles
  REQUIRE(slot.start == 32);
  REQUIRE(slot.done == 32 + 5);
  REQUIRE(slot.out == 40);
  timing.taken(50);
  slot = timing.chunk(20, 512);  // 5.12 - 0.76 cycles; it could stand at the output at 45
  REQUIRE(slot.start == 37);
  REQUIRE(slot.done_alone == 42);
  REQUIRE(slot.out == 50);
  REQUIRE(slot.done == 42 + 5);
  const bus::Activity& a = timing.activity();
  REQUIRE(a.busy == 6 + 5 + 5);
  REQUIRE(a.waiting[static_cast<std::size_t>(bus::Wait::input)] == 10);
  REQUIRE(a.waiting[static_cast<std::size_t>(bus::Wait::reload)] == 16);
  REQUIRE(a.waiting[static_cast<std::size_t>(bus::Wait::output)] == 5);
  REQUIRE(a.accounted() == timing.free_at());
}

TEST_CASE("decoder timing: a tensor is reloaded when it changes, integers write one mode") {
  Config config;
  config.weights_per_cycle = 64;
  config.rates = {{1, 128}};
  config.pipeline_cycles = 0;
  config.reload_cycles_per_entry = 2;
  Timing timing(config);
  const auto work = [&](DecodeKind kind, int bits, std::uint32_t tensor) {
    Descriptor d = tile(kind, bits, 128, 64);
    d.tensor = tensor;
    timing.begin(d);
    const bus::Cycle before = timing.free_at();
    return timing.chunk(before, 128).done - before;
  };
  REQUIRE(work(DecodeKind::codebook, 4, 1) == 2 * 16 + 2);
  REQUIRE(work(DecodeKind::codebook, 4, 1) == 2);
  REQUIRE(work(DecodeKind::codebook, 1, 2) == 2 * 2 + 1);
  REQUIRE(work(DecodeKind::integer, 4, 3) == 2 + 2);
  REQUIRE(work(DecodeKind::pass, 16, 4) == 2);
  REQUIRE(work(DecodeKind::codebook, 4, 1) == 2 * 16 + 2);
}

TEST_CASE("decoder timing: another datapath's end corrects the account") {
  Config config;
  config.weights_per_cycle = 64.0;
  Timing timing(config);
  timing.begin(tile(DecodeKind::pass, 16, 64, 0));
  timing.chunk(0, 128);
  timing.correct(5);  // 2 cycles were predicted
  REQUIRE(timing.free_at() == 5);
  REQUIRE(timing.activity().busy == 5);
}
