#include "harmonia/testbench/program/program.h"

#include <filesystem>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/commands/arguments.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;
namespace tb = harmonia::testbench;
using harmonia::test::message_of;
using harmonia::test::Outcome;
using harmonia::test::run_harmonia;
using harmonia::test::Scratch;

TEST_CASE("the program prints help, and its output holds nothing else") {
  const Scratch s;
  const Outcome help = run_harmonia(s, "help");
  REQUIRE(help.status == 0);
  REQUIRE(help.out.find("usage: harmonia COMMAND") == 0);  // no banner of the simulation kernel before it
  REQUIRE(help.err.empty());
  for (const tb::Command* c : tb::commands()) {
    CAPTURE(c->name);
    const Outcome of_command = run_harmonia(s, std::string(c->name) + " --help");
    REQUIRE(of_command.status == 0);
    REQUIRE(of_command.out.find(std::string("usage: harmonia ") + c->name) == 0);
    REQUIRE(of_command.err.empty());
    REQUIRE(run_harmonia(s, std::string("help ") + c->name).out == of_command.out);
  }
  REQUIRE(run_harmonia(s, "").status == 2);
  REQUIRE(run_harmonia(s, "--version").out.find("harmonia ") == 0);
}

TEST_CASE("wrong arguments end with status 2 and say what was expected") {
  const Scratch s;
  const auto error = [&](const std::string& arguments) {
    const Outcome o = run_harmonia(s, arguments);
    CAPTURE(arguments);
    CHECK(o.status == 2);
    CHECK(o.out.empty());
    return o.err;
  };
  CHECK(error("lisst models") == "command line: unknown command 'lisst'; nearest known command is 'list'\n");
  CHECK(error("list") ==
        "command line: KIND is missing, expected `harmonia list "
        "models|accelerators|drams|links|scenarios|formats|keys|figures`\n");
  CHECK(error("list modles") == "command line: unknown kind 'modles'; nearest known kind is 'models'\n");
  CHECK(error("list models extra") ==
        "command line: unexpected argument 'extra', expected `harmonia list "
        "models|accelerators|drams|links|scenarios|formats|keys|figures`\n");
  CHECK(error("list models --dta x") == "command line: unknown option '--dta'; nearest known option is '--data'\n");
  CHECK(error("list models --data") == "command line: option '--data' has no value, expected one after it\n");
  CHECK(error("list models --data a --data b") == "command line: option '--data' is given twice, expected it once\n");
  CHECK(
      error("list models --workloads /nonexistent") ==
      "/nonexistent: is no folder, expected the folder of built-in models, accelerators and scenarios (--workloads)\n");
  CHECK(error("run -o ''") == "command line: option '--output' is empty, expected DIR\n");
  CHECK(error("run --set ''") == "command line: option '--set' is empty, expected KEY=VALUE\n");
  CHECK(error("check /nonexistent.yaml") == "/nonexistent.yaml: cannot be opened, expected a readable file\n");
}

TEST_CASE("list names what is built in") {
  const Scratch s;
  REQUIRE(run_harmonia(s, "list models").out.find("llama-3-8b") != std::string::npos);
  REQUIRE(run_harmonia(s, "list accelerators").out.find("harmonia-hbm2") != std::string::npos);
  REQUIRE(run_harmonia(s, "list drams").out.find("LPDDR5X-8533") != std::string::npos);
  REQUIRE(run_harmonia(s, "list scenarios").out.find("serve-azure") != std::string::npos);
  REQUIRE(run_harmonia(s, "list formats").out.find("kmeans1") != std::string::npos);
  REQUIRE(run_harmonia(s, "list keys").out.find("| `accelerator.pe.rows` |") != std::string::npos);
}

