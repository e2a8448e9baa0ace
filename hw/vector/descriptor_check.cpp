#include "harmonia/hw/vector/descriptor_check.h"

#include <cmath>
#include <cstring>

#include "harmonia/hw/vector/vector_unit.h"
#include "harmonia/tlm/field_check.h"

namespace harmonia::vector {
namespace {

using bus::FieldCheck;

constexpr std::uint64_t most = 1 << 24;

/// Sequences of a setup's table, which is long enough for them.
std::vector<SequenceRows> sequences_of(const Setup& d, const std::vector<unsigned char>& table) {
  std::vector<SequenceRows> sequences(d.sequences);
  if (!sequences.empty())
    std::memcpy(static_cast<void*>(sequences.data()), table.data(), sequences.size() * sizeof(SequenceRows));
  return sequences;
}

/// One descriptor in its step, and the first fault that was found. check(kind) looks at the kind's own fields and at those of
/// what it is derived from.
class Check : public FieldCheck {
 public:
  Check(const StepShape& step, const std::vector<unsigned char>& table) : step_(step), table_(table) {}

  void check(const Setup& d) {
    within("Setup::rows", d.rows, 0, most).within("Setup::width", d.width, 0, most);
    require(table_.size() / sizeof(SequenceRows) >= d.sequences, "Setup::sequences", d.sequences, "the table's ",
            table_.size() / sizeof(SequenceRows), " or fewer");
    if (!good()) return;
    const std::uint64_t angles = table_.size() - d.sequences * sizeof(SequenceRows);
    require(angles % sizeof(float) == 0, "the table's length", table_.size(), "sequences, and FP32 words behind them");
    std::uint64_t row = 0;
    for (const SequenceRows& s : sequences_of(d, table_)) {
      equal("SequenceRows::first_row", s.first_row, row, "the row behind the sequence before");
      within("SequenceRows::rows", s.rows, 1, d.rows - row)
          .within("SequenceRows::first_position", s.first_position, 0, 1u << 31);
      within("SequenceRows::logits", s.logits, 0, 1);
      if (!good()) return;
      row += s.rows;
    }
  }
  void check(const Marker&) { no_table(); }

  void check(const Embed& d) {
    rows(d);
    flag("Embed::leaves", d.leaves).flag("Embed::partial", d.partial).flag("Embed::received", d.received);
    require(d.absent == 0 || d.rows <= 8 * sizeof d.absent, "Embed::absent", d.absent, "0 of more than eight rows");
    if (!good()) return;
    if (!d.leaves) in_stream(d);
    if (!d.received) return;
    in_step(d);
    require(d.columns == step_.width, "columns", d.columns, "the width of the step's rows, ", step_.width);
  }
  void check(const Norm& d) {
    rows(d);
    flag("Norm::gains", d.gains).flag("Norm::centred", d.centred).flag("Norm::plain", d.plain);
    flag("Norm::from_memory", d.from_memory).flag("Norm::twice", d.twice).flag("Norm::last_rows", d.last_rows);
    if (!good() || d.from_memory) return;
    if (!d.last_rows) return in_stream(d);
    resident();
    require(d.columns <= step_.width, "columns", d.columns, "columns of the step's rows, ", step_.width);
    require(std::uint64_t{d.row_begin} + d.rows <= step_.logit_rows, "row_begin", d.row_begin,
            "rows among those that logits are wanted of, ", step_.logit_rows);
  }
  void check(const AddNormed& d) {
    check(static_cast<const Norm&>(d));
    if (good()) equal("Norm::last_rows", d.last_rows ? 1 : 0, 0, "all rows are changed");
  }
  void check(const RotateQueries& d) {
    rotation(d);
    flag("RotateQueries::by_sequence", d.by_sequence);
  }
  void check(const RotateKeys& d) { rotation(d); }
  void check(const PassValues& d) { projection(d); }
  void check(const PassScores& d) { rows(d); }
  void check(const PassSums& d) {
    rows(d);
    require(d.columns % 2 == 0, "columns", d.columns, "two words for each FP32 sum");
  }
  void check(const Softmax& d) {
    seen(d);
    flag("Softmax::from_memory", d.from_memory);
  }
  void check(const OnlineSoftmax& d) {
    seen(d);
    flag("OnlineSoftmax::first", d.first);
  }
  void check(const CollectAttention& d) {
    rows(d);
    within("CollectAttention::group", d.group, 1, d.rows);
    kind("CollectAttention::leaves", d.leaves, CollectAttention::Leaves::all_rows);
    if (!good()) return;
    require(d.rows % d.group == 0, "CollectAttention::group", d.group, "a divisor of rows, ", d.rows);
    require(std::uint64_t{d.row_begin} + d.rows / d.group <= step_.rows, "row_begin", d.row_begin,
            "rows inside the step's ", step_.rows);
    require((std::uint64_t{d.head_begin} + d.group) * d.columns <= d.width, "CollectAttention::head_begin",
            d.head_begin, "heads inside the width, ", d.width);
    require(d.leaves == CollectAttention::Leaves::heads || step_.rows * d.width <= bus::max_chunk_values,
            "CollectAttention::width", d.width, "rows of the step times the width to be 2^29 at most");
  }
  void check(const AccumulateAttention& d) {
    check(static_cast<const CollectAttention&>(d));
    flag("AccumulateAttention::first", d.first).flag("AccumulateAttention::last", d.last);
  }
  void check(const StreamUpdate& d) {
    rows(d);
    flag("StreamUpdate::in_memory", d.in_memory)
        .flag("StreamUpdate::bias", d.bias)
        .flag("StreamUpdate::partial", d.partial);
    if (good() && !d.in_memory) in_stream(d, d.column_begin);
  }
  void check(const KeepBranch& d) {
    rows(d);
    flag("KeepBranch::bias", d.bias).flag("KeepBranch::leaves", d.leaves).flag("KeepBranch::partial", d.partial);
    if (good() && !d.leaves) in_stream(d, d.column_begin);
  }
  void check(const SiluMultiply& d) {
    rows(d);
    kind("SiluMultiply::function", d.function, Function::clamped).flag("SiluMultiply::bias", d.bias);
  }
  void check(const Activate& d) {
    rows(d);
    kind("Activate::function", d.function, Function::clamped).flag("Activate::bias", d.bias);
  }
  void check(const Route& d) {
    rows(d);
    flag("Route::ends", d.ends).flag("Route::bias", d.bias);
    flag("RouteRule::sigmoid", d.rule.sigmoid).flag("RouteRule::normalised", d.rule.normalised);
    if (!good()) return;
    const std::uint64_t end = std::uint64_t{d.column_begin} + d.columns;
    require(d.ends ? d.experts == end : d.experts >= end, "Route::experts", d.experts,
            d.ends ? "the columns so far, " : "the columns so far or more, ", end);
    require(std::uint64_t{d.rows} * d.experts <= bus::max_chunk_values, "Route::experts", d.experts,
            "rows * experts to be 2^29 at most");
    within("RouteRule::experts_per_token", d.rule.experts_per_token, 1, d.experts);
    equal("rows", d.rows, step_.rows, "those of the step");
  }
  void check(const ScaleOfRows& d) { rows(d); }
  void check(const AddScaled& d) {
    rows(d);
    flag("AddScaled::bias", d.bias).flag("AddScaled::partial", d.partial);
    if (good()) in_stream(d, d.column_begin);
  }
  void check(const Logits& d) { rows(d); }

