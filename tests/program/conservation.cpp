// The count by formula and the descriptors agree, over random machines and steps; a descriptor that is missing shows.
#include "harmonia/hw/program/conservation.h"

#include <map>
#include <random>
#include <string>

#include "harmonia/config/error.h"
#include "tests/program/support.h"
#include "tests/support/catch.h"

using namespace plan_test;

namespace {

/// What a program's descriptors move and compute.
class Tally {
 public:
  explicit Tally(const StepProgram& program) : program_(program) {}

  void add(const Batch& b) {
    for (const pe::Descriptor& d : b.pe) operand_class_[d.a_operand] = program_.class_of(d.operation);
    for (const auto* list : {&b.weights, &b.kv_read, &b.residual, &b.kv_write, &b.vector_read, &b.out_write})
      for (const memory::DmaDescriptor& d : *list) add_bytes(d, program_.class_of(d.operation));
    for (const memory::DmaDescriptor& d : b.operand_read) add_bytes(d, operand_class_.at(d.operation));
    for (const pe::Descriptor& d : b.pe) add_product(d);
    for (const decoder::Descriptor& d : b.decoder) {
      const std::uint64_t weights = std::uint64_t{d.rows} * d.row_elements;
      sum.weights += weights;
      of(program_.class_of(d.operation)).weights += weights;
    }
  }
  Expected sum;

 private:
  Expected::OfClass& of(OperationClass c) { return sum.of_class[static_cast<std::size_t>(c)]; }
  void add_bytes(const memory::DmaDescriptor& d, OperationClass c) {
    for (std::size_t i = 0; i < d.segment_count; ++i)
      sum.bytes[static_cast<std::size_t>(d.segments[i].traffic)] += d.segments[i].bytes();
    of(c).bytes += d.bytes();
  }
  void add_product(const pe::Descriptor& d) {
    const std::uint64_t m = d.m, n = d.n, k = d.k, groups = d.groups();
    sum.macs += m * n * k;
    of(program_.class_of(d.operation)).macs += m * n * k;
    // A low plane is one pass more: of a token's keys, or of a group of values.
    const auto wide = [](const pe::GroupedCache& b, std::uint64_t units) {
      return b.bfp_a ? b.wide_initial + (units - b.wide_local) : 0;
    };
    sum.pe_slots +=
        std::visit(bus::Overloaded{[&](const pe::Weights& b) { return m * n * groups * b.passes; },
                                   [&](const pe::Keys& b) { return m * groups * (n + wide(b, n)); },
                                   [&](const pe::Values& b) { return m * n * (groups + wide(b, groups)); },
                                   [&](const pe::PlainCache& b) { return m * n * groups * (b.bfp_a ? 2u : 1u); }},
                   d.b);
  }

