// The command line as people meet it: help with examples, versions, completion, man pages, output and its colours.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/commands/description.h"
#include "harmonia/testbench/commands/version.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;
namespace tb = harmonia::testbench;
using harmonia::test::lines_of;
using harmonia::test::Outcome;
using harmonia::test::run_harmonia;
using harmonia::test::Scratch;

namespace {

// Small enough to take a moment.
const char* const kSmall =
    "model: {hidden_size: 64, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: "
    "64, vocab_size: 96, name: small}\n"
    "accelerator: harmonia\n"
    "weights: kmeans4\n"
    "kv: bfp8\n"
    "workload: {phase: decode, batch: 1, context: 4, tokens: 2}\n";

Outcome shell(const Scratch& s, const std::string& command) {
  Outcome o;
  const std::string line = "cd '" + s.path().string() + "' && { " + command + "; } >out 2>err";
  o.status = WEXITSTATUS(std::system(line.c_str()));
  o.out = Scratch::read(s / "out");
  o.err = Scratch::read(s / "err");
  return o;
}

}  // namespace

TEST_CASE("every command declares its arguments, begins its summary alike and gives an example of itself") {
  for (const tb::CommandDescription& d : tb::describe_all()) {
    CAPTURE(d.command->name);
    const std::string summary = d.command->summary, example = d.command->example;
    CHECK(summary[0] >= 'A');
    CHECK(summary[0] <= 'Z');
    CHECK(summary.back() != '.');
    CHECK(example.find(std::string("harmonia ") + d.command->name) == 0);
    CHECK(d.options.size() >= 2);  // --help and --no-color
    for (const tb::OptionDescription& o : d.options) {
      CAPTURE(o.name);
      CHECK_FALSE(o.help.empty());
    }
    const std::string help = tb::help_text(d);
    CHECK_THAT(help, ContainsSubstring(example));
    for (const std::string& line : lines_of(help)) {
      CAPTURE(line);
      if (line.find("usage:") != 0 && line.find("  harmonia") != 0) CHECK(line.size() <= 100);
    }
  }
}

TEST_CASE("the version names the revision and the libraries") {
  const Scratch s;
  const Outcome o = run_harmonia(s, "--version");
  REQUIRE(o.status == 0);
  CHECK(o.out.find("harmonia " + tb::program_version() + " (revision ") == 0);
  for (const auto& [name, version] : tb::library_versions()) {
    CAPTURE(name);
    CHECK_THAT(o.out, ContainsSubstring(name));
    CHECK_FALSE(version.empty());
  }
}

TEST_CASE("bash completes commands, options, names of built-ins and known values") {
  const Scratch s;
  REQUIRE(run_harmonia(s, "completion bash").status == 0);
  fs::rename(s / ".stdout", s / "harmonia.bash");
  const auto complete = [&](const std::string& words) {
    // As bash does it: the words, and the number of the one under the cursor.
    return shell(s, "bash -c 'compopt() { :; }; . ./harmonia.bash; COMP_WORDS=(" HARMONIA_PROGRAM " " + words +
                        "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _harmonia; printf \"%s\\n\" \"${COMPREPLY[@]}\"'")
        .out;
  };
  CHECK(complete("comp") == "compare\ncompletion\n");
  CHECK(complete("run --qu") == "--quiet\n");
  CHECK(complete("run prefill") == "prefill-2k\n");
  CHECK(complete("dram --config DDR4-32") == "DDR4-3200\n");
  CHECK(complete("dram --traffic decode") == "decode64\ndecode4k\n");
  CHECK(complete("list mod") == "models\n");
  CHECK(complete("run --set workload.ba") == "workload.batch=\n");
  CHECK(complete("infer --path sys") == "systemc\n");
  CHECK(complete("help qua") == "quantize\n");
}

TEST_CASE("scripts of all three shells are read by their shells, and name every command and option") {
  const Scratch s;
  for (const std::string& name : tb::completion_shells()) {
    CAPTURE(name);
    const Outcome o = run_harmonia(s, "completion " + name);
    REQUIRE(o.status == 0);
    for (const tb::CommandDescription& d : tb::describe_all()) {
      CHECK_THAT(o.out, ContainsSubstring(d.command->name));
      for (const tb::OptionDescription& option : d.options) CHECK_THAT(o.out, ContainsSubstring(option.name));
    }
    fs::rename(s / ".stdout", s / "script");
    if (shell(s, "command -v " + name).status == 0) {
      const Outcome read = shell(s, name + " -n script");
      CAPTURE(read.err);
      CHECK(read.status == 0);
    }
  }
  CHECK(run_harmonia(s, "completion tcsh").err == "command line: unknown shell 'tcsh', expected bash, zsh or fish\n");
}

