// JSON documents as configuration: what is read, where each value stands, and what is refused.
#include "harmonia/config/json.h"

#include <nlohmann/json.hpp>

#include "harmonia/config/json_values.h"
#include "harmonia/config/yaml.h"
#include "tests/support/catch.h"

namespace config = harmonia::config;

TEST_CASE("json: every key and value knows its line and column") {
  const config::Node d =
      config::parse_json("{\n  \"a\": 1,\n  \"b\": [true, -2.5e3, null],\n  \"c\": {\"d\" : \"x,y\"}\n}\n", "f");
  const auto at = [](const config::Location& where) {
    return std::to_string(where.line) + ":" + std::to_string(where.column);
  };
  REQUIRE(d.members.size() == 3);
  CHECK(at(d.members[0].where) == "2:3");
  CHECK(at(d.find("a")->where) == "2:8");
  CHECK(at(d.find("b")->where) == "3:8");
  CHECK(at(d.find("b")->items[0].where) == "3:9");
  CHECK(at(d.find("b")->items[1].where) == "3:15");
  CHECK(d.find("b")->items[1].text == "-2.5e3");
  CHECK(d.find("b")->items[2].is_null());
  CHECK(at(d.find("c")->members[0].where) == "4:9");
  CHECK(at(d.find("c")->find("d")->where) == "4:15");
  CHECK(d.find("c")->find("d")->quoted);
}

TEST_CASE("json: characters beyond U+FFFF are written as two halves") {
  const config::Node d = config::parse_yaml(R"({"pad_token": "\ud83d\ude00", "hidden_size": 64})", "f");
  CHECK(d.find("pad_token")->text == "\xF0\x9F\x98\x80");
  CHECK(d.find("hidden_size")->text == "64");
}

TEST_CASE("json: what is not valid is refused with its place") {
  CHECK_THROWS_WITH(config::parse_json("{\"a\": 1,\n \"a\": 2}", "f"),
                    ContainsSubstring("f:2:2") && ContainsSubstring("there twice"));
  CHECK_THROWS_WITH(config::parse_json("{\"a\": 1e999}", "f"),
                    ContainsSubstring("f:1:") && ContainsSubstring("out of range"));
  CHECK_THROWS_WITH(config::parse_json("{\"a\": \n}", "f"),
                    ContainsSubstring("f:2:1") && ContainsSubstring("not valid JSON"));
  for (const char* half : {R"({"a": "\ud83d"})", R"({"a": "\ud83dx"})", R"({"a": "\udc00"})", R"({"\ud83d": 1})"}) {
    CHECK_THROWS_WITH(config::parse_json(half, "f"), ContainsSubstring("not valid JSON"));
    CHECK_THROWS_WITH(config::parse_yaml(half, "f"), ContainsSubstring("f:1:"));
  }
  // What would steer a terminal, escaped in the file or not.
  CHECK_THROWS_WITH(config::parse_json(R"({"a": "x\u001b[31m"})", "f"),
                    ContainsSubstring("f:1:7") && ContainsSubstring("a control character"));
  CHECK_THROWS_WITH(config::parse_json(R"({"a\u009b": 1})", "f"), ContainsSubstring("f:1:2"));
  CHECK(config::parse_json(R"({"a": "two\nlines\t"})", "f").find("a")->text == "two\nlines\t");
  CHECK_THROWS_WITH(config::parse_json("", "f"), ContainsSubstring("not valid JSON"));
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += "[";
  CHECK_THROWS_WITH(config::parse_json(deep, "f"), ContainsSubstring("nested too deeply"));
}

TEST_CASE("json: a flow map of YAML that begins as JSON does is still read") {
  CHECK(config::parse_yaml("{\"a\": 1, b: 2}", "f").find("b")->text == "2");
}

TEST_CASE("json: values alone are those of the document, and refused with their place as those with places are") {
  const nlohmann::json d = config::parse_json_values(
      R"({"a": [1, -2, 2.5, true, null, {"b": "\"x\\"}, []], "c": {}, "\"": 18446744073709551615})", "f");
  CHECK(d == nlohmann::json::parse(R"({"a":[1,-2,2.5,true,null,{"b":"\"x\\"},[]],"c":{},"\"":18446744073709551615})"));
  CHECK(config::parse_json_values("7", "f") == 7);
  const auto refused = [](const std::string& text, const std::string& expected) {
    CHECK_THROWS_WITH(config::parse_json_values(text, "f"), ContainsSubstring(expected));
  };
  refused("{\"a\": 1,\n \"b\": [{\"x\": 1,\n  \"x\": 2}]}", "f:3:3: key 'x' is there twice, expected once");
  refused("{\"\\\"\": 1, \"\\\"\": 1}", "f:1:11: key '\"' is there twice");
  refused("{\"\": 1, \"\": 1}", "f:1:9: key '' is there twice");
  refused("{\"a\": 1e999}", "out of range");
  refused("{\"a\": \n}", "f:2:1: this is not valid JSON");
  refused("", "f:1:1: this is not valid JSON");
  refused("{} {}", "f:1:4: this is not valid JSON");
  refused(std::string(70, '['), "f:1:65: nested too deeply");
}
