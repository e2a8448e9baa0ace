#include "harmonia/config/fields.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harmonia/config/yaml.h"
#include "tests/support/catch.h"

namespace cfg = harmonia::config;

namespace {

enum class Kind { kHarmonia, kFp16 };

struct Level {
  int bits = 4;
  double rate = 1.5;
  void describe(cfg::Fields& f) {
    f.add("bits", bits).range(1, 8).unit("bits").says("index width").required();
    f.add("rate", rate).more_than(0).unit("1/s").says("rate at that width");
  }
};

struct Inner {
  int rows = 16;
  std::uint64_t capacity_bytes = 1024;
  Kind kind = Kind::kHarmonia;
  void describe(cfg::Fields& f) {
    f.add("rows", rows)
        .range(1, 4096)
        .multiple_of(2)
        .unit("PEs")
        .says("rows of the array")
        .assumed("no published size");
    f.add("capacity_bytes", capacity_bytes).at_least(1).unit("bytes").says("size of the buffer").from("data sheet");
    f.add("kind", kind, {{"harmonia", Kind::kHarmonia}, {"fp16", Kind::kFp16}}).says("what a PE multiplies");
    f.check("rows",
            [this] { return rows == 6 ? std::string("6 is cursed, expected another even number") : std::string(); });
  }
};

struct Outer {
  bool on = true;
  double clock_mhz = 500;
  std::string title = "x";
  std::string preset = "a";
  std::optional<int> head_dim;
  std::vector<int> widths = {1, 2};
  std::vector<Level> levels;
  Inner pe;
  void describe(cfg::Fields& f) {
    f.add("on", on).says("whether");
    f.add("clock_mhz", clock_mhz).range(1, 10000).unit("MHz").says("clock").assumed("our choice");
    f.add("title", title).says("free text");
    f.add("preset", preset).one_of({"alpha", "beta", "a"}).says("named");
    f.add("head_dim", head_dim).at_least(1).says("channels of a head");
    f.add("widths", widths).range(1, 8).says("widths");
    f.add("levels", levels).says("levels");
    f.add("pe", pe).says("the array");
  }
};

std::string error_of(const std::string& text) {
  Outer o;
  try {
    cfg::read(o, cfg::parse_yaml(text, "f.yaml"));
  } catch (const cfg::InputError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("every kind of field is read, and what is absent keeps its default") {
  Outer o;
  cfg::read(o,
            cfg::parse_yaml("on: false\nclock_mhz: 1.25e3\ntitle: hello\npreset: beta\nhead_dim: 64\nwidths: [3, 4]\n"
                            "levels:\n  - bits: 2\n  - {bits: 1, rate: 2.5}\n"
                            "pe:\n  rows: 32\n  capacity_bytes: 512 KiB\n  kind: fp16\n",
                            "f.yaml"));
  REQUIRE_FALSE(o.on);
  REQUIRE(o.clock_mhz == 1250);
  REQUIRE(o.title == "hello");
  REQUIRE(o.preset == "beta");
  REQUIRE(o.head_dim == 64);
  REQUIRE(o.widths == std::vector<int>{3, 4});
  REQUIRE(o.levels.size() == 2);
  REQUIRE(o.levels[0].bits == 2);
  REQUIRE(o.levels[0].rate == 1.5);
  REQUIRE(o.levels[1].rate == 2.5);
  REQUIRE(o.pe.rows == 32);
  REQUIRE(o.pe.capacity_bytes == 512 * 1024);
  REQUIRE(o.pe.kind == Kind::kFp16);

  Outer untouched;
  cfg::read(untouched, cfg::parse_yaml("pe:\n", "f.yaml"));
  REQUIRE(untouched.pe.rows == 16);
  REQUIRE_FALSE(untouched.head_dim.has_value());
}

TEST_CASE("both ends of a range are inside it, and an open end is not") {
  CHECK(error_of("pe: {rows: 2}\n") == "no error");
  CHECK(error_of("pe: {rows: 4096}\n") == "no error");
  CHECK_THAT(error_of("pe: {rows: 4098}\n"), ContainsSubstring("to 4096"));
  CHECK(error_of("clock_mhz: 1\n") == "no error");
  CHECK(error_of("clock_mhz: 10000\n") == "no error");
  CHECK_THAT(error_of("clock_mhz: 10000.5\n"), ContainsSubstring("expected a number from 1 to 10000"));
  CHECK_THAT(error_of("levels: [{bits: 2, rate: 0}]\n"), ContainsSubstring("expected a number above 0"));
  CHECK(error_of("levels: [{bits: 2, rate: 1e-300}]\n") == "no error");
}

TEST_CASE("each error class says where, what is wrong and what was expected") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"pe:\n  rowz: 4\n", "f.yaml:2:3: unknown key 'pe.rowz'; nearest known key is 'rows'"},
      {"clock: 4\n", "f.yaml:1:1: unknown key 'clock'; nearest known key is 'clock_mhz'"},
      {"zzzzzz: 4\n",
       "f.yaml:1:1: unknown key 'zzzzzz'; expected one of: on, clock_mhz, title, preset, head_dim, widths, levels, pe"},
      {"pe:\n  rows: 0\n", "f.yaml:2:9: pe.rows is '0', expected a multiple of 2 from 1 to 4096 (PEs)"},
      {"pe:\n  rows: 3\n", "f.yaml:2:9: pe.rows is '3', expected a multiple of 2 from 1 to 4096 (PEs)"},
      {"pe:\n  rows: -2\n", "f.yaml:2:9: pe.rows is '-2', expected a multiple of 2 from 1 to 4096 (PEs)"},
      {"pe:\n  rows: 99999999999999999999\n",
       "f.yaml:2:9: pe.rows is '99999999999999999999', expected a multiple of 2 from 1 to 4096 (PEs)"},
      {"pe:\n  rows: 1.5\n", "f.yaml:2:9: pe.rows is '1.5', expected a multiple of 2 from 1 to 4096 (PEs)"},
      {"pe:\n  rows: \"4\"\n", "f.yaml:2:9: pe.rows is '4', expected a multiple of 2 from 1 to 4096 (PEs)"},
      {"pe:\n  rows: [4]\n", "f.yaml:2:9: pe.rows is a list, expected a multiple of 2 from 1 to 4096 (PEs)"},
      {"pe:\n  rows: 6\n", "f.yaml:2:9: pe.rows: 6 is cursed, expected another even number"},
      {"pe:\n  capacity_bytes: 3 kB\n",
       "f.yaml:2:19: pe.capacity_bytes is '3 kB', expected a whole number of at least 1 (bytes); KiB, MiB and GiB may "
       "follow the "
       "number"},
      {"pe:\n  capacity_bytes: 99999999999 GiB\n",
       "f.yaml:2:19: pe.capacity_bytes is '99999999999 GiB', expected a whole number of at least 1 (bytes)"},
      {"pe:\n  kind: fp61\n", "f.yaml:2:9: pe.kind is 'fp61', expected one of: harmonia, fp16; nearest is 'fp16'"},
      {"pe: 4\n", "f.yaml:1:5: pe is '4', expected a map of keys; expected one of: rows, capacity_bytes, kind"},
      {"on: yes\n", "f.yaml:1:5: on is 'yes', expected true or false"},
      {"clock_mhz: .nan\n", "f.yaml:1:12: clock_mhz is '.nan', expected a number from 1 to 10000 (MHz)"},
      {"clock_mhz: nan\n", "f.yaml:1:12: clock_mhz is 'nan', expected a number from 1 to 10000 (MHz)"},
      {"clock_mhz: 0.5\n", "f.yaml:1:12: clock_mhz is '0.5', expected a number from 1 to 10000 (MHz)"},
      {"title: {a: b}\n", "f.yaml:1:8: title is a map, expected text"},
      {"preset: alpa\n", "f.yaml:1:9: preset is 'alpa', expected one of: alpha, beta, a; nearest is 'alpha'"},
      {"head_dim: 0\n", "f.yaml:1:11: head_dim is '0', expected a whole number of at least 1, or null"},
      {"widths: 3\n", "f.yaml:1:9: widths is '3', expected a list, each item: whole number from 1 to 8"},
      {"widths: [1, 9]\n", "f.yaml:1:13: widths[1] is '9', expected a whole number from 1 to 8"},
      {"levels:\n  - rate: 1\n",
       "f.yaml:2:5: key 'levels[0].bits' is missing, expected a whole number from 1 to 8 (bits)"},
      {"levels:\n  - {bits: 1, rate: 0}\n", "f.yaml:2:21: levels[0].rate is '0', expected a number above 0 (1/s)"},
      {"sources: {clock: x}\n", "f.yaml:1:11: unknown key 'clock' in sources; nearest known key is 'clock_mhz'"},
      {"sources: [x]\n",
       "f.yaml:1:10: sources is a list, expected a map from a key beside it to the text that says where its value "
       "comes from"},
      {"- 1\n",
       "f.yaml:1:1: this is a list, expected a map of keys; expected one of: on, clock_mhz, title, preset, head_dim, "
       "widths, "
       "levels, pe"},
  };
  for (const auto& [text, message] : cases) {
    CAPTURE(text);
    CHECK(error_of(text) == message);
  }
}

