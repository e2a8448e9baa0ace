// Every field of the vector unit's descriptors that chooses, counts or places is held against the step; each is shown to be refused
// by name. No kernel.
#include "harmonia/hw/vector/descriptor_check.h"

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/catch.h"

using namespace harmonia::vector;

namespace {

using Table = std::vector<unsigned char>;

/// Six rows of 64 columns, two of which go on to the output head.
constexpr StepShape step{6, 64, 2, 0};

template <class K>
K rows(std::uint32_t count, std::uint32_t columns, std::uint32_t begin = 0) {
  K kind;
  kind.rows = count;
  kind.columns = columns;
  kind.row_begin = begin;
  return kind;
}

/// A right descriptor, and what changes one field of it.
template <class K>
struct Wrong {
  const char* field;
  std::function<void(K&)> make;
};
template <class K>
void require_refused(const K& right, const std::vector<Wrong<K>>& wrongs, const StepShape& of = step,
                     const Table& table = {}) {
  REQUIRE(fault_of(Descriptor{0, right}, table, of).empty());
  for (const Wrong<K>& w : wrongs) {
    K bad = right;
    w.make(bad);
    const std::string fault = fault_of(Descriptor{0, bad}, table, of);
    CAPTURE(w.field, fault);
    CHECK(fault.rfind(std::string(w.field) + " is ", 0) == 0);
  }
}
/// A flag, the kind's own or of what it is derived from, whose byte is neither 0 nor 1.
template <class Base>
struct Flag {
  const char* field;
  bool Base::*member;
  template <class K>
  operator Wrong<K>() const {  // NOLINT: stands among the kind's other fields
    return {field, [at = member](K& k) { std::memset(static_cast<void*>(&(k.*at)), 2, 1); }};
  }
};
template <class Base>
Flag<Base> flag(const char* field, bool Base::*member) {
  return {field, member};
}
/// What every kind with rows refuses.
template <class K>
std::vector<Wrong<K>> wrong_rows(std::vector<Wrong<K>> more) {
  more.push_back({"rows", [](K& k) { k.rows = 0; }});
  more.push_back({"columns", [](K& k) { k.columns = 0; }});
  more.push_back({"rows", [](K& k) { k.rows = ~0u; }});
  more.push_back({"columns", [](K& k) { k.columns = ~0u; }});
  more.push_back({"row_begin", [](K& k) { k.row_begin = ~0u; }});
  more.push_back({"columns", [](K& k) { k.rows = 1 << 15, k.columns = 1 << 15; }});
  return more;
}

Table table_of(const std::vector<SequenceRows>& sequences, std::size_t frequencies = 0) {
  Table table(sequences.size() * sizeof(SequenceRows) + frequencies * sizeof(float));
  std::memcpy(table.data(), sequences.data(), sequences.size() * sizeof(SequenceRows));
  return table;
}

}  // namespace

