"""The members of the family: shape, bits, how their levels are fitted, seed and budget of each.

Equal memory: 16 bit of N weights in the linears take 2 N bytes; the same bytes hold 3.8 N weights of 4.25 bits, 7.1 N of
2.25 and 12.8 N of 1.25. Widths come in steps of 64, so that the members are a few percent off; what each takes is in the
table of docs/trained.md.
"""

import dataclasses
import math

from .model import Shape
from .training import Budget

VOCABULARY = 512
CONTEXT = 256


@dataclasses.dataclass(frozen=True)
class Scale:
    """Shapes (hidden, feed-forward, layers) by the number of weights in units of N, rounded, and what each is trained with."""

    shapes: dict
    steps: int
    rate: float  # of a hidden size of 128; others by the inverse square root
    refresh: int
    save: int
    held_out_windows: int


SCALES = {
    # N = 24,576 weights in the linears; each member some seconds to a minute of one core. What --quick trains.
    "small": Scale({1: (64, 64, 1), 4: (128, 128, 1), 7: (192, 128, 1), 13: (256, 128, 1)}, 200, 4.5e-3, 25, 100, 16),
    # N = 73,728; one to eight minutes of one core each. What the project ships.
    "large": Scale({1: (64, 128, 2), 4: (128, 256, 2), 7: (192, 256, 2), 13: (256, 384, 2)}, 2000, 3.0e-3, 50, 100, 32),
}


@dataclasses.dataclass(frozen=True)
class Member:
    """`size` in units of N. 16 bits have no codebooks; their kind is "fp"."""

    size: int
    bits: int
    kind: str
    seed: int
    shape: Shape
    budget: Budget

    @property
    def name(self):
        """ "kmeans4" of the members of equal memory, "kmeans4-1n" of the others."""
        return f"{self.kind}{self.bits}" + ("" if self.equal_memory else f"-{self.size}n")

    @property
    def folder(self):
        return f"{self.name}-seed{self.seed}"

    @property
    def shipped(self):
        """Whether its checkpoint is. The 16-bit members that post-training quantisation starts from are larger than the others
        together and serve for losses alone, but for the smallest."""
        return self.bits != 16 or self.size <= 4

    @property
    def equal_memory(self):
        return self.kind != "uniform" and (self.bits, self.size) in {(16, 1), (4, 4), (2, 7), (1, 13)}


def members(scale, steps=None):
    """In the order of their worth, so that a training that is cut short has the equal memory first. `steps` overrides the
    scale's."""
    of = SCALES[scale]

    def member(size, bits, kind="kmeans", seed=1):
        hidden, feed_forward, layers = of.shapes[size]
        shape = Shape(hidden, feed_forward, layers, VOCABULARY, CONTEXT)
        rate = of.rate * math.sqrt(128 / hidden)
        budget = Budget(steps or of.steps, 4, rate, of.refresh, of.save, held_out_windows=of.held_out_windows)
        return Member(size, bits, "fp" if bits == 16 else kind, seed, shape, budget)

    result = [member(1, 16), member(4, 4), member(7, 2), member(13, 1)]  # equal memory
    result += [member(1, bits) for bits in (4, 2, 1)]  # equal size
    result += [member(size, 16) for size in (4, 7, 13)]  # what post-training quantisation starts from
    result += [member(4, 4, "uniform"), member(7, 2, "uniform")]
    result += [member(1, bits, seed=seed) for seed in (2, 3) for bits in (16, 4, 2, 1)]
    return result


def quick():
    """At the small scale the members of equal size and one larger one: a minute."""
    return [m for m in members("small")[:7] if m.size <= 4]
