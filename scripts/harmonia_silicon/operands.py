"""Operands whose switching is counted: activations (FP16 bit patterns) and weights (real numbers) by kind.

    random    every bit pattern of a finite FP16 value; integers uniform: what a random testbench applies
    gaussian  normal activations and weights
    outliers  normal activations, one in 50 of them 30 times as large, as channels of large models are
    stories   inputs of the linears and weights of stories260K while it writes a story (needs HARMONIA_DATA)
"""
import math
import os
import pathlib
import random
import struct

KINDS = ("random", "gaussian", "outliers", "stories")


def fp16(x):
    return struct.unpack("<H", struct.pack("<e", max(-65504.0, min(65504.0, x))))[0]


def value(bits):
    return struct.unpack("<e", struct.pack("<H", bits))[0]


def align(bits, m):
    """(exponent, signs, magnitudes) of 32 FP16 values, truncated, as baselines::align()."""
    own = [max(1, b >> 10 & 31) for b in bits]
    largest = max(own)
    significand = [(b & 0x3FF) | (0x400 if b & 0x7C00 else 0) for b in bits]
    return largest, [b >> 15 for b in bits], [(s << m) >> (11 + largest - e) for s, e in zip(significand, own)]


def quantize(weights, levels):
    """Integers -levels..levels of a group, by its largest magnitude."""
    scale = max(map(abs, weights)) / levels or 1.0
    return [max(-levels, min(levels, round(w / scale))) for w in weights]


class Source:
    """Groups of 32 activations (FP16 bits) and 32 weights."""

    def __init__(self, kind, groups):
        self.kind = kind
        r = random.Random(20251129)
        if kind == "stories":
            self.groups = stories(groups, r)
            return
        self.groups = []
        for _ in range(groups):
            if kind == "random":
                a = [r.randrange(0x7C00) | r.randrange(2) << 15 for _ in range(32)]
                w = [r.uniform(-1, 1) for _ in range(32)]
            else:
                a = [r.gauss(0, 1) * (30 if kind == "outliers" and r.random() < 0.02 else 1) for _ in range(32)]
                a = [fp16(x) for x in a]
                w = [r.gauss(0, 0.02) for _ in range(32)]
            self.groups.append((a, w))


def model_path():
    data = os.environ.get("HARMONIA_DATA")
    path = pathlib.Path(data) / "data/models/stories260K.bin" if data else None
    return path if path and path.is_file() else None


def available(kind):
    return kind != "stories" or model_path() is not None


def stories(groups, r):
    """(normalised input of q, k, v and of gate, up; row of the weight) pairs of a forward pass that samples its own story."""
    blob = model_path().read_bytes()
    dim, hidden, layers, heads, kv_heads, vocab, seq = struct.unpack("<7i", blob[:28])
    vocab = abs(vocab)
    floats = struct.unpack(f"<{(len(blob) - 28) // 4}f", blob[28:])
    at = 0

    def take(rows, columns):
        nonlocal at
        matrix = [floats[at + i * columns:at + (i + 1) * columns] for i in range(rows)]
        at += rows * columns
        return matrix

    kv = dim * kv_heads // heads
    embedding = take(vocab, dim)
    attention_norm = take(layers, dim)
    wq, wk, wv, wo = (take(layers * n, k) for n, k in ((dim, dim), (kv, dim), (kv, dim), (dim, dim)))
    ffn_norm = take(layers, dim)
    w1, w2, w3 = take(layers * hidden, dim), take(layers * dim, hidden), take(layers * hidden, dim)
    final_norm = take(1, dim)[0]
    dot = lambda row, x: sum(a * b for a, b in zip(row, x))
    size = dim // heads

    def norm(x, gain):
        s = 1 / math.sqrt(sum(v * v for v in x) / dim + 1e-5)
        return [v * s * g for v, g in zip(x, gain)]

    def rope(x, position):
        x = list(x)
        for i in range(0, len(x), 2):
            angle = position / 10000 ** ((i % size) / size)
            a, b, c, s = x[i], x[i + 1], math.cos(angle), math.sin(angle)
            x[i], x[i + 1] = a * c - b * s, a * s + b * c
        return x

    keys, values = [[] for _ in range(layers)], [[] for _ in range(layers)]
    found, token = [], 1

    def record(x, matrix, first, rows):
        for row in r.sample(range(rows), 4):
            for i in range(0, len(x) - 31, 32):
                found.append(([fp16(v) for v in x[i:i + 32]], matrix[first + row][i:i + 32]))

    for position in range(24):
        x = list(embedding[token])
        for l in range(layers):
            h = norm(x, attention_norm[l])
            record(h, wq, l * dim, dim)
            q = rope([dot(wq[l * dim + i], h) for i in range(dim)], position)
            keys[l].append(rope([dot(wk[l * kv + i], h) for i in range(kv)], position))
            values[l].append([dot(wv[l * kv + i], h) for i in range(kv)])
            out = []
            for head in range(heads):
                k0 = head * kv_heads // heads * size
                scores = [dot(q[head * size:(head + 1) * size], k[k0:k0 + size]) / math.sqrt(size) for k in keys[l]]
                top = max(scores)
                p = [math.exp(s - top) for s in scores]
                total = sum(p)
                out += [sum(a * v[k0 + i] for a, v in zip(p, values[l])) / total for i in range(size)]
            x = [a + dot(wo[l * dim + i], out) for i, a in enumerate(x)]
            h = norm(x, ffn_norm[l])
            record(h, w1, l * hidden, hidden)
            g = [dot(w1[l * hidden + i], h) for i in range(hidden)]
            u = [dot(w3[l * hidden + i], h) for i in range(hidden)]
            g = [a / (1 + math.exp(-a)) * b for a, b in zip(g, u)]
            record(g, w2, l * dim, dim)
            x = [a + dot(w2[l * dim + i], g) for i, a in enumerate(x)]
        h = norm(x, final_norm)
        scores = [dot(row, h) for row in embedding]
        token = scores.index(max(scores))
    start = r.randrange(max(1, len(found) - groups))
    return (found * (groups // len(found) + 1))[start:start + groups] if len(found) >= groups + start else (found * (groups // len(found) + 2))[:groups]
