// Products of rows with weight matrices: strips of A, tiles of B, in the loop order that the tiling chose; where K does not
// fit on chip part by part, with FP32 sums that go to memory and come back.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "harmonia/hw/program/linear_mode.h"
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

using bus::TrafficClass;
using memory::DmaDescriptor;
using memory::DmaSegment;

/// Rows [row, row + count) of a matrix; `column` counts them among all matrices' of the linear.
struct Tile {
  const TensorPlace& place;
  std::uint64_t row, count, column;
};

/// Values [first, first + length) of K.
struct KPart {
  std::uint64_t first, length;
  bool begins, ends;

  bool whole() const { return begins && ends; }
};

class LinearGenerator {
 public:
  LinearGenerator(Generation& g, const Linear& linear);
  void generate();

 private:
  struct UnitAt {
    std::size_t matrix;
    std::uint64_t column, columns;
  };
  std::vector<UnitAt> units() const;
  void generate(const KPart& part);
  std::uint32_t load_a(const Strip& strip);
  void read_scales(const Tile& tile);
  void resume_sums(const Tile& tile, const Strip& strip);
  void spill_sums(const Tile& tile, const Strip& strip);
  std::uint64_t sums_at(const Tile& tile, const Strip& strip) const;
  void unit(const UnitAt& at, const Strip& strip, std::uint32_t operand, bool load, bool reuse);
  void read_tile(const Tile& tile);
  void decode_tile(const Tile& tile);
  std::uint64_t kernel_cycles(const Tile& tile, const Strip& strip);
  pe::Factor factor(const Tile& tile, const Strip& strip, bool reuse);
  void multiply_tile(const Tile& tile, const Strip& strip, std::uint32_t operand, bool load, bool reuse);

  Generation& g_;
  const Linear& linear_;
  const std::uint64_t k_;
  const LinearMode mode_;
  LinearTiling tiling_;
  KPart part_{0, 0, true, true};  // of K, at hand
  std::uint32_t operation_ = 0, operand_ = 0;
  // Of partial sums: the out_write descriptor that wrote them last, by the tile's column and the strip's first row.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> sums_written_;
  // Of a GPU's kernel: its cycles for one output, what the tiles so far have taken of them, expansions of its weights.
  double cycles_per_output_ = 0, due_ = 0, expansions_ = 1;
  std::uint64_t given_ = 0;
};

/// Output features of the kernel that a linear is part of.
std::uint64_t kernel_columns(const Linear& linear) {
  if (linear.kernel_columns != 0) return linear.kernel_columns;
  std::uint64_t n = 0;
  for (const Linear::Matrix& m : linear.matrices) n += m.place->rows;
  return n;
}

LinearShape shape_of(const Generation& g, const Linear& linear) {
  LinearShape s;
  s.rows = linear.rows;
  s.k = linear.matrices.front().place->k;
  s.paired = linear.paired;
  s.unit_columns = linear.unit_columns;
  s.whole_row = linear.whole_row;
  s.a_row = g.plan.operand_row(s.k);
  s.a_resident = linear.spilled == nullptr;
  s.weights = name(linear.matrices.front().place->format);
  s.k_unit = unit_of_k(linear.matrices.front().place->format, g.plan.chip.linear_operand,
                       linear.spilled == nullptr ? 0 : linear.spilled->block_columns);
  s.a_unit = g.plan.operand_row(s.k_unit);
  for (const Linear::Matrix& m : linear.matrices) {
    const WeightStorage& storage = m.place->storage();
    s.columns.push_back(m.place->rows);
    s.b_row = std::max(s.b_row, storage.index_row_bytes(s.k) + storage.scale_row_bytes(s.k));
    s.b_unit = std::max(s.b_unit, storage.index_row_bytes(s.k_unit) + storage.scale_row_bytes(s.k_unit));
  }
  return s;
}

