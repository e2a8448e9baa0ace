#include "harmonia/tlm/coverage/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace harmonia::coverage {
namespace {

constexpr std::size_t kNotCounted = static_cast<std::size_t>(-1);

template <typename Items>
std::size_t index_by_name(const Items& items, const std::string& name, const std::string& what) {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& i) { return i.name() == name; });
  if (found == items.end()) throw std::invalid_argument(fmt::format("{} has no '{}'", what, name));
  return static_cast<std::size_t>(found - items.begin());
}

void count(Score& score, BinKind kind, std::uint64_t hits, std::uint64_t at_least) {
  if (kind == BinKind::illegal) score.illegal_hits += hits;
  if (kind != BinKind::counted) return;
  ++score.counted;
  if (hits >= at_least) ++score.covered;
}

}  // namespace

bool Bin::holds(std::int64_t value) const {
  return std::any_of(ranges.begin(), ranges.end(),
                     [value](const Range& r) { return value >= r.from && value <= r.to; });
}

Score& Score::operator+=(const Score& other) {
  covered += other.covered;
  counted += other.counted;
  illegal_hits += other.illegal_hits;
  return *this;
}

// ------------------------------------------------------------------------------------------------------------- points

Point& Point::add(const std::string& name, BinKind kind, std::vector<Range> ranges) {
  if (ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [](const Range& r) { return r.from > r.to; }))
    throw std::invalid_argument(fmt::format("bin '{}' of coverpoint '{}' holds no value", name, name_));
  if (std::any_of(bins_.begin(), bins_.end(), [&](const Bin& b) { return b.name == name; }))
    throw std::invalid_argument(fmt::format("coverpoint '{}' has two bins '{}'", name_, name));
  bins_.push_back({name, kind, std::move(ranges)});
  return *this;
}

std::size_t Point::index_of(const std::string& bin) const {
  const auto found = std::find_if(bins_.begin(), bins_.end(), [&](const Bin& b) { return b.name == bin; });
  if (found == bins_.end()) throw std::invalid_argument(fmt::format("coverpoint '{}' has no bin '{}'", name_, bin));
  return static_cast<std::size_t>(found - bins_.begin());
}

Score Point::score() const {
  Score score;
  for (const Bin& b : bins_) count(score, b.kind, b.hits, at_least_);
  return score;
}

void Point::sample(std::int64_t value, std::vector<std::size_t>& hit) {
  hit.clear();
  for (Bin& b : bins_)
    if (b.kind != BinKind::counted && b.holds(value)) {
      ++b.hits;
      return;
    }
  for (std::size_t i = 0; i < bins_.size(); ++i)
    if (bins_[i].holds(value)) {
      ++bins_[i].hits;
      hit.push_back(i);
    }
}

// ------------------------------------------------------------------------------------------------------------- groups

Score Cross::score() const {
  Score score;
  for (const Combination& c : combinations_) count(score, c.kind, c.hits, at_least_);
  return score;
}

std::size_t Group::index_of(const std::string& point) const {
  return index_by_name(points_, point, fmt::format("covergroup '{}'", type_));
}

Point& Group::point(const std::string& name, const std::string& meaning, std::uint64_t at_least) {
  if (!crosses_.empty())
    throw std::invalid_argument(fmt::format("coverpoint '{}' was added after a cross; expected before", name));
  if (std::any_of(points_.begin(), points_.end(), [&](const Point& p) { return p.name() == name; }))
    throw std::invalid_argument(fmt::format("covergroup '{}' has two coverpoints '{}'", type_, name));
  points_.emplace_back(name, meaning, at_least);
  hit_.emplace_back();
  return points_.back();
}

