// Coverage as UCIS XML: written, read back, and refused.
#include "harmonia/tlm/coverage/ucis.h"

#include <random>
#include <sstream>

#include "harmonia/config/error.h"
#include "tests/support/catch.h"

using namespace harmonia;
using namespace harmonia::coverage;

namespace {

Database sampled() {
  Group g("chunks <fine>", "machine.\"converter\" & co");
  g.point("mode", "mantissa bits", 3).bin("bfp4", 4).bin("bfp8", 8).ignore("other", 9, 15);
  g.point("sign", "")
      .bin("negative", -1000, -1)
      .bin("zero", 0)
      .add("odd or ten", BinKind::illegal, {{11, 11}, {10, 10}});
  g.cross("both", {"mode", "sign"}, 2);
  g.illegal("both", {{"mode", "bfp4"}, {"sign", "zero"}});
  std::mt19937 random(3);
  for (int i = 0; i < 200; ++i) g.sample({static_cast<int>(random() % 12), static_cast<int>(random() % 30) - 15});
  Database d;
  d.runs.push_back({"random", "harmonia run x --set a=\"b\"", 18446744073709551615u, true});
  d.runs.push_back({"directed", "", 0, false});
  d.groups.push_back(g);
  d.groups.push_back(Group("empty", "machine"));
  return d;
}

std::string written(const Database& d) {
  std::ostringstream out;
  write_ucis(d, out);
  return out.str();
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("ucis: what is written is read back, byte for byte when written again") {
  const std::string text = written(sampled());
  const Database back = read_ucis(text, "a.xml");
  REQUIRE(written(back) == text);
  REQUIRE(back.runs.size() == 2);
  REQUIRE(back.runs[0].seed == 18446744073709551615u);
  REQUIRE_FALSE(back.runs[1].passed);
  REQUIRE(back.groups.size() == 2);
  const Group mine = sampled().groups[0];
  const Group& its = back.groups[0];
  REQUIRE(its.type() == mine.type());
  REQUIRE(its.instance() == mine.instance());
  REQUIRE(its.score().covered == mine.score().covered);
  REQUIRE(its.score().illegal_hits == mine.score().illegal_hits);
  REQUIRE(its.points()[0].at_least() == 3);
  REQUIRE(its.crosses()[0].at_least() == 2);
}

TEST_CASE("ucis: the elements are those of the standard") {
  const std::string text = written(sampled());
  for (const char* part :
       {"<ucis:UCIS xmlns:ucis=", "ucisVersion=\"1.0\"", "<ucis:historyNodes ", "<ucis:instanceCoverages ",
        "<ucis:covergroupCoverage>", "<ucis:cgInstance name=\"chunks &lt;fine", "<ucis:coverpoint name=\"mode\"",
        "<ucis:coverpointBin name=\"negative\" key=\"0\" type=\"default\">", "<ucis:range from=\"-1000\" to=\"-1\">",
        "<ucis:contents coverageCount=", "<ucis:crossExpr>mode</ucis:crossExpr>", "<ucis:index>0</ucis:index>",
        "type=\"illegal\"", "type=\"ignore\""}) {
    CAPTURE(part);
    REQUIRE(text.find(part) != std::string::npos);
  }
}

TEST_CASE("ucis: damaged and foreign files are refused with their place") {
  const std::string text = written(sampled());
  const auto refused = [](const std::string& damaged, const std::string& why) {
    CAPTURE(why);
    REQUIRE_THROWS_AS(read_ucis(damaged, "a.xml"), config::InputError);
    REQUIRE_THROWS_WITH(read_ucis(damaged, "a.xml"), ContainsSubstring(why) && ContainsSubstring("a.xml:"));
  };
  refused("", "a.xml:1:1: no well-formed XML");
  refused(text.substr(0, text.size() / 2), "no well-formed XML");
  refused("<html/>", "a.xml:1:1: no element 'ucis:UCIS'");
  refused(replaced(text, "ucisVersion=\"1.0\"", "ucisVersion=\"2.0\""), "a.xml:2:2: UCIS version '2.0'");
  refused(replaced(text, "coverageCount=\"", "coverageCount=\"-"), "expected a whole number");
  refused(replaced(text, "coverageCount=\"", "coverageCount=\"10000000000000"), "expected at most 1000000000000");
  refused(replaced(text, " from=\"4\"", ""), "has no attribute 'from'");
  refused(replaced(text, " from=\"4\"", " from=\"99999999999999999999\""), "expected a whole number");
  refused(replaced(text, " from=\"4\"", " from=\"5\""), "bin 'bfp4' of coverpoint 'mode' holds no value");
  refused(replaced(text, "name=\"bfp8\"", "name=\"bfp4\""), "two bins 'bfp4'");
  refused(replaced(text, "type=\"default\"", "type=\"auto\""), "type 'auto', expected default, ignore or illegal");
  refused(replaced(text, "<ucis:index>0</ucis:index>", "<ucis:index>1</ucis:index>"), "combination 1 of cross 'both'");
  refused(replaced(text, "<ucis:crossExpr>mode</ucis:crossExpr>", ""), "expected two or more");
  refused(replaced(text, "bfp4",
                   "b\xff"
                   "p4"),
          "a byte that is not UTF-8");
  refused(replaced(text, "bfp4", "b&#27;[2Jp4"), "a control character");
  refused(replaced(text, "bfp4", "b&#x85;"), "a control character");
  refused(replaced(text, "<ucis:covergroupCoverage>", "<ucis:toggleCoverage/><ucis:covergroupCoverage>"),
          "'ucis:toggleCoverage' in 'ucis:instanceCoverages' is not read");
}

TEST_CASE("ucis: no damage to a file crashes its reader") {
  const std::string text = written(sampled());
  const unsigned seed = 11;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = text;
    for (int k = static_cast<int>(random() % 4); k >= 0; --k) {
      const std::size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0:
          damaged[at] = static_cast<char>(random());
          break;
        case 1:
          damaged.erase(at, random() % 40);
          break;
        default:
          damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 200));
      }
    }
    try {
      (void)read_ucis(damaged, "a.xml");
    } catch (const config::InputError&) {
    }
  }
}
