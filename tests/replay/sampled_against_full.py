#!/usr/bin/env python3
"""Random small traces on random small machines, sampled against full.

    tests/replay/sampled_against_full.py PROGRAM [--cases 20] [--seed N] [--only CASE ...] [--keep FOLDER] [--verbose]

Of each case every figure for which the sampled run states an estimated error is compared with the full run's. Exit status 1 when

- a figure is off by more than its estimate in more than 5 % of the cases, but one at least, for any figure, or more than 5 % of
  all comparisons are;
- any figure of any case is off by more than three times its estimate;
- any figure is negative, any share outside [0, 1], a unit's shares do not add up to 1;
- a class of operations takes less than its bound, or where that is so in the full run too, less than there by more than its
  estimate;
- units' busy shares are off by more than three times the largest estimate.

The seed is printed; a case depends on the seed and its number only, so that `--only` repeats it. Machines are bound by memory or
by the array, in FP16 or block floating point, with buffers that hold everything or spill; traces decode only, read prompts only,
have several short prompts in a step, long prompts in chunks, or all of it. --keep holds the full runs' results for a next time.
"""
import argparse
import collections
import concurrent.futures
import json
import math
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

PERCENTILES = ("mean", "p50", "p95", "p99")
ALLOWED_OUTSIDE = 0.05  # share of cases
NEVER_BEYOND = 3.0      # times the estimate


def machine(draw):
    """Settings of a random machine and model."""
    spills = draw.random() < 0.4
    head_dim = 64 if spills else draw.choice([32, 64])  # attention's outputs leave in groups of 64 channels
    kv_heads, group = draw.choice([1, 2, 4]), draw.choice([1, 2, 4])
    model = {"name": "tiny", "hidden_size": draw.choice([128, 256, 384]), "num_hidden_layers": draw.choice([2, 3, 4, 6, 8]),
             "num_attention_heads": kv_heads * group, "num_key_value_heads": kv_heads, "head_dim": head_dim,
             "intermediate_size": draw.choice([256, 512, 1024]), "vocab_size": draw.choice([512, 4096, 9000])}
    accelerator = draw.choice(["harmonia", "harmonia-small", "harmonia-small", "harmonia-hbm2", "fp-fp", "figna", "anda"])
    fp16 = accelerator in ("fp-fp", "figna", "anda")
    settings = ["model={" + ", ".join(f"{k}: {v}" for k, v in model.items()) + "}", "accelerator=" + accelerator,
                "weights=" + draw.choice(["kmeans4", "kmeans2", "kmeans1"] if not fp16 else ["fp16", "int4"]),
                "kv=" + (draw.choice(["fp16", "bfp4", "bfp4+windows", "bfp8"]) if not fp16 else "fp16"),
                "accelerator.pe.rows=" + str(draw.choice([2, 8, 16])), "accelerator.pe.cols=" + str(draw.choice([2, 4, 8]))]
    if spills:
        settings += ["accelerator.activation_buffer.capacity_bytes=" + str(draw.choice([8192, 16384, 32768])),
                     "accelerator.weight_buffer.capacity_bytes=" + str(draw.choice([16384, 65536]))]
    return settings


def trace(draw):
    """(settings, requests) of a random trace: (arrival_s, prompt_tokens, output_tokens)."""
    kind = draw.choice(["mixed", "mixed", "mixed", "decode", "prefill", "short", "long"])
    requests = draw.randint(3, 12)
    prompt, output = {"mixed": ((1, 150), (1, 30)), "decode": ((1, 1), (10, 50)), "prefill": ((20, 300), (1, 1)),
                      "short": ((1, 12), (1, 30)), "long": ((100, 400), (1, 20))}[kind]
    gap = draw.choice([0, 1e-5, 1e-4, 1e-3])
    now, lines = 0.0, []
    for _ in range(requests):
        lines.append((now, draw.randint(*prompt), draw.randint(*output)))
        now += draw.expovariate(1 / gap) if gap else 0
    settings = [f"workload={{trace: TRACE, max_batch: {draw.choice([1, 2, 4, 8])},"
                f" prefill_chunk_tokens: {draw.choice([16, 64, 64, 128, 256])}}}",
                "fidelity.sample_layers=" + str(draw.choice([2, 3, 3, 3]))]
    return settings, lines


