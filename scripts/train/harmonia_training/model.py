"""A Llama model (RMSNorm, rotary positions in half-split pairs, grouped queries, SwiGLU, tied head) whose seven linears
of each layer are quantised as they will be stored. Embedding, head and norms are FP16 in the forward pass."""

import dataclasses
import math

import torch
import torch.nn.functional as F

from . import quantization


@dataclasses.dataclass(frozen=True)
class Shape:
    hidden: int
    feed_forward: int
    layers: int
    vocabulary: int
    context: int
    head: int = 32
    theta: float = 10000.0
    epsilon: float = 1e-5

    @property
    def heads(self):
        return self.hidden // self.head

    @property
    def kv_heads(self):
        return max(1, self.heads // 2)

    def linears(self):
        """(name, out, in) of one layer, in the names of checkpoints."""
        kv = self.kv_heads * self.head
        return [
            ("self_attn.q_proj", self.hidden, self.hidden),
            ("self_attn.k_proj", kv, self.hidden),
            ("self_attn.v_proj", kv, self.hidden),
            ("self_attn.o_proj", self.hidden, self.hidden),
            ("mlp.gate_proj", self.feed_forward, self.hidden),
            ("mlp.up_proj", self.feed_forward, self.hidden),
            ("mlp.down_proj", self.hidden, self.feed_forward),
        ]

    def linear_parameters(self):
        return self.layers * sum(rows * cols for _, rows, cols in self.linears())


class Llama(torch.nn.Module):
    def __init__(self, shape, bits, kind="kmeans"):
        super().__init__()
        self.shape, self.bits, self.kind = shape, bits, kind
        self.embedding = torch.nn.Parameter(torch.empty(shape.vocabulary, shape.hidden).normal_(std=0.02))
        self.final_norm = torch.nn.Parameter(torch.ones(shape.hidden))
        self.norms = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(shape.hidden)) for _ in range(2 * shape.layers)])
        self.weights = torch.nn.ParameterDict()
        for layer in range(shape.layers):
            for name, rows, cols in shape.linears():
                std = 1 / math.sqrt(cols)
                if name in ("self_attn.o_proj", "mlp.down_proj"):
                    std /= math.sqrt(2 * shape.layers)
                self.weights[self.key(layer, name)] = torch.nn.Parameter(torch.empty(rows, cols).normal_(std=std))
        self.codebooks = {}
        self.recorded_keys = None  # a list: keys after rotation are added to it, layer by layer
        position = torch.arange(shape.context).double()[:, None]
        frequency = shape.theta ** (-torch.arange(0, shape.head, 2).double() / shape.head)
        self.cosine = torch.cos(position * frequency).float()
        self.sine = torch.sin(position * frequency).float()
        self.mask = torch.full((shape.context, shape.context), float("-inf")).triu(1)

    @staticmethod
    def key(layer, name):
        return f"{layer}_{name.replace('.', '_')}"

    def fit_codebooks(self, generator):
        """Fits every codebook to its tensor as it is now, from the codebook that it had."""
        if self.bits < 16:
            for key, weight in self.weights.items():
                self.codebooks[key] = quantization.fit(
                    weight.detach(), self.bits, self.kind, generator, self.codebooks.get(key)
                )

    def stored(self, key):
        """The weight as the machine will read it."""
        weight = self.weights[key]
        if self.bits == 16:
            return quantization.sixteen_bit(weight)
        return quantization.fake_quantised(weight, self.codebooks[key], self.bits)

    def norm(self, x, gain):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.shape.epsilon)
        return x * scale * quantization.sixteen_bit(gain)

    def rotate(self, x):
        """x is [batch, heads, tokens, head]."""
        first, second = x.chunk(2, -1)
        cosine, sine = self.cosine[: x.shape[2]], self.sine[: x.shape[2]]
        return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)

    def attention(self, x, layer):
        shape = self.shape
        batch, tokens, _ = x.shape

        def project(name, heads):
            y = F.linear(x, self.stored(self.key(layer, f"self_attn.{name}_proj")))
            return y.view(batch, tokens, heads, shape.head).transpose(1, 2)

        q = self.rotate(project("q", shape.heads)) / math.sqrt(shape.head)
        k = self.rotate(project("k", shape.kv_heads))
        if self.recorded_keys is not None:
            self.recorded_keys.append(k.detach())
        k = k.repeat_interleave(shape.heads // shape.kv_heads, 1)
        v = project("v", shape.kv_heads).repeat_interleave(shape.heads // shape.kv_heads, 1)
        scores = q @ k.transpose(2, 3) + self.mask[:tokens, :tokens]
        y = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, tokens, shape.hidden)
        return F.linear(y, self.stored(self.key(layer, "self_attn.o_proj")))

    def forward(self, tokens):
        """Logits [batch, tokens, vocabulary]."""
        embedding = quantization.sixteen_bit(self.embedding)
        x = F.embedding(tokens, embedding)
        for layer in range(self.shape.layers):
            x = x + self.attention(self.norm(x, self.norms[2 * layer]), layer)
            y = self.norm(x, self.norms[2 * layer + 1])
            gate = F.linear(y, self.stored(self.key(layer, "mlp.gate_proj")))
            up = F.linear(y, self.stored(self.key(layer, "mlp.up_proj")))
            x = x + F.linear(F.silu(gate) * up, self.stored(self.key(layer, "mlp.down_proj")))
        return F.linear(self.norm(x, self.final_norm), embedding)
