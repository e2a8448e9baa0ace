// The registry of weight formats against values worked out by hand.
#include <cmath>
#include <string>
#include <vector>

#include "harmonia/hw/formats/format_registry.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/formats/weights/weight_format.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;

TEST_CASE("weight formats: bytes of a row of 200 weights") {
  struct Expected {
    const char* name;
    std::uint64_t codes, scales;
    double bits;
  };
  // 200 weights are 4 blocks of 64 and 2 groups of 128; the 3-bit planes of the last block take one byte each.
  for (const Expected& e :
       {Expected{"fp16", 400, 0, 16}, Expected{"int8", 200, 4, 8.125}, Expected{"int8z", 200, 6, 8.1875},
        Expected{"int4", 100, 4, 4.125}, Expected{"int4z", 100, 6, 4.1875}, Expected{"kmeans8", 200, 8, 8.25},
        Expected{"kmeans4", 100, 8, 4.25}, Expected{"kmeans3", 75, 8, 3.25}, Expected{"kmeans2", 50, 8, 2.25},
        Expected{"kmeans1", 25, 8, 1.25}, Expected{"nf4", 100, 8, 4.25}, Expected{"ternary", 50, 8, 2.25}}) {
    INFO(e.name);
    const WeightStorage& s = weight_format(e.name)->storage;
    CHECK(s.index_row_bytes(200) == e.codes);
    CHECK(s.scale_row_bytes(200) == e.scales);
    CHECK(s.bits_per_weight() == e.bits);
  }
}

TEST_CASE("weight formats: the operand, passes and expansion on each kind of array") {
  struct Expected {
    const char* name;
    Expansion decode;
    Operand operand;
    int int8_passes, int5_passes;
    PeMode mode;
    Expansion fp16;
  };
  constexpr auto codebook = Operand::codebook, integer = Operand::integer;
  for (const Expected& e :
       {Expected{"fp16", Expansion::to_bfp8, Operand::bfp8, 2, 2, PeMode::kM8M8, Expansion::pass},
        Expected{"int8", Expansion::integer, integer, 2, 2, PeMode::kM8L8, Expansion::integer_fp16},
        Expected{"int4", Expansion::integer, integer, 1, 1, PeMode::kM8W4, Expansion::integer_fp16},
        Expected{"int4z", Expansion::integer, integer, 1, 1, PeMode::kM8W4, Expansion::integer_fp16},
        Expected{"kmeans8", Expansion::codebook, codebook, 2, 1, PeMode::kM8L8, Expansion::codebook_fp16},
        Expected{"kmeans4", Expansion::codebook, codebook, 2, 1, PeMode::kM8L8, Expansion::codebook_fp16},
        Expected{"kmeans1", Expansion::codebook, codebook, 1, 1, PeMode::kM8B1, Expansion::codebook_fp16},
        Expected{"nf4", Expansion::codebook, codebook, 2, 1, PeMode::kM8L8, Expansion::codebook_fp16},
        Expected{"ternary", Expansion::codebook, codebook, 1, 1, PeMode::kM8L8, Expansion::codebook_fp16}}) {
    INFO(e.name);
    const WeightFormat f = weight_format(e.name);
    const ArrayMode eight = bfp_array_mode(f, CodebookKind::kInt8), five = bfp_array_mode(f, CodebookKind::kInt5);
    CHECK(eight.decode == e.decode);
    CHECK(eight.operand == e.operand);
    CHECK(eight.passes == e.int8_passes);
    CHECK(five.passes == e.int5_passes);
    CHECK(eight.one_bit == (std::string(e.name) == "kmeans1"));
    CHECK(f->pe_mode == e.mode);
    CHECK(fp16_array_mode(f).decode == e.fp16);
    CHECK(fp16_array_mode(f).operand == Operand::fp16);
    CHECK(fp16_array_mode(f).passes == 1);
  }
  REQUIRE_THROWS_AS(bfp_array_mode(weight_format("nf4"), CodebookKind::kBf16), std::invalid_argument);
  CHECK_FALSE(weight_format("int8z")->refused.empty());
}

