// Functional coverage: covergroups with coverpoints, bins and crosses, as SystemVerilog (IEEE 1800, clause 19) knows them.
//
// Models: explicit bins of values and ranges; bins that are ignored or illegal; at_least; crosses of bins with combinations
//   that are ignored or illegal; scores; merging of runs. Who samples decides when: a covergroup costs nothing where none is
//   made. Does not model: transitions between samples (sample the pair as a value), automatic bins, weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace harmonia::coverage {

enum class BinKind : std::uint8_t { counted, ignored, illegal };

struct Range {
  std::int64_t from = 0, to = 0;  // both belong to it
};

struct Bin {
  std::string name;
  BinKind kind = BinKind::counted;
  std::vector<Range> ranges;
  std::uint64_t hits = 0;

  bool holds(std::int64_t value) const;
};

/// How much of what counts was covered.
struct Score {
  std::uint64_t covered = 0, counted = 0, illegal_hits = 0;

  /// 1 where nothing counts.
  double share() const { return counted == 0 ? 1 : static_cast<double>(covered) / static_cast<double>(counted); }
  Score& operator+=(const Score& other);
};

/// One variable and what its values are sorted into. A value that two bins hold hits both; one of an ignored or an illegal
/// bin hits no other.
class Point {
 public:
  Point(std::string name, std::string meaning, std::uint64_t at_least)
      : name_(std::move(name)), meaning_(std::move(meaning)), at_least_(at_least) {}

  /// Names must be unique in the point, and ranges not empty; std::invalid_argument otherwise.
  Point& bin(const std::string& name, std::int64_t value) { return add(name, BinKind::counted, {{value, value}}); }
  Point& bin(const std::string& name, std::int64_t from, std::int64_t to) {
    return add(name, BinKind::counted, {{from, to}});
  }
  Point& ignore(const std::string& name, std::int64_t from, std::int64_t to) {
    return add(name, BinKind::ignored, {{from, to}});
  }
  Point& illegal(const std::string& name, std::int64_t from, std::int64_t to) {
    return add(name, BinKind::illegal, {{from, to}});
  }
  Point& add(const std::string& name, BinKind kind, std::vector<Range> ranges);

  const std::string& name() const { return name_; }
  const std::string& meaning() const { return meaning_; }
  std::uint64_t at_least() const { return at_least_; }
  const std::vector<Bin>& bins() const { return bins_; }
  std::vector<Bin>& bins() { return bins_; }
  /// std::invalid_argument when there is none.
  std::size_t index_of(const std::string& bin) const;
  Score score() const;

 private:
  friend class Group;
  /// Counts the value; `hit` becomes the counted bins that hold it.
  void sample(std::int64_t value, std::vector<std::size_t>& hit);

  std::string name_, meaning_;
  std::uint64_t at_least_;
  std::vector<Bin> bins_;
};

/// A bin of a point, by names.
using PointBin = std::pair<std::string, std::string>;

/// Combinations of the counted bins of several points. Only samples that give each of the points a value count.
class Cross {
 public:
  struct Combination {
    std::vector<std::size_t> bins;  // of each point
    BinKind kind = BinKind::counted;
    std::uint64_t hits = 0;
  };
  static constexpr std::size_t kMostCombinations = 1000000;

  const std::string& name() const { return name_; }
  const std::vector<std::size_t>& points() const { return points_; }
  std::uint64_t at_least() const { return at_least_; }
  const std::vector<Combination>& combinations() const { return combinations_; }
  std::vector<Combination>& combinations() { return combinations_; }
  Score score() const;

 private:
  friend class Group;
  std::string name_;
  std::vector<std::size_t> points_;
  std::uint64_t at_least_ = 1;
  std::vector<Combination> combinations_;           // the last point varies fastest
  std::vector<std::vector<std::size_t>> position_;  // of each point and bin among the counted ones
};

/// Points that are sampled together. `type` names the covergroup, `instance` the part of the design that it watches.
class Group {
 public:
  using Value = std::optional<std::int64_t>;  // empty: the point has no value in this sample

  Group(std::string type, std::string instance) : type_(std::move(type)), instance_(std::move(instance)) {}

  /// The reference holds until the next point is added.
  Point& point(const std::string& name, const std::string& meaning, std::uint64_t at_least = 1);
  /// To be called when the points have their bins. std::invalid_argument: fewer than two points, a name that does not
  /// exist, more than kMostCombinations.
  void cross(const std::string& name, const std::vector<std::string>& points, std::uint64_t at_least = 1);
  /// Combinations of the cross with all of these bins cannot occur, or must not.
  void ignore(const std::string& cross, const std::vector<PointBin>& bins) { mark(cross, bins, BinKind::ignored); }
  void illegal(const std::string& cross, const std::vector<PointBin>& bins) { mark(cross, bins, BinKind::illegal); }

  /// A value for each point in the order in which they were added. std::invalid_argument: another number of them.
  void sample(std::initializer_list<Value> values);

  const std::string& type() const { return type_; }
  const std::string& instance() const { return instance_; }
  const std::vector<Point>& points() const { return points_; }
  std::vector<Point>& points() { return points_; }
  const std::vector<Cross>& crosses() const { return crosses_; }
  std::vector<Cross>& crosses() { return crosses_; }
  std::size_t index_of(const std::string& point) const;
  Score score() const;

  /// Adds the hits of the same covergroup in another run. std::invalid_argument names what the two define differently; then
  /// nothing has changed.
  void merge(const Group& other);

 private:
  void mark(const std::string& cross, const std::vector<PointBin>& bins, BinKind kind);
  std::string difference(const Group& other) const;

  std::string type_, instance_;
  std::vector<Point> points_;
  std::vector<Cross> crosses_;
  std::vector<std::vector<std::size_t>> hit_;  // of the sample at hand
};

/// A run whose hits are counted.
struct Run {
  std::string name, command;
  std::uint64_t seed = 0;
  bool passed = true;
};

/// The covergroups of one run, or of several.
struct Database {
  std::vector<Run> runs;
  std::vector<Group> groups;

  const Group* find(const std::string& type, const std::string& instance) const;
  Score score() const;
  /// Groups of the same type and instance are merged, others are added. std::invalid_argument as Group::merge(); then
  /// nothing has changed.
  void merge(const Database& other);
};

/// A bin that was not hit often enough, or an illegal one that was.
struct Hole {
  std::string group, point, bin;
  std::uint64_t hits = 0, at_least = 0;  // at_least 0: an illegal bin
};
std::vector<Hole> holes_of(const Database& database);

}  // namespace harmonia::coverage
