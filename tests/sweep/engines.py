#!/usr/bin/env python3
"""A sweep through a real engine on this computer: the CSV must be that of one process, byte for byte.

    engines.py PROGRAM slurm|mpi|parallel

slurm: 200 points on three nodes of a Slurm on the loopback address (slurm.py); one node vanishes in the middle, and its worker is
requeued. Then a search whose every round is a job array: its front is that of one computer. Exit status 77 and a line with SKIPPED where the
engine is not installed.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import slurm

SWEEP = """name: engines
scenario: default
set: {model: stories260k, workload: {tokens: 1}}
grid:
  weights: [fp16, int4, kmeans4, kmeans2, kmeans1]
  kv: [fp16, int8]
  workload.batch: [1, 2, 3, 4]
  workload.context: [1, 31, 33, 64, 65]
"""

# Published figures stand still when blocks are synthesised anew; the constraints are of the search.
STUDY = """name: search
scenario: default
set: {accelerator.energy.source: published, model: stories260k, workload: {tokens: 1, context: 16}}
parameters: {weights: [kmeans4, kmeans1], accelerator.dram.channels: [1, 2, 4], accelerator.pe.rows: [1, 4, 16]}
constraints: {area_mm2: {at_most: 4}, power_w: {at_most: 0.9}}
objectives: {tokens_per_s: most, area_mm2: least}
search: {seed: 3, population: 4, simulations: 9, analyse: false}
"""


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(77)


class Case:
    def __init__(self, program, folder):
        self.program, self.folder = os.path.abspath(program), folder
        (folder / "sweep.yaml").write_text(SWEEP)
        self.environment = {k: v for k, v in os.environ.items() if k not in ("HARMONIA_DATA", "HARMONIA_WORKLOADS")}

    def run(self, *words, status=0, environment=None):
        done = subprocess.run([self.program, *words], cwd=self.folder, env=environment or self.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=400)
        need(done.returncode == status, f"{' '.join(words)}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def sweep(self, *words, **options):
        return self.run("sweep", *words, **options)

    def same(self, name):
        need((self.folder / name / "sweep.csv").read_bytes() == (self.folder / "local" / "sweep.csv").read_bytes(), "another CSV")
        need(not (self.folder / f"{name}.partial").exists(), "the unfinished sweep is still there")


def through_slurm(case):
    with slurm.Slurm(case.folder / "s") as cluster:
        environment = dict(case.environment, SLURM_CONF=cluster.environment["SLURM_CONF"], PATH=cluster.environment["PATH"])
        refused = case.sweep("sweep.yaml", "-o", "out", "--engine", "slurm", "--workers", "4", "--engine-option=--partition=nowhere", status=1,
                             environment=environment)
        need("sbatch refused" in refused and "partition" in refused, refused)
        need(not (case.folder / "out.partial").exists(), "a folder is left of what was refused")
        said = case.sweep("sweep.yaml", "-o", "out", "--engine", "slurm", "--workers", "6", "--throttle", "4", "--lease", "8",
                          "--engine-option=--time=10:00", "--json", environment=environment)
        submitted = json.loads(said)
        need(submitted["workers"] == 6 and not submitted["complete"], said)
        queue = subprocess.run(["squeue", "--noheader", "--array", "--format=%A %F"], env=environment, capture_output=True, text=True, check=True).stdout.split()
        need(submitted["job_array"] in queue and submitted["job_merge"] in queue, f"{said} but the queue has {queue}")
        # In the middle: some points are there, and the node that is taken down is at work.
        points = case.folder / "out.partial" / "points"
        cluster.until(lambda: points.exists() and len(list(points.iterdir())) >= 20, "20 points", 120)
        need(len(list(points.iterdir())) < 200, "the sweep was over before a node could be taken down")
        before = [j for j in cluster.jobs() if " RUNNING " in j]
        victim = next(j.split()[-1] for j in before)
        cluster.take_down(victim)
        status = case.sweep("status", "out", environment=environment)
        need("engines: 200 points" in status, status)
        need("down" in " ".join(cluster.states()), "the node is not down")
        cluster.bring_back(victim)

        def merged():
            cluster.hasten()
            return (case.folder / "out" / "sweep.csv").exists() and not (case.folder / "out.partial").exists()

        cluster.until(merged, "the merge", 200)
        log = (cluster.folder / "slurmctld.log").read_text()
        need("requeue job" in log.lower(), f"slurmctld requeued nothing: {log}")
        explored_through_slurm(case, environment)
    case.same("out")


def explored_through_slurm(case, environment):
    if all(subprocess.run([python, "-c", "import deap"], capture_output=True, check=False).returncode for python in (sys.executable, "/usr/bin/python3")):
        print("SKIPPED: no DEAP for the search (python3-deap)")
        return
    (case.folder / "study.yaml").write_text(STUDY)
    case.run("explore", "study.yaml", "-o", "here", "-j", "2")
    case.run("explore", "study.yaml", "-o", "there", "--engine", "slurm", "--workers", "2", environment=environment)
    for name in ("front.csv", "points.csv"):
        need((case.folder / "here" / name).read_bytes() == (case.folder / "there" / name).read_bytes(), f"explore: another {name}")
    print("explore: the front of one computer")


def through_mpi(case):
    options = ["--engine-option=--oversubscribe", "--engine-option=--allow-run-as-root"]
    said = case.sweep("sweep.yaml", "-o", "out", "--engine", "mpi", "--workers", "4", *options)
    need("200 points, 0 failed" in said, said)
    for rank in (1, 2, 3, 4):
        need(f"shard {rank}/4 ran" in said, said)
    case.same("out")


def through_parallel(case):
    said = case.sweep("sweep.yaml", "-o", "out dir", "--engine", "parallel", "--workers", "3", "--json")
    outcome = json.loads(said.splitlines()[0])  # alone on stdout: what the workers print goes to stderr
    need(outcome["complete"] and (outcome["points"], outcome["failed"]) == (200, 0), said)
    need("shard 3/3 ran" in said, said)
    case.same("out dir")


def main():
    program, engine = sys.argv[1:]
    if engine == "slurm" and slurm.missing():
        skip(f"no Slurm here: {slurm.missing()}")
    if engine != "slurm" and shutil.which({"mpi": "mpirun", "parallel": "parallel"}[engine]) is None:
        skip(f"{engine} is not installed")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="harmonia-engine-"))
    (folder / "s").mkdir()
    started = time.monotonic()
    try:
        case = Case(program, folder)
        case.sweep("sweep.yaml", "-j", "2", "-o", "local")
        {"slurm": through_slurm, "mpi": through_mpi, "parallel": through_parallel}[engine](case)
        print(f"{engine}: 200 points, the CSV of one process, {time.monotonic() - started:.0f} s")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