TEST_CASE("vector descriptor: a setup's table has its sequences, row behind row") {
  Setup setup;
  setup.rows = 6;
  setup.width = 64;
  setup.sequences = 2;
  const std::vector<SequenceRows> right = {{0, 4, 10, 0, 1, 0}, {4, 2, 0, 1, 1, 0}};
  require_refused<Setup>(setup,
                         {{"Setup::rows", [](Setup& d) { d.rows = ~0u; }},
                          {"Setup::width", [](Setup& d) { d.width = ~0u; }},
                          {"Setup::sequences", [](Setup& d) { d.sequences = 3; }},
                          {"SequenceRows::rows", [](Setup& d) { d.rows = 5; }}},
                         {}, table_of(right));
  const auto refused = [&](const char* field, const std::function<void(std::vector<SequenceRows>&)>& make) {
    std::vector<SequenceRows> bad = right;
    make(bad);
    const std::string fault = fault_of(Descriptor{0, setup}, table_of(bad), {});
    CAPTURE(fault);
    CHECK(fault.rfind(std::string(field) + " is ", 0) == 0);
  };
  refused("SequenceRows::first_row", [](auto& s) { s[1].first_row = 5; });
  refused("SequenceRows::rows", [](auto& s) { s[0].rows = 0; });
  refused("SequenceRows::rows", [](auto& s) { s[1].rows = ~0u; });
  refused("SequenceRows::first_position", [](auto& s) { s[1].first_position = ~0u; });
  refused("SequenceRows::logits", [](auto& s) { s[1].logits = 2; });
  Table odd = table_of(right);
  odd.push_back(0);
  CHECK(fault_of(Descriptor{0, setup}, odd, {}).rfind("the table's length is 49", 0) == 0);
  CHECK(fault_of(Descriptor{0, Marker{}}, odd, {}).rfind("the table's length is 49", 0) == 0);
  CHECK(fault_of(Descriptor{0, rows<Norm>(1, 64)}, odd, step).rfind("the table's length is 49", 0) == 0);

  const StepShape shape = shape_of(setup, table_of(right, 8));
  CHECK(shape.rows == 6);
  CHECK(shape.width == 64);
  CHECK(shape.logit_rows == 2);
  CHECK(shape.frequencies == 8);
}

TEST_CASE("vector descriptor: what reads or changes the residual stream stays inside the step's rows and their width") {
  const auto outside = [](auto right, auto more) {
    using K = decltype(right);
    more.push_back({"row_begin", [](K& k) { k.row_begin = 5; }});
    more.push_back({"row_begin", [](K& k) { k.rows = 6; }});
    more.push_back({"columns", [](K& k) { k.columns = 65; }});
    require_refused(right, wrong_rows<K>(more));
  };
  outside(rows<Embed>(2, 64, 4),
          std::vector<Wrong<Embed>>{flag("Embed::leaves", &Embed::leaves), flag("Embed::partial", &Embed::partial),
                                    flag("Embed::received", &Embed::received)});
  outside(rows<Norm>(2, 64, 4),
          std::vector<Wrong<Norm>>{flag("Norm::gains", &Norm::gains), flag("Norm::centred", &Norm::centred),
                                   flag("Norm::plain", &Norm::plain), flag("Norm::from_memory", &Norm::from_memory),
                                   flag("Norm::twice", &Norm::twice), flag("Norm::last_rows", &Norm::last_rows)});
  outside(rows<AddNormed>(2, 64, 4), std::vector<Wrong<AddNormed>>{{"Norm::last_rows", [](AddNormed& d) {
                                                                      d.last_rows = true;
                                                                      d.row_begin = 0;
                                                                    }}});
  outside(rows<AddResidual>(2, 64, 4),
          std::vector<Wrong<AddResidual>>{flag("StreamUpdate::bias", &AddResidual::bias),
                                          flag("StreamUpdate::partial", &AddResidual::partial),
                                          flag("StreamUpdate::in_memory", &AddResidual::in_memory),
                                          {"column_begin", [](AddResidual& d) { d.column_begin = 1; }}});
  outside(rows<KeepBranch>(2, 64, 4),
          std::vector<Wrong<KeepBranch>>{flag("KeepBranch::bias", &KeepBranch::bias),
                                         flag("KeepBranch::leaves", &KeepBranch::leaves),
                                         flag("KeepBranch::partial", &KeepBranch::partial),
                                         {"column_begin", [](KeepBranch& d) { d.column_begin = 1; }}});
  outside(rows<AddScaled>(2, 64, 4),
          std::vector<Wrong<AddScaled>>{flag("AddScaled::bias", &AddScaled::bias),
                                        flag("AddScaled::partial", &AddScaled::partial),
                                        {"column_begin", [](AddScaled& d) { d.column_begin = 1; }}});

  // Rows that are the last of sequences count among those alone.
  auto last = rows<Norm>(1, 64, 1);
  last.last_rows = true;
  require_refused<Norm>(
      last, {{"row_begin", [](Norm& d) { d.row_begin = 2; }}, {"columns", [](Norm& d) { d.columns = 65; }}});
  // What does not fit the scratch memory comes from memory and leaves: its rows are not held against the step.
  auto spilled = rows<Norm>(2, 128, 9);
  spilled.from_memory = true;
  CHECK(fault_of(Descriptor{0, spilled}, {}, step).empty());
  // A residual stream of 2^30 values.
  CHECK(fault_of(Descriptor{0, rows<Norm>(1, 64)}, {}, {1 << 20, 1 << 10, 0, 0}).rfind("Setup::width is 1024", 0) == 0);
  // Rows that came over a link, and which of eight rows are absent.
  auto received = rows<Embed>(2, 64);
  received.received = received.leaves = true;
  require_refused<Embed>(received, {{"columns", [](Embed& d) { d.columns = 32; }},
                                    {"row_begin", [](Embed& d) { d.row_begin = 5; }},
                                    {"Embed::absent", [](Embed& d) { d.absent = 1, d.rows = 9; }}});
}