TEST_CASE("man pages have their sections, and man reads them without a warning") {
  const Scratch s;
  const bool has_man = shell(s, "command -v man").status == 0;
  std::vector<std::string> pages = {""};
  for (const tb::Command* c : tb::commands()) pages.push_back(std::string(" ") + c->name);
  for (const std::string& page : pages) {
    CAPTURE(page);
    const Outcome o = run_harmonia(s, "manual" + page);
    REQUIRE(o.status == 0);
    for (const char* section : {".TH HARMONIA", ".SH NAME", ".SH SYNOPSIS", ".SH EXIT STATUS", ".SH ENVIRONMENT"})
      CHECK_THAT(o.out, ContainsSubstring(section));
    if (!has_man) continue;
    fs::rename(s / ".stdout", s / "page.1");
    CHECK(shell(s, "LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings -l page.1 >/dev/null").err.empty());
  }
  CHECK(run_harmonia(s, "manual rum").err == "command line: unknown command 'rum'; nearest known command is 'run'\n");
  CHECK(run_harmonia(s, "manual run --markdown").status == 2);
}

TEST_CASE("list --names prints names that the program takes, one a line") {
  const Scratch s;
  for (const char* kind : {"models", "accelerators", "drams", "links", "scenarios", "formats", "keys"}) {
    CAPTURE(kind);
    const Outcome o = run_harmonia(s, std::string("list --names ") + kind);
    REQUIRE(o.status == 0);
    REQUIRE(lines_of(o.out).size() > 1);
    for (const std::string& line : lines_of(o.out)) CHECK(line.find_first_of(" |`") == std::string::npos);
  }
  CHECK(run_harmonia(s, "list --names figures").status == 2);
  CHECK(run_harmonia(s, "list --names modles").err ==
        "command line: unknown kind 'modles'; nearest known kind is 'models'\n");
}

TEST_CASE("init makes files that check takes, and leaves what exists alone") {
  const Scratch s;
  const Outcome o = run_harmonia(s, "init mine");
  REQUIRE(o.status == 0);
  CHECK(o.out.find("Created mine/accelerator.yaml, mine/scenario.yaml and mine/sweep.yaml. Next:\n") == 0);
  const Outcome checked = run_harmonia(s, "check mine/accelerator.yaml mine/scenario.yaml mine/sweep.yaml");
  CAPTURE(checked.err);
  REQUIRE(checked.status == 0);
  CHECK_THAT(checked.out, ContainsSubstring("a scenario: llama-3-8b on my-accelerator"));
  CHECK_THAT(checked.out, ContainsSubstring("a sweep: 6 points over 2 keys"));
  CHECK(run_harmonia(s, "init mine").err ==
        "mine: exists already, expected the name of a new folder or of an empty one\n");
  CHECK(run_harmonia(s, "init mine/sweep.yaml").status == 2);
  CHECK(run_harmonia(s, "init ''").status == 2);
  fs::create_directory(s / "empty");
  CHECK(run_harmonia(s, "init empty").status == 0);
}

TEST_CASE("doctor tells what is there, and fails when a run could not work") {
  const Scratch s;
  const Outcome o = run_harmonia(s, "doctor --json");
  REQUIRE(o.status == 0);
  const nlohmann::json document = nlohmann::json::parse(o.out);
  CHECK(document["version"] == tb::program_version());
  CHECK(document["libraries"].contains("SystemC"));
  CHECK(document["findings"][0]["what"] == "built-ins");
  CHECK(document["findings"][0]["present"] == true);
  const Outcome bare = run_harmonia(s, "doctor", "PATH=/nonexistent");
  CHECK(bare.status == 0);
  CHECK_THAT(bare.out, ContainsSubstring("skipped without it: `sweep --engine slurm`"));
  fs::create_directory(s / "none");
  const Outcome without = run_harmonia(s, "doctor --workloads none");
  CHECK(without.status == 1);
  CHECK_THAT(without.out, ContainsSubstring("MISSING"));
}