LinearGenerator::LinearGenerator(Generation& g, const Linear& linear)
    : g_(g),
      linear_(linear),
      k_(linear.matrices.front().place->k),
      mode_(linear_mode(linear.matrices.front().place->format, g.plan.settings.codebook,
                        g.plan.chip.linear_operand.bfp())),
      tiling_(tile_linear(shape_of(g, linear), g.plan.chip)),
      operation_(g.out.next_operation(linear.operation_class)) {
  const OnChip& chip = g.plan.chip;
  if (!chip.kernels.on()) return;
  const std::uint64_t n = kernel_columns(linear);
  const WeightFormat& format = linear.matrices.front().place->format;
  const double rate = chip.weights_per_cycle.at(static_cast<std::size_t>(format->storage.bits));
  const ProductKernel kernel =
      product_kernel(chip.kernels, chip.macs_per_cycle, {linear.rows, n, k_, rate, is_codebook(format)});
  cycles_per_output_ = mode_.passes * kernel.cycles / static_cast<double>(linear.rows * n);
  expansions_ = kernel.expansions;
}

std::vector<LinearGenerator::UnitAt> LinearGenerator::units() const {
  std::vector<UnitAt> all;
  for (std::size_t m = 0; m < (linear_.paired ? 1 : linear_.matrices.size()); ++m)
    for (const Strip& s : strips_of(linear_.matrices[m].place->rows, linear_.unit_columns))
      all.push_back({m, s.first, s.rows});
  return all;
}

/// Has a strip of A brought to the array, unless it is there; returns the operand's number.
std::uint32_t LinearGenerator::load_a(const Strip& strip) {
  const SpillPlace* a = linear_.spilled;
  const std::uint32_t number = a == nullptr ? linear_.operand : g_.out.next_operand();
  if (number == g_.operand_at_array) return number;
  memory::OperandDescriptor o;
  o.operand = number;
  o.row_bytes = static_cast<std::uint32_t>(g_.plan.operand_row(a == nullptr ? k_ : part_.length));
  o.rows = static_cast<std::uint32_t>(strip.rows);
  if (linear_.source != 0) {
    o.source = linear_.source;
    o.source_rows = static_cast<std::uint32_t>(g_.plan.rows);
    o.keeps_source = linear_.keeps_source ? 1 : 0;
    if (o.picks())
      g_.out.batch.picked.insert(g_.out.batch.picked.end(), linear_.picked->begin(), linear_.picked->end());
  }
  if (a != nullptr) {
    o.from_memory = 1;
    o.block_bytes = a->block_row_bytes;
    o.block_rows = o.rows;
  }
  g_.out.batch.operands.push_back(o);
  if (a != nullptr) {
    const std::uint64_t first = part_.first / a->block_columns;
    g_.out.read_operand(*a, first, part_.ends ? a->blocks - first : part_.length / a->block_columns, strip, number);
  }
  return number;
}

/// A tile's rows, of each the bytes [first, first + bytes).
DmaSegment pieces(std::uint64_t base, const Tile& t, std::uint64_t row_bytes, std::uint64_t first, std::uint64_t bytes,
                  TrafficClass traffic) {
  if (bytes == row_bytes) return dma_segment(base + t.row * row_bytes, t.count * row_bytes, traffic);
  DmaSegment s = dma_segment(base + t.row * row_bytes + first, bytes, traffic);
  s.rows = static_cast<std::uint32_t>(t.count);
  s.stride_bytes = row_bytes;
  return s;
}