TEST_CASE("vector descriptor: projections have whole heads, and norms over them stand under their width") {
  auto heads = rows<PassValues>(6, 64);
  heads.head_dim = 32;
  require_refused<PassValues>(heads,
                              wrong_rows<PassValues>({flag("Projection::bias", &PassValues::bias),
                                                      flag("Projection::norm", &PassValues::norm),
                                                      flag("Projection::gains", &PassValues::gains),
                                                      {"Projection::place", [](PassValues& d) { d.place = 2; }},
                                                      {"Projection::head_dim", [](PassValues& d) { d.head_dim = 0; }},
                                                      {"Projection::head_dim", [](PassValues& d) { d.head_dim = 48; }},
                                                      {"Projection::gains", [](PassValues& d) { d.gains = true; }},
                                                      {"Projection::width", [](PassValues& d) { d.width = 64; }},
                                                      {"row_begin", [](PassValues& d) { d.row_begin = 1; }}}));
  auto wide = rows<RotateKeys>(6, 32);
  wide.head_dim = 32;
  wide.norm = wide.gains = true;
  wide.width = 64;
  wide.theta = 1e4;
  require_refused<RotateKeys>(
      wide, {flag("Rotation::own_theta", &RotateKeys::own_theta),
             flag("Rotation::half_split", &RotateKeys::half_split),
             flag("Rotation::rotates", &RotateKeys::rotates),
             {"Projection::width", [](RotateKeys& d) { d.column_begin = 33; }},
             {"Projection::width", [](RotateKeys& d) { d.width = 80; }},
             {"Projection::width", [](RotateKeys& d) { d.width = 1 << 30; }},
             {"Rotation::rotated", [](RotateKeys& d) { d.rotated = 33; }},
             {"Rotation::rotated", [](RotateKeys& d) { d.rotated = 34; }},
             {"Rotation::theta", [](RotateKeys& d) { d.theta = 0; }},
             {"Rotation::theta", [](RotateKeys& d) { d.theta = std::numeric_limits<double>::infinity(); }}});
  auto queries = rows<RotateQueries>(6, 64);
  queries.head_dim = 32;
  // With a table of frequencies in the setup the base does not count, and the table has one for each pair of channels.
  require_refused<RotateQueries>(queries,
                                 {flag("RotateQueries::by_sequence", &RotateQueries::by_sequence),
                                  {"Rotation::rotated", [](RotateQueries& d) { d.rotated = 16; }},
                                  {"Rotation::theta", [](RotateQueries& d) { d.own_theta = true; }}},
                                 {6, 64, 0, 16});
}

