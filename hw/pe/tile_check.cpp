#include "harmonia/hw/pe/tile_check.h"

#include <cmath>

#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/pe/kv_operand.h"
#include "harmonia/hw/pe/pe_array.h"
#include "harmonia/tlm/field_check.h"

namespace harmonia::pe {
namespace {

constexpr std::uint64_t most = 1 << 24;

/// Cycles that a descriptor may ask for on behalf of a GPU's kernel: the longest wave of one is a second, 2^31 cycles of 2 GHz.
constexpr std::uint64_t most_cycles = std::uint64_t{1} << 31;

std::uint64_t scaled_rows(const Descriptor& d, std::uint64_t block) {
  return std::uint64_t{d.n} * (d.k + 2 * ((d.k + block - 1) / block));
}
std::uint64_t planes(const GroupedCache& cache, std::uint64_t units, std::uint64_t each) {
  return each * (units * kBfpMainBytes + wide_units(cache, units) * kBfpLowBytes);
}
std::uint64_t plain_rows(const PlainCache& cache, std::uint64_t rows, std::uint64_t width) {
  return rows * (cache.int8 ? formats::int8_row_bytes(width) : 2 * width);
}

void check_factor(const Descriptor& d, bus::FieldCheck& c) {
  if (const Weights* w = d.weights()) {
    c.within("Weights::passes", w->passes, 1, 16).flag("Weights::reuse_b", w->reuse_b);
    c.within("Weights::cycles", w->cycles, 0, most_cycles);
    c.within("Weights::replay_cycles", w->replay_cycles, 0, most_cycles);
  }
  if (const auto* codebook = std::get_if<CodebookWeights>(&d.b)) {
    c.equal("CodebookWeights::block", codebook->block, 64, "the block of a codebook's scales");
    c.flag("CodebookWeights::one_bit", codebook->one_bit);
    c.require_real(std::isfinite(codebook->scale), "CodebookWeights::scale", static_cast<double>(codebook->scale),
                   "a finite number");
  }
  if (const auto* integers = std::get_if<IntegerWeights>(&d.b))
    c.require(integers->block != 0 && integers->block % formats::kBfpGroup == 0, "IntegerWeights::block",
              integers->block, "a multiple of 32 that is not 0");
  if (const Cache* cache = bus::as<Cache>(d.b))
    c.flag("Cache::bfp_a", cache->bfp_a).within("Cache::least_cycles", cache->least_cycles, 0, most_cycles);
  if (const PlainCache* plain = bus::as<PlainCache>(d.b)) c.flag("PlainCache::int8", plain->int8);
}

}  // namespace

std::uint64_t tile_a_bytes(const Config& config, const Descriptor& d) {
  const formats::OperandFormat groups = d.weights() != nullptr ? config.linear_operand() : config.attention_operand();
  return d.m * (d.bfp_a() ? groups : formats::OperandFormat::fp16()).row_bytes(d.a_width());
}

std::uint64_t tile_b_bytes(const Descriptor& d) {
  const std::uint64_t n = d.n, k = d.k, groups = d.groups();
  return std::visit(bus::Overloaded{
                        [&](const CodebookWeights& w) { return scaled_rows(d, w.block); },
                        [&](const IntegerWeights& w) { return scaled_rows(d, w.block); },
                        [&](const Bfp8Weights&) -> std::uint64_t { return n * formats::kBfp8.row_bytes(k); },
                        [&](const Fp16Weights&) { return 2 * n * k; },
                        [&](const Keys& c) { return planes(c, n, groups); },
                        [&](const Values& c) { return planes(c, groups, n); },
                        [&](const PlainKeys& c) { return plain_rows(c, n, k); },
                        [&](const PlainValues& c) { return plain_rows(c, k, n); },
                    },
                    d.b);
}

std::string fault_of(const Descriptor& d, const Descriptor* before) {
  bus::FieldCheck c;
  c.within("m", d.m, 1, most).within("n", d.n, 1, most).within("k", d.k, 1, most);
  c.require(std::uint64_t{d.m} * d.n <= bus::max_chunk_values, "n", d.n, "m * n of one result to be 2^29 at most");
  c.flag("load_a", d.load_a).flag("last_a", d.last_a);
  c.flag("accumulate", d.accumulate).flag("emit", d.emit);
  c.flag("resume", d.resume).flag("spill", d.spill);
  c.within("b.index()", d.b.index(), 0, std::variant_size_v<Factor> - 1);
  if (c.good()) check_factor(d, c);
  if (!c.good()) return c.fault();
  if (!d.load_a) c.require(before != nullptr && !before->last_a, "load_a", 0, "1: the tile before leaves no A operand");
  if (d.accumulate)
    c.require(before != nullptr && !before->emit && before->m == d.m && before->n == d.n, "accumulate", 1,
              "0: the tile before leaves no sums of m x n");
  if (d.is_part() || d.a_columns != 0) {
    c.require(d.weights() != nullptr, "b.index()", d.b.index(), "weights: k of the cache does not come in parts");
    c.require(d.emit && !d.accumulate, "emit", d.emit ? 1 : 0,
              "1, and accumulate 0, of a part whose sums go to memory");
    c.require(d.a_begin % formats::kBfpGroup == 0 && std::uint64_t{d.a_begin} + d.k <= d.a_width(), "a_begin",
              d.a_begin, "a multiple of 32, and k values behind it in a row of ", d.a_width());
  } else {
    c.equal("a_begin", d.a_begin, 0, "rows of A are as long as k");
  }
  if (d.reuses_b())
    c.require(before != nullptr && before->n == d.n && before->k == d.k && before->b.index() == d.b.index() &&
                  before->operation == d.operation,
              "Weights::reuse_b", 1, "0: the tile before leaves no B of n x k");
  return c.fault();
}

std::string chunk_fault(const Descriptor& d, const TileInput& before, std::uint64_t elements, std::uint64_t bytes,
                        const bus::DecodedRows* rows, bool data_valid) {
  bus::FieldCheck c;
  const std::uint64_t total = tile_elements(d), left = total - before.elements;
  c.require(elements <= left, "Chunk::elements", elements, "what is left of the tile, ", left);
  if (!data_valid) {
    // Without data a decoded chunk has a byte for an element, and one of no elements has one byte.
    c.require(elements != 0 || bytes <= 1, "Chunk::elements", elements, "the elements of ", bytes, " bytes");
    return c.fault();
  }
  const std::uint64_t all = tile_b_bytes(d);
  if (rows != nullptr) {
    c.require(rows->rows == 0 || rows->first_row == before.rows, "DecodedRows::first_row", rows->first_row,
              "the row after the last chunk's, ", before.rows);
    c.require(rows->rows <= d.n - before.rows, "DecodedRows::rows", rows->rows, "the rows that are left of the tile, ",
              d.n - before.rows);
    if (rows->rows != 0) c.equal("the data length", bytes, rows->rows * (all / d.n), "the bytes of the chunk's rows");
  }
  const std::uint64_t counted = rows != nullptr && rows->rows == 0 ? 0 : bytes, missing = all - before.bytes;
  c.require(counted <= missing, "the data length", bytes, "what is left of the tile, ", missing);
  if (elements == left)
    c.require(counted == missing, rows != nullptr ? "DecodedRows::rows" : "the data length",
              rows != nullptr ? rows->rows : bytes, "the rest of the tile with its last elements, ", missing, " bytes");
  else
    c.require(counted != missing, "Chunk::elements", elements, "the rest of the tile with its last bytes, ", left);
  return c.fault();
}

}  // namespace harmonia::pe
