// harmonia sweep as a user meets it, on a tiny model.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kTiny = "--set model=stories260k --set workload.context=40 --set workload.tokens=1 ";

std::string sorted(const std::string& csv) {
  std::vector<std::string> lines = lines_of(csv);
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const std::string& l : lines) out += l + "\n";
  return out;
}

/// 216 points of a tiny model; two of the batches do not fit the memory, so that failures are resumed too.
const char* kSweep =
    "name: tiny\n"
    "scenario: default\n"
    "set: {model: stories260k, workload: {tokens: 1}, accelerator.dram.channel.rows: 64}\n"
    "grid:\n"
    "  weights: [fp16, int4, kmeans4, kmeans2, kmeans1, ternary]\n"
    "  kv: [fp16, bfp4+windows, int8]\n"
    "  workload.batch: [1, 2, 4096]\n"
    "  workload.context: [1, 31, 33, 64]\n";

TEST_CASE("sweep: killed in the middle and resumed, the CSV is that of an uninterrupted sweep") {
  const Scratch s;
  s.write("sweep.yaml", kSweep);
  const Outcome whole = run_harmonia(s, "sweep sweep.yaml -j 2 -o whole");
  INFO(whole.err << whole.out);
  REQUIRE(whole.status == 1);  // the points that do not fit
  REQUIRE_THAT(whole.out, ContainsSubstring("216 points; 216 simulated now, 0 from an earlier run, 72 failed"));
  const std::string expected = Scratch::read(s / "whole/sweep.csv");
  REQUIRE(lines_of(expected).size() == 217);
  REQUIRE_THAT(expected, ContainsSubstring("the model does not fit the DRAM"));

  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::unsetenv("HARMONIA_WORKLOADS");
    if (::chdir(s.path().c_str()) != 0 || !std::freopen("/dev/null", "w", stdout)) ::_exit(1);
    ::execl(HARMONIA_PROGRAM, "harmonia", "sweep", "sweep.yaml", "-j", "2", "-o", "cut", nullptr);
    ::_exit(127);
  }
  const auto finished = [&] {
    std::size_t n = 0;
    std::error_code none_yet;
    for (fs::directory_iterator it(s / "cut.partial/points", none_yet), end; !none_yet && it != end;
         it.increment(none_yet))
      n += it->path().extension() == ".json" ? 1 : 0;
    return n;
  };
  while (finished() < 60) {
    REQUIRE(::waitpid(child, nullptr, WNOHANG) == 0);  // killed before it ends, or this shows nothing
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(child, SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE_FALSE(fs::exists(s / "cut"));
  const std::size_t kept = finished();
  REQUIRE(kept < 216);

  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o cut").err,
               ContainsSubstring("--resume"));  // never mixed by accident
  // A point that was being written when the machine went down.
  s.write("cut.partial/points/000216.json", "{\"configuration\": 1");
  const Outcome resumed = run_harmonia(s, "sweep sweep.yaml -j 2 -o cut --resume");
  INFO(resumed.err << resumed.out);
  REQUIRE(resumed.status == 1);
  REQUIRE_THAT(resumed.out, ContainsSubstring("216 points; " + std::to_string(216 - kept) + " simulated now, " +
                                              std::to_string(kept) + " from an earlier run"));
  REQUIRE(sorted(Scratch::read(s / "cut/sweep.csv")) == sorted(expected));
  REQUIRE_FALSE(fs::exists(s / "cut.partial"));

  // Finished: resuming runs nothing; another sweep in its place is noticed.
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o cut --resume").out, ContainsSubstring("0 simulated now, 216 from"));
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o cut --resume --set seed=7").err, ContainsSubstring("not this one"));
}

TEST_CASE("sweep: resuming with a changed sweep file or scenario is noticed") {
  const Scratch s;
  s.write("base.yaml", "{base: default, model: stories260k, workload: {context: 8, tokens: 1}}");
  s.write("sweep.yaml", "{scenario: ./base.yaml, grid: {weights: [fp16, kmeans1]}}");
  fs::create_directories(s / "out.partial");  // killed before it wrote anything
  const Outcome done = run_harmonia(s, "sweep sweep.yaml -o out --resume");
  INFO(done.err);
  REQUIRE(done.status == 0);
  // An unfinished sweep, made from the finished one.
  fs::rename(s / "out", s / "out.partial");
  fs::remove(s / "out.partial/points/000002.json");
  s.write("sweep.yaml", "{scenario: ./base.yaml, grid: {weights: [fp16, kmeans2]}}");
  const Outcome changed = run_harmonia(s, "sweep sweep.yaml -o out --resume");
  REQUIRE(changed.status == 2);
  REQUIRE_THAT(changed.err, ContainsSubstring("point 2 was another"));
  s.write("sweep.yaml", "{scenario: ./base.yaml, grid: {weights: [fp16, kmeans1]}}");
  s.write("base.yaml", "{base: default, model: stories260k, workload: {context: 9, tokens: 1}}");
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o out --resume").err,
               ContainsSubstring("base.yaml has changed since it was begun"));
  s.write("base.yaml", "{base: default, model: stories260k, workload: {context: 8, tokens: 1}}");
  const Outcome same = run_harmonia(s, "sweep sweep.yaml -o out --resume");
  REQUIRE(same.status == 0);
  REQUIRE_THAT(same.out, ContainsSubstring("1 simulated now, 1 from"));
}