void LinearGenerator::read_tile(const Tile& t) {
  DmaDescriptor d;
  d.operation = operation_;
  d.paced = true;
  if (g_.plan.chip.kernels.on() && linear_.rows > 1)
    d.bytes_per_cycle = static_cast<float>(g_.plan.chip.kernels.stream_bytes_per_cycle);
  const WeightStorage& storage = t.place.storage();
  // Scales first: the engine reads each so far ahead that the decoder never waits for one behind the codes.
  if (!part_.whole() && t.place.format->zero_point) {
    read_scales(t);
    d.begins_tile = false;
  } else if (storage.block != 0) {
    DmaSegment scales = pieces(t.place.scale, t, t.place.scale_row_bytes(), storage.scale_row_bytes(part_.first),
                               storage.scale_row_bytes(part_.length), TrafficClass::scales);
    scales.tensor = t.place.id;
    d.add(scales);
  }
  DmaSegment codes = pieces(t.place.index, t, t.place.index_row_bytes(), storage.index_row_bytes(part_.first),
                            storage.index_row_bytes(part_.length), TrafficClass::weights);
  codes.tensor = t.place.id;
  codes.group_bytes = static_cast<std::uint32_t>(storage.index_row_bytes(part_.length));
  codes.group_elements = static_cast<std::uint32_t>(part_.length);
  d.add(codes);
  g_.out.push(Queue::weights, d);
}

/// A row's zero-points lie behind all of its scales: of a part of K each row has two pieces, in the order in which the
/// decoder takes them.
void LinearGenerator::read_scales(const Tile& t) {
  const auto block = static_cast<std::uint64_t>(t.place.storage().block);
  const std::uint64_t first = part_.first / block, blocks = ceil_div(part_.length, block), of_row = ceil_div(k_, block);
  constexpr std::uint64_t rows_at_once = DmaDescriptor::kMaxSegments / 2;
  for (const Strip& rows : strips_of(t.count, rows_at_once)) {
    DmaDescriptor d;
    d.operation = operation_;
    d.begins_tile = rows.first == 0;
    d.ends_tile = false;
    for (std::uint64_t row = rows.first; row < rows.first + rows.rows; ++row) {
      const std::uint64_t base = t.place.scale + (t.row + row) * t.place.scale_row_bytes();
      for (const auto& [address, bytes] :
           {std::pair{base + 2 * first, 2 * blocks}, {base + 2 * of_row + first, blocks}}) {
        DmaSegment piece = dma_segment(address, bytes, TrafficClass::scales);
        piece.tensor = t.place.id;
        d.add(piece);
      }
    }
    g_.out.push(Queue::weights, d);
  }
}

void LinearGenerator::decode_tile(const Tile& t) {
  const WeightStorage storage = t.place.storage();
  decoder::Descriptor d;
  d.operation = operation_;
  d.tensor = t.place.id;
  d.rows = static_cast<std::uint32_t>(t.count);
  d.row_elements = static_cast<std::uint32_t>(part_.length);
  d.kind = mode_.decode;
  d.expansions = static_cast<float>(expansions_);
  d.bits = static_cast<std::uint8_t>(storage.bits);
  d.bit_planes = t.place.format->storage.bit_planes();
  d.zero_point = t.place.format->zero_point;
  d.block = static_cast<std::uint16_t>(storage.block);
  if (g_.plan.settings.table && is_codebook(t.place.format)) {
    const DecoderTable& table = g_.plan.settings.table(t.place.id);
    const bool real = mode_.decode == decoder::DecodeKind::codebook_fp16;
    d.codebook_size = static_cast<std::uint16_t>(real ? table.centroids.size() * sizeof(float) : table.codebook.size());
    std::memcpy(d.codebook, real ? static_cast<const void*>(table.centroids.data()) : table.codebook.data(),
                d.codebook_size);
  }
  g_.out.batch.decoder.push_back(d);
}

/// A tile's share of the cycles of a GPU's kernel; 0: the machine has none.
std::uint64_t LinearGenerator::kernel_cycles(const Tile& t, const Strip& strip) {
  if (cycles_per_output_ == 0) return 0;
  due_ += cycles_per_output_ * static_cast<double>(t.count * strip.rows) * static_cast<double>(part_.length) /
          static_cast<double>(k_);
  const auto due = static_cast<std::uint64_t>(std::llround(due_));
  const std::uint64_t cycles = due > given_ ? due - given_ : 1;
  given_ += cycles;
  return cycles;
}