TEST_CASE("quiet prints nothing, json one document, and neither changes the files") {
  const Scratch s;
  s.write("small.yaml", kSmall);
  const std::string dram = "dram --config DDR4-3200 --traffic seq --requests 100 ";
  for (const std::string& command :
       {std::string("run small.yaml "), std::string("compare small.yaml --over weights=fp16,kmeans2 "), dram}) {
    CAPTURE(command);
    const Outcome quiet = run_harmonia(s, command + "-q -o quiet");
    CAPTURE(quiet.err);
    REQUIRE(quiet.status == 0);
    CHECK(quiet.out.empty());
    const Outcome json = run_harmonia(s, command + "--json -o json");
    REQUIRE(json.status == 0);
    CHECK(nlohmann::json::parse(json.out).is_object());
    CHECK(fs::exists(s / "json/.harmonia-result"));
  }
  CHECK(run_harmonia(s, "run small.yaml --quiet --set workload.batch=0").err.find("--set workload.batch=0") == 0);
}

TEST_CASE("colours are for terminals, and --no-color, NO_COLOR and TERM=dumb forbid them") {
  const Scratch s;
  s.write("small.yaml", kSmall);
  CHECK(run_harmonia(s, "run small.yaml").out.find('\x1b') == std::string::npos);
  if (shell(s, "command -v script").status != 0) return;  // it gives a program a terminal
  const auto on_terminal = [&](const std::string& environment, const std::string& arguments) {
    return shell(s, "env -u NO_COLOR TERM=xterm " + environment + " script -qec '" HARMONIA_PROGRAM " " + arguments +
                        "' typescript </dev/null")
        .out;
  };
  CHECK_THAT(on_terminal("", "run small.yaml"), ContainsSubstring("\x1b[1m"));
  CHECK_THAT(on_terminal("", "run nosuch"), ContainsSubstring("\x1b[1;31m"));
  // Progress erases its line by an escape; colours end in m.
  const auto coloured = [](const std::string& text) {
    return text.find("\x1b[1m") != std::string::npos || text.find("\x1b[1;31m") != std::string::npos;
  };
  CHECK_FALSE(coloured(on_terminal("", "run small.yaml --no-color")));
  CHECK_FALSE(coloured(on_terminal("", "run --no-color nosuch")));
  CHECK_FALSE(coloured(on_terminal("NO_COLOR=1", "run small.yaml")));
  CHECK_FALSE(coloured(on_terminal("TERM=dumb", "run small.yaml")));
}

TEST_CASE("docs/command-reference.md is what the program says") {
  const Scratch s;
  // Regenerate with scripts/make-docs.
  CHECK(Scratch::read(HARMONIA_SOURCE "/docs/command-reference.md") ==
        Scratch::read(HARMONIA_SOURCE "/docs/command-reference.head.md") + tb::markdown_reference());
}

TEST_CASE("streams get the result in place, and hold nothing else") {
  const Scratch s;
  s.write("small.yaml", kSmall);
  for (const std::string& command :
       {std::string("run small.yaml "), std::string("compare small.yaml --over weights=fp16,kmeans2 "),
        std::string("dram --config DDR4-3200 --traffic seq --requests 100 ")}) {
    for (const char* name : {"-", "/dev/stdout", "/dev/fd/1"}) {
      CAPTURE(command, name);
      const Outcome o = run_harmonia(s, command + "-o " + name);
      REQUIRE(o.status == 0);
      CHECK(nlohmann::json::parse(o.out).is_object());
    }
    REQUIRE(shell(s, "mkfifo pipe && { cat pipe >copy & } && " HARMONIA_PROGRAM " " + command + "-q -o pipe; wait")
                .status == 0);
    CHECK(nlohmann::json::parse(Scratch::read(s / "copy")).is_object());
    CHECK(fs::is_fifo(s / "pipe"));
    fs::remove(s / "pipe");
  }
  CHECK_FALSE(fs::exists(s / "-"));
  CHECK(run_harmonia(s, "dram --config DDR4-3200 --traffic seq --requests 10 --commands -").out.find("cycle,cmd,") ==
        0);
  CHECK(run_harmonia(s, "sweep equal-memory -o -").status == 2);
}

