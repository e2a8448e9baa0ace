#!/usr/bin/env python3
"""Feeds every reader of outside files with damaged files: nothing may crash, hang, take memory that a header claims, or be refused
without a place.

    tests/attack/files.py PROGRAM SEEDS [--count N] [--seed S] [--jobs J] [--only KIND] [--keep FOLDER]

SEEDS is the program attack_seeds, which writes a small valid file of every kind. What fails is kept in FOLDER with the command that
shows it. Exit status 1: something failed.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile

from mutate import damage
from program import attack

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE, OUT = object(), object()  # stand for the damaged file and for a file to write in a command


class Kind:
    """Files of one kind and the command that reads them. `weight`: how many of 100 attacks go here."""

    def __init__(self, name, ending, seeds, words, weight):
        self.name, self.ending, self.words, self.weight = name, ending, words, weight
        self.seeds = [bytes(s) for s in seeds]


def kinds(folder, program):
    """Every reader, with its seeds from `folder` (written by attack_seeds) and from workloads/."""
    def read(pattern):
        return [p.read_bytes() for p in sorted(folder.glob(pattern)) if p.is_file()]

    def shipped(pattern):
        return [p.read_bytes() for p in sorted((ROOT / "workloads").glob(pattern))]

    tokenizer = folder / "tokenizer.bin"
    # Three tokens, as the seeds' models have: longest token, then score, length and bytes of each.
    tokenizer.write_bytes(struct.pack("<i", 1) + b"".join(struct.pack("<fi", -i, 1) + token for i, token in enumerate((b"a", b"b", b" "))))
    model = folder / "model.bin"
    model.write_bytes(read("llama2c/model")[0][1:])
    text = folder / "text.txt"
    text.write_text("a a\n")

    def infer(weights, tokens=tokenizer):
        return [program, "infer", "--weights", weights, "--tokenizer", tokens, "--tokens", "2", "--path", "fp32"]

    check = [program, "check", FILE]
    documents = shipped("scenarios/*.yaml") + shipped("models/*.yaml") + shipped("accelerators/*.yaml")
    sweeps = shipped("sweeps/*.yaml")
    channels = shipped("dram/*.yaml")
    traces, addresses = read("request_trace/*"), read("address_trace/*")
    settings = shipped("quality/*.yaml")
    one = folder / "one"
    subprocess.run([program, "run", "default", "--set", "model=stories260k", "--set", "workload.context=16", "--set", "workload.tokens=1", "-o", one],
                   check=True, capture_output=True)
    dram = folder / "dram"
    subprocess.run([program, "dram", "--config", "DDR4-2400", "--traffic", "seq", "--requests", "64", "-o", dram, "--coverage", dram / "coverage.xml"], check=True, capture_output=True)
    return [
        Kind("scenario", ".yaml", documents, check, 20),
        Kind("sweep", ".yaml", sweeps, check, 8),
        Kind("channel", ".yaml", channels, check, 8),
        Kind("model-json", "/config.json", read("huggingface/config"), check, 8),
        Kind("requests", ".csv", traces, check, 8),
        Kind("addresses", ".trace", addresses, [program, "dram", "--config", "DDR4-2400", "--trace", FILE], 8),
        Kind("llama2c", ".bin", [m[1:] for m in read("llama2c/model")], infer(FILE), 8),
        Kind("tokenizer", ".bin", [tokenizer.read_bytes()], infer(model, FILE), 6),
        Kind("gguf", ".gguf", read("gguf/*"), infer(FILE), 10),
        Kind("safetensors", ".safetensors", [s for s in read("huggingface/*") if not s.startswith(b"{")], infer(FILE), 10),
        Kind("quantize", ".bin", [m[1:] for m in read("llama2c/model")], [program, "quantize", FILE, "--format", "kmeans4", "-o", OUT], 3),
        Kind("settings", ".yaml", settings, infer(model) + ["--text", text, "--calibrate", text, "--settings", FILE], 2),
        Kind("coverage", ".xml", [(dram / "coverage.xml").read_bytes()], [program, "coverage", "show", FILE], 2),
        Kind("report", "/result.json", [(one / "result.json").read_bytes()], [program, "report", FILE], 0.5),
        Kind("report-dram", "/result.json", [(dram / "result.json").read_bytes()], [program, "report", FILE], 0.5),
    ]


def one_attack(kind, seed, folder):
    """The outcome of one damaged file, and the command; the file stays when something failed."""
    dice = random.Random(f"{kind.name}-{seed}")
    data = damage(dice.choice(kind.seeds), kind.seeds, dice)
    here = folder / f"{kind.name}-{seed}"
    path = pathlib.Path(str(here) + kind.ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    reads_folder = "report" in kind.words
    stands_for = {FILE: path.parent if reads_folder else path, OUT: folder / (here.name + "-out.safetensors")}
    words = [stands_for.get(w, w) for w in kind.words]
    # A header that was damaged may show where the other file does not fit it.
    outcome = attack(words, [str(path), str(here), "tokenizer.bin", "model.bin"])
    if not outcome.fault:
        shutil.rmtree(here) if path.parent != folder else path.unlink()
        for left in folder.glob(here.name + "*"):  # a page of the report
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return kind.name, outcome, words


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("seeds", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 6))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only")
    parser.add_argument("--keep", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "seeds"
        subprocess.run([args.seeds.resolve(), folder], check=True)
        every = [k for k in kinds(folder, args.program.resolve()) if not args.only or k.name == args.only]
        dice = random.Random(args.seed)
        print(f"{args.count} damaged files, seed {args.seed}")
        chosen = dice.choices(every, [k.weight for k in every], k=args.count)
        attacks = pathlib.Path(scratch) / "attacks"
        attacks.mkdir()
        counts, faults = collections.Counter(), []
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            jobs = [pool.submit(one_attack, kind, args.seed * 10 ** 7 + number, attacks) for number, kind in enumerate(chosen)]
            for job in concurrent.futures.as_completed(jobs):
                name, outcome, words = job.result()
                counts[name, "accepted" if outcome.status == 0 else "refused"] += 1
                if outcome.fault:
                    faults.append((name, outcome, words))
        for kind in every:
            print(f"  {kind.name}: {counts[kind.name, 'accepted']} accepted, {counts[kind.name, 'refused']} refused")
        for name, outcome, words in faults[:40]:
            print(f"FAILED {name}: {outcome.fault}\n  {' '.join(str(w) for w in words)}\n  {outcome.err.strip()[:400]}")
        if faults and args.keep:
            shutil.copytree(attacks, args.keep, dirs_exist_ok=True)
        print(f"{len(faults)} of {args.count} failed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