TEST_CASE("the folder of built-ins comes from the option, then from the environment") {
  const Scratch s;
  s.write("w/models/mine.yaml",
          "hidden_size: 64\nnum_hidden_layers: 1\nnum_attention_heads: 2\nnum_key_value_heads: 1\nintermediate_size: "
          "64\nvocab_size: 100\n");
  s.write("v/models/other.yaml",
          "hidden_size: 64\nnum_hidden_layers: 1\nnum_attention_heads: 2\nnum_key_value_heads: 1\nintermediate_size: "
          "64\nvocab_size: 100\n");
  REQUIRE(run_harmonia(s, "list models --workloads w").out.find("mine") != std::string::npos);
  REQUIRE(run_harmonia(s, "list models", "HARMONIA_WORKLOADS=v").out.find("other") != std::string::npos);
  REQUIRE(run_harmonia(s, "list models --workloads w", "HARMONIA_WORKLOADS=v").out.find("other") == std::string::npos);
}

TEST_CASE("check recognises each kind of file and says what is wrong where") {
  const Scratch s;
  const std::string model =
      "hidden_size: 64\nnum_hidden_layers: 1\nnum_attention_heads: 2\nnum_key_value_heads: 1\nintermediate_size: "
      "64\nvocab_size: 100\n";
  s.write("m.yaml", model);
  s.write("a.yaml", "clock_mhz: 100\npe: {rows: 4}\n");
  s.write("s.yaml", "model: ./m.yaml\naccelerator: a.yaml\nworkload: t.csv\n");
  s.write("t.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,6\n");
  const Outcome good = run_harmonia(s, "check m.yaml a.yaml s.yaml t.csv");
  CAPTURE(good.err);
  REQUIRE(good.status == 0);
  REQUIRE(good.out ==
          "m.yaml: a model: m, 37.6 k parameters (37568), an FP16 KV cache of 8192 tokens takes 1048576 bytes\na.yaml: "
          "an accelerator: a\ns.yaml: a scenario: m on a\n"
          "t.csv: a request trace: arrival CSV, 1 requests in 0.0 s, 5 prompt and 6 output tokens\n");

  s.write("bad-m.yaml", model + "hidden_sise: 3\n");
  s.write("bad-a.yaml", "clock_mhz: -1\n");
  s.write("bad-s.yaml", "model: ./m.yaml\naccelerator: b.yaml\n");
  s.write("bad-t.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,x\n");
  s.write("else.yaml", "colour: red\n");
  s.write("text.txt", "hello\n");
  const Outcome bad = run_harmonia(s, "check bad-m.yaml bad-a.yaml bad-s.yaml bad-t.csv m.yaml else.yaml text.txt");
  REQUIRE(bad.status == 2);
  REQUIRE(bad.out.find("m.yaml: a model") == 0);
  REQUIRE(
      bad.err ==
      "bad-m.yaml:7:1: unknown key 'hidden_sise'; nearest known key is 'hidden_size'\n"
      "bad-a.yaml:1:12: clock_mhz is '-1', expected a number from 1 to 100000 (MHz)\n"
      "bad-s.yaml:2:14: accelerator file 'b.yaml' does not exist, expected a file or a built-in name (`harmonia list "
      "accelerators`)\n"
      "bad-t.csv:2:5: output_tokens is 'x', expected a whole number from 1 to 100000000\n"
      "else.yaml:1:1: no key of a scenario, model, accelerator, DRAM channel, sweep or study, expected one of these "
      "files "
      "(`harmonia "
      "list keys`)\n"
      "text.txt:1:1: no key of a scenario, model, accelerator, DRAM channel, sweep or study, expected one of these "
      "files "
      "(`harmonia "
      "list keys`)\n");
}

