"""From the package's text to a folder of checkpoints: prepare, train, export. Every step can be repeated."""

import csv
import json
import os
import platform

import numpy
import torch

from . import bpe, export, gguf, text, training
from .model import Llama

REFERENCE_TOKENS = 64
KEY_WINDOWS = 8
REFERENCE_EVERY = 32  # of these tokens the last one's logits are kept


def prepare(folder, vocabulary):
    """Writes tokenizer.bin and held-out.txt; returns the training and held-out streams and the held-out texts."""
    os.makedirs(folder, exist_ok=True)
    trained, held_out = text.split(text.read_chapters())
    tokenizer = bpe.train(trained, vocabulary)
    tokenizer.save(os.path.join(folder, "tokenizer.bin"))
    with open(os.path.join(folder, "held-out.txt"), "w", encoding="ascii") as out:
        out.write(text.join(held_out))
    return training.stream(trained, tokenizer), training.stream(held_out, tokenizer), held_out


def unigram_entropy(tokens):
    """Nats per token of the best model that knows nothing but how often each token of this very text occurs."""
    counts = numpy.bincount(tokens)
    shares = counts[counts > 0] / len(tokens)
    return float(-(shares * numpy.log(shares)).sum())


def last_row(folder):
    """The last line of a member's loss.csv; None when it has none."""
    path = os.path.join(folder, "loss.csv")
    if not os.path.exists(path):
        return None
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return rows[-1] if rows else None


def train(member, data, held_out, folder, stop=None):
    of = member
    return training.train(of.folder, of.shape, of.bits, of.kind, of.seed, of.budget, data, held_out, folder, stop)


def load(member, folder):
    """The model that a training saved, and its step."""
    state = torch.load(os.path.join(folder, member.folder, "state.pt"))
    torch.manual_seed(member.seed)
    model = Llama(member.shape, member.bits, member.kind)
    model.load_state_dict(state["model"])
    model.codebooks = state["codebooks"]
    return model, state["step"]


def is_complete(member, folder):
    row = last_row(os.path.join(folder, member.folder))
    return row is not None and int(row["step"]) == member.budget.steps


def versions():
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "blas": blas(),
    }


def blas():
    """The file that the process uses as its BLAS: results depend on it in the last bits."""
    with open("/proc/self/maps") as maps:
        files = {os.path.realpath(line.split()[-1]) for line in maps if "blas" in os.path.basename(line.split()[-1])}
    return ", ".join(sorted(os.path.basename(f) for f in files)) or "none found"


def rounded_losses(model, held_out, windows):
    """Held-out nats per token of a 16-bit model whose linears are rounded after its training, by bits and kind of levels: what
    training with the codes is compared with."""
    losses = {"fp16": round(training.held_out_loss(model, held_out, windows), 4)}
    for bits in (4, 2, 1):
        for kind in ("kmeans", "uniform"):
            model.bits, model.kind, model.codebooks = bits, kind, {}
            model.fit_codebooks(numpy.random.default_rng([bits, 2]))
            losses[f"{kind}{bits}"] = round(training.held_out_loss(model, held_out, windows), 4)
    model.bits, model.kind, model.codebooks = 16, "fp", {}
    return losses


def key_outliers(model, held_out):
    """How far channels of the keys stand out: of each layer and head the largest channel's root mean square over the median
    channel's, on the first windows of the held-out text; the largest of all."""
    context = model.shape.context
    windows = held_out[: KEY_WINDOWS * context].reshape(-1, context).copy()
    windows[:, 0] = bpe.START
    model.recorded_keys = []
    with torch.no_grad():
        model(torch.from_numpy(windows))
    keys, model.recorded_keys = model.recorded_keys, None
    sizes = torch.stack([k.pow(2).mean((0, 2)).sqrt() for k in keys])  # [layers, heads, channels]
    return round(float((sizes.amax(-1) / sizes.median(-1).values).max()), 2)


