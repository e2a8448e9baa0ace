#include "harmonia/hw/vector/descriptor_check.h"

#include "harmonia/hw/vector/vector_unit.h"
#include "harmonia/tlm/field_check.h"

namespace harmonia::vector {
namespace {

constexpr std::uint64_t most = 1 << 24;

void check_kind(const Setup& d, std::size_t table_bytes, bus::FieldCheck& c) {
  c.within("Setup::rows", d.rows, 0, most).within("Setup::width", d.width, 0, most);
  c.require(table_bytes / sizeof(SequenceRows) >= d.sequences, "Setup::sequences", d.sequences, "the table's ",
            table_bytes / sizeof(SequenceRows), " or fewer");
}
void check_kind(const Marker&, std::size_t table_bytes, bus::FieldCheck& c) {
  c.equal("the table's length", table_bytes, 0, "only a setup has one");
}
void check_kind(const Rows& d, std::size_t table_bytes, bus::FieldCheck& c) {
  c.equal("the table's length", table_bytes, 0, "only a setup has one");
  c.within("rows", d.rows, 1, most).within("columns", d.columns, 1, most).within("row_begin", d.row_begin, 0, most);
  c.require(d.elements() <= bus::max_chunk_values, "columns", d.columns, "rows * columns to be 2^29 at most");
}

}  // namespace

std::string fault_of(const Descriptor& d, std::size_t table_bytes) {
  bus::FieldCheck c;
  std::visit([&](const auto& kind) { check_kind(kind, table_bytes, c); }, d.kind);
  if (const auto* projection = bus::as<Projection>(d.kind); projection != nullptr && c.good())
    c.require(projection->head_dim == 0 || projection->columns % projection->head_dim == 0, "Projection::head_dim",
              projection->head_dim, "0 or a divisor of columns");
  if (const auto* projection = bus::as<Projection>(d.kind); projection != nullptr) {
    c.within("Projection::place", projection->place, 0, 1);
    c.require((!projection->gains || projection->norm) && (!projection->norm || projection->head_dim != 0),
              "Projection::norm", projection->norm ? 1 : 0, "gains with a norm alone, and a norm with a head_dim");
    const std::uint64_t end = std::uint64_t{projection->column_begin} + projection->columns;
    c.require(projection->width == 0 || (projection->norm && projection->head_dim != 0 && end <= projection->width &&
                                         projection->width % projection->head_dim == 0),
              "Projection::width", projection->width,
              "0, or whole heads under a norm up to the columns' end or beyond, ", end);
  }
  if (const auto* rotation = bus::as<Rotation>(d.kind); rotation != nullptr)
    c.require(rotation->rotated % 2 == 0 && rotation->rotated <= rotation->head_dim, "Rotation::rotated",
              rotation->rotated, "an even number up to head_dim, ", rotation->head_dim);
  if (const auto* router = bus::as<Route>(d.kind); router != nullptr) {
    const std::uint64_t end = std::uint64_t{router->column_begin} + router->columns;
    c.require(router->ends ? router->experts == end : router->experts >= end, "Route::experts", router->experts,
              router->ends ? "the columns so far, " : "the columns so far or more, ", end);
    c.within("RouteRule::experts_per_token", router->rule.experts_per_token, 1, router->experts);
  }
  if (const auto* seen = bus::as<KeysSeen>(d.kind); seen != nullptr) c.within("KeysSeen::group", seen->group, 1, most);
  return c.fault();
}

std::string result_fault(const Descriptor& d, const ResultChunk& chunk) {
  bus::FieldCheck c;
  c.equal("Chunk::operation", chunk.operation, d.operation, "the descriptor's");
  if (!c.good()) return c.fault();
  if (chunk.tile == nullptr) return "the chunk's header is not a ResultTile";
  const Rows& rows = *bus::as<Rows>(d.kind);
  const auto* part = bus::as<Results>(d.kind);
  const std::uint64_t values = std::uint64_t{rows.rows} * chunk.tile->columns;
  const std::uint64_t first = part != nullptr ? part->column_begin : 0, begin = chunk.tile->column_begin;
  c.within("ResultTile::columns", chunk.tile->columns, 1, rows.columns);
  c.equal("the data length", chunk.bytes, 2 * values, "FP16 values of the descriptor's rows and the tile's columns");
  c.equal("Chunk::elements", chunk.elements, values, "the descriptor's rows times the tile's columns");
  c.require(chunk.elements <= results(d.kind) - chunk.taken, "Chunk::elements", chunk.elements,
            "what is left of the operation's results, ", results(d.kind) - chunk.taken);
  if (!chunk.data_valid) return c.fault();  // without data nothing is put anywhere
  c.require(begin >= first && begin + chunk.tile->columns <= first + rows.columns, "ResultTile::column_begin", begin,
            "columns of the descriptor's, which begin at ", first);
  return c.fault();
}

}  // namespace harmonia::vector