void Group::cross(const std::string& name, const std::vector<std::string>& points, std::uint64_t at_least) {
  if (points.size() < 2)
    throw std::invalid_argument(
        fmt::format("cross '{}' is of {} coverpoints, expected two or more", name, points.size()));
  Cross cross;
  cross.name_ = name;
  cross.at_least_ = at_least;
  std::vector<std::vector<std::size_t>> counted;
  std::size_t combinations = 1;
  for (const std::string& p : points) {
    cross.points_.push_back(index_of(p));
    counted.emplace_back();
    const std::vector<Bin>& bins = points_[cross.points_.back()].bins();
    cross.position_.emplace_back(bins.size(), kNotCounted);
    for (std::size_t b = 0; b < bins.size(); ++b)
      if (bins[b].kind == BinKind::counted) {
        cross.position_.back()[b] = counted.back().size();
        counted.back().push_back(b);
      }
    combinations *= counted.back().size();
    if (combinations > Cross::kMostCombinations)
      throw std::invalid_argument(
          fmt::format("cross '{}' has more than {} combinations", name, Cross::kMostCombinations));
  }
  for (std::size_t i = 0; i < combinations; ++i) {
    Cross::Combination c;
    c.bins.resize(points.size());
    for (std::size_t p = points.size(), rest = i; p-- > 0; rest /= counted[p].size())
      c.bins[p] = counted[p][rest % counted[p].size()];
    cross.combinations_.push_back(std::move(c));
  }
  crosses_.push_back(std::move(cross));
}

void Group::mark(const std::string& name, const std::vector<PointBin>& bins, BinKind kind) {
  Cross& cross = crosses_[index_by_name(crosses_, name, fmt::format("covergroup '{}'", type_))];
  std::vector<std::pair<std::size_t, std::size_t>> wanted;  // place in the cross, bin
  for (const auto& [point, bin] : bins) {
    const std::size_t p = index_of(point);
    const auto place = std::find(cross.points_.begin(), cross.points_.end(), p);
    if (place == cross.points_.end())
      throw std::invalid_argument(fmt::format("cross '{}' is not of coverpoint '{}'", name, point));
    wanted.emplace_back(place - cross.points_.begin(), points_[p].index_of(bin));
  }
  for (Cross::Combination& c : cross.combinations_)
    if (std::all_of(wanted.begin(), wanted.end(), [&](const auto& w) { return c.bins[w.first] == w.second; }))
      c.kind = kind;
}

void Group::sample(std::initializer_list<Value> values) {
  if (values.size() != points_.size())
    throw std::invalid_argument(
        fmt::format("a sample of covergroup '{}' has {} values, expected {}", type_, values.size(), points_.size()));
  std::size_t p = 0;
  for (const Value& v : values) {
    hit_[p].clear();
    if (v) points_[p].sample(*v, hit_[p]);
    ++p;
  }
  for (Cross& cross : crosses_) {
    std::vector<std::size_t> at = {0};
    for (std::size_t i = 0; i < cross.points_.size(); ++i) {
      const std::vector<std::size_t>& bins = cross.position_[i];
      const auto size = static_cast<std::size_t>(
          std::count_if(bins.begin(), bins.end(), [](std::size_t b) { return b != kNotCounted; }));
      std::vector<std::size_t> next;
      for (const std::size_t before : at)
        for (const std::size_t b : hit_[cross.points_[i]]) next.push_back(before * size + bins[b]);
      at = std::move(next);
    }
    for (const std::size_t c : at) ++cross.combinations_[c].hits;
  }
}

Score Group::score() const {
  Score score;
  for (const Point& p : points_) score += p.score();
  for (const Cross& c : crosses_) score += c.score();
  return score;
}