def entry(member, model, held_out, file):
    """What family.json says of a member; `file`: of its checkpoint, None where that is not shipped."""
    linear_bytes, other_bytes = export.linear_bytes(model)
    budget = member.budget
    result = {
        "name": member.name,
        "weights": "fp16" if member.bits == 16 else f"kmeans{member.bits}",
        "levels": member.kind,
        "bits": member.bits,
        **({"file": file} if file else {}),
        "equal_memory": member.equal_memory,
        "linear_parameters": member.shape.linear_parameters(),
        "embedding_parameters": model.embedding.numel(),
        "linear_bytes": linear_bytes,
        "other_bytes": other_bytes,
        "seed": member.seed,
        "steps": budget.steps,
        "training_tokens": budget.steps * budget.batch * member.shape.context,
        "rate": round(budget.rate, 6),
        "key_outliers": key_outliers(model, held_out),
        "held_out_nats_per_token": round(training.held_out_loss(model, held_out, budget.held_out_windows), 4),
    }
    if member.bits == 16:
        result["rounded_nats_per_token"] = rounded_losses(model, held_out, budget.held_out_windows)
    return result


def reference(model, held_out):
    """What reference.json says of a member: values of PyTorch that tests compare with."""
    tokens = [bpe.START] + [int(t) for t in held_out[1:REFERENCE_TOKENS]]
    sums, logits = export.reference(model, tokens)
    kept = range(REFERENCE_EVERY - 1, len(tokens), REFERENCE_EVERY)
    return {
        "crc32_of_linears": sums,
        "tokens": tokens,
        "logits": {str(i): [float(f"{x:.7g}") for x in logits[i].tolist()] for i in kept},
    }


def write_checkpoint(member, model, path):
    export.write_checkpoint(model, path, {"trained": f"{member.folder}, {member.budget.steps} steps"})


def write_json(path, value, **layout):
    with open(path, "w") as file:
        json.dump(value, file, **layout)
        file.write("\n")


def write_losses(members, folder, path):
    """The loss curves of all members and seeds in one file."""
    with open(path, "w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["member", "seed", *training.Log.FIELDS])
        for member in members:
            if not is_complete(member, folder):
                continue
            with open(os.path.join(folder, member.folder, "loss.csv"), newline="") as file:
                for row in csv.DictReader(file):
                    writer.writerow([member.name, member.seed, *(row[f] for f in training.Log.FIELDS)])


def write_family(members, folder, held_out, out):
    """Exports the complete ones of `members` with the first seed to `out`, with an index that the program reads, PyTorch's
    values that tests read, and the loss curves of every seed. The index lists under "not_shipped" what has no checkpoint."""
    write_losses(members, folder, os.path.join(out, "training.csv"))
    index = {"default": "", "tokenizer": "tokenizer.bin", "held_out": "held-out.txt", "versions": versions(), "members": [], "not_shipped": []}
    values = {}
    for member in members:
        if member.seed != 1 or not is_complete(member, folder):
            continue
        model, _ = load(member, folder)
        if not member.shipped:
            index["not_shipped"].append(entry(member, model, held_out, None))
            continue
        file = f"{member.name}.safetensors"
        write_checkpoint(member, model, os.path.join(out, file))
        if member.bits == 16 and member.equal_memory:  # the others would be the same again, larger
            gguf.write(model, bpe.load(os.path.join(folder, "tokenizer.bin")), os.path.join(out, f"{member.name}.gguf"))
        index["members"].append(entry(member, model, held_out, file))
        values[member.name] = reference(model, held_out)
    names = [m["name"] for m in index["members"]]
    index["default"] = next((n for n in ("kmeans4", "kmeans4-1n", "fp16") if n in names), "")
    write_json(os.path.join(out, "family.json"), index, indent=1)
    write_json(os.path.join(out, "reference.json"), values, separators=(",", ":"))
    return index