TEST_CASE("sweep: resuming with a changed trace, model, accelerator or channel names the file") {
  const Scratch s;
  const std::string model =
      "{hidden_size: 64, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 64, "
      "vocab_size: 100}\n";
  s.write("model.yaml", model);
  s.write("config.json",
          "{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, "
          "\"intermediate_size\": 64, \"vocab_size\": 100}");
  s.write("small.yaml", "base: harmonia-small\n");
  s.write("channel.yaml", "base: LPDDR5X-8533\n");
  s.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,5,2\n0.00001,4,2\n");
  s.write("base.yaml", "{model: ./model.yaml, accelerator: ./small.yaml, workload: ./trace.csv}");
  s.write("sweep.yaml",
          "{scenario: ./base.yaml, grid: {model: [./model.yaml, ./config.json], accelerator.dram: [./channel.yaml]}}");
  const Outcome done = run_harmonia(s, "sweep sweep.yaml -o out");
  INFO(done.err);
  REQUIRE(done.status == 0);
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o out --resume").out, ContainsSubstring("0 simulated now, 2 from"));
  // What stands in them means the same before and after; that they changed is enough.
  for (const char* file : {"trace.csv", "model.yaml", "config.json", "small.yaml", "channel.yaml", "base.yaml"}) {
    INFO(file);
    const std::string before = Scratch::read(s / file);
    s.write(file, before + "\n");
    const Outcome changed = run_harmonia(s, "sweep sweep.yaml -o out --resume");
    CHECK(changed.status == 2);
    CHECK_THAT(changed.err, ContainsSubstring(std::string(file) + " has changed since it was begun"));
    s.write(file, before);
  }
  REQUIRE(run_harmonia(s, "sweep sweep.yaml -o out --resume").status == 0);
}

TEST_CASE("sweep: points that a signal or a full disk failed run again, refused ones do not") {
  const Scratch s;
  s.write("sweep.yaml",
          "{scenario: default, set: {model: stories260k, workload: {tokens: 1, context: 8}, "
          "accelerator.dram.channel.rows: 64}, grid: {workload.batch: [1, 2, 3, 4096]}}");
  const Outcome whole = run_harmonia(s, "sweep sweep.yaml -j 2 -o whole");
  REQUIRE(whole.status == 1);
  // The third point's result is larger than files may be, the fourth is refused by the model of the machine.
  Outcome limited{};
  {
    const std::string command = "cd '" + s.path().string() + "' && bash -c 'ulimit -f 4; trap \"\" XFSZ; exec " +
                                std::string(HARMONIA_PROGRAM) + " sweep sweep.yaml -j 2 -o out' > log 2>&1";
    limited.status = WEXITSTATUS(std::system(command.c_str()));
    limited.out = Scratch::read(s / "log");
  }
  INFO(limited.out);
  REQUIRE(limited.status == 1);
  REQUIRE_THAT(limited.out, ContainsSubstring("4 failed"));
  const Outcome again = run_harmonia(s, "sweep sweep.yaml -j 2 -o out --resume");
  INFO(again.out << again.err);
  REQUIRE_THAT(again.out, ContainsSubstring("4 points; 3 simulated now, 1 from an earlier run, 1 failed"));
  REQUIRE(Scratch::read(s / "out/sweep.csv") == Scratch::read(s / "whole/sweep.csv"));
  REQUIRE_FALSE(fs::exists(s / "out.partial"));
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o out --resume").out, ContainsSubstring("0 simulated now, 4 from"));

  // Killed while it ended: the result is there, and its folder of points for the most part gone.
  s.write("out.partial/.harmonia-sweep", "An unfinished sweep of harmonia; --resume goes on with it.\n");
  s.write("out.partial/points/000001.json", "{}");
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o out --resume").out, ContainsSubstring("0 simulated now, 4 from"));
  REQUIRE_FALSE(fs::exists(s / "out.partial"));

  // A signal, as the point's file says it.
  Json point = Json::parse(Scratch::read(s / "out/points/000002.json"));
  point["status"] = "failed";
  point["exit_status"] = 128 + SIGKILL;
  s.write("out/points/000002.json", point.dump());
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml -o out --resume").out,
               ContainsSubstring("1 simulated now, 3 from an earlier run, 1 failed"));
  REQUIRE(Scratch::read(s / "out/sweep.csv") == Scratch::read(s / "whole/sweep.csv"));
}

