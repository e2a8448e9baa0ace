// Speed of the K-means weights on one core, beside this machine's memcpy measured in the same run.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "benches/reference.h"
#include "harmonia/hw/formats/integer_codebook.h"
#include "harmonia/hw/formats/kmeans.h"
#include "harmonia/hw/formats/lloyd_max.h"
#include "harmonia/hw/formats/random.h"

namespace {

using namespace harmonia::formats;
using harmonia::bench::report_bandwidth;

struct Stored {
  std::vector<std::uint8_t> packed;
  std::vector<Bf16> scales;
};

// Every byte value and scales around 1.
Stored stored(int bits, std::size_t n) {
  SplitMix64 random(1);
  Stored s{std::vector<std::uint8_t>(kmeans_row_bytes(n, bits)), std::vector<Bf16>(kmeans_blocks(n))};
  for (auto& p : s.packed) p = static_cast<std::uint8_t>(random.next() >> 9);
  for (auto& scale : s.scales) scale = to_bf16(static_cast<float>(0.5 + random.uniform()));
  return s;
}

// Bytes of the output: 256 KiB stays in the second-level cache, 32 MiB comes from memory.
void kmeans_sizes(benchmark::internal::Benchmark* b) { b->Arg(256 << 10)->Arg(32 << 20); }

void kmeans_decode_bf16(benchmark::State& state, int bits, double target) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const std::size_t n = bytes / 2;
  const Stored in = stored(bits, n);
  const Codebook& codebook = default_codebook(bits);
  std::vector<Bf16> out(n);
  for (auto _ : state) {
    kmeans_decode_row_bf16(codebook, in.packed.data(), in.scales.data(), n, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, bytes, bytes, target);
}
BENCHMARK_CAPTURE(kmeans_decode_bf16, n1, 1, 0)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_bf16, n2, 2, 0)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_bf16, n3, 3, 0)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_bf16, n4, 4, 0.25)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_bf16, n8, 8, 0)->Apply(kmeans_sizes);

void kmeans_decode_int8(benchmark::State& state, int bits) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const Stored in = stored(bits, bytes);
  const IntegerCodebook codebook = make_integer_codebook(default_codebook(bits), CodebookKind::kInt8);
  std::vector<std::int8_t> out(bytes);
  for (auto _ : state) {
    kmeans_decode_row_int8(codebook.q.data(), bits, in.packed.data(), bytes, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, bytes, bytes, 0);
}
BENCHMARK_CAPTURE(kmeans_decode_int8, n1, 1)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_int8, n2, 2)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_int8, n3, 3)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_int8, n4, 4)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_decode_int8, n8, 8)->Apply(kmeans_sizes);

// Counted on the FP32 input.
void kmeans_encode_f32(benchmark::State& state, int bits) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const std::size_t n = bytes / 4;
  std::vector<float> w(n);
  fill_gaussian(1, n, w.data());
  Stored out = stored(bits, n);
  const Codebook& codebook = default_codebook(bits);
  for (auto _ : state) {
    benchmark::DoNotOptimize(kmeans_encode_row(codebook, w.data(), n, out.packed.data(), out.scales.data()));
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, bytes, bytes, 0);
}
BENCHMARK_CAPTURE(kmeans_encode_f32, n1, 1)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_encode_f32, n2, 2)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_encode_f32, n3, 3)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_encode_f32, n4, 4)->Apply(kmeans_sizes);
BENCHMARK_CAPTURE(kmeans_encode_f32, n8, 8)->Apply(kmeans_sizes);

// A 4096 x 4096 matrix, block-normalised; target: below 2 s.
void lloyd_max_16_of_16M(benchmark::State& state) {
  const std::size_t n = std::size_t{4096} * 4096;
  std::vector<float> z(n);
  fill_gaussian(1, n, z.data());
  kmeans_normalise(z.data(), 4096, 4096, ScaleStatistic::kAbsMax, z.data());
  LloydMaxResult result;
  for (auto _ : state) {
    result = lloyd_max(z.data(), n, 16);
    benchmark::DoNotOptimize(result.centroids.data());
  }
  report_bandwidth(state, n * sizeof(float), n * sizeof(float), 0);
  state.counters["target_s"] = 2;
  state.counters["iterations_of_best_start"] = result.iterations;
}
BENCHMARK(lloyd_max_16_of_16M)->Unit(benchmark::kSecond)->Iterations(1);

}  // namespace