TEST_CASE("a struct filled by code is held to the same rules") {
  Outer o;
  REQUIRE_NOTHROW(cfg::validate(o));
  o.pe.rows = 6;
  REQUIRE_THROWS_WITH(cfg::validate(o), "pe.rows: 6 is cursed, expected another even number");
  o.pe.rows = 5000;
  REQUIRE_THROWS_WITH(cfg::validate(o, "accelerator"),
                      "accelerator.pe.rows is '5000', expected a multiple of 2 from 1 to 4096 (PEs)");
  o.pe.rows = 4;
  o.levels = {{9, 1.0}};
  REQUIRE_THROWS_WITH(cfg::validate(o), "levels[0].bits is '9', expected a whole number from 1 to 8 (bits)");
}

TEST_CASE("the resolved dump reads back to the same values") {
  Outer o;
  o.clock_mhz = 0.1 + 999;
  o.title = "4";
  o.head_dim = 128;
  o.levels = {{1, 0.1}, {2, 1e-9}};
  o.pe.kind = Kind::kFp16;
  o.pe.capacity_bytes = 1ull << 40;
  const std::string yaml = cfg::to_yaml(cfg::dump(o));
  CAPTURE(yaml);
  Outer again;
  cfg::read(again, cfg::parse_yaml(yaml, "dump"));
  REQUIRE(again.clock_mhz == o.clock_mhz);
  REQUIRE(again.title == "4");
  REQUIRE(again.head_dim == 128);
  REQUIRE(again.levels.size() == 2);
  REQUIRE(again.levels[1].rate == 1e-9);
  REQUIRE(again.pe.capacity_bytes == 1ull << 40);
  REQUIRE(cfg::to_yaml(cfg::dump(again)) == yaml);
  // JSON is read by the same reader.
  Outer from_json;
  cfg::read(from_json, cfg::parse_yaml(cfg::to_json(cfg::dump(o)), "dump.json"));
  REQUIRE(cfg::to_yaml(cfg::dump(from_json)) == yaml);
}

