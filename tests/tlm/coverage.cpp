// Covergroups: bins, kinds, crosses, scores and merging.
#include "harmonia/tlm/coverage/coverage.h"

#include <random>
#include <stdexcept>

#include "tests/support/catch.h"

using namespace harmonia::coverage;

namespace {

/// Mode 4 or 8 crossed with a length; no 4 with a long one, and the length of 0 must not occur.
Group chunks() {
  Group g("chunks", "machine.converter");
  g.point("mode", "mantissa bits").bin("bfp4", 4).bin("bfp8", 8).ignore("other", 9, 15);
  g.point("length", "values in a chunk", 2).bin("one", 1).bin("few", 2, 31).bin("many", 32, 1000).illegal("none", 0, 0);
  g.cross("mode x length", {"mode", "length"});
  g.ignore("mode x length", {{"mode", "bfp4"}, {"length", "many"}});
  return g;
}

std::uint64_t hits(const Group& g, const std::string& point, const std::string& bin) {
  const Point& p = g.points()[g.index_of(point)];
  return p.bins()[p.index_of(bin)].hits;
}

}  // namespace

TEST_CASE("coverage: a value counts in the bins that hold it") {
  Group g = chunks();
  g.sample({4, 1});
  g.sample({4, 31});
  g.sample({8, 32});
  g.sample({5, 2});  // a mode of no bin
  REQUIRE(hits(g, "mode", "bfp4") == 2);
  REQUIRE(hits(g, "mode", "bfp8") == 1);
  REQUIRE(hits(g, "length", "one") == 1);
  REQUIRE(hits(g, "length", "few") == 2);
  REQUIRE(hits(g, "length", "many") == 1);
}

TEST_CASE("coverage: a bin is covered when it was hit at least as often as asked") {
  Group g = chunks();
  g.sample({4, 1});
  REQUIRE(g.points()[0].score().covered == 1);  // at_least 1
  REQUIRE(g.points()[1].score().covered == 0);  // at_least 2
  g.sample({4, 1});
  REQUIRE(g.points()[1].score().covered == 1);
  REQUIRE(g.points()[1].score().counted == 3);  // an illegal bin does not count
  REQUIRE(g.points()[0].score().share() == Approx(0.5));
}

TEST_CASE("coverage: ignored and illegal values hit no counted bin") {
  Group g("g", "i");
  g.point("p", "").bin("all", 0, 100).ignore("tens", 10, 10).illegal("twenty", 20, 20);
  for (const int value : {10, 20, 20, 30}) g.sample({value});
  REQUIRE(hits(g, "p", "all") == 1);
  REQUIRE(hits(g, "p", "tens") == 1);
  REQUIRE(g.score().illegal_hits == 2);
}

TEST_CASE("coverage: a cross counts combinations, without those that cannot be") {
  Group g = chunks();
  const Cross& c = g.crosses()[0];
  REQUIRE(c.combinations().size() == 6);
  REQUIRE(c.score().counted == 5);
  g.sample({4, 1});
  g.sample({8, 500});
  g.sample({8, {}});  // without a length there is no combination
  g.sample({9, 1});   // an ignored mode neither
  REQUIRE(c.score().covered == 2);
  std::uint64_t all = 0;
  for (const Cross::Combination& k : c.combinations()) all += k.hits;
  REQUIRE(all == 2);
  g.sample({4, 32});  // of an ignored combination
  REQUIRE(c.score().covered == 2);
  REQUIRE(c.score().illegal_hits == 0);
  g.illegal("mode x length", {{"mode", "bfp8"}, {"length", "many"}});
  REQUIRE(c.score().illegal_hits == 1);
}

TEST_CASE("coverage: values of bins that overlap make several combinations") {
  Group g("g", "i");
  g.point("a", "").bin("low", 0, 5).bin("mid", 4, 8);
  g.point("b", "").bin("x", 1).bin("y", 2);
  g.cross("a x b", {"a", "b"});
  g.sample({4, 2});
  std::vector<std::uint64_t> counts;
  for (const Cross::Combination& k : g.crosses()[0].combinations()) counts.push_back(k.hits);
  REQUIRE(counts == std::vector<std::uint64_t>{0, 1, 0, 1});  // low x, low y, mid x, mid y
}