def case_of(seed, number):
    draw = random.Random(f"{seed}:{number}")
    settings, lines = trace(draw)
    return machine(draw) + settings, lines


def run(program, folder, settings, mode):
    """result.json of the case."""
    arguments = [program, "run", "default", "-o", mode]
    for s in settings + ["fidelity.mode=" + mode]:
        arguments += ["--set", s.replace("TRACE", str(folder / "trace.csv"))]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"{mode}: status {done.returncode}: {done.stderr.strip()}\n  {' '.join(arguments)}")
    return json.loads((folder / mode / "result.json").read_text())


def figure(result, path):
    """{name: value} of the figure at the path: several where it is a distribution."""
    node = result
    for name, item in re.findall(r"([^.\[\]]+)(?:\[([^\]]+)\])?", path):
        node = node[name]
        if item:
            node = next((i for i in node if i["name"] == item), None)
            if node is None:
                return {}
    if isinstance(node, dict):
        return {f"{path}.{p}": node[p] for p in PERCENTILES} if node["count"] else {}
    return {path: node}


def numbers(node, path=""):
    if isinstance(node, dict):
        for k, v in node.items():
            yield from numbers(v, f"{path}.{k}")
    elif isinstance(node, list):
        for i, v in enumerate(node):
            yield from numbers(v, f"{path}[{i}]")
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        yield path, node


def impossible(full, sampled):
    """What can hold for no machine."""
    for path, value in numbers({k: v for k, v in sampled.items() if k != "provenance"}):
        if value < 0 or value != value or abs(value) == float("inf"):
            yield f"{path} = {value}"
        if re.search(r"\.(busy|utilisation|refresh_share)$|\.stalled", path) and value > 1 + 1e-9:
            yield f"{path} = {value}, a share"
    for unit in sampled["units"]:
        whole = unit["busy"] + sum(unit["stalled"].values())
        if abs(whole - 1) > 1e-9:
            yield f"shares of {unit['name']} add up to {whole}"
    for c in sampled["checks"]:
        if not c["passed"]:
            yield f"check {c['name']}: {c['actual']}, expected {c['expected']}"
    of_full = {o["name"]: o["simulated_s"] for o in full["operations"]}
    estimates = {e["figure"]: e["error"] for e in sampled["fidelity"]["estimated_errors"]}
    for o in sampled["operations"]:
        bound = max(o["memory_s"], o["compute_s"])
        # A class is below its bound in a full run too where its bytes are fetched ahead beside others' work: it may be below that
        # by its estimate.
        ahead = o["name"] in of_full and of_full[o["name"]] < bound
        least = of_full[o["name"]] * (1 - estimates.get(f"operations[{o['name']}].simulated_s", 0)) if ahead else bound
        if ahead and o["name"] in ("embedding", "elementwise"):
            continue  # nothing of them is on the array's time line: what is left to them is compared as a figure
        if o["simulated_s"] < 0.9 * least:
            yield f"{o['name']} takes {o['simulated_s']} s, expected {least} s at least; its bound is {bound} s"