/// What the array is told of a tile's weights. reuse: B is that of the tile before, expanded again.
pe::Factor LinearGenerator::factor(const Tile& t, const Strip& strip, bool reuse) {
  const WeightStorage storage = t.place.storage();
  pe::Weights common;
  common.passes = static_cast<std::uint8_t>(mode_.passes);
  common.reuse_b = reuse;
  const double rate = g_.plan.chip.weights_per_cycle.at(static_cast<std::size_t>(storage.bits));
  common.cycles = kernel_cycles(t, strip);
  if (reuse)
    common.replay_cycles = static_cast<std::uint32_t>(std::ceil(static_cast<double>(t.count * part_.length) / rate));
  switch (mode_.operand) {
    case formats::Operand::integer:
      return pe::IntegerWeights{common, static_cast<std::uint16_t>(storage.block)};
    case formats::Operand::bfp8:
      return pe::Bfp8Weights{common};
    case formats::Operand::fp16:
      return pe::Fp16Weights{common};
    case formats::Operand::codebook:
      break;
  }
  const float scale = g_.plan.settings.table ? g_.plan.settings.table(t.place.id).scale : 1.0f;
  return pe::CodebookWeights{common, static_cast<std::uint16_t>(storage.block), mode_.one_bit, scale};
}

void LinearGenerator::multiply_tile(const Tile& t, const Strip& strip, std::uint32_t operand, bool load, bool reuse) {
  pe::Descriptor d;
  d.operation = operation_;
  d.a_operand = operand;
  d.m = static_cast<std::uint32_t>(strip.rows);
  d.n = static_cast<std::uint32_t>(t.count);
  d.k = static_cast<std::uint32_t>(part_.length);
  if (linear_.spilled == nullptr && !part_.whole()) {
    d.a_columns = static_cast<std::uint32_t>(k_);
    d.a_begin = static_cast<std::uint32_t>(part_.first);
  }
  d.resume = !part_.begins;
  d.spill = !part_.ends;
  d.n_begin = static_cast<std::uint32_t>(t.row);
  d.load_a = load;
  d.b = factor(t, strip, reuse);
  g_.out.batch.pe.push_back(d);
}

void LinearGenerator::unit(const UnitAt& at, const Strip& strip, std::uint32_t operand, bool load, bool reuse) {
  const std::size_t first = linear_.paired ? 0 : at.matrix, last = linear_.paired ? linear_.matrices.size() : first + 1;
  std::uint64_t before = 0;  // columns of matrices before
  for (std::size_t m = 0; m < last; before += linear_.matrices[m++].place->rows) {
    if (m < first) continue;
    for (const Strip& rows : strips_of(at.columns, tiling_.tile_rows)) {
      const std::uint64_t row = at.column + rows.first;
      const Tile tile{*linear_.matrices[m].place, row, rows.rows, before + row};
      if (!reuse) {
        read_tile(tile);
        decode_tile(tile);
      }
      if (!part_.begins) resume_sums(tile, strip);
      multiply_tile(tile, strip, operand, load, reuse);
      if (!part_.ends) spill_sums(tile, strip);
      load = false;
    }
  }
  if (!part_.ends) return;
  linear_.matrices[at.matrix].results(
      g_, Unit{at.column, at.columns, linear_.matrices[at.matrix].place->rows, strip, operation_});
}

/// Where a tile's FP32 sums lie: those of a strip of rows, one after the other.
std::uint64_t LinearGenerator::sums_at(const Tile& t, const Strip& strip) const {
  return g_.plan.map.partial_sums + 4 * (linear_.rows * t.column + strip.first * t.count);
}

void LinearGenerator::resume_sums(const Tile& t, const Strip& strip) {
  g_.out.gate(Queue::kv_read, Queue::out_write, sums_written_.at({t.column, strip.first}));
  g_.out.read_piece(Queue::kv_read, sums_at(t, strip), 4 * strip.rows * t.count, TrafficClass::partial_sums,
                    operation_);
}