TEST_CASE("coverage: what is defined wrongly is refused by name") {
  Group g = chunks();
  REQUIRE_THROWS_WITH(g.point("late", ""), ContainsSubstring("'late' was added after a cross"));
  REQUIRE_THROWS_WITH(g.sample({1}), ContainsSubstring("has 1 values, expected 2"));
  REQUIRE_THROWS_WITH(g.cross("c", {"mode"}), ContainsSubstring("expected two or more"));
  REQUIRE_THROWS_WITH(g.cross("c", {"mode", "size"}), ContainsSubstring("has no 'size'"));
  REQUIRE_THROWS_WITH(g.ignore("mode x length", {{"mode", "bfp6"}}), ContainsSubstring("no bin 'bfp6'"));
  REQUIRE_THROWS_WITH(g.points()[0].bin("bfp4", 1), ContainsSubstring("two bins 'bfp4'"));
  REQUIRE_THROWS_WITH(g.points()[0].bin("empty", 2, 1), ContainsSubstring("holds no value"));
  Group wide("wide", "i");
  for (const char* name : {"a", "b"}) {
    Point& p = wide.point(name, "");
    for (int i = 0; i < 1001; ++i) p.bin(std::to_string(i), i);
  }
  REQUIRE_THROWS_WITH(wide.cross("c", {"a", "b"}), ContainsSubstring("more than 1000000 combinations"));
}

TEST_CASE("coverage: merged runs equal one run of all samples") {
  std::mt19937 random(7);
  Group whole = chunks();
  Database merged;
  for (int run = 0; run < 5; ++run) {
    Group part = chunks();
    for (int i = 0; i < 20; ++i) {
      const int mode = static_cast<int>(random() % 10), length = static_cast<int>(random() % 64);
      part.sample({mode, length});
      whole.sample({mode, length});
    }
    Database d;
    d.runs.push_back({"run " + std::to_string(run), "", static_cast<std::uint64_t>(run), true});
    d.groups.push_back(part);
    merged.merge(d);
  }
  REQUIRE(merged.runs.size() == 5);
  REQUIRE(merged.groups.size() == 1);
  const Group& g = merged.groups[0];
  for (std::size_t p = 0; p < g.points().size(); ++p)
    for (std::size_t b = 0; b < g.points()[p].bins().size(); ++b)
      REQUIRE(g.points()[p].bins()[b].hits == whole.points()[p].bins()[b].hits);
  for (std::size_t k = 0; k < 6; ++k)
    REQUIRE(g.crosses()[0].combinations()[k].hits == whole.crosses()[0].combinations()[k].hits);
}

TEST_CASE("coverage: covergroups that are defined in two ways do not merge, and nothing is lost") {
  Database a, b;
  a.groups.push_back(chunks());
  a.groups[0].sample({4, 1});
  b.groups.push_back(Group("new", "machine.converter"));
  b.groups.push_back(chunks());
  b.groups[1].points()[0].bin("bfp6", 6);
  REQUIRE_THROWS_WITH(
      a.merge(b),
      ContainsSubstring("'chunks' of 'machine.converter' is defined in two ways: the bins of coverpoint 'mode'"));
  REQUIRE(a.groups.size() == 1);
  REQUIRE(a.groups[0].points()[0].bins()[0].hits == 1);
}

TEST_CASE("coverage: holes name what is missing, and what must not be") {
  Database d;
  d.groups.push_back(chunks());
  for (const int length : {1, 1, 2, 2, 32, 32}) d.groups[0].sample({8, length});
  d.groups[0].sample({8, 0});
  std::vector<std::string> found;
  for (const Hole& h : holes_of(d))
    found.push_back(h.point + ": " + h.bin + " " + std::to_string(h.hits) + "/" + std::to_string(h.at_least));
  REQUIRE(found == std::vector<std::string>{"mode: bfp4 0/1", "length: none 1/0", "mode x length: bfp4 x one 0/1",
                                            "mode x length: bfp4 x few 0/1"});
}