  const StepProgram& program_;
  std::map<std::uint32_t, OperationClass> operand_class_;
};

void require_equal(const Expected& descriptors, const Expected& formula) {
  for (std::size_t t = 0; t < formula.bytes.size(); ++t) {
    INFO("bytes of " << bus::name_of(static_cast<bus::TrafficClass>(t)));
    REQUIRE(descriptors.bytes[t] == formula.bytes[t]);
  }
  REQUIRE(descriptors.macs == formula.macs);
  REQUIRE(descriptors.pe_slots == formula.pe_slots);
  REQUIRE(descriptors.weights == formula.weights);
  for (std::size_t c = 0; c < operation_class_count; ++c) {
    INFO("class " << name_of(static_cast<OperationClass>(c)));
    REQUIRE(descriptors.of_class[c].bytes == formula.of_class[c].bytes);
    REQUIRE(descriptors.of_class[c].macs == formula.of_class[c].macs);
    REQUIRE(descriptors.of_class[c].weights == formula.of_class[c].weights);
  }
}

Expected formula_of(const Machine& m, const MemoryMap& map, const StepWork& work, const StepExtent& extent) {
  return expected_of_step(m.shape, map.formats(), m.codebook, m.chip, work, extent);
}

ProgramSettings settings_of(const Machine& m) {
  ProgramSettings s;
  s.codebook = m.codebook;
  return s;
}

using Random = std::mt19937;
template <class T>
T pick(Random& random, std::initializer_list<T> list) {
  return *(list.begin() + random() % list.size());
}

Machine random_machine(Random& random) {
  Machine m;
  const int kv_heads = pick(random, {1, 2, 3, 5}), group = pick(random, {1, 2, 4});
  m.shape.head_dim = pick(random, {32, 64, 96, 128, 160});
  m.shape.num_key_value_heads = kv_heads;
  m.shape.num_attention_heads = kv_heads * group;
  m.shape.hidden_size = 32 * static_cast<int>(2 + random() % 14);
  m.shape.intermediate_size = 32 * static_cast<int>(2 + random() % 20);
  m.shape.vocab_size = static_cast<int>(100 + random() % 900);
  m.shape.num_hidden_layers = static_cast<int>(1 + random() % 3);
  m.shape.tie_word_embeddings = random() % 3 == 0;
  m.chip = small_chip(pick<std::uint64_t>(random, {1, 2, 4, 16, 24, 40, 64, 128, 2048}) * 1024);
  m.chip.weight_tile_bytes = pick<std::uint64_t>(random, {256, 512, 2048, 8192, 32768, 131072});
  m.chip.pe_rows = pick(random, {4, 16});
  m.chip.pe_cols = pick(random, {4, 8, 32});
  m.chip.growing_channels = pick<std::uint32_t>(random, {0, 64, 128, 256, 1024});
  m.chip.online_smoothing = random() % 2 == 0;
  m.chip.fused_attention = random() % 3 != 0;
  if (m.chip.fused_attention && random() % 2 == 0) m.chip.online_block = 32 * (1 + random() % 4);
  m.chip.order = pick(random, {LoopOrder::fewest_bytes, LoopOrder::row_first, LoopOrder::column_first});
  if (random() % 4 == 0) {
    m.chip.linear_operand = random() % 2 == 0 ? formats::OperandFormat::fp16()
                                              : formats::OperandFormat::anda(static_cast<int>(4 + random() % 8));
    m.chip.attention_operand = formats::OperandFormat::fp16();
  }
  std::vector<WeightFormat> runnable;
  for (const WeightFormat format : formats::weight_formats())
    if (format->refused.empty()) runnable.push_back(format);
  m.weights = runnable[random() % runnable.size()];
  m.lm_head = random() % 2 == 0 ? formats::weight_format("fp16") : m.weights;
  m.codebook = pick(random, {formats::CodebookKind::kInt8, formats::CodebookKind::kInt5});
  m.kv.format =
      pick(random, {KvFormat::kFp16, KvFormat::kInt8, KvFormat::kBfp8, KvFormat::kBfp4, KvFormat::kBfp4Windows});
  m.kv.n_initial = pick(random, {0, 16, 32, 64});
  m.kv.n_local = pick(random, {0, 1, 33, 64});
  return m;
}

StepWork random_step(Random& random) {
  StepWork work;
  const std::size_t sequences = 1 + random() % 4;
  for (std::size_t i = 0; i < sequences; ++i)
    work.sequences.push_back(
        {i, random() % 2 == 0 ? 0 : random() % 200, random() % 2 == 0 ? 1 : 1 + random() % 120, random() % 4 != 0});
  return work;
}

Expected descriptors_of(const Machine& m, const MemoryMap& map, const StepWork& work) {
  StepProgram program(m.shape, map, m.chip, settings_of(m), work);
  Tally tally(program);
  tally.add(program.embedding());
  for (int layer = 0; layer < m.shape.num_hidden_layers; ++layer) tally.add(program.layer(layer));
  tally.add(program.head());
  return tally.sum;
}

}  // namespace

TEST_CASE("Conservation: the count by formula is what the descriptors move and compute") {
  Random random(7);
  int compared = 0, spilled = 0, column_first = 0, split = 0;
  // Buffers of a kilobyte make programs of many thousand descriptors: their steps are shorter.
  for (int i = 0; i < 600; ++i) {
    const Machine m = random_machine(random);
    StepWork work = random_step(random);
    if (m.chip.operand_bytes <= 2048)
      for (SequenceStep& s : work.sequences) s.tokens = std::min<std::uint64_t>(s.tokens, 24);
    const MemoryMap map = m.map(work);
    CAPTURE(i, m.shape.hidden_size, m.shape.head_dim, work.sequences.size(), work.tokens(), m.chip.operand_bytes);
    Expected descriptors;
    try {
      descriptors = descriptors_of(m, map, work);
    } catch (const config::InputError&) {
      continue;  // the machine refuses the step
    }
    require_equal(descriptors, formula_of(m, map, work, StepExtent::whole(m.shape)));
    ++compared;
    split += descriptors.bytes[static_cast<std::size_t>(bus::TrafficClass::partial_sums)] != 0 ? 1 : 0;
    spilled += StepProgram(m.shape, map, m.chip, settings_of(m), work).resident() ? 0 : 1;
    column_first += m.chip.order == LoopOrder::column_first ? 1 : 0;
  }
  REQUIRE(compared > 200);
  REQUIRE(spilled > 60);
  REQUIRE(column_first > 20);
  REQUIRE(split > 40);
}

TEST_CASE("Conservation: a part of a step is counted as far as it is run") {
  const Machine m;
  const StepWork work = one_sequence(50, 2);
  const MemoryMap map = m.map(work);
  StepProgram program(m.shape, map, m.chip, settings_of(m), work);
  Tally tally(program);
  tally.add(program.embedding());
  tally.add(program.layer(0));
  for (std::uint64_t piece = 0; piece < 3; ++piece) tally.add(program.head(piece * 256, (piece + 1) * 256, piece < 2));
  require_equal(tally.sum, formula_of(m, map, work, {1, 3 * 256, false}));
}