TEST_CASE("sweep: what it did not make beside its output is left alone") {
  const Scratch s;
  s.write("sweep.yaml",
          "{scenario: default, set: {model: stories260k, workload: {tokens: 1, context: 8}}, "
          "grid: {workload.batch: [1, 2]}}");
  s.write("out.partial/notes/thesis.txt", "mine");
  s.write("out.partial/points/000001.json", "mine");
  for (const char* resume : {"", " --resume"}) {
    const Outcome o = run_harmonia(s, std::string("sweep sweep.yaml -o out") + resume);
    INFO(o.err);
    REQUIRE(o.status == 2);
    REQUIRE_THAT(o.err, ContainsSubstring("out.partial: exists and was not made by a sweep of harmonia"));
    REQUIRE(Scratch::read(s / "out.partial/notes/thesis.txt") == "mine");
    REQUIRE(Scratch::read(s / "out.partial/points/000001.json") == "mine");
    REQUIRE_FALSE(fs::exists(s / "out"));
  }
  // Something of a user's inside a folder that a sweep made stays too.
  fs::remove_all(s / "out.partial");
  s.write("out.partial/.harmonia-sweep", "An unfinished sweep of harmonia; --resume goes on with it.\n");
  s.write("out.partial/points/000009.json.harmonia-partial-AbCd12", "cut");  // of a kill
  s.write("out.partial/notes.txt", "mine");
  s.write("out.partial/points/notes.txt", "mine");
  REQUIRE(run_harmonia(s, "sweep sweep.yaml -o out --resume").status == 0);
  REQUIRE(Scratch::read(s / "out.partial/notes.txt") == "mine");
  REQUIRE(Scratch::read(s / "out.partial/points/notes.txt") == "mine");
  REQUIRE_FALSE(fs::exists(s / "out.partial/points/000009.json.harmonia-partial-AbCd12"));
  REQUIRE(std::distance(fs::directory_iterator(s / "out/points"), fs::directory_iterator()) == 2);
}

TEST_CASE("every committed sweep can be used, and check says so") {
  const Scratch s;
  std::size_t sweeps = 0;
  for (const auto& file : fs::directory_iterator(HARMONIA_SOURCE "/workloads/sweeps")) {
    const Outcome o = run_harmonia(s, "check '" + file.path().string() + "'");
    INFO(o.err);
    REQUIRE(o.status == 0);
    REQUIRE_THAT(o.out, ContainsSubstring("a sweep: "));
    ++sweeps;
  }
  REQUIRE(sweeps >= 5);
  s.write("bad.yaml", "{scenario: default, grid: {weights: [fp16, kmeans9]}}");
  REQUIRE_THAT(run_harmonia(s, "check bad.yaml").err, ContainsSubstring("the point weights=kmeans9"));
}

TEST_CASE("sweep: listed points combine with the grid, and rows are in order") {
  const Scratch s;
  s.write("sweep.yaml",
          "scenario: default\nset: {model: stories260k, workload: {tokens: 1, context: 8}}\n"
          "points:\n  - {weights: fp16, kv: fp16}\n  - {weights: {format: kmeans1, codebook: int5}}\n"
          "grid: {workload.batch: [1, 2]}\n");
  const Outcome o = run_harmonia(s, "sweep sweep.yaml -o out");
  INFO(o.err << o.out);
  REQUIRE(o.status == 0);
  const std::vector<std::string> lines = lines_of(Scratch::read(s / "out/sweep.csv"));
  REQUIRE(lines.size() == 5);
  REQUIRE(lines[0].rfind("point,status,reason,weights,kv,workload.batch,weights.format,weights.codebook,bound,", 0) ==
          0);
  REQUIRE(lines[2].rfind("2,ok,,fp16,fp16,2,,,", 0) == 0);
  REQUIRE(lines[3].rfind("3,ok,,,,1,kmeans1,int5,", 0) == 0);
  REQUIRE(lines[0].find("wall") == std::string::npos);
}

}  // namespace
}  // namespace harmonia::test
