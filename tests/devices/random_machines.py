#!/usr/bin/env python3
"""Runs random small machines of several devices, all of them simulated, and of each the one device that stands for all.

  random_machines.py PROGRAM [--seed FIRST] [--count N]

Every run must end with 0 (a run that stands still ends otherwise, as one that fails a check does) and move the bytes that the folded run moves.
Where an all-reduce is the same for every device it must take the folded run's time to the picosecond, and elsewhere no more than 1.1 times as long.
"""
import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile


def settings_of(seed):
    """Settings of a machine."""
    r = random.Random(seed)
    devices = r.choice([2, 2, 3, 4, 4, 6])
    kv = devices * r.choice([1, 2]) if devices not in (2, 4) or r.random() < 0.7 else devices // 2
    heads = max(kv, devices) * r.choice([1, 2])
    part = r.choice([64, 128])
    model = (f"model={{hidden_size: {r.choice([128, 256, 320])}, num_hidden_layers: {r.randint(1, 3)}, num_attention_heads: {heads}, "
             f"num_key_value_heads: {kv}, head_dim: {r.choice([32, 64])}, intermediate_size: {part * devices}, vocab_size: {devices * r.choice([32, 96])}, "
             "name: random}")
    topology = r.choice(["switch", "full", "ring", "shared"])
    algorithm = "ring" if topology in ("ring", "shared") else r.choice(["ring", "direct", "direct_two_step", "tree"])
    buffer_bytes = r.choice([64, 200, 1024, 65536])
    link = (f"{{bandwidth_gb_per_s: {r.choice([1, 7, 64])}, latency_ns: {r.choice([0, 20, 900])}, payload_bytes: {r.choice([16, 64, 256])}, "
            f"header_bytes: {r.choice([0, 8, 48])}, message_ns: {r.choice([0, 30])}, message_bytes: {r.choice([16, 64, buffer_bytes])}, "
            f"buffer_bytes: {buffer_bytes}, collective_us: {r.choice([0, 2])}}}")
    phase = r.choice(["decode", "decode", "prefill"])
    work = f"workload={{phase: {phase}, batch: {r.randint(1, 3)}, context: {r.choice([3, 33, 150])}, tokens: 1}}"
    overlap = r.choice(["true", "false"])
    layers, batch = int(re.search(r"num_hidden_layers: (\d+)", model)[1]), int(re.search(r"batch: (\d+)", work)[1])
    stages = r.choice([s for s in (1, 1, 2, 3) if s <= layers]) if topology != "shared" else 1
    pipeline = f"pipeline: {stages}, micro_batches: {r.randint(1, batch)}, " if stages > 1 else ""
    on_chip = []
    if r.random() < 0.3:
        on_chip = ["accelerator.activation_buffer.capacity_bytes=4 MiB"]  # experts read rows of the step from there alone
        shared = r.choice([0, 32 * devices])
        model = model[:-1] + (f", mixture: {{experts: {r.randint(2, 9)}, experts_per_token: {r.randint(1, 2)}, expert_width: {32 * devices * r.randint(1, 3)}, "
                              f"shared_width: {shared}, shared_gate: {r.choice(['true', 'false']) if shared else 'false'}}}}}")
    experts = ""
    if "mixture" in model and r.random() < 0.5:
        experts = "experts: placed, "
        model = re.sub(r"experts: \d+, experts_per_token: \d+", f"experts: {devices * r.randint(1, 2)}, experts_per_token: {r.randint(1, 2)}", model)
    return [model, work, f"weights={r.choice(['fp16', 'int8', 'kmeans4', 'kmeans2', 'kmeans1'])}", f"kv={r.choice(['fp16', 'bfp4+windows'])}",
            f"devices={{tensor: {devices}, {pipeline}{experts}topology: {topology}, algorithm: {algorithm}, reduction: {r.choice(['fp16', 'fp32'])}, overlap: {overlap}, "
            f"link: {link}}}", "accelerator.dram.channels=2", "output.timeline=false"] + on_chip


def same_for_every_device(settings):
    """Devices are done with each all-reduce at the same time: its parts are equal, it is no tree, and no experts are placed. Stages are at other times when they are alone.
    Nor does the next one begin with links whose buffers are full, of whose room the news is still under way."""
    devices = next(s for s in settings if s.startswith("devices="))
    number = lambda key: int(re.search(rf"{key}: (\d+)", devices)[1])
    hidden = int(re.search(r"hidden_size: (\d+)", settings[0])[1])
    waits_for_news = number("latency_ns") > 20 and number("collective_us") == 0 and number("buffer_bytes") < 65536
    if "experts: placed" in devices:
        return False
    return "pipeline: " not in devices and "algorithm: tree" not in devices and hidden % number("tensor") == 0 and not waits_for_news


def run(program, settings, folder, name):
    out = os.path.join(folder, name)
    command = [program, "run", "default", "-o", out] + [x for s in settings for x in ("--set", s)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        return None, f"{' '.join(repr(c) for c in command)}\nended with {done.returncode}:\n{done.stderr}"
    with open(os.path.join(out, "result.json"), encoding="utf-8") as f:
        return json.load(f), None


def fault_of(program, seed):
    settings = settings_of(seed)
    with tempfile.TemporaryDirectory() as folder:
        one, fault = run(program, settings, folder, "one")
        if fault:
            return fault
        every, fault = run(program, settings + ["devices.fold=false"], folder, "all")
        if fault:
            return fault
    # Of placed experts each device reads its own: all devices simulated are held to the formula of all by a check of their run.
    bytes_of = (lambda r: round(r["devices"]["dram_bytes"])) if "experts: placed" in settings[4] else (lambda r: r["bandwidth"]["bytes"])
    if bytes_of(every) != bytes_of(one):
        return f"bytes: {bytes_of(every)} with all devices, {bytes_of(one)} with one: {settings}"
    times = every["simulated_seconds"], one["simulated_seconds"]
    if same_for_every_device(settings) and times[0] != times[1]:
        return f"time: {times[0]} with all devices, {times[1]} with one: {settings}"
    if times[0] > 1.1 * times[1]:
        return f"time: {times[0]} with all devices, no more than {times[1]} expected: {settings}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=12)
    o = parser.parse_args()
    bad = 0
    for seed in range(o.seed, o.seed + o.count):
        fault = fault_of(o.program, seed)
        if fault:
            bad += 1
            print(f"seed {seed}: {fault}", file=sys.stderr)
    print(f"{o.count} machines, {bad} faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
