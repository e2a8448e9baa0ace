// Products whose K does not fit on chip: bit for bit what they give in one piece, and the bytes of their partial sums.
#include <functional>

#include "tests/accelerator/support.h"

using namespace harmonia;
using namespace harmonia::test;

namespace {

constexpr auto partial_sums = static_cast<std::size_t>(bus::TrafficClass::partial_sums);

/// A prefill of 70 tokens and 40 decode steps, beside the golden model, with buffers of so many bytes.
Outcome seventy_and_forty(const char* format, std::uint64_t weight_buffer, std::uint64_t activation_buffer,
                          const SmallShape& shape = {}, const std::function<void(Scenario&)>& change = {}) {
  const auto weights = random_model(shape, formats::weight_format(format), CodebookKind::kInt8, 81);
  Scenario s = functional_scenario(*weights);
  s.accelerator.weight_buffer.capacity_bytes = weight_buffer;
  s.accelerator.activation_buffer.capacity_bytes = activation_buffer;
  if (change) change(s);
  Instruments instruments;
  return run_beside_golden(s, weights, schedule(1, 70, 40), &instruments, std::nullopt);
}

SmallShape wide(int intermediate, int hidden = 256) {
  SmallShape shape;
  shape.hidden = hidden;
  shape.intermediate = intermediate;
  return shape;
}

}  // namespace

// The smallest buffers are of 1 KiB: a half holds 256 weights of 16 bits.
TEST_CASE("split K: rows of weights in 16 bits, activations on chip") {
  const Outcome o = seventy_and_forty("fp16", 1024, 512 * 1024);
  // Down alone has longer rows, 688: parts of 256, 256 and 176. Twice 4 bytes of 256 outputs for each of 110 tokens and of two
  // extra parts.
  CHECK(o.bytes.at(partial_sums) == 2ull * 4 * 110 * 256 * 2);
}
TEST_CASE("split K: rows of 1-bit codes") { seventy_and_forty("kmeans1", 1024, 512 * 1024, wide(3400)); }
TEST_CASE("split K: rows of codes in bit planes") { seventy_and_forty("kmeans3", 1024, 512 * 1024, wide(1400)); }
TEST_CASE("split K: rows of integers with zero-points, which lie behind the scales") {
  const Outcome o = seventy_and_forty("int4z", 1024, 512 * 1024, wide(1400));
  CHECK(o.bytes.at(partial_sums) == 2ull * 4 * 110 * 256);
}
// Half of 1.5 KiB are 768 bytes: the activated row of 688 values, 814 bytes, comes in two parts, the others are
// whole.
TEST_CASE("split K: activations of which no row fits") {
  const Outcome o = seventy_and_forty("kmeans4", 128 * 1024, 1536);
  CHECK(o.bytes.at(partial_sums) == 2ull * 4 * 110 * 256);
}
// A row of 768 values is 888 bytes of operand, and 1536 of residual stream: the head's operand goes through memory too, and
// norms read a row twice.
TEST_CASE("split K: no row of the residual stream fits") {
  const Outcome o = seventy_and_forty("kmeans4", 128 * 1024, 1536, wide(1376, 768));
  CHECK(o.bytes.at(partial_sums) > 0);
}
TEST_CASE("split K: both, column by column, with biases, norms and a window") {
  SmallShape shape = wide(1376, 448);
  shape.bias = shape.qk_norm = true;
  shape.window = 30;
  seventy_and_forty("int4", 1024, 1536, shape,
                    [](Scenario& s) { s.accelerator.sequencer.order = accelerator::LoopOrder::column_first; });
}
TEST_CASE("split K: a plain FP16 array") {
  seventy_and_forty("kmeans4", 1024, 3072, wide(2100),
                    [](Scenario& s) { s.accelerator.pe.kind = accelerator::PeKind::fp16; });
}
