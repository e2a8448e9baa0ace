// Several workers on one sweep, as a user meets them.
#include <cstdlib>
#include <filesystem>

#include "harmonia/config/error.h"
#include "harmonia/testbench/sweep/shard.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

namespace fs = std::filesystem;

/// 36 points of a tiny model, of which 12 do not fit the memory.
const char* kSweep =
    "name: tiny\n"
    "scenario: default\n"
    "set: {model: stories260k, workload: {tokens: 1}, accelerator.dram.channel.rows: 64}\n"
    "grid:\n"
    "  weights: [fp16, kmeans4, kmeans1]\n"
    "  workload.batch: [1, 2, 4096]\n"
    "  workload.context: [1, 31, 33, 64]\n";

TEST_CASE("shards: three workers at a time give the CSV of one computer, byte for byte") {
  const Scratch s;
  s.write("sweep.yaml", kSweep);
  REQUIRE(run_harmonia(s, "sweep sweep.yaml -j 2 -o whole").status == 1);  // the points that do not fit
  const std::string together = "for i in 1 2 3; do '" HARMONIA_PROGRAM
                               "' sweep sweep.yaml --shard $i/3 -o shared > $i.out 2> $i.err & done; wait";
  REQUIRE(std::system(("cd '" + s.path().string() + "' && unset HARMONIA_WORKLOADS; " + together).c_str()) == 0);
  REQUIRE_THAT(Scratch::read(s / "1.out"), ContainsSubstring("every point is there"));
  REQUIRE_FALSE(fs::exists(s / "shared"));
  REQUIRE_THAT(run_harmonia(s, "sweep status shared").out,
               ContainsSubstring("tiny: 36 points, 24 done, 12 failed, 0 running, 0 waiting\n"));

  const Outcome merged = run_harmonia(s, "sweep merge shared");
  INFO(merged.err);
  REQUIRE(merged.status == 1);
  REQUIRE_THAT(merged.err, ContainsSubstring("12 of 36 points failed"));
  REQUIRE(Scratch::read(s / "shared/sweep.csv") == Scratch::read(s / "whole/sweep.csv"));
  REQUIRE(Scratch::read(s / "shared/sweep.json") == Scratch::read(s / "whole/sweep.json"));
  REQUIRE_FALSE(fs::exists(s / "shared.partial"));
  // What a failed point printed is kept, of both.
  for (const char* folder : {"whole", "shared"}) {
    REQUIRE_THAT(Scratch::read(s / (std::string(folder) + "/logs/000009.txt")),
                 ContainsSubstring("the model does not fit the DRAM"));
    REQUIRE_FALSE(fs::exists(s / (std::string(folder) + "/logs/000001.txt")));
  }
  // Merging again, a worker that comes late: nothing is done twice.
  // A merge that was killed while it cleared up left this.
  s.write("shared.partial/.harmonia-sweep", "An unfinished sweep of harmonia; --resume goes on with it.\n");
  s.write("shared.partial/points/000001.json", "{}");
  REQUIRE_THAT(run_harmonia(s, "sweep merge shared").out, ContainsSubstring("36 points, 12 failed"));
  REQUIRE_FALSE(std::filesystem::exists(s / "shared.partial"));
  const Outcome late = run_harmonia(s, "sweep sweep.yaml --shard 2/3 -o shared");
  REQUIRE(late.status == 0);
  REQUIRE_THAT(late.out, ContainsSubstring("ran 0 of 36 points") && ContainsSubstring("put together already"));
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml --shard 2/3 -o shared --set seed=3").err,
               ContainsSubstring("is a finished sweep and not this one"));
  REQUIRE_THAT(run_harmonia(s, "sweep status shared").out, ContainsSubstring("(finished)"));
}

TEST_CASE("shards: one goes on with what a killed sweep left, and a sweep with what killed shards left") {
  const Scratch s;
  s.write("sweep.yaml", kSweep);
  REQUIRE(run_harmonia(s, "sweep sweep.yaml -j 2 -o whole").status == 1);
  const auto begun = [&](const std::string& name) {
    fs::copy(s / "whole", s / (name + ".partial"), fs::copy_options::recursive);
    for (const char* point : {"000002", "000020"}) fs::remove(s / (name + ".partial/points/" + point + ".json"));
  };
  begun("a");
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml --shard 1/2 -o a").err,
               ContainsSubstring("holds an unfinished sweep without shards, expected --resume"));
  const Outcome shard = run_harmonia(s, "sweep sweep.yaml --shard 1/2 -o a --resume");
  INFO(shard.err << shard.out);
  REQUIRE(shard.status == 0);
  REQUIRE(run_harmonia(s, "sweep merge a").status == 1);
  REQUIRE(Scratch::read(s / "a/sweep.csv") == Scratch::read(s / "whole/sweep.csv"));

  // Claims of a worker that has ended: one finished and not published, one not finished.
  begun("b");
  const std::string dead = "elsewhere-1-2-3";
  s.write("b.partial/claims/000002/done.1." + dead, "");
  fs::create_directories(s / "b.partial/pending");
  fs::copy_file(s / "whole/points/000002.json", s / ("b.partial/pending/000002.done.1." + dead));
  s.write("b.partial/claims/000020/held.1." + dead, "");
  REQUIRE_THAT(run_harmonia(s, "sweep merge b").err,
               ContainsSubstring("1 of 36 points are missing, 1 of them held by workers"));
  REQUIRE_THAT(run_harmonia(s, "sweep status b").out, ContainsSubstring("1 held by workers that ended"));
  const Outcome alone = run_harmonia(s, "sweep sweep.yaml -o b --resume");
  INFO(alone.err << alone.out);
  REQUIRE_THAT(alone.out, ContainsSubstring("1 simulated now, 35 from an earlier run"));
  REQUIRE(Scratch::read(s / "b/sweep.csv") == Scratch::read(s / "whole/sweep.csv"));
  REQUIRE_FALSE(fs::exists(s / "b.partial"));

  // The same while the worker may live.
  begun("c");
  s.write("c.partial/workers/" + dead, "");
  s.write("c.partial/claims/000020/held.1." + dead, "");
  const Outcome refused = run_harmonia(s, "sweep sweep.yaml -o c --resume");
  REQUIRE(refused.status == 2);
  REQUIRE_THAT(refused.err, ContainsSubstring("is being worked on by " + dead));
}

