#include "harmonia/hw/decoder/coverage.h"

#include <algorithm>
#include <bitset>

#include "harmonia/hw/formats/fp16.h"

namespace harmonia::decoder {
namespace {

using coverage::Group;
using coverage::Point;

constexpr std::size_t kBlock = 64;  // codes of a block scale
enum ScaleClass : std::int64_t { zero, subnormal, normal, infinite, nan };

Point& bits_bins(Group& g) { return g.point("bits", "bits of a code").bin("1", 1).bin("2", 2).bin("4", 4); }

Group codebooks_group(const std::string& instance) {
  Group g("decoder.codebooks", instance);
  bits_bins(g);
  g.point("smallest", "smallest entry").bin("-128", -128).bin("-127 to -1", -127, -1).bin("0 and more", 0, 127);
  g.point("largest", "largest entry").bin("127", 127).bin("0 to 126", 0, 126).bin("below 0", -128, -1);
  g.point("order", "entries").bin("ascending", 0).bin("not ascending", 1);
  g.cross("bits x order", {"bits", "order"});
  return g;
}

Group rows_group(const std::string& instance) {
  Group g("decoder.rows", instance);
  bits_bins(g);
  g.point("length", "blocks of 64 of a row")
      .bin("a part of one", 0)
      .bin("one", 1)
      .bin("several", 2)
      .bin("several and a part", 3);
  g.point("zero_points", "whether the format has zero-points").bin("none", 0).bin("INT4 with zero-points", 1);
  g.cross("bits x length", {"bits", "length"});
  return g;
}

Group blocks_group(const std::string& instance) {
  Group g("decoder.blocks", instance);
  bits_bins(g);
  g.point("scale", "class of the block scale")
      .bin("zero", zero)
      .bin("subnormal", subnormal)
      .bin("normal", normal)
      .bin("infinite", infinite)
      .bin("NaN", nan);
  g.point("sign", "sign of the block scale").bin("positive", 0).bin("negative", 1);
  g.point("codes", "different codes of a block").bin("one", 1).bin("some", 2).bin("all", 3);
  g.point("zero_point", "zero-point of a block").bin("0", 0).bin("1 to 14", 1, 14).bin("15", 15);
  g.cross("bits x scale", {"bits", "scale"});
  g.cross("bits x codes", {"bits", "codes"});
  g.ignore("bits x codes", {{"bits", "1"}, {"codes", "some"}});  // of two codes there is one or there are both
  return g;
}

ScaleClass class_of(formats::Bf16 scale) {
  if (formats::is_nan(scale)) return nan;
  if (formats::is_infinite(scale)) return infinite;
  const unsigned magnitude = scale.bits & 0x7fffu;
  return magnitude == 0 ? zero : magnitude < 0x80u ? subnormal : normal;
}

}  // namespace

DecoderCoverage::DecoderCoverage(const std::string& instance)
    : codebooks_(codebooks_group(instance)), rows_(rows_group(instance)), blocks_(blocks_group(instance)) {}

void DecoderCoverage::sample_codebook(int bits, const std::int8_t* entries) {
  const std::int8_t* end = entries + (std::size_t{1} << bits);
  codebooks_.sample(
      {bits, *std::min_element(entries, end), *std::max_element(entries, end), std::is_sorted(entries, end) ? 0 : 1});
}

void DecoderCoverage::sample_row(int bits, const std::uint8_t* codes, std::size_t columns, const std::uint16_t* scales,
                                 const std::uint8_t* zero_points) {
  const std::size_t whole = columns / kBlock, rest = columns % kBlock;
  const int length = whole == 0 ? 0 : rest != 0 ? 3 : whole == 1 ? 1 : 2;
  rows_.sample({bits, length, zero_points != nullptr ? 1 : 0});
  for (std::size_t block = 0; block * kBlock < columns; ++block) {
    std::bitset<16> used;
    for (std::size_t i = block * kBlock; i < std::min(columns, (block + 1) * kBlock); ++i) {
      const std::size_t bit = i * static_cast<std::size_t>(bits);
      used.set(codes[bit / 8] >> bit % 8 & ((1u << bits) - 1));
    }
    const formats::Bf16 scale{scales[block]};
    using Value = Group::Value;
    blocks_.sample({bits, class_of(scale), scale.bits >> 15,
                    used.count() == 1                          ? 1
                    : used.count() == (std::size_t{1} << bits) ? 3
                                                               : 2,
                    zero_points != nullptr ? Value(zero_points[block]) : Value()});
  }
}

}  // namespace harmonia::decoder