 private:
  void no_table() { equal("the table's length", table_.size(), 0, "only a setup has one"); }
  void rows(const Rows& d) {
    no_table();
    within("rows", d.rows, 1, most).within("columns", d.columns, 1, most).within("row_begin", d.row_begin, 0, most);
    require(d.elements() <= bus::max_chunk_values, "columns", d.columns, "rows * columns to be 2^29 at most");
  }
  /// The step's rows are in the scratch memory.
  void resident() {
    require(step_.rows * step_.width <= bus::max_chunk_values, "Setup::width", step_.width,
            "rows * width of a residual stream in the scratch memory to be 2^29 at most");
  }
  void in_step(const Rows& d) {
    require(std::uint64_t{d.row_begin} + d.rows <= step_.rows, "row_begin", d.row_begin, "rows inside the step's ",
            step_.rows);
  }
  /// Columns from `begin` on of rows of the residual stream.
  void in_stream(const Rows& d, std::uint64_t begin = 0) {
    resident();
    in_step(d);
    require(begin + d.columns <= step_.width, begin == 0 ? "columns" : "column_begin", begin == 0 ? d.columns : begin,
            "columns inside the width of the step's rows, ", step_.width);
  }
  void projection(const Projection& d) {
    rows(d);
    flag("Projection::bias", d.bias).flag("Projection::norm", d.norm).flag("Projection::gains", d.gains);
    within("Projection::place", d.place, 0, 1).within("Projection::head_dim", d.head_dim, 1, d.columns);
    if (!good()) return;
    in_step(d);
    require(d.columns % d.head_dim == 0, "Projection::head_dim", d.head_dim, "a divisor of columns, ", d.columns);
    require(!d.gains || d.norm, "Projection::gains", 1, "0 without a norm");
    const std::uint64_t end = std::uint64_t{d.column_begin} + d.columns;
    require(d.width == 0 || (d.norm && end <= d.width && d.width % d.head_dim == 0), "Projection::width", d.width,
            "0, or whole heads under a norm up to the columns' end or beyond, ", end);
    require(std::uint64_t{d.rows} * d.width <= bus::max_chunk_values, "Projection::width", d.width,
            "rows * width to be 2^29 at most");
  }
  void rotation(const Rotation& d) {
    projection(d);
    flag("Rotation::own_theta", d.own_theta)
        .flag("Rotation::half_split", d.half_split)
        .flag("Rotation::rotates", d.rotates);
    if (!good() || !d.rotates) return;
    require(d.channels() % 2 == 0 && d.channels() <= d.head_dim, "Rotation::rotated", d.rotated,
            "an even number of channels up to head_dim, ", d.head_dim);
    if (step_.frequencies != 0 && !d.own_theta)
      require(d.channels() == 2 * step_.frequencies, "Rotation::rotated", d.rotated,
              "two channels for each frequency of the setup's table: ", 2 * step_.frequencies);
    else
      require_real(std::isfinite(d.theta) && d.theta > 0, "Rotation::theta", d.theta, "a finite base above 0");
  }
  void seen(const KeysSeen& d) {
    rows(d);
    within("KeysSeen::group", d.group, 1, most).flag("KeysSeen::sinks", d.sinks);
  }

  const StepShape& step_;
  const std::vector<unsigned char>& table_;
};

}  // namespace

StepShape shape_of(const Setup& setup, const std::vector<unsigned char>& table) {
  StepShape step;
  step.rows = setup.rows;
  step.width = setup.width;
  for (const SequenceRows& s : sequences_of(setup, table)) step.logit_rows += s.logits;
  step.frequencies = (table.size() - setup.sequences * sizeof(SequenceRows)) / sizeof(float);
  return step;
}

std::string fault_of(const Descriptor& d, const std::vector<unsigned char>& table, const StepShape& step) {
  Check c(step, table);
  std::visit([&c](const auto& kind) { c.check(kind); }, d.kind);
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