TEST_CASE("summaries of run and dram begin with a block of named figures, each with its unit") {
  const Scratch s;
  s.write("small.yaml", kSmall);
  const std::string number = "[0-9.]+ [fpnumkMGT]?";
  const auto require_lines = [&](const std::string& command,
                                 const std::vector<std::pair<std::string, std::string>>& lines) {
    const Outcome o = run_harmonia(s, command);
    REQUIRE(o.status == 0);
    const std::string block = o.out.substr(0, o.out.find("\n\n"));
    for (const auto& [title, value] : lines) {
      CAPTURE(block, title);
      CHECK(std::regex_search(block, std::regex("\n  " + title + ": +" + value)));
    }
  };
  require_lines("run small.yaml", {{"Simulated time", number + "s\n"},
                                   {"Throughput", number + "token/s\n"},
                                   {"Time per output token", number + "s"},
                                   {"Bound by", "[a-z]+ \\([0-9.]+ % of .*peak"},
                                   {"DRAM utilisation", "[0-9.]+ % \\(" + number + "B/s of " + number + "B/s\\)"},
                                   {"Checks", "[0-9]+ of [0-9]+ passed"},
                                   {"Assumptions", "[0-9]+ assumed inputs"}});
  require_lines("dram --config DDR4-3200 --traffic mix --requests 2000",
                {{"Channel", ".*64-bit channel"},
                 {"Traffic", "mix; [0-9]+ reads and [0-9]+ writes, 128 kB in all, at most 64 in flight"},
                 {"Simulated time", number + "s \\([0-9]+ cycles of 625.0 ps\\)"},
                 {"Bandwidth", number + "B/s of 25.60 GB/s \\([0-9.]+ % of peak\\)"},
                 {"Attainable bandwidth", "[0-9.]+ % of peak, .*; [0-9.]+ % of that was reached"},
                 {"Row-buffer accesses", "[0-9]+ \\([0-9.]+ %\\) hits, .* misses, .* conflicts"},
                 {"Refresh", "banks blocked for [0-9.]+ % of the time"},
                 {"Write queue", "mean [0-9.]+, maximum [0-9]+ of 64 bursts"},
                 {"Energy", number + "J \\(" + number + "J/bit, mean power " + number + "W\\)"},
                 {"Checks", "10 of 10 passed"},
                 {"Assumptions", "[0-9]+ assumed inputs"}});
}

TEST_CASE("results name inputs by built-in names and relative paths, never by where this computer keeps them") {
  const Scratch s;
  const std::string here = s.path().string();
  s.write("small.yaml", kSmall);
  s.write("serve.yaml",
          std::string(kSmall).substr(0, std::string(kSmall).find("workload:")) + "workload: {trace: trace.csv}\n");
  s.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,8,2\n");
  s.write("sweep.yaml", "scenario: small.yaml\ngrid: {weights.format: [kmeans4, kmeans2]}\n");
  for (const std::string& command : {std::string("run default --set model=stories260k --set workload.tokens=1 -o run"),
                                     "run " + here + "/small.yaml -o file", "run " + here + "/serve.yaml -o serve",
                                     "compare " + here + "/small.yaml --over weights=fp16,kmeans2 -o compare",
                                     "sweep " + here + "/sweep.yaml -o sweep",
                                     std::string("dram --config DDR4-3200 --traffic seq --requests 100 -o dram")}) {
    CAPTURE(command);
    const Outcome o = run_harmonia(s, command);
    CAPTURE(o.err);
    REQUIRE(o.status == 0);
  }
  int files = 0;
  for (const char* folder : {"run", "file", "serve", "compare", "sweep", "dram"})
    for (const auto& file : fs::recursive_directory_iterator(s / folder)) {
      if (!file.is_regular_file()) continue;
      CAPTURE(file.path());
      const std::string text = Scratch::read(file.path());
      CHECK(text.find(here) == std::string::npos);
      CHECK(text.find(HARMONIA_SOURCE "/") == std::string::npos);
      ++files;
    }
  CHECK(files > 20);
  const auto result = [&](const char* name) { return nlohmann::json::parse(Scratch::read(s / name)); };
  CHECK(result("run/result.json")["provenance"]["source"] == "built-in scenarios/default.yaml");
  CHECK(result("file/result.json")["provenance"]["source"] == "small.yaml");
  CHECK(result("serve/result.json")["serving"]["trace"] == "trace.csv");
  CHECK(result("compare/compare.json")["source"] == "small.yaml");
  CHECK(result("sweep/sweep.json")["scenario"] == "small.yaml");
  // A finished sweep is recognised all the same.
  CHECK_THAT(run_harmonia(s, "sweep " + here + "/sweep.yaml -o sweep --resume").out, ContainsSubstring("2"));
  CHECK(run_harmonia(s, "sweep " + here + "/sweep.yaml -o sweep --resume --set workload.tokens=3").status == 2);
}

TEST_CASE("manual -o writes the page of the program and of each command") {
  const Scratch s;
  REQUIRE(run_harmonia(s, "manual -o pages").status == 0);
  CHECK(Scratch::read(s / "pages/harmonia.1") == tb::program_manual_page());
  for (const tb::CommandDescription& d : tb::describe_all())
    CHECK(Scratch::read(s / (std::string("pages/harmonia-") + d.command->name + ".1")) == tb::manual_page(d));
  CHECK(run_harmonia(s, "manual run -o pages").status == 2);
}
