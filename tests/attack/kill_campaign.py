#!/usr/bin/env python3
"""Kills run, sweep, compare and quantize at random moments and looks at what is left.

    kill_campaign.py PROGRAM SEEDS [--count N] [--seed S]

Each round begins with a complete earlier result and starts a command that would replace it. A SIGKILL (one time in three a
SIGINT or SIGTERM) comes at a random moment. Then the earlier result must be there as it was, or the new one as a whole; the same
command (a sweep with --resume) must end well; its result must be that of a run that nobody disturbed, no finished point of the
sweep may have run twice; and nothing else may be left. SEEDS is the program that writes the small model to quantize.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SCENARIO = """name: kill
model: stories260k
accelerator: harmonia-small
workload: {phase: decode, batch: 1, context: CONTEXT, tokens: TOKENS}
seed: SEED
"""


def need(condition, text):
    if not condition:
        raise AssertionError(text)


def without_cost(file):
    result = json.loads(file.read_text())
    for key in ("wall_seconds", "simulation_events"):
        result.pop(key, None)
    return json.dumps(result)


class Case:
    """A command in two versions (0: the earlier result, 1: the one that is killed), and what their results hold."""

    def __init__(self, name, arguments, output, contents):
        self.name, self.arguments, self.output, self.contents = name, arguments, output, contents
        self.reference = [None, None]
        self.seconds = 1.0


class Campaign:
    def __init__(self, program, seeds, folder):
        self.program, self.folder = program, folder
        self.tmp, self.inputs, self.kept = folder / "tmp", folder / "inputs", folder / "kept"
        for f in (self.tmp, self.inputs, self.kept):
            f.mkdir()
        subprocess.run([seeds, self.inputs / "seeds"], check=True, stdout=subprocess.DEVNULL)
        seed = self.inputs / "seeds" / "llama2c" / "model"  # its first byte is a choice of the fuzz target's
        model = self.inputs / "model.bin"
        model.write_bytes((seed if seed.is_file() else sorted(seed.iterdir())[0]).read_bytes()[1:])
        for v in (0, 1):
            (self.inputs / f"run{v}.yaml").write_text(SCENARIO.replace("TOKENS", "40").replace("SEED", str(v + 1)).replace("CONTEXT", str(32 + v)))
            (self.inputs / f"short{v}.yaml").write_text(SCENARIO.replace("TOKENS", "2").replace("SEED", str(v + 1)).replace("CONTEXT", str(32 + v)))
            (self.inputs / f"sweep{v}.yaml").write_text(
                f"scenario: ./short{v}.yaml\ngrid: {{weights: [fp16, int4, kmeans4, kmeans2], workload.context: [{8 + v}, 40]}}\n")
        def inputs(name, v):
            return str(self.inputs / f"{name}{v}.yaml")
        self.cases = [
            Case("run", lambda v: ["run", inputs("run", v)], "out", lambda o: without_cost(o / "result.json")),
            Case("sweep", lambda v: ["sweep", inputs("sweep", v), "-j", "2"], "out", lambda o: (o / "sweep.csv").read_text()),
            Case("compare", lambda v: ["compare", inputs("short", v), "--over", "weights=fp16,int4,kmeans2", "-j", "2"], "out",
                 lambda o: (o / "compare.csv").read_text()),
            Case("quantize", lambda v: ["quantize", str(model), "--format", ("kmeans4", "kmeans2")[v], "--brief"],
                 "out.safetensors", lambda o: o.read_bytes()),
        ]

    def start(self, case, version, *more):
        command = [self.program, *case.arguments(version), "-o", case.output, *more]
        environment = dict(os.environ, TMPDIR=str(self.tmp))
        return subprocess.Popen(command, cwd=self.work, env=environment, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finish(self, process, what):
        out, err = process.communicate(timeout=300)
        need(process.returncode == 0, f"{what} ended with {process.returncode}: {err}{out}")
        return out

    def prepare(self):
        for case in self.cases:
            for version in (0, 1):
                self.work = self.kept / f"{case.name}{version}"
                self.work.mkdir()
                began = time.monotonic()
                self.finish(self.start(case, version), case.name)
                case.seconds = time.monotonic() - began
                case.reference[version] = case.contents(self.work / case.output)
            need(case.reference[0] != case.reference[1], f"{case.name}: both versions give the same result")

    def version_of(self, case):
        contents = case.contents(self.work / case.output)
        need(contents in case.reference, f"{case.name}: the result is neither the earlier nor the new one")
        return case.reference.index(contents)

    def round(self, case, signal_number, delay):
        self.work = self.folder / "rounds" / "work"  # as deep as the kept ones: results name their inputs by relative paths
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.kept / f"{case.name}0", self.work)
        process = self.start(case, 1)
        time.sleep(delay)
        process.send_signal(signal_number)
        process.communicate(timeout=300)
        cut = process.returncode != 0
        version = self.version_of(case)
        need(version == 1 or cut, f"{case.name}: status 0, and the earlier result is still there")
        more, finished = [], 0
        # Without its sweep.json what is left is no sweep to go on with: one that had just begun, or had ended.
        if case.name == "sweep" and (self.work / "out.partial/sweep.json").exists():
            more = ["--resume"]
            finished = len([f for f in self.work.glob("out.partial/points/*.json") if self.whole(f)])
        text = self.finish(self.start(case, 1, *more), case.name + " again")
        need(self.version_of(case) == 1, f"{case.name}: the result after the kill is not that of an undisturbed run")
        if more:
            ran, kept = map(int, re.search(r"(\d+) simulated now, (\d+) from", text).groups())
            need(ran + kept == 8 and kept >= (finished if version == 0 else 0),
                 f"sweep: {finished} points were finished, {kept} kept and {ran} run again")
        self.nothing_left(case, signal_number)
        return cut

    @staticmethod
    def whole(file):
        try:
            return json.loads(file.read_text())["status"] == "ok"
        except ValueError:
            return False

    def nothing_left(self, case, signal_number):
        left = {f.name for f in self.work.iterdir()} - {case.output}
        if signal_number != signal.SIGKILL:
            left -= {"out.interrupted"}  # what an interrupt cut short, by its documented name
        need(not left, f"{case.name}: left beside the output: {sorted(left)}")
        inside = [str(f) for f in self.work.rglob("*harmonia-partial*")]
        need(not inside, f"{case.name}: left inside the output: {inside}")
        need(not list(self.tmp.iterdir()), f"{case.name}: left in TMPDIR: {list(self.tmp.iterdir())}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("seeds")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.count} rounds", flush=True)
    chance = random.Random(arguments.seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="harmonia-kill-"))
    try:
        campaign = Campaign(os.path.abspath(arguments.program), os.path.abspath(arguments.seeds), folder)
        campaign.prepare()
        count = {}
        for number in range(arguments.count):
            case = campaign.cases[number % len(campaign.cases)]
            kill = chance.choice([signal.SIGKILL] * 4 + [signal.SIGINT, signal.SIGTERM])
            delay = chance.uniform(0, 1.05 * case.seconds)
            try:
                cut = campaign.round(case, kill, delay)
            except (AssertionError, OSError, subprocess.SubprocessError) as problem:
                sys.exit(f"WRONG in round {number} (seed {arguments.seed}): {case.name}, {kill.name} after {delay:.3f} s: {problem}")
            key = f"{case.name} {kill.name}"
            done, hit = count.get(key, (0, 0))
            count[key] = done + 1, hit + cut
        for key in sorted(count):
            print(f"{key}: {count[key][0]} rounds, {count[key][1]} cut short")
        print("nothing lost, doubled or left")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