TEST_CASE("Conservation: a single linear is vectors and a matrix") {
  const Machine m;
  const StepWork work = one_sequence(0, 3);
  const MemoryMap map = m.map(work);
  StepProgram program(m.shape, map, m.chip, settings_of(m), work);
  Tally tally(program);
  tally.add(program.input());
  tally.add(program.head());
  require_equal(tally.sum, formula_of(m, map, work, {0, 1000, true}));
}

TEST_CASE("Conservation: a single linear whose vectors and weights do not fit") {
  Machine m;
  m.chip = small_chip(512);  // a vector of 256 values is 296 bytes
  m.chip.weight_tile_bytes = 300;
  StepWork work;
  for (std::uint64_t slot = 0; slot < 3; ++slot) work.sequences.push_back({slot, 0, 1, true});
  const MemoryMap map = m.map(work);
  StepProgram program(m.shape, map, m.chip, settings_of(m), work);
  REQUIRE_FALSE(program.resident());
  Tally tally(program);
  tally.add(program.input());
  tally.add(program.head());
  const Expected formula = formula_of(m, map, work, {0, 1000, true});
  require_equal(tally.sum, formula);
  // FP16 rows of the head: two parts of 128 values. Sums of 3 x 1000 outputs, written and read.
  REQUIRE(formula.bytes[static_cast<std::size_t>(bus::TrafficClass::partial_sums)] == 2 * 3 * 1000 * 4);
}

// One token of the small model, FP16 weights, by hand.
TEST_CASE("Conservation: a decode step of a small model worked out on paper") {
  Machine m;
  m.weights = formats::weight_format("fp16");
  m.kv.format = KvFormat::kFp16;
  const StepWork work = one_sequence(9, 1);
  const Expected e = formula_of(m, m.map(work), work, StepExtent::whole(m.shape));
  const std::uint64_t linears = 256 * 256 + 2 * 128 * 256 + 256 * 256 + 3 * 512 * 256, norms = 2 * 256;
  REQUIRE(e.weights == 2 * linears + 1000 * 256);
  const auto bytes = [&](bus::TrafficClass t) { return e.bytes[static_cast<std::size_t>(t)]; };
  REQUIRE(bytes(bus::TrafficClass::weights) == 2 * (e.weights + 2 * norms + 256 + 256));  // final norm, embedding row
  REQUIRE(bytes(bus::TrafficClass::scales) == 0);
  REQUIRE(bytes(bus::TrafficClass::kv_write) == 2 * 2 * 2 * 64 * 2);      // layers, heads, K and V
  REQUIRE(bytes(bus::TrafficClass::kv_read) == 2 * 2 * 2 * 64 * 2 * 10);  // of ten tokens
  REQUIRE(bytes(bus::TrafficClass::activations) == 0);
  REQUIRE(e.macs == e.weights + 2 * 4 * 2 * 64 * 10);
}

TEST_CASE("Conservation: what a generator drops or doubles shows as a difference") {
  Machine m;
  m.chip = small_chip(24 * 1024);
  const StepWork work = one_sequence(0, 90);
  const MemoryMap map = m.map(work);
  StepProgram program(m.shape, map, m.chip, settings_of(m), work);
  REQUIRE_FALSE(program.resident());
  program.embedding();
  const Batch whole = program.layer(0);
  const auto of = [&](const Batch& b) {
    Tally tally(program);
    tally.add(b);
    return tally.sum;
  };
  Expected layer = formula_of(m, map, work, {1, 0, false});
  const Expected outside = formula_of(m, map, work, {0, 0, false});
  const auto traffic = [&](bus::TrafficClass t) {
    const auto i = static_cast<std::size_t>(t);
    return layer.bytes[i] - outside.bytes[i];
  };
  const auto moved = [&](const Batch& b, bus::TrafficClass t) { return of(b).bytes[static_cast<std::size_t>(t)]; };
  REQUIRE(moved(whole, bus::TrafficClass::weights) == traffic(bus::TrafficClass::weights));
  Batch broken = whole;
  broken.weights.pop_back();
  REQUIRE(moved(broken, bus::TrafficClass::weights) < traffic(bus::TrafficClass::weights));
  broken = whole;
  broken.operand_read.push_back(broken.operand_read.back());
  REQUIRE(moved(broken, bus::TrafficClass::activations) > traffic(bus::TrafficClass::activations));
  broken = whole;
  broken.kv_write.pop_back();
  REQUIRE(moved(broken, bus::TrafficClass::kv_write) < traffic(bus::TrafficClass::kv_write));
}
