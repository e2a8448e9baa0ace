// Fixed 16-entry codebooks: NF4 and FP4 (E2M1), used like K-means weights of 4 bits with an absmax scale per 64
// weights:
//   kmeans_encode(nf4_codebook(), ...)   4.25 bits per weight with the bf16 scale
// Source: QLoRA (Dettmers et al. 2023) for the NF4 levels; OCP Microscaling Formats v1.0 for E2M1.
//
// Models: the levels. Does not model: double quantisation of the scales; E2M1 with a power-of-two scale (mx.h).
#pragma once

#include "harmonia/hw/formats/kmeans.h"

namespace harmonia::formats {

/// -1, -.6961928, ... 0 ... .7229568, 1: quantiles of a Gaussian with an exact zero; not symmetric.
const Codebook& nf4_codebook();

/// The E2M1 values +-{0, .5, 1, 1.5, 2, 3, 4, 6} divided by 6, so that the block maximum meets the largest. The two
/// zeros are two entries. A tie takes the lower value, as for every codebook.
const Codebook& fp4_codebook();

}  // namespace harmonia::formats