TEST_CASE("weight formats: with and without a zero-point") {
  CHECK(*with_zero_point(weight_format("int4")) == weight_format("int4z"));
  CHECK(without_zero_point(weight_format("int8z")) == weight_format("int8"));
  CHECK(without_zero_point(weight_format("nf4")) == weight_format("nf4"));
  CHECK_FALSE(with_zero_point(weight_format("kmeans4")));
  CHECK(*integer_format(8, true) == weight_format("int8z"));
  CHECK(*kmeans_format(3) == weight_format("kmeans3"));
  CHECK_FALSE(kmeans_format(7));
  CHECK(WeightFormat() == weight_format("fp16"));
  REQUIRE_THROWS_AS(weight_format("kmeans9"), std::invalid_argument);
}

TEST_CASE("weight formats: what is stored has the registered size and is read back as the quantiser stores it") {
  constexpr std::size_t rows = 3, cols = 200;
  std::vector<float> w(rows * cols);
  fill_gaussian(5, w.size(), w.data());
  for (const WeightFormat f : weight_formats()) {
    INFO(f->name);
    const LinearWeights stored = LinearWeights::encode(f, w.data(), rows, cols);
    const LinearWeights::Streams s = stored.streams();
    CHECK(s.code_row_bytes == f->storage.index_row_bytes(cols));
    CHECK(s.scale_row_bytes + s.zero_row_bytes == f->storage.scale_row_bytes(cols));
    const RoundTrip back = round_trip(storage_format(f->name), w.data(), rows, cols, 1);
    std::vector<float> row(cols);
    for (std::size_t r = 0; r < rows; ++r) {
      stored.decode_row(r, row.data(), true);
      CHECK(row == std::vector<float>(back.values.begin() + static_cast<std::ptrdiff_t>(r * cols),
                                      back.values.begin() + static_cast<std::ptrdiff_t>((r + 1) * cols)));
    }
  }
}

TEST_CASE("weight formats: operand codes of four weights") {
  // The largest magnitude is 1; 32 columns, the others zero.
  float w[32] = {1.0F, -1.0F, 0.5F, 0.0F};
  std::vector<std::int16_t> codes(32);
  LinearWeights::encode(weight_format("int8"), w, 1, 32).decode_row_codes(0, codes.data());
  CHECK(std::vector<std::int16_t>(codes.begin(), codes.begin() + 4) == std::vector<std::int16_t>{127, -127, 64, 0});
  LinearWeights::encode(weight_format("nf4"), w, 1, 32).decode_row_codes(0, codes.data());
  // 0.5 lies between the levels 0.4407 and 0.5626; the midpoint is 0.5017, so the lower one: 0.4407 * 127 = 55.97.
  CHECK(std::vector<std::int16_t>(codes.begin(), codes.begin() + 4) == std::vector<std::int16_t>{127, -127, 56, 0});
  for (float& v : w) v = 2.0F;
  w[0] = -2.0F;
  w[1] = 0.0F;
  LinearWeights::encode(weight_format("ternary"), w, 1, 32).decode_row_codes(0, codes.data());
  CHECK(std::vector<std::int16_t>(codes.begin(), codes.begin() + 3) == std::vector<std::int16_t>{-127, 0, 127});
}

TEST_CASE("K-means indices: bit planes for every width that does not divide a byte") {
  for (const int bits : {3, 5, 6, 7}) {
    INFO(bits);
    std::vector<std::uint8_t> indices(70), back(70);
    for (std::size_t i = 0; i < indices.size(); ++i)
      indices[i] = static_cast<std::uint8_t>(i * 37 % (std::size_t{1} << bits));
    std::vector<std::uint8_t> packed(kmeans_row_bytes(70, bits));
    CHECK(packed.size() == static_cast<std::size_t>(9 * bits));
    kmeans_pack(indices.data(), 70, bits, packed.data());
    kmeans_unpack(packed.data(), 70, bits, back.data());
    CHECK(back == indices);
  }
  // The highest bit first: 16 = 10000b in the first element of a block of eight.
  const std::uint8_t one[8] = {16};
  std::uint8_t planes[5];
  kmeans_pack(one, 8, 5, planes);
  CHECK(planes[0] == 0x80);
  CHECK((planes[1] | planes[2] | planes[3] | planes[4]) == 0);
}