TEST_CASE("shards: what cannot be is refused by name") {
  const Scratch s;
  s.write("sweep.yaml", kSweep);
  for (const char* bad : {"0/2", "3/2", "1", "1/", "/2", "a/b", "1/2/3", "1/100001"}) {
    const Outcome o = run_harmonia(s, std::string("sweep sweep.yaml --shard ") + bad);
    REQUIRE(o.status == 2);
    REQUIRE_THAT(o.err, ContainsSubstring(std::string("--shard ") + bad + ": expected I/N"));
  }
  REQUIRE_THAT(run_harmonia(s, "sweep merge").err, ContainsSubstring("DIR is missing"));
  for (const char* what : {"merge", "status"})
    REQUIRE_THAT(run_harmonia(s, std::string("sweep ") + what + " nothing").err, ContainsSubstring("holds no sweep"));
  s.write("mine.partial/thesis.txt", "mine");
  REQUIRE_THAT(run_harmonia(s, "sweep sweep.yaml --shard 1/2 -o mine").err,
               ContainsSubstring("was not made by a sweep of harmonia"));
  s.write("other.yaml", "{name: tiny, scenario: default, grid: {seed: [1, 2]}, set: {model: stories260k}}");
  fs::create_directories(s / "x");
  s.write("x.partial/.harmonia-sweep", "An unfinished sweep of harmonia; --resume goes on with it.\n");
  s.write("x.partial/sweep.json", "{}");
  REQUIRE_THAT(run_harmonia(s, "sweep other.yaml --shard 1/2 -o x").err, ContainsSubstring("holds another sweep"));
  s.write("file", "");
  const Outcome below = run_harmonia(s, "sweep sweep.yaml --shard 1/2 -o file/out");
  REQUIRE(below.status == 2);
  REQUIRE_THAT(below.err, ContainsSubstring("cannot be created"));
}

/// A command of a shell in which `shared` is a file system of its own. Nothing outside sees it.
Outcome with_mount(const Scratch& s, const std::string& mount, const std::string& command) {
  s.write("script", "set -e\nmkdir -p shared\n" + mount + "\nset +e\n" + command + "\necho status $?\n");
  const int status = std::system(("cd '" + s.path().string() +
                                  "' && env -u HARMONIA_WORKLOADS unshare --mount --map-root-user --user sh script > "
                                  ".stdout 2> .stderr < /dev/null")
                                     .c_str());
  return {status, Scratch::read(s / ".stdout"), Scratch::read(s / ".stderr")};
}

TEST_CASE("shards: a shared folder that is full or read-only is said, and nothing half-written counts") {
  const Scratch s;
  s.write("sweep.yaml", kSweep);
  if (with_mount(s, "mount -t tmpfs none shared", "true").status != 0) {
    WARN("SKIPPED: this user may not mount a file system of its own");
    return;
  }
  const std::string shard = "'" HARMONIA_PROGRAM "' sweep sweep.yaml --shard 1/1 -o shared/out";
  const Outcome read_only = with_mount(s, "mount -t tmpfs -o ro none shared", shard);
  INFO(read_only.out << read_only.err);
  REQUIRE_THAT(read_only.out, ContainsSubstring("status 2"));
  REQUIRE_THAT(read_only.err, ContainsSubstring("Read-only file system"));

  const Outcome full =
      with_mount(s, "mount -t tmpfs -o size=128k none shared",
                 shard +
                     "\necho was $?; '" HARMONIA_PROGRAM
                     "' sweep merge shared/out; "
                     "mount -o remount,size=64m shared; " +
                     shard + " --resume; '" HARMONIA_PROGRAM "' sweep merge shared/out; cp shared/out/sweep.csv .");
  INFO(full.out << full.err);
  REQUIRE_THAT(full.out, ContainsSubstring("was 1"));
  REQUIRE_THAT(full.err, ContainsSubstring("cannot write ") && ContainsSubstring("No space left on device") &&
                             ContainsSubstring("points are missing"));
  REQUIRE(run_harmonia(s, "sweep sweep.yaml -j 2 -o whole").status == 1);
  REQUIRE(Scratch::read(s / "sweep.csv") == Scratch::read(s / "whole/sweep.csv"));
}

}  // namespace
}  // namespace harmonia::test
