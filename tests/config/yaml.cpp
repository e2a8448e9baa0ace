#include "harmonia/config/yaml.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "harmonia/config/fields.h"
#include "tests/support/catch.h"

namespace cfg = harmonia::config;

namespace {

std::string error_of(const std::string& text) {
  try {
    cfg::parse_yaml(text, "f.yaml");
  } catch (const cfg::InputError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("locations of keys and values count from 1") {
  const cfg::Node n = cfg::parse_yaml("# comment\na:\n  b: [10, 20]\n", "f.yaml");
  REQUIRE(n.find("a")->find("b")->items[1].text == "20");
  REQUIRE(n.find("a")->find("b")->items[1].where.line == 3);
  REQUIRE(n.find("a")->find("b")->items[1].where.column == 11);
  REQUIRE(n.members[0].where.line == 2);
  REQUIRE(n.members[0].where.column == 1);
}

TEST_CASE("unreadable documents are refused in words") {
  REQUIRE(error_of("a: 1\nb: 2\na: 3\n") == "f.yaml:3:1: key 'a' appears twice, expected it once (first at line 1)");
  REQUIRE(error_of("a: 1\n---\nb: 2\n") == "f.yaml:3:1: a second document, expected one document in a file");
  REQUIRE(error_of("a: !!python/object x\n") ==
          "f.yaml:1:4: tag 'tag:yaml.org,2002:python/object', expected a plain value");
  REQUIRE(error_of("? [a, b]\n: c\n") == "f.yaml:1:3: a map or list as a key, expected a name");
  REQUIRE(error_of("~: c\n") == "f.yaml:1:1: nothing as a key, expected a name");
  REQUIRE(error_of("a: [1, 2\n").find("f.yaml:2:1: not readable as YAML: ") == 0);
  REQUIRE(error_of("a: \t\x01\n") == "f.yaml:1:5: a control character, expected a YAML or JSON document");
  REQUIRE(error_of("a: \xff\xfe\n") == "f.yaml:1:4: a byte that is not UTF-8, expected a YAML or JSON document");
  REQUIRE(error_of(std::string(5 << 20, 'a')) == "f.yaml: 5242880 bytes, expected at most 4194304");
  REQUIRE_THROWS_WITH(cfg::read_yaml("/nonexistent.yaml"),
                      "/nonexistent.yaml: cannot be opened, expected a readable file");
}

TEST_CASE("a hostile document ends in an error, soon") {
  REQUIRE(error_of(std::string(100000, '[')) == "f.yaml:1:1001: nested too deeply, expected at most 64 levels");
  REQUIRE(error_of(std::string(500, '[') + std::string(500, ']')) ==
          "f.yaml:1:65: nested too deeply, expected at most 64 levels");
  REQUIRE(error_of(std::string(90000, '{')) == "f.yaml:1:1001: nested too deeply, expected at most 64 levels");
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  REQUIRE(error_of(deep) == "f.yaml:65:65: nested too deeply, expected at most 64 levels");
  std::string dashes;
  for (int i = 0; i < 100000; ++i) dashes += "- ";
  REQUIRE(error_of(dashes).find("expected") != std::string::npos);
  std::string questions;
  for (int i = 0; i < 100000; ++i) questions += "? ";
  REQUIRE(error_of(questions).find("expected") != std::string::npos);

  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 20; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  REQUIRE(error_of(bomb).find("too many values, expected at most 100000 with aliases expanded") != std::string::npos);
  REQUIRE(error_of("a: &a [*a]\n") == "f.yaml:1:8: an alias to a value that contains it, expected a finished value");
  REQUIRE(error_of("a: *b\n").find("not readable as YAML") != std::string::npos);
  // An honest alias is a copy.
  const cfg::Node n = cfg::parse_yaml("a: &x {k: 1}\nb: *x\n", "f.yaml");
  REQUIRE(n.find("b")->find("k")->text == "1");
}

TEST_CASE("bytes that are no UTF-8 and control characters are refused with their place") {
  // Overlong forms, halves of pairs, beyond the last character, a cut character, Latin-1.
  for (const char* bad : {"\xC0\x80", "\xC1\xBF", "\xE0\x80\xAF", "\xF0\x80\x80\x80", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xC3", "\xE9"}) {
    CHECK_THROWS_WITH(harmonia::config::parse_yaml("a: 1\nname: " + std::string(bad), "f"),
                      ContainsSubstring("f:2:7: a byte that is not UTF-8"));
    CHECK_THROWS_WITH(harmonia::config::parse_override("name=" + std::string(bad)), ContainsSubstring("not UTF-8"));
  }
  CHECK_THROWS_WITH(harmonia::config::parse_yaml("name: \x1b[31m", "f"),
                    ContainsSubstring("f:1:7: a control character"));
  CHECK_THROWS_WITH(harmonia::config::parse_yaml("name: \"\\e[31m\"", "f"),
                    ContainsSubstring("f:1:7: '\\x1b[31m' holds"));
  CHECK_THROWS_WITH(harmonia::config::parse_yaml("\"a\\x9b\": 1", "f"),
                    ContainsSubstring("f:1:1: 'a\\xc2\\x9b' holds"));
  CHECK(harmonia::config::parse_yaml("name: \xF0\x9F\x98\x80 \xC3\xA9", "f").find("name")->text ==
        "\xF0\x9F\x98\x80 \xC3\xA9");
  CHECK(harmonia::config::escaped("a\x1b\xC2\x9b\xC3\xA9\xff\n") == "a\\x1b\\xc2\\x9b\xC3\xA9\\xff\\x0a");
}

TEST_CASE("empty documents and null values") {
  REQUIRE(cfg::parse_yaml("", "f").is_null());
  REQUIRE(cfg::parse_yaml("# only a comment\n", "f").is_null());
  REQUIRE(cfg::parse_yaml("a:\nb: ~\nc: null\nd: \"\"\n", "f").find("b")->is_null());
  REQUIRE(cfg::parse_yaml("d: \"\"\n", "f").find("d")->is_scalar());
  REQUIRE(cfg::parse_yaml("\xef\xbb\xbf"
                          "a: 1\n",
                          "f")
              .find("a")
              ->text == "1");
}

TEST_CASE("overrides reach into maps, make what is absent, and say themselves where they are") {
  cfg::Node doc = cfg::parse_yaml("a:\n  b: 1\nname: thing\n", "f.yaml");
  cfg::apply(doc, cfg::parse_override("a.b=2"));
  cfg::apply(doc, cfg::parse_override("x.y.z=[1, 2]"));
  REQUIRE(doc.find("a")->find("b")->text == "2");
  REQUIRE(doc.find("a")->find("b")->where.file == "--set a.b=2");
  REQUIRE(doc.find("x")->find("y")->find("z")->items.size() == 2);
  REQUIRE_THROWS_WITH(cfg::apply(doc, cfg::parse_override("name.key=2")),
                      "--set name.key=2: 'name' is 'thing', expected a map that could hold 'key'");
  cfg::apply(doc, cfg::parse_override("name.key=2"), [](const std::string& path, cfg::Node& n) {
    REQUIRE(path == "name");
    n = cfg::Node::map();
  });
  REQUIRE(doc.find("name")->find("key")->text == "2");
  REQUIRE_THROWS_WITH(cfg::parse_override("novalue"),
                      "--set novalue: no '=' after the key, expected --set path.to.key=value");
  REQUIRE_THROWS_WITH(cfg::parse_override("a..b=1"), "--set a..b=1: an empty name in 'a..b', expected path.to.key");
  REQUIRE_THROWS_AS(cfg::parse_override("a=[1"), cfg::InputError);
}

TEST_CASE("nearest finds misspellings and nothing else") {
  const std::vector<std::string> names = {"rows", "cols", "clock_mhz", "weight_buffer"};
  REQUIRE(cfg::nearest("rwos", names) == "rows");
  REQUIRE(cfg::nearest("clock_mzh", names) == "clock_mhz");
  REQUIRE(cfg::nearest("weight_bufer", names) == "weight_buffer");
  REQUIRE(cfg::nearest("clock", names) == "clock_mhz");
  REQUIRE(cfg::nearest("temperature", names).empty());
  REQUIRE(cfg::nearest(std::string(100000, 'r'), names).empty());
}

TEST_CASE("merge lays maps over maps key by key") {
  cfg::Node base = cfg::parse_yaml("a: {x: 1, y: 2}\nb: [1, 2]\n", "f");
  cfg::merge(base, cfg::parse_yaml("a: {y: 3, z: 4}\nb: [9]\n", "g"));
  REQUIRE(cfg::to_json(base, -1) == R"({"a":{"x":1,"y":3,"z":4},"b":[9]})");
}

TEST_CASE("random corruption of a document never does worse than an error") {
  constexpr std::uint32_t kSeed = 20240611;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  const std::string whole =
      "model: llama-3-8b\naccelerator: &acc\n  pe: {rows: 16, cols: 8, kind: \"harmonia\"}\n  buffers:\n    - size: "
      "512 KiB\n"
      "      banks: 8\n  text: >-\n    folded\n    lines\n  other: |\n    kept\ncopy: *acc\n? key\n: value\n# "
      "comment\n'quoted': [1, "
      "2.5, true, null, ~, -3e9]\n";
  const std::string alphabet = "{}[]:,-?&*!|>'\"#%@`~ \n\t\\abc019.<=\xc3\xa9";
  int refused = 0, read = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = whole;
    const int edits = 1 + static_cast<int>(random() % 6);
    for (int e = 0; e < edits && !text.empty(); ++e) {
      const std::size_t at = random() % text.size();
      switch (random() % 5) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
          break;
        case 2:
          text.erase(at, 1 + random() % 20);
          break;
        case 3:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
        default:
          text[at] = static_cast<char>(random() & 0xff);
      }
    }
    try {
      const cfg::Node n = cfg::parse_yaml(text, "f.yaml");
      cfg::to_yaml(n);
      cfg::to_json(n);
      ++read;
    } catch (const cfg::InputError& e) {
      REQUIRE(std::string(e.what()).find("expected") != std::string::npos);
      ++refused;
    }
  }
  // Both outcomes must occur, or the corruption tests nothing.
  REQUIRE(refused > 1000);
  REQUIRE(read > 1000);
}
