// PE array: rows x cols processing elements, each a 32-lane dot product of one BFP group per cycle.
//
// Models: output-stationary tiles C[m x n] (+)= A[m x k] B[n x k]^T; passes per mode; rows that a small m leaves idle
// take
//   further output columns; A operands double-buffered; one B chunk in work, one result at the output; pipeline
//   latency. Arithmetic: formats/pe.h, groups ascending, FP32 accumulation, FP16 results. Of a k that comes in parts the
//   sums leave and come back as FP32.
// Does not model: PEs one by one, the wiring of operands (B is taken to reach the PEs that need it at stream rate).
// Source: number formats specification, section 3; array size and latency are configuration values.
#pragma once

#include <cstdint>
#include <vector>

#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/pe/config.h"
#include "harmonia/hw/pe/descriptor.h"

namespace harmonia::pe {

/// Cycles that the array needs for a tile when nothing keeps it waiting.
///   weights, keys: ceil(n / p) * groups * ceil(m / rows) * passes, low planes of keys one pass more
///   values:        ceil(n / p) * (groups * passes + groups with a low plane) * ceil(m / rows)
/// Weights that bring their cycles with them take those.
/// p = columns at work = cols * (floor(rows / m) when idle rows are spread, else 1).
std::uint64_t tile_cycles(const Config& config, const Descriptor& d);
/// 32-lane group operations of a tile, passes included: what is conserved whatever the shape of the array.
std::uint64_t tile_slots(const Descriptor& d);
/// Elements that B has on the input socket, low planes counted again.
std::uint64_t tile_elements(const Descriptor& d);

/// The tile's arithmetic. a: m stored rows (BFP8 groups of k values, or FP16). b: n rows as decoder::decode_row()
/// leaves them, or the KV planes in the order of the stream (main, then low). sums: [m][n] FP32 running sums, which must be
/// there when d.accumulate or d.resume. out: [m][n], or 2 [m][n] words of FP32 sums when d.spill.
void multiply(const Descriptor& d, const std::uint8_t* a, const std::uint8_t* b, std::vector<float>& sums,
              formats::Fp16* out);

}  // namespace harmonia::pe
