"""Trains one member: AdamW, linear warm-up and cosine decay, codebooks refreshed on a schedule, resumable.

The data of a step follow from seed and step alone, and everything else is in the state that is saved, so that a
training that was stopped and resumed ends in the same bytes as one that was not.
"""

import csv
import dataclasses
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as F

from . import bpe
from .model import Llama

WARM_UP = 0.05  # of the steps
LAST_RATE = 0.05  # of the highest learning rate
REFRESH_UNTIL = 0.8  # of the steps; then the codebooks stay, so that the last weights settle on them


@dataclasses.dataclass(frozen=True)
class Budget:
    steps: int
    batch: int
    rate: float
    refresh: int = 50  # steps between two fits of the codebooks
    save: int = 100  # steps between two saved states
    decay: float = 0.1
    held_out_windows: int = 32  # of the loss that is logged while training


def stream(texts, tokenizer):
    """All documents one after the other, each after a sequence start."""
    tokens = []
    for text in texts:
        tokens.append(bpe.START)
        tokens.extend(tokenizer.encode(text))
    return numpy.array(tokens, dtype=numpy.int64)


def batch_of(data, context, batch, seed, step):
    """Windows from random places; the first token is a sequence start, as in evaluation."""
    generator = numpy.random.default_rng([seed, step])
    places = generator.integers(0, len(data) - context, batch)
    windows = torch.from_numpy(data[places[:, None] + numpy.arange(context + 1)])
    windows[:, 0] = bpe.START
    return windows[:, :-1], windows[:, 1:]


def loss_of(model, inputs, targets):
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def held_out_loss(model, data, windows):
    """Mean nats per token over the first windows of the held-out tokens."""
    context = model.shape.context
    windows = min(windows, (len(data) - 1) // context)
    with torch.no_grad():
        cut = torch.from_numpy(data[: windows * context].reshape(windows, context).copy())
        targets = torch.from_numpy(data[1 : windows * context + 1].reshape(windows, context).copy())
        cut[:, 0] = bpe.START
        losses = [loss_of(model, cut[i : i + 8], targets[i : i + 8]) * len(cut[i : i + 8]) for i in range(0, windows, 8)]
    return float(sum(losses)) / windows


def rate_at(step, budget):
    warm_up = max(1, int(WARM_UP * budget.steps))
    if step < warm_up:
        return budget.rate * (step + 1) / warm_up
    done = (step - warm_up) / max(1, budget.steps - warm_up)
    return budget.rate * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + numpy.cos(numpy.pi * done)))


class Log:
    """loss.csv of a member: step, tokens, learning rate, training loss, held-out loss, CPU seconds of this process."""

    FIELDS = ["step", "tokens", "rate", "training_nats_per_token", "held_out_nats_per_token", "cpu_s"]

    def __init__(self, path, step):
        rows = []
        if step > 0:
            with open(path, newline="") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self.seconds = float(rows[-1]["cpu_s"]) if rows else 0.0
        self.start = time.process_time()
        self.file = open(path, "w", newline="")
        self.writer = csv.DictWriter(self.file, self.FIELDS)
        self.writer.writeheader()
        self.writer.writerows(rows)

    def add(self, step, tokens, rate, training, held_out):
        seconds = self.seconds + time.process_time() - self.start
        values = [step, tokens, f"{rate:.6f}", f"{training:.4f}", f"{held_out:.4f}", f"{seconds:.1f}"]
        self.writer.writerow(dict(zip(self.FIELDS, values)))
        self.file.flush()


def save_state(path, model, optimiser, step, recent):
    state = {
        "step": step,
        "model": model.state_dict(),
        "codebooks": model.codebooks,
        "optimiser": optimiser.state_dict(),
        "recent": recent,
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def train(name, shape, bits, kind, seed, budget, training, held_out, folder, stop=None, progress=sys.stderr):
    """Trains, or resumes, and returns the model. `training` and `held_out` are streams of tokens; `stop` is a step to end at
    before the last, as an interrupt after a saved state would."""
    os.makedirs(folder, exist_ok=True)
    state_path, log_path = os.path.join(folder, "state.pt"), os.path.join(folder, "loss.csv")
    torch.manual_seed(seed)
    model = Llama(shape, bits, kind)
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": budget.decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=budget.rate, betas=(0.9, 0.95))
    step, recent = 0, []
    if os.path.exists(state_path):
        state = torch.load(state_path)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        model.codebooks, step, recent = state["codebooks"], state["step"], state["recent"]
    last = budget.steps if stop is None else stop
    if step >= last:
        return model
    log = Log(log_path, step)
    start, first = time.monotonic(), step
    while step < last:
        if step % budget.refresh == 0 and step <= REFRESH_UNTIL * budget.steps:
            model.fit_codebooks(numpy.random.default_rng([seed, step, 1]))
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, budget)
        loss = loss_of(model, *batch_of(training, shape.context, budget.batch, seed, step))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        recent.append(float(loss.detach()))
        step += 1
        if step % budget.save == 0 or step == budget.steps:
            held_out_now = held_out_loss(model, held_out, budget.held_out_windows)
            log.add(step, step * budget.batch * shape.context, rate_at(step - 1, budget), sum(recent) / len(recent), held_out_now)
            recent = []
            save_state(state_path, model, optimiser, step, recent)
            left = (time.monotonic() - start) / (step - first) * (budget.steps - step)
            print(f"{name}: step {step} of {budget.steps}, held-out {held_out_now:.3f} nats/token, {left:.0f} s left", file=progress, flush=True)
    return model