std::string Group::difference(const Group& other) const {
  const auto names = [](const Point& p) {
    std::string all;
    for (const Bin& b : p.bins()) {
      all += fmt::format("{}:{}", b.name, static_cast<int>(b.kind));
      for (const Range& r : b.ranges) all += fmt::format(":{}..{}", r.from, r.to);
      all += ' ';
    }
    return all;
  };
  if (points_.size() != other.points_.size()) return "the number of coverpoints";
  for (std::size_t p = 0; p < points_.size(); ++p) {
    const Point &mine = points_[p], &its = other.points_[p];
    if (mine.name() != its.name()) return fmt::format("coverpoint '{}'", mine.name());
    if (mine.at_least() != its.at_least()) return fmt::format("at_least of coverpoint '{}'", mine.name());
    if (names(mine) != names(its)) return fmt::format("the bins of coverpoint '{}'", mine.name());
  }
  if (crosses_.size() != other.crosses_.size()) return "the number of crosses";
  for (std::size_t c = 0; c < crosses_.size(); ++c) {
    const Cross &mine = crosses_[c], &its = other.crosses_[c];
    const auto alike = [](const Cross::Combination& a, const Cross::Combination& b) {
      return a.bins == b.bins && a.kind == b.kind;
    };
    if (mine.name() != its.name() || mine.points() != its.points() || mine.at_least() != its.at_least() ||
        !std::equal(mine.combinations().begin(), mine.combinations().end(), its.combinations().begin(),
                    its.combinations().end(), alike))
      return fmt::format("cross '{}'", mine.name());
  }
  return "";
}

void Group::merge(const Group& other) {
  if (const std::string what = difference(other); !what.empty())
    throw std::invalid_argument(
        fmt::format("covergroup '{}' of '{}' is defined in two ways: {} differs", type_, instance_, what));
  for (std::size_t p = 0; p < points_.size(); ++p)
    for (std::size_t b = 0; b < points_[p].bins_.size(); ++b)
      points_[p].bins_[b].hits += other.points_[p].bins_[b].hits;
  for (std::size_t c = 0; c < crosses_.size(); ++c)
    for (std::size_t i = 0; i < crosses_[c].combinations_.size(); ++i)
      crosses_[c].combinations_[i].hits += other.crosses_[c].combinations_[i].hits;
}

// ----------------------------------------------------------------------------------------------------------- database

const Group* Database::find(const std::string& type, const std::string& instance) const {
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const Group& g) { return g.type() == type && g.instance() == instance; });
  return found == groups.end() ? nullptr : &*found;
}

Score Database::score() const {
  Score score;
  for (const Group& g : groups) score += g.score();
  return score;
}

void Database::merge(const Database& other) {
  std::vector<Group> merged = groups;
  for (const Group& its : other.groups) {
    const Group* mine = find(its.type(), its.instance());
    if (mine == nullptr)
      merged.push_back(its);
    else
      merged[static_cast<std::size_t>(mine - groups.data())].merge(its);
  }
  groups = std::move(merged);
  runs.insert(runs.end(), other.runs.begin(), other.runs.end());
}

std::vector<Hole> holes_of(const Database& database) {
  std::vector<Hole> holes;
  const auto look = [&](Hole hole, BinKind kind, std::uint64_t hits, std::uint64_t at_least) {
    const bool missing = kind == BinKind::counted && hits < at_least, wrong = kind == BinKind::illegal && hits > 0;
    if (!missing && !wrong) return;
    hole.hits = hits;
    hole.at_least = wrong ? 0 : at_least;
    holes.push_back(std::move(hole));
  };
  for (const Group& g : database.groups) {
    const std::string group = g.instance() + ": " + g.type();
    for (const Point& p : g.points())
      for (const Bin& b : p.bins()) look({group, p.name(), b.name}, b.kind, b.hits, p.at_least());
    for (const Cross& c : g.crosses())
      for (const Cross::Combination& k : c.combinations()) {
        std::string name;
        for (std::size_t i = 0; i < k.bins.size(); ++i)
          name += (i > 0 ? " x " : "") + g.points()[c.points()[i]].bins()[k.bins[i]].name;
        look({group, c.name(), name}, k.kind, k.hits, c.at_least());
      }
  }
  return holes;
}

}  // namespace harmonia::coverage
