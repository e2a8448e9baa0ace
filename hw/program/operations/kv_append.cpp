// New keys and values to the KV cache, and the V group that still grows.
#include <algorithm>

#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

/// Of a unit, what belongs to one kv head and one sequence.
struct Append {
  const KvCacheLayout& kv;
  const SequenceStep& sequence;
  const Part& part;
  std::uint64_t head;
  KvCacheLayout::Place place;

  std::uint64_t context() const { return sequence.context(); }
  std::uint64_t end() const { return part.position + part.rows; }
};

template <class Body>
void for_each_append(Generation& g, int layer, const Unit& u, const Body& body) {
  const auto d = static_cast<std::uint64_t>(g.plan.shape.head_dim);
  const std::vector<Part> parts = g.plan.parts_of(u.strip);
  for (std::uint64_t head = u.column / d; head < (u.column + u.columns) / d; ++head)
    for (const Part& p : parts) {
      const SequenceStep& s = g.plan.work.sequences[p.sequence];
      body(Append{g.plan.map.kv, s, p, head, {s.slot, layer, static_cast<int>(head)}});
    }
}

/// What converter and smoother are told of any keys.
template <class Keys>
Keys keys_of(const Append& a, int channels) {
  Keys c;
  c.rows = static_cast<std::uint32_t>(a.part.rows);
  c.columns = static_cast<std::uint32_t>(channels);
  c.first_position = static_cast<std::uint32_t>(a.part.position);
  c.slot = static_cast<std::uint32_t>(a.sequence.slot);
  c.layer = static_cast<std::uint32_t>(a.place.layer);
  c.head = static_cast<std::uint32_t>(a.head);
  return c;
}

converter::PlainRow plain_row(const Append& a) {
  return a.kv.policy().format == KvFormat::kInt8 ? converter::PlainRow::int8 : converter::PlainRow::fp16;
}

converter::LowPlanes low_planes(const WideUnits& wide) {
  return {{static_cast<std::uint32_t>(wide.initial.from), static_cast<std::uint32_t>(wide.local.from)},
          {static_cast<std::uint32_t>(wide.initial.to), static_cast<std::uint32_t>(wide.local.to)}};
}

/// Where the group comes from that the first of the new values belong to, and where the last of them stay, when they do
/// not fill theirs and a further strip will.
void place_growing_group(Generation& g, const Append& a, converter::GroupedValues& c) {
  GrowingGroups::Group& group = g.growing.of(a.part.sequence, a.head);
  const bool goes_on = a.part.position > a.sequence.cached;  // after a strip of this step
  const bool ends_in_group = a.end() < a.context() && a.end() % kv_group != 0;
  if (goes_on && a.part.position % kv_group != 0) c.growing_from = group.place;
  if (ends_in_group) c.growing_to = c.growing_from != 0 ? c.growing_from : g.growing.take();
  if (c.growing_from != c.growing_to) g.growing.give_back(c.growing_from);
  if (ends_in_group) group.place = c.growing_to;
}

/// Reads back the group that still grows, unless the converter has it.
void read_growing_group(Generation& g, const Append& a, std::uint32_t operation, converter::GroupedValues& c) {
  if (c.growing_from != 0) return;
  KvPieces pieces;
  a.kv.v_residual(a.place, a.part.position, pieces.main, pieces.low);
  c.residual_bytes = static_cast<std::uint32_t>(pieces.bytes());
  if (c.residual_bytes == 0) return;
  if (a.part.position > a.sequence.cached)  // the strip before wrote it
    g.out.gate(Queue::residual, Queue::kv_write, g.growing.of(a.part.sequence, a.head).written);
  g.out.move_kv(Queue::residual, pieces, true, operation);
}