void LinearGenerator::spill_sums(const Tile& t, const Strip& strip) {
  vector::PassSums sums;
  sums.rows = static_cast<std::uint32_t>(strip.rows);
  sums.columns = static_cast<std::uint32_t>(2 * t.count);
  sums.row_begin = static_cast<std::uint32_t>(strip.first);
  sums.column_begin = static_cast<std::uint32_t>(2 * t.row);
  g_.out.batch.vector.push_back({operation_, sums});
  converter::ToMemory c;
  c.rows = sums.rows;
  c.columns = sums.columns;
  g_.out.batch.converter.push_back({operation_, c});
  g_.out.write_piece(sums_at(t, strip), 4 * strip.rows * t.count, operation_, TrafficClass::partial_sums);
  sums_written_[{t.column, strip.first}] = g_.out.out_writes();
}

void LinearGenerator::generate() {
  for (const Strip& part : strips_of(k_, tiling_.k_part))
    generate({part.first, part.rows, part.first == 0, part.first + part.rows == k_});
}

void LinearGenerator::generate(const KPart& part) {
  part_ = part;
  if (tiling_.column_first) {
    for (const UnitAt& at : units())
      for (std::size_t i = 0; i < tiling_.strips.size(); ++i)
        unit(at, tiling_.strips[i], load_a(tiling_.strips[i]), true, i != 0);
    return;
  }
  for (const Strip& strip : tiling_.strips) {
    // An operand that is on chip stays at the array from part to part.
    const bool stays = linear_.spilled == nullptr && !part.begins;
    const std::uint32_t operand = stays ? operand_ : operand_ = load_a(strip);
    bool load = !stays && operand != g_.operand_at_array;
    for (const UnitAt& at : units()) {
      unit(at, strip, operand, load, false);
      load = false;
    }
  }
}

bool goes_by_heads(const Product& product) {
  return product.result == Value::query || product.result == Value::keys || product.result == Value::values;
}

/// Keys that only the smoother sees: online offsets follow all keys of a sequence's first step, and none of them can be
/// stored before the last is known. On chip they come in one chunk; strips of them are computed twice.
void generate_measured_keys(Generation& g, Linear linear, const LayerOperation& operation, int layer) {
  bool measures = false;
  for (const SequenceStep& s : g.plan.work.sequences) measures = measures || g.plan.measures_keys(s);
  if (!measures) return;
  linear.matrices.clear();
  for (const Product& product : operation.products)
    if (product.result == Value::keys)
      linear.matrices.push_back({&g.plan.map.matrix(*product.weights, layer),
                                 [layer](Generation& inner, const Unit& u) { measure_keys(inner, layer, u); }});
  if (!linear.matrices.empty()) generate_products(g, linear);
}

}  // namespace

void generate_products(Generation& g, const Linear& linear) { LinearGenerator(g, linear).generate(); }

namespace {

void generate_linear(Generation& g, const LayerOperation& operation, int layer) {
  const auto head_dim = static_cast<std::uint64_t>(g.plan.shape.head_dim);
  Linear linear;
  linear.operation_class = operation.operation_class;
  linear.paired = operation.paired;
  linear.rows = g.plan.rows;
  linear.operand = g.operand[operation.operand];
  if (operation.keeps_operand) {
    linear.source = linear.operand;
    linear.operand = g.out.next_operand();
    linear.keeps_source = true;
  }
  if (!g.plan.resident) linear.spilled = &g.plan.map.spilled(operation.operand, layer);
  for (const Product& product : operation.products) {
    linear.matrices.push_back({&g.plan.map.matrix(*product.weights, layer), generators().of(product, layer)});
    if (product.head_norm && g.plan.shape.qk_norm_all_heads)
      linear.whole_row = 2 * static_cast<std::uint64_t>(g.plan.shape.q_width());
    if (goes_by_heads(product)) linear.unit_columns = std::max<std::uint64_t>(1, 128 / head_dim) * head_dim;
  }
  generate_measured_keys(g, linear, operation, layer);
  generate_products(g, linear);
}

}  // namespace

namespace operations {
void linear(Generators& all) { all.operation("linear", generate_linear); }
}  // namespace operations

}  // namespace harmonia::accelerator
