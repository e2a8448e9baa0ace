#!/usr/bin/env python3
"""Runs a small scenario under random settings, each within the range that its key states: no run may crash, hang, fail its own
checks or give a figure that is negative, not finite or, of a share, beyond 1; a refusal names a key.

    tests/attack/settings.py PROGRAM [--count N] [--seed S] [--jobs J] [--keep FOLDER]

The keys and their ranges come from `PROGRAM list keys`, so that a new key is attacked without an entry here. Sizes of the work
(layers, tokens, sequences) are held to what runs in a moment. Exit status 1: something failed.
"""
import argparse
import collections
import concurrent.futures
import math
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

from program import attack, fault_of_result

MODEL = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 256,
         "vocab_size": 512, "head_dim": 32}
# What decides how long a run takes: the largest value that is tried, whatever the key's range.
LARGEST = {
    "model.hidden_size": 512, "model.num_hidden_layers": 6, "model.num_attention_heads": 16, "model.num_key_value_heads": 16,
    "model.intermediate_size": 1024, "model.vocab_size": 4096, "model.head_dim": 128, "workload.batch": 24, "workload.context": 400,
    "workload.tokens": 6, "workload.rows": 1024, "workload.cols": 1024, "workload.max_batch": 8, "workload.prefill_chunk_tokens": 512,
    "workload.limit": 8, "fidelity.sampled_layers": 6, "accelerator.dram.channels": 16,
}
# Clock periods between commands of a DRAM channel: more make every burst take milliseconds, with a refresh for each microsecond.
DRAM_CYCLES = re.compile(r"^accelerator\.dram\.channel\.[A-Z][A-Za-z0-9_]*$")
SLOWEST_DRAM_CYCLES = 20000
# Keys that take the name of a file or a text, and those whose fastest or slowest value makes minutes of simulation.
LEFT_OUT = re.compile(r"^(name|description|.*\.(name|description)|workload\.trace.*|output\..*|blocks\..*|seed|.*\[\].*)$")


def described(program):
    done = subprocess.run([program, "list", "keys"], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            yield cells[0].strip("`"), cells[2]


def log_uniform(dice, low, high):
    """Small values are as likely as large ones; both ends are tried."""
    choice = dice.random()
    if choice < 0.1:
        return low
    if choice < 0.2:
        return high
    shift = 1 - low if low < 1 else 0
    return min(high, max(low, math.exp(dice.uniform(math.log(low + shift), math.log(high + shift))) - shift))


def value(key, expected, dice):
    """A value within the range that the key states, or None when it states none."""
    if expected == "true or false":
        return dice.choice(("true", "false"))
    if expected.startswith("one of: "):
        return dice.choice(expected[len("one of: "):].split(", "))
    found = re.match(r"(whole number|power of two|multiple of (\d+)|number) (?:from|above|of at least) ([\d.e+-]+)(?: (?:to|and at most) ([\d.e+-]+))?",
                     expected)
    if not found:
        return None
    kind, step, low = found.group(1), int(found.group(2) or 1), float(found.group(3))
    high = min(float(found.group(4) or 1e6), LARGEST.get(key, SLOWEST_DRAM_CYCLES if DRAM_CYCLES.match(key) else math.inf))
    if kind == "number":
        low = max(low, 1e-6) if "above" in expected else low
        return repr(log_uniform(dice, low, max(low, high)))
    if kind == "power of two":
        return str(1 << dice.randint(int(math.log2(low)), int(math.log2(high))))
    whole = int(log_uniform(dice, low, max(low, high)))
    return str(max(int(low), whole // step * step))


def scenario(dice):
    """Settings of a small run: a phase, a model, a machine, formats."""
    phase = dice.choice(("decode", "decode", "prefill", "gemv", "replay"))
    shape = ", ".join(f"{k}: {v}" for k, v in MODEL.items())
    settings = [f"model={{name: tiny, {shape}}}"]
    if phase == "replay":
        settings += ["workload={trace: TRACE, max_batch: 3, prefill_chunk_tokens: 64}"]
    elif phase == "gemv":
        settings += [f"workload={{phase: gemv, rows: 256, cols: 256, batch: {dice.choice((1, 2, 8, 9, 17))}}}"]
    else:
        settings += [f"workload={{phase: {phase}, batch: {dice.choice((1, 1, 2, 5))}, context: {dice.choice((0, 1, 31, 40, 130))}, tokens: {dice.choice((1, 2))}}}"]
    settings += ["fidelity.mode=" + dice.choice(("full", "sampled")), "fidelity.timing=" + dice.choice(("at", "lt"))]
    if dice.random() < 0.3:
        settings += ["fidelity.data=functional"]
    if dice.random() < 0.3:
        settings += ["accelerator=" + dice.choice(("harmonia", "harmonia-hbm2", "harmonia-small", "fp-fp", "figna", "anda", "l40s"))]
    settings += [f"accelerator.{k}" for k in dice.choice(([], [], ["activation_buffer.capacity_bytes=8192", "weight_buffer.capacity_bytes=16384"]))]
    return settings


def one_attack(program, keys, seed, folder):
    dice = random.Random(seed)
    settings = scenario(dice)
    wanted = dice.choice((1, 1, 1, 2, 2, 3))
    while wanted:
        key, expected = dice.choice(keys)
        chosen = value(key, expected, dice)
        if chosen is not None:
            settings.append(f"{key}={chosen}")
            wanted -= 1
    out = folder / str(seed)
    words = [program, "run", "default", "-o", out, "--set", "output.timeline=false"]
    for s in settings:
        words += ["--set", s.replace("TRACE", str(folder / "trace.csv"))]
    outcome = attack(words, [s.split("=")[0].split(".")[-1] for s in settings] + ["model.", "accelerator.", "workload.", "fidelity."], seconds=60)
    if not outcome.fault:
        if outcome.status == 0:
            outcome.fault = fault_of_result(out / "result.json")
        elif outcome.status == 1:
            outcome.fault = "the run failed"
    if not outcome.fault:
        shutil.rmtree(out, ignore_errors=True)
    return outcome, words


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=pathlib.Path)
    args = parser.parse_args()
    program = args.program.resolve()
    keys = [(k, e) for k, e in described(program) if not LEFT_OUT.match(k) and "map of keys" not in e]
    print(f"{args.count} runs under random settings of {len(keys)} keys, seed {args.seed}")
    counts, faults = collections.Counter(), []
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        folder = pathlib.Path(scratch)
        (folder / "trace.csv").write_text("arrival_s,prompt_tokens,output_tokens\n0,40,3\n0.000001,1,2\n0.00001,90,4\n0.001,33,1\n")
        jobs = [pool.submit(one_attack, program, keys, args.seed * 10 ** 6 + n, folder) for n in range(args.count)]
        for job in concurrent.futures.as_completed(jobs):
            outcome, words = job.result()
            counts["ran" if outcome.status == 0 else "refused"] += 1
            if outcome.fault:
                faults.append((outcome, words))
        print(f"  {counts['ran']} ran, {counts['refused']} refused")
        for outcome, words in faults[:60]:
            quoted = " ".join(f"'{w}'" if re.search(r"[ {]", str(w)) else str(w) for w in words)
            print(f"FAILED: {outcome.fault}\n  {quoted}\n  {outcome.err.strip()[-500:]}")
        if faults and args.keep:
            shutil.copytree(folder, args.keep, dirs_exist_ok=True)
    print(f"{len(faults)} of {args.count} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