def compare(program, seed, number, keep):
    settings, lines = case_of(seed, number)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "trace.csv").write_text("arrival_s,prompt_tokens,output_tokens\n" + "".join(f"{a:.9f},{p},{o}\n" for a, p, o in lines))
        kept = keep and keep / f"{seed}-{number}.json"
        if kept and kept.exists():
            full = json.loads(kept.read_text())
        else:
            full = run(program, folder, settings, "full")
            if kept:
                kept.write_text(json.dumps(full))
        sampled = run(program, folder, settings, "sampled")
    off = []  # (figure, relative deviation, estimate)
    for e in sampled["fidelity"]["estimated_errors"]:
        wanted, given = figure(full, e["figure"]), figure(sampled, e["figure"])
        for path, value in wanted.items():
            if path not in given:
                continue
            deviation = abs(given[path] - value) / abs(value) if value else (0.0 if given[path] == 0 else float("inf"))
            off.append((path, deviation, e["error"]))
    largest = max((e["error"] for e in sampled["fidelity"]["estimated_errors"]), default=0)
    busy = {u["name"]: u["busy"] for u in full["units"]}
    bad = list(impossible(full, sampled))
    for u in sampled["units"]:
        if abs(u["busy"] - busy[u["name"]]) > 3 * largest * max(busy[u["name"]], 0.01):
            bad.append(f"{u['name']} is busy {u['busy']}, in full {busy[u['name']]}")
    return number, off, bad, sampled["fidelity"], settings


def kind_of(path):
    """The figure of a mean or percentile."""
    return re.sub(r"\.(mean|p\d+)$", "", path)


def most_by_chance(cases):
    """The most cases that may be outside when each is so with ALLOWED_OUTSIDE, but for one time in twenty (binomial)."""
    p, most = ALLOWED_OUTSIDE, 0
    within = (1 - p) ** cases
    while within < 0.95:
        most += 1
        within += math.comb(cases, most) * p ** most * (1 - p) ** (cases - most)
    return most


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--only", type=int, nargs="*")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--verbose", action="store_true")
    a = parser.parse_args()
    if a.keep:
        a.keep.mkdir(parents=True, exist_ok=True)
    print(f"seed {a.seed}")
    cases = a.only or range(a.cases)
    program = str(pathlib.Path(a.program).resolve())
    faults, compared, outside_cases = [], collections.Counter(), 0
    outside = collections.defaultdict(set)
    all_compared = all_outside = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, min(2, os.cpu_count() or 1))) as pool:
        for number, off, bad, fidelity, settings in pool.map(lambda n: compare(program, a.seed, n, a.keep), cases):
            faults += [f"case {number}: {b}" for b in bad]
            beyond = [(p, d, e) for p, d, e in off if d > e]
            outside_cases += bool(beyond)
            all_compared += len(off)
            all_outside += len(beyond)
            for kind in {kind_of(p) for p, _, _ in off}:
                compared[kind] += 1
            for p, d, e in beyond:
                outside[kind_of(p)].add(number)
                if d > NEVER_BEYOND * e:
                    faults.append(f"case {number}: {p} is off by {d:.2%}, more than three times the estimate of {e:.2%}")
            if a.verbose:
                stated = {e["figure"]: e["error"] for e in fidelity["estimated_errors"]}
                print(f"case {number}: {fidelity['steps_simulated']}/{fidelity['steps_total']} steps, {fidelity['layers_simulated']}/{fidelity['layers_total']}"
                      f" layers, time {stated.get('simulated_seconds', 0):.2%}, overall {fidelity['error_estimate']:.2%}"
                      + "".join(f"\n    {p} off {d:.2%} of {e:.2%}" for p, d, e in beyond) + ("\n    " + " ".join(settings) if beyond else ""), flush=True)
    count = len(cases)
    print(f"{count} cases, {all_compared} figures compared, {all_outside} outside their estimate; {count - outside_cases} cases with every figure inside")
    if all_outside > ALLOWED_OUTSIDE * all_compared:
        faults.append(f"{all_outside} of {all_compared} figures are outside their estimate")
    for kind, numbers_ in sorted(outside.items()):
        print(f"  {kind}: outside in {len(numbers_)} of {compared[kind]} cases: {sorted(numbers_)}")
        if len(numbers_) > most_by_chance(compared[kind]):
            faults.append(f"{kind} is outside its estimate in {len(numbers_)} of {compared[kind]} cases")
    for f in faults:
        print(f)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