void append_grouped_values(Generation& g, const Append& a, std::uint32_t operation) {
  converter::GroupedValues c;
  c.rows = static_cast<std::uint32_t>(a.part.rows);
  c.columns = static_cast<std::uint32_t>(g.plan.shape.head_dim);
  c.first_position = static_cast<std::uint32_t>(a.part.position);
  place_growing_group(g, a, c);
  // Rows up to the last full group, or all: a group that goes on growing in memory is written as it is.
  std::uint64_t rows = a.part.rows;
  if (c.growing_to != 0) rows = std::max(a.end() / kv_group * kv_group, a.part.position) - a.part.position;
  KvPieces pieces;
  if (rows != 0) a.kv.v_write(a.place, a.part.position, rows, a.context(), pieces.main, pieces.low);
  c.low = low_planes(a.kv.head().wide_groups_written(a.part.position, a.part.rows, a.context()));
  read_growing_group(g, a, operation, c);
  c.out_bytes = static_cast<std::uint32_t>(pieces.bytes());
  g.out.batch.converter.push_back({operation, c});
  g.out.move_kv(Queue::kv_write, pieces, true, operation);
  g.growing.of(a.part.sequence, a.head).written = g.out.kv_writes();
}

void append_plain_values(Generation& g, const Append& a, std::uint32_t operation) {
  converter::PlainValues c;
  c.rows = static_cast<std::uint32_t>(a.part.rows);
  c.columns = static_cast<std::uint32_t>(g.plan.shape.head_dim);
  c.row = plain_row(a);
  KvPieces pieces;
  a.kv.v_write(a.place, a.part.position, a.part.rows, a.context(), pieces.main, pieces.low);
  g.out.batch.converter.push_back({operation, c});
  g.out.move_kv(Queue::kv_write, pieces, false, operation);
}

void append_keys_of(Generation& g, const Append& a, std::uint32_t operation) {
  KvPieces pieces;
  a.kv.k_write(a.place, a.part.position, a.part.rows, a.context(), pieces.main, pieces.low);
  const bool grouped = a.kv.policy().grouped();
  if (grouped) {
    auto c = keys_of<converter::GroupedKeys>(a, g.plan.shape.head_dim);
    c.measured = g.plan.measures_keys(a.sequence);
    c.low = low_planes(a.kv.head().wide_keys_written(a.part.position, a.part.rows, a.context()));
    c.out_bytes = static_cast<std::uint32_t>(pieces.bytes());
    g.out.batch.converter.push_back({operation, c});
  } else {
    auto c = keys_of<converter::PlainKeys>(a, g.plan.shape.head_dim);
    c.measured = g.plan.measures_keys(a.sequence);
    c.row = plain_row(a);
    g.out.batch.converter.push_back({operation, c});
  }
  g.out.move_kv(Queue::kv_write, pieces, grouped, operation);
}

}  // namespace

void measure_keys(Generation& g, int layer, const Unit& u) {
  if (const std::optional<Unit> heads = leaving(g, u))
    for_each_append(g, layer, *heads, [&](const Append& a) {
      auto c = keys_of<converter::MeasuredKeys>(a, g.plan.shape.head_dim);
      c.counts = g.plan.measures_keys(a.sequence);
      g.out.batch.converter.push_back({u.operation, c});
    });
  g.out.batch.vector.push_back({u.operation, rotation<vector::RotateKeys>(g, layer, Value::keys, u)});
}

namespace {

void append_keys(Generation& g, int layer, const Unit& u) {
  if (const std::optional<Unit> heads = leaving(g, u))
    for_each_append(g, layer, *heads, [&](const Append& a) { append_keys_of(g, a, u.operation); });
  g.out.batch.vector.push_back({u.operation, rotation<vector::RotateKeys>(g, layer, Value::keys, u)});
}

void append_values(Generation& g, int layer, const Unit& u) {
  const bool grouped = g.plan.map.kv.policy().grouped();
  for_each_append(g, layer, u, [&](const Append& a) {
    if (grouped)
      append_grouped_values(g, a, u.operation);
    else
      append_plain_values(g, a, u.operation);
  });
  g.out.batch.vector.push_back({u.operation, passed_values(g, layer, u)});
}

}  // namespace

namespace operations {
void kv_append(Generators& all) {
  all.results("rotate", Value::keys, append_keys);
  all.results("pass", Value::values, append_values);
}
}  // namespace operations

}  // namespace harmonia::accelerator
