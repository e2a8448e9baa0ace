"""K-means look-up weights in training, as docs/formats.md defines them: w = bf16(s) * c[idx].

A block is 64 consecutive inputs of one output; s is the mean of magnitudes for one and two bits, the largest magnitude
above. The index is the nearest centroid of w / s, the lower one of two equally near, chosen with the scale before its
rounding to bf16. Gradients pass straight through to the FP32 master weights. The codebook is fitted to the normalised
tensor: by Lloyd's method from a k-means++ start (kind "kmeans"), or as equally spaced levels whose step has the least
squared error (kind "uniform").
"""

import numpy
import torch

BLOCK = 64
SMALLEST_SCALE = 1e-5
LLOYD_ROUNDS = 20
UNIFORM_ROUNDS = 20


def block_scales(weight, bits):
    """FP32 [out, in / 64], before rounding."""
    blocks = weight.detach().view(weight.shape[0], -1, BLOCK).abs()
    scales = blocks.double().mean(-1).float() if bits <= 2 else blocks.amax(-1)
    return scales.clamp_min(SMALLEST_SCALE)


def normalised(weight, scales):
    return (weight.detach().view(weight.shape[0], -1, BLOCK) / scales.unsqueeze(-1)).view_as(weight)


def midpoints(codebook):
    return (codebook[:-1] + codebook[1:]) / 2


def codes(weight, codebook, bits):
    """Index of every weight (int64, as weight) and the FP32 scales before rounding."""
    scales = block_scales(weight, bits)
    return torch.bucketize(normalised(weight, scales), midpoints(codebook)), scales


def decode(index, scales, codebook):
    """What hardware makes of the stored codes: centroid times bf16 scale, rounded once to FP32."""
    rounded = scales.bfloat16().float().repeat_interleave(BLOCK, dim=1)
    return codebook[index] * rounded


class StraightThrough(torch.autograd.Function):
    """The value is `quantised`, bit for bit; the gradient is that of `weight`."""

    @staticmethod
    def forward(ctx, weight, quantised):
        return quantised.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def sixteen_bit(weight):
    """FP16 values of a tensor that is stored in 16 bit, with straight-through gradients."""
    return StraightThrough.apply(weight, weight.detach().half().float())


def fake_quantised(weight, codebook, bits):
    index, scales = codes(weight, codebook, bits)
    return StraightThrough.apply(weight, decode(index, scales, codebook))


def start_kmeans(values, levels, generator):
    """k-means++: the next centre is drawn in proportion to the squared distance from those that are there."""
    sample = values[generator.integers(0, len(values), 4096)]
    centres = [sample[generator.integers(0, len(sample))]]
    distance = (sample - centres[0]) ** 2
    while len(centres) < levels:
        total = numpy.cumsum(distance)
        centre = sample[min(int(numpy.searchsorted(total, generator.random() * total[-1], "right")), len(sample) - 1)]
        centres.append(centre)
        distance = numpy.minimum(distance, (sample - centre) ** 2)
    return numpy.sort(numpy.array(centres))


def lloyd(values, centres, rounds=LLOYD_ROUNDS):
    """Lloyd's method in one dimension on sorted values, in double; an empty cell keeps its centre."""
    sums = numpy.concatenate([[0.0], numpy.cumsum(values)])
    for _ in range(rounds):
        cuts = numpy.searchsorted(values, (centres[1:] + centres[:-1]) / 2, "right")
        cuts = numpy.concatenate([[0], cuts, [len(values)]])
        counts = numpy.diff(cuts)
        moved = numpy.where(counts > 0, numpy.diff(sums[cuts]) / numpy.maximum(counts, 1), centres)
        if numpy.array_equal(moved, centres):
            break
        centres = moved
    return centres


def uniform(values, levels, step):
    """Equally spaced levels around zero, with the step of least squared error for the codes that it gives."""
    grid = numpy.arange(levels) - (levels - 1) / 2
    for _ in range(UNIFORM_ROUNDS):
        cuts = numpy.searchsorted(values, (grid[1:] + grid[:-1]) / 2 * step, "right")
        level = numpy.repeat(grid, numpy.diff(numpy.concatenate([[0], cuts, [len(values)]])))
        step = float(values @ level) / float(level @ level)
    return grid * step


def fit(weight, bits, kind, generator, start=None):
    """The codebook of a tensor (FP32 [2^bits], ascending); `start` is the one that it had."""
    values = numpy.sort(normalised(weight, block_scales(weight, bits)).double().numpy().ravel())
    levels = 2**bits
    if kind == "uniform":
        step = 2 * float(numpy.abs(values).mean()) / (levels / 2) if start is None else float(start[1] - start[0])
        centres = uniform(values, levels, step)
    else:
        first = start_kmeans(values, levels, generator) if start is None else start.double().numpy()
        centres = lloyd(values, first, LLOYD_ROUNDS if start is not None else 5 * LLOYD_ROUNDS)
    return torch.from_numpy(numpy.sort(centres).astype(numpy.float32))
