// Starting the workers of a sweep (shard.h) with what a site has: Slurm, Open MPI, GNU parallel.
//
// Models: the command or batch script of each engine as a thin layer over `harmonia sweep --shard I/N`; options of the
//   engine are passed through as they are. mpi and parallel are waited for and merged; slurm is handed a job array and a
//   job that merges after it, and this program ends.
// Does not model: an engine's own checks, queues and time limits; whether the computers share the folder.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "harmonia/testbench/sweep/sweep.h"

namespace harmonia::testbench {

struct EngineOptions {
  std::string name;  // "slurm", "mpi" or "parallel"
  std::size_t workers = 1;
  std::size_t throttle = 0;          // of slurm: workers at a time; 0: no limit
  std::vector<std::string> options;  // for the engine's own command line; of slurm for the job array's script
  double lease_s = 120;
  unsigned attempts = 3;
  bool output_to_stderr = false;  // what mpirun's and parallel's workers print
};

/// What an engine is going to be given.
struct Submission {
  struct File {
    std::string path, text;
  };
  std::vector<File> files;                      // batch scripts
  std::vector<std::vector<std::string>> steps;  // commands, in order; "@1" stands for what the first one answered
};

/// Names of the engines, "local" (this process itself) among them.
const std::vector<std::string>& sweep_engine_names();

/// Throws config::InputError when the engine or an option of it cannot be.
Submission submission_of(const std::string& file, const std::vector<std::string>& set, const SweepOptions& options,
                         const EngineOptions& engine);
/// The submission as a person reads it; what a shell would take.
std::string text(const Submission& submission);

struct EngineOutcome {
  bool merged = false;
  SweepOutcome sweep;           // when merged
  std::string jobs, job_merge;  // of slurm: the job array and the job that merges
};

/// Makes or joins the sweep's folder and starts the workers. Throws config::RunError when the engine is missing, refuses or
/// fails; a folder that was made for it is removed when it refuses.
EngineOutcome run_with_engine(const std::string& file, const std::vector<std::string>& set, const SweepOptions& options,
                              const EngineOptions& engine);

}  // namespace harmonia::testbench
