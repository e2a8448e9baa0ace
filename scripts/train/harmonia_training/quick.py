"""The quick training and its checks: it learns, it can be repeated and resumed, and the program reads what it wrote."""

import dataclasses
import hashlib
import json
import os
import subprocess

import torch

from . import bpe, family, pipeline, training

SAME = 0.05  # nats per token
BELOW_UNIGRAM = 0.2  # nats per token that a trained member must be better than the best unigram model


class Checks:
    def __init__(self):
        self.failed = 0

    def add(self, holds, what):
        print(("ok      " if holds else "FAILED  ") + what, flush=True)
        self.failed += not holds


def learns(checks, members, folder, held_out):
    bound = pipeline.unigram_entropy(held_out)
    for member in members:
        loss = float(pipeline.last_row(os.path.join(folder, member.folder))["held_out_nats_per_token"])
        checks.add(loss < bound - BELOW_UNIGRAM, f"{member.name}: {loss:.3f} nats/token held out; no unigram model is below {bound:.3f}")


def beats_rounding(checks, members, index):
    """At 1 bit training with the codes is worth more than rounding the 16-bit model of that size after its training; with more bits it
    is no worse."""
    entries = {e["name"]: e for e in index["members"]}
    sixteen = entries["fp16"]
    for member in members:
        mine = entries[member.name]
        if member.bits == 16 or mine["linear_parameters"] != sixteen["linear_parameters"]:
            continue
        rounded = sixteen["rounded_nats_per_token"][f"kmeans{member.bits}"]
        trained = mine["held_out_nats_per_token"]
        what = f"{member.name}: {trained:.3f} nats/token trained with its codes, {rounded:.3f} rounded after training"
        # After so few steps rounding to 4 or 2 bits costs less than two trainings, or two computers' sums, differ by.
        checks.add(trained < rounded + (SAME if member.bits > 1 else 0), what)


def bytes_of(member, folder, data, held_out, stops):
    """SHA-256 of the checkpoint after a training that was stopped at each of `stops` and resumed."""
    path = os.path.join(folder, member.folder)
    for stop in stops + [None]:
        model = pipeline.train(member, data, held_out, path, stop)
    file = os.path.join(folder, "checkpoint.safetensors")
    pipeline.write_checkpoint(member, model, file)
    with open(file, "rb") as contents:
        return hashlib.sha256(contents.read()).hexdigest()


def repeats(checks, member, folder, data, held_out):
    short = dataclasses.replace(member, budget=dataclasses.replace(member.budget, steps=40, save=20, refresh=15))
    first, again, resumed = (
        bytes_of(short, os.path.join(folder, name), data, held_out, stops)
        for name, stops in (("first", []), ("again", []), ("resumed", [20]))
    )
    checks.add(first == again, f"{member.name}: the same seed gives the same checkpoint, byte for byte")
    checks.add(first == resumed, f"{member.name}: so does a training that was stopped and resumed")
    other = bytes_of(dataclasses.replace(short, seed=2), os.path.join(folder, "other"), data, held_out, [])
    checks.add(first != other, f"{member.name}: another seed gives another one")


def ask(program, *arguments):
    run = subprocess.run([program, "infer", "--json", *arguments], capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"{program} infer failed: {run.stderr}")
    return json.loads(run.stdout)


def program_agrees(checks, members, folder, held_out_texts, program):
    """Tokens and likelihoods of the program's FP32 path beside PyTorch's."""
    tokenizer = bpe.load(os.path.join(folder, "tokenizer.bin"))
    sample = held_out_texts[0][:800]
    path = os.path.join(folder, "sample.txt")
    with open(path, "w") as out:
        out.write(sample)
    common = ["--tokenizer", os.path.join(folder, "tokenizer.bin"), "--path", "fp32"]
    tokens = tokenizer.encode(sample.strip())
    for member in members:
        weights = ["--weights", os.path.join(folder, f"{member.name}.safetensors"), *common]
        got = ask(program, *weights, "--prompt", sample.strip()[:200], "--tokens", "1")["tokens"]
        expected = [bpe.START] + tokenizer.encode(sample.strip()[:200])
        checks.add(got[: len(expected)] == expected, f"{member.name}: the program splits the text into the same tokens")
        model, _ = pipeline.load(member, folder)
        size = member.shape.context - 1
        losses = []
        for i in range(0, len(tokens), size):
            piece = torch.tensor([[bpe.START] + tokens[i : i + size]])
            with torch.no_grad():
                losses.append((float(training.loss_of(model, piece[:, :-1], piece[:, 1:])), piece.shape[1] - 1))
        mine = sum(loss * count for loss, count in losses) / len(tokens)
        theirs = ask(program, *weights, "--text", path)["quality"][0]["nll_per_token"]
        checks.add(abs(mine - theirs) < 1e-4, f"{member.name}: {theirs:.6f} nats/token by the program, {mine:.6f} by PyTorch")
        gguf = os.path.join(folder, f"{member.name}.gguf")
        if os.path.exists(gguf):
            same = ask(program, "--weights", gguf, "--path", "fp32", "--text", path)["quality"][0]["nll_per_token"]
            checks.add(abs(same - theirs) < 1e-6, f"{member.name}: {same:.6f} nats/token from its GGUF file")


def run(folder, program):
    members = family.quick()
    data, held_out, texts = pipeline.prepare(folder, family.VOCABULARY)
    for member in members:
        pipeline.train(member, data, held_out, os.path.join(folder, member.folder))
    index = pipeline.write_family(members, folder, held_out, folder)
    checks = Checks()
    learns(checks, members, folder, held_out)
    beats_rounding(checks, members, index)
    repeats(checks, dataclasses.replace(members[0], bits=2, kind="kmeans"), folder, data, held_out)
    if program:
        program_agrees(checks, members, folder, texts, program)
    return 1 if checks.failed else 0
