#!/usr/bin/env python3
"""Kills workers of a shared sweep, and the process that puts it together, at random moments; nothing may be lost or doubled.

    kills.py PROGRAM [--count N] [--seed S]

Three workers run a sweep; every few milliseconds one is killed (SIGKILL, one time in four SIGTERM) and another is started in its
place. When N have been killed, the sweep ends undisturbed, and `sweep merge` is killed at random moments until it gets through.
The CSV must be that of one computer. A sweep that ends before N kills is begun anew.
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SWEEP = """name: kills
scenario: default
set: {model: stories260k, workload: {tokens: 1}, accelerator.dram.channel.rows: 64}
grid:
  weights: [fp16, int4, kmeans4, kmeans2, kmeans1, ternary]
  kv: [fp16, bfp4+windows, int8]
  workload.batch: [1, 4096]
  workload.context: [1, 31, 33, 64]
"""


def need(condition, text):
    if not condition:
        raise SystemExit(f"WRONG: {text}")


class Campaign:
    def __init__(self, program, folder, chance):
        self.program, self.folder, self.chance = program, folder, chance
        (folder / "sweep.yaml").write_text(SWEEP)
        self.environment = {k: v for k, v in os.environ.items() if k not in ("HARMONIA_DATA", "HARMONIA_WORKLOADS")}

    def start(self, *words):
        return subprocess.Popen([self.program, "sweep", *words], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def worker(self, number, name):
        return self.start("sweep.yaml", "--shard", f"{number}/3", "--attempts", "1000", "-o", name)

    def round(self, name, kills):
        """One sweep with at most `kills` kills of workers. Returns how many there were."""
        workers = [self.worker(i, name) for i in (1, 2, 3)]
        killed = 0
        while killed < kills:
            time.sleep(self.chance.uniform(0.0, 0.12))
            victim = self.chance.randrange(3)
            if workers[victim].poll() is not None:
                break
            workers[victim].send_signal(self.chance.choice([signal.SIGKILL] * 3 + [signal.SIGTERM]))
            workers[victim].communicate()
            killed += 1
            workers[victim] = self.worker(victim + 1, name)
        for w in workers:
            error = w.communicate(timeout=300)[1]
            need(w.returncode == 0, f"a worker ended with {w.returncode}: {error.decode()}")
        return killed

    def merge(self, name):
        """Kills the merge until it gets through. Returns how often."""
        killed = 0
        for reach in (0.01, 0.02, 0.05, 0.05, 0.1, 60):
            merge = self.start("merge", name)
            try:
                error = merge.communicate(timeout=self.chance.uniform(0, reach) if reach < 60 else 60)[1]
                need(merge.returncode == 1 and b"points failed" in error, f"merge ended with {merge.returncode}: {error.decode()}")
                break
            except subprocess.TimeoutExpired:
                merge.kill()
                merge.communicate()
                killed += 1
        return killed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="harmonia-shard-kills-"))
    try:
        c = Campaign(os.path.abspath(arguments.program), folder, random.Random(arguments.seed))
        whole = c.start("sweep.yaml", "-j", "2", "-o", "whole")
        whole.communicate(timeout=300)
        expected = (folder / "whole" / "sweep.csv").read_bytes()
        workers = merges = rounds = 0
        while workers + merges < arguments.count:
            name = f"shared{rounds}"
            workers += c.round(name, arguments.count - workers)
            merges += c.merge(name)
            rounds += 1
            need((folder / name / "sweep.csv").read_bytes() == expected, f"the CSV of {name} is not that of one computer")
            need(len(list((folder / name / "points").iterdir())) == expected.count(b"\n") - 1, "points are lost or doubled")
            left = [f.name for f in folder.iterdir() if f.name.startswith(name) and f.name != name]
            need(not left, f"left beside the output: {left}")
        print(f"{workers} workers and {merges} merges killed in {rounds} sweeps: nothing lost or doubled")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