TEST_CASE("check reads the public traces and published models") {
  HARMONIA_REQUIRE_DATA(data);
  const Scratch s;
  const Outcome o =
      run_harmonia(s, "check '" + data.string() + "'/data/traces/*.csv '" + data.string() + "'/data/traces/*.jsonl");
  REQUIRE(o.status == 0);
  REQUIRE(o.out.find("8819 requests") != std::string::npos);
  REQUIRE(o.out.find("19366 requests") != std::string::npos);
  REQUIRE(o.out.find("12031 requests") != std::string::npos);
  // With the data folder named, the serve scenario takes the public trace.
  REQUIRE(
      run_harmonia(s, "check '" HARMONIA_SOURCE "/workloads/scenarios/serve-azure.yaml' --data '" + data.string() + "'")
          .out.find("note:") == std::string::npos);
  REQUIRE(run_harmonia(s, "check '" HARMONIA_SOURCE "/workloads/scenarios/serve-azure.yaml'")
              .out.find("note: request trace") != std::string::npos);
}

TEST_CASE("a full disk is not a finished run") {
  const Scratch s;
  const std::string command = "'" HARMONIA_PROGRAM "' list keys > /dev/full 2> '" + (s / "err") + "'";
  const int status = std::system(command.c_str());
  REQUIRE(WEXITSTATUS(status) == 1);
  REQUIRE(Scratch::read(s / "err") == "harmonia: standard output cannot be written\n");
}

namespace {

const tb::Command kProbe = {"probe", "[X] [Y]...", "A probe.", nullptr};

}  // namespace

TEST_CASE("arguments are read into values, in any order") {
  tb::CommonOptions common;
  std::string first;
  std::vector<std::string> rest;
  std::int64_t jobs = 1;
  double gap = 0;
  bool resume = false;
  tb::Arguments a(kProbe);
  a.common(common).positional("X", first, "first").positionals("Y", rest, "rest");
  a.integer("jobs,j", jobs, 1, 64, "N", "processes")
      .number("gap", gap, 0, 10, "G", "gap")
      .flag("resume", resume, "go on");
  REQUIRE(a.parse(
      {"one", "--set", "a.b=-1", "-j4", "two", "--resume", "--gap=2.5", "--set=c=[1, 2]", "-o", "dir", "three"}));
  REQUIRE(first == "one");
  REQUIRE(rest == std::vector<std::string>{"two", "three"});
  REQUIRE(common.set == std::vector<std::string>{"a.b=-1", "c=[1, 2]"});
  REQUIRE(common.output == "dir");
  REQUIRE(jobs == 4);
  REQUIRE(gap == 2.5);
  REQUIRE(resume);

  const auto error_of = [](const std::vector<std::string>& arguments) {
    return message_of([&] {
      std::int64_t n = 0;
      double g = 0;
      tb::Arguments b(kProbe);
      b.integer("jobs,j", n, 1, 64, "N", "processes").number("gap", g, 0, 10, "G", "gap");
      b.parse(arguments);
    });
  };
  CHECK(error_of({"-j", "0"}) == "command line: --jobs is '0', expected a whole number from 1 to 64");
  CHECK(error_of({"-j", "4x"}) == "command line: --jobs is '4x', expected a whole number from 1 to 64");
  CHECK(error_of({"--jobs="}).find("command line: ") == 0);
  CHECK(error_of({"--gap", "nan"}) == "command line: --gap is 'nan', expected a number from 0 to 10");
  CHECK(error_of({"-z"}).find("command line: unknown option '-z'") == 0);
}

TEST_CASE("run: an interrupt keeps the earlier result") {
  const Scratch s;
  REQUIRE(run_harmonia(s, "run default --set model=stories260k --set workload.tokens=1 -o out").status == 0);
  const std::string before = Scratch::read(s / "out/result.json");
  const std::string command = "cd '" + s.path().string() +
                              "' && timeout -s INT 0.5 '" HARMONIA_PROGRAM
                              "' run default --set workload.tokens=100000 -o out > log 2>&1";
  const int status = std::system(command.c_str());
  const std::string log = Scratch::read(s / "log");
  INFO(log);
  CHECK(WEXITSTATUS(status) != 0);
  CHECK(Scratch::read(s / "out/result.json") == before);
  CHECK_THAT(log, ContainsSubstring("is still the earlier result"));
  CHECK_THAT(Scratch::read(s / "out.interrupted/result.json"), ContainsSubstring("\"complete\": false"));
}
