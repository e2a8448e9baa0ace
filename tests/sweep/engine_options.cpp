// What the engines would be given, and what is refused before anything is done.
#include <filesystem>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

namespace fs = std::filesystem;

const char* kSweep = "{name: z, scenario: default, set: {model: stories260k}, grid: {workload.batch: [1, 2]}}";

TEST_CASE("engines: a dry run prints what would be submitted and does nothing") {
  const Scratch s;
  s.write("sweep.yaml", kSweep);
  const Outcome slurm = run_harmonia(s,
                                     "sweep sweep.yaml -o out --engine slurm --workers 20 --throttle 5 --resume "
                                     "--engine-option=--time=1:00:00 --set seed=3 --dry-run");
  INFO(slurm.err << slurm.out);
  REQUIRE(slurm.status == 0);
  for (const char* line :
       {"#SBATCH --array=1-20%5\n", "#SBATCH --requeue\n", "#SBATCH --time=1:00:00\n", "--set seed=3 --resume",
        "--shard \"$SLURM_ARRAY_TASK_ID/20\"\n", "sbatch --parsable ", "--dependency=afterok:@1", "sweep merge "})
    REQUIRE_THAT(slurm.out, ContainsSubstring(line));
  const Outcome mpi =
      run_harmonia(s, "sweep sweep.yaml -o out --engine mpi --workers 4 --engine-option=--oversubscribe --dry-run");
  REQUIRE_THAT(mpi.out, ContainsSubstring("mpirun -n 4 --oversubscribe sh -c"));
  const Outcome parallel = run_harmonia(
      s, "sweep sweep.yaml -o 'it'\"'\"'s' --engine parallel --workers 3 --engine-option=--sshlogin=a,b --dry-run");
  REQUIRE_THAT(parallel.out, ContainsSubstring("--sshlogin=a,b") && ContainsSubstring("'{}/3' ::: 1 2 3\n") &&
                                 ContainsSubstring("it'\\''s'"));
  for (const char* left : {"out", "out.partial", "it's.partial"}) REQUIRE_FALSE(fs::exists(s / left));
}

TEST_CASE("engines: what is missing or cannot be is refused by name, and leaves nothing") {
  const Scratch s;
  s.write("sweep.yaml", kSweep);
  const auto refused = [&](const std::string& arguments, const std::string& why, int status,
                           const std::string& environment = {}) {
    const Outcome o = run_harmonia(s, "sweep sweep.yaml -o out " + arguments, environment);
    INFO(o.err << o.out);
    REQUIRE(o.status == status);
    REQUIRE_THAT(o.err, ContainsSubstring(why));
    REQUIRE_FALSE(fs::exists(s / "out.partial"));
  };
  refused("--engine slurn", "--engine slurn: is no engine; nearest known engine is 'slurm'", 2);
  refused("--engine mpi --throttle 3", "takes no --throttle", 2);
  refused("--engine mpi --shard 1/2", "--shard and --engine are given", 2);
  refused("--workers 3", "need --engine slurm, mpi or parallel", 2);
  refused("--engine slurm '--engine-option=--time=1\n#'", "holds a line break", 2);
  for (const auto& [engine, program] : {std::pair{"slurm", "sbatch"}, {"mpi", "mpirun"}, {"parallel", "parallel"}})
    refused(std::string("--engine ") + engine, std::string(program) + " is missing", 1, "PATH=/nonexistent");
  // A queue that says no, as sbatch does.
  s.write("bin/sbatch", "#!/bin/sh\necho 'sbatch: error: Batch job submission failed: Invalid account' >&2\nexit 1\n");
  fs::permissions(s / "bin/sbatch", fs::perms::owner_all);
  refused("--engine slurm", "sbatch refused: sbatch: error: Batch job submission failed: Invalid account", 1,
          "PATH=" + (s / "bin") + ":/usr/bin:/bin");
  // The array is taken and the merge is not: the array is cancelled.
  s.write("bin/sbatch",
          "#!/bin/sh\ncase \"$*\" in *afterok*) echo 'no more jobs' >&2; exit 1;; esac\necho '77;here'\n");
  s.write("bin/scancel", "#!/bin/sh\necho \"$@\" > cancelled\n");
  fs::permissions(s / "bin/scancel", fs::perms::owner_all);
  refused("--engine slurm", "sbatch refused: no more jobs", 1, "PATH=" + (s / "bin") + ":/usr/bin:/bin");
  REQUIRE(Scratch::read(s / "cancelled") == "77\n");
  // A worker that fails: what is finished stays.
  s.write("bin/mpirun", "#!/bin/sh\nexit 3\n");
  fs::permissions(s / "bin/mpirun", fs::perms::owner_all);
  const Outcome o = run_harmonia(s, "sweep sweep.yaml -o out --engine mpi", "PATH=" + (s / "bin") + ":/usr/bin:/bin");
  REQUIRE(o.status == 1);
  REQUIRE_THAT(o.err, ContainsSubstring("mpirun ended with status 3; what is finished is in ") &&
                          ContainsSubstring("--resume goes on"));
  REQUIRE(fs::exists(s / "out.partial/sweep.json"));
}

}  // namespace
}  // namespace harmonia::test