TEST_CASE("assumptions name key, value, unit, meaning, source and where the value was given") {
  Outer o;
  cfg::Fields f;
  o.describe(f);
  f.read(cfg::parse_yaml("clock_mhz: 285\npe:\n  sources: {capacity_bytes: assumed for this test}\n", "f.yaml"), "acc");
  std::vector<cfg::Assumption> list;
  f.assumptions(list, "acc");
  REQUIRE(list.size() == 3);
  REQUIRE(list[0].key == "acc.clock_mhz");
  REQUIRE(list[0].value == "285");
  REQUIRE(list[0].unit == "MHz");
  REQUIRE(list[0].meaning == "clock");
  REQUIRE(list[0].source == "our choice");
  REQUIRE(list[0].given_at == "f.yaml:1");
  REQUIRE(list[1].key == "acc.pe.rows");
  REQUIRE(list[1].given_at == "default");
  REQUIRE(list[2].key == "acc.pe.capacity_bytes");
  REQUIRE(list[2].source == "assumed for this test");

  Outer published;
  cfg::Fields g;
  published.describe(g);
  g.read(cfg::parse_yaml("clock_mhz: 285\nsources: {clock_mhz: \"a paper\", pe.rows: \"a paper\"}\n", "f.yaml"));
  list.clear();
  g.assumptions(list);
  REQUIRE(list.empty());
}

TEST_CASE("the documentation table has a row per key") {
  Outer o;
  cfg::Fields f;
  o.describe(f);
  const std::string table = f.markdown("acc");
  CAPTURE(table);
  for (const char* row :
       {"| `acc.on` | `true` | true or false | whether |  |",
        "| `acc.pe.rows` | `16` | multiple of 2 from 1 to 4096 (PEs) | rows of the array | assumed: no "
        "published size |",
        "| `acc.levels[].bits` | (required) | whole number from 1 to 8 (bits) | index width |  |",
        "| `acc.head_dim` | `none` | whole number of at least 1, or null | channels of a head |  |"})
    CHECK(table.find(row) != std::string::npos);
}