TEST_CASE("vector descriptor: rows of attention are whole groups of heads, which stand inside the width") {
  auto softmax = rows<Softmax>(12, 31);
  require_refused<Softmax>(softmax, wrong_rows<Softmax>({flag("KeysSeen::sinks", &Softmax::sinks),
                                                         flag("Softmax::from_memory", &Softmax::from_memory),
                                                         {"KeysSeen::group", [](Softmax& d) { d.group = 0; }}}));
  auto online = rows<OnlineSoftmax>(12, 31);
  require_refused<OnlineSoftmax>(
      online, wrong_rows<OnlineSoftmax>({flag("OnlineSoftmax::first", &OnlineSoftmax::first),
                                         {"KeysSeen::group", [](OnlineSoftmax& d) { d.group = ~0u; }}}));
  auto collected = rows<AccumulateAttention>(8, 32, 2);
  collected.group = 2;
  collected.head_begin = 2;
  collected.width = 128;
  require_refused<AccumulateAttention>(
      collected, wrong_rows<AccumulateAttention>(
                     {{"CollectAttention::group", [](AccumulateAttention& d) { d.group = 0; }},
                      {"CollectAttention::group", [](AccumulateAttention& d) { d.group = 3; }},
                      {"CollectAttention::group", [](AccumulateAttention& d) { d.group = 16; }},
                      {"row_begin", [](AccumulateAttention& d) { d.row_begin = 3; }},
                      {"CollectAttention::head_begin", [](AccumulateAttention& d) { d.head_begin = 3; }},
                      {"CollectAttention::head_begin", [](AccumulateAttention& d) { d.width = 64; }},
                      {"CollectAttention::width", [](AccumulateAttention& d) { d.width = 1u << 31; }},
                      {"CollectAttention::leaves",
                       [](AccumulateAttention& d) { d.leaves = static_cast<CollectAttention::Leaves>(3); }},
                      flag("AccumulateAttention::first", &AccumulateAttention::first),
                      flag("AccumulateAttention::last", &AccumulateAttention::last)}));
}

TEST_CASE("vector descriptor: functions, routing and sums") {
  require_refused<SiluMultiply>(
      rows<SiluMultiply>(6, 64),
      wrong_rows<SiluMultiply>(
          {{"SiluMultiply::function", [](SiluMultiply& d) { d.function = static_cast<Function>(4); }},
           flag("SiluMultiply::bias", &SiluMultiply::bias)}));
  require_refused<Activate>(
      rows<Activate>(6, 64),
      wrong_rows<Activate>({{"Activate::function", [](Activate& d) { d.function = static_cast<Function>(4); }},
                            flag("Activate::bias", &Activate::bias)}));
  auto route = rows<Route>(6, 8);
  route.experts = 8;
  route.rule.experts_per_token = 2;
  require_refused<Route>(
      route,
      wrong_rows<Route>(
          {flag("Route::ends", &Route::ends),
           flag("Route::bias", &Route::bias),
           {"RouteRule::sigmoid", [](Route& d) { std::memset(static_cast<void*>(&d.rule.sigmoid), 2, 1); }},
           {"RouteRule::normalised", [](Route& d) { std::memset(static_cast<void*>(&d.rule.normalised), 2, 1); }},
           {"Route::experts", [](Route& d) { d.experts = 9; }},
           {"Route::experts", [](Route& d) { d.ends = false, d.experts = 7; }},
           {"Route::experts", [](Route& d) { d.ends = false, d.experts = ~0u; }},
           {"RouteRule::experts_per_token", [](Route& d) { d.rule.experts_per_token = 9; }},
           {"RouteRule::experts_per_token", [](Route& d) { d.rule.experts_per_token = 0; }},
           {"rows", [](Route& d) { d.rows = 5; }}}));
  require_refused<PassSums>(rows<PassSums>(6, 64),
                            wrong_rows<PassSums>({{"columns", [](PassSums& d) { d.columns = 63; }}}));
  require_refused<PassScores>(rows<PassScores>(12, 31), wrong_rows<PassScores>({}));
  require_refused<ScaleOfRows>(rows<ScaleOfRows>(6, 1), wrong_rows<ScaleOfRows>({}));
  require_refused<Logits>(rows<Logits>(2, 48), wrong_rows<Logits>({}));
}
