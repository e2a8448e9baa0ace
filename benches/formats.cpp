// Speed of the number formats on one core. Every line prints the rate, this machine's memcpy or multiply-add peak
// measured in the same run, their ratio, and the project's target where there is one.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <vector>

#include "benches/reference.h"
#include "harmonia/hw/formats/bfp.h"
#include "harmonia/hw/formats/cpu.h"
#include "harmonia/hw/formats/fp16.h"
#include "harmonia/hw/formats/pe.h"
#include "harmonia/hw/vector/vector_math.h"

namespace {

using namespace harmonia::formats;
using harmonia::bench::report_bandwidth;
using harmonia::bench::report_macs;

std::vector<Fp16> activations(std::size_t n) {
  std::vector<Fp16> x(n);
  std::uint64_t state = 1;
  for (Fp16& v : x) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    // Signs and fractions are random, exponents lie in eight binades around 1.
    v.bits = static_cast<std::uint16_t>(((state >> 48) & 0x83ffu) | ((11 + ((state >> 40) & 7u)) << 10));
  }
  return x;
}
std::vector<std::uint8_t> stored(const BfpFormat& format, std::size_t n) {
  std::vector<std::uint8_t> out(format.row_bytes(n));
  encode_row(format, activations(n).data(), n, out.data());
  return out;
}
std::vector<std::int8_t> weights(std::size_t n, int limit) {
  std::vector<std::int8_t> w(n);
  std::uint32_t state = 1;
  for (std::int8_t& v : w) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<std::int8_t>(static_cast<int>((state >> 16) % static_cast<unsigned>(2 * limit + 1)) - limit);
  }
  return w;
}

// FP16 bytes of the input: 256 KiB stays in the second-level cache, 32 MiB comes from memory.
void sizes(benchmark::internal::Benchmark* b) { b->Arg(256 << 10)->Arg(32 << 20); }

void fp16_to_fp32(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const auto x = activations(bytes / 2);
  std::vector<float> out(x.size());
  for (auto _ : state) {
    to_float(x.data(), x.size(), out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, bytes, bytes, 0);
}
BENCHMARK(fp16_to_fp32)->Apply(sizes);

void fp32_to_fp16(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<float> x(bytes / 4);
  to_float(activations(x.size()).data(), x.size(), x.data());
  std::vector<Fp16> out(x.size());
  for (auto _ : state) {
    to_fp16(x.data(), x.size(), out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, bytes, bytes, 0);
}
BENCHMARK(fp32_to_fp16)->Apply(sizes);

void encode_bfp(benchmark::State& state, const BfpFormat& format, double target) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const auto x = activations(bytes / 2);
  std::vector<std::uint8_t> out(format.row_bytes(x.size()));
  for (auto _ : state) {
    benchmark::DoNotOptimize(encode_row(format, x.data(), x.size(), out.data()));
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, bytes, bytes, target);
}
constexpr BfpFormat kNearest8{32, 8, Rounding::kNearestEven, 8};
BENCHMARK_CAPTURE(encode_bfp, bfp8, kBfp8, 0.25)->Apply(sizes);
BENCHMARK_CAPTURE(encode_bfp, bfp4, kBfp4, 0.25)->Apply(sizes);
BENCHMARK_CAPTURE(encode_bfp, bfp8_nearest_even, kNearest8, 0)->Apply(sizes);

template <typename Value>
void decode_bfp(benchmark::State& state, const BfpFormat& format) {
  const auto bytes = static_cast<std::size_t>(state.range(0));  // of the output
  const std::size_t n = bytes / sizeof(Value);
  const auto in = stored(format, n);
  std::vector<Value> out(n);
  for (auto _ : state) {
    decode_row(format, in.data(), n, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, bytes, bytes, 0);
}
void decode_to_fp16(benchmark::State& state, const BfpFormat& format) { decode_bfp<Fp16>(state, format); }
void decode_to_fp32(benchmark::State& state, const BfpFormat& format) { decode_bfp<float>(state, format); }
BENCHMARK_CAPTURE(decode_to_fp16, bfp8, kBfp8)->Apply(sizes);
BENCHMARK_CAPTURE(decode_to_fp16, bfp4, kBfp4)->Apply(sizes);
BENCHMARK_CAPTURE(decode_to_fp32, bfp8, kBfp8)->Apply(sizes);

void append_residual(benchmark::State& state) {
  const std::size_t channels = 1024;
  const auto x = activations(channels * 32);
  std::vector<std::uint8_t> groups(channels * kBfp8.group_bytes());
  for (auto _ : state) {
    for (std::size_t c = 0; c < channels; ++c) clear_stored(kBfp8, groups.data() + c * kBfp8.group_bytes());
    for (int t = 0; t < 32; ++t) {
      append_row(kBfp8, x.data() + static_cast<std::size_t>(t) * channels, channels, t, groups.data());
    }
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, 2 * x.size(), 2 * x.size(), 0);
}
BENCHMARK(append_residual);

// One row of 4096 products: operands in the first-level cache.
constexpr std::size_t kRow = 4096;

void dot_bfp_row(benchmark::State& state, const BfpFormat& fb, double target) {
  const auto a = stored(kBfp8, kRow);
  const auto b = stored(fb, kRow);
  for (auto _ : state) benchmark::DoNotOptimize(dot_bfp(kBfp8, a.data(), fb, b.data(), kRow));
  report_macs(state, kRow, target);
}
BENCHMARK_CAPTURE(dot_bfp_row, M8M4, kBfp4, 10.0);
BENCHMARK_CAPTURE(dot_bfp_row, M8M8, kBfp8, 0);

void dot_integer_row(benchmark::State& state, int limit) {
  const auto a = stored(kBfp8, kRow);
  const auto w = weights(kRow, limit);
  const std::vector<Fp16> scales(kRow / 128, to_fp16(0.01f));
  for (auto _ : state) benchmark::DoNotOptimize(dot_int(kBfp8, a.data(), w.data(), scales.data(), kRow));
  report_macs(state, kRow, 0);
}
BENCHMARK_CAPTURE(dot_integer_row, M8W4, 8);

void dot_codebook_row(benchmark::State& state, int limit) {
  const auto a = stored(kBfp8, kRow);
  const auto q = weights(kRow, limit);
  const std::vector<Bf16> scales(kRow / 64, to_bf16(0.01f));
  for (auto _ : state) benchmark::DoNotOptimize(dot_codebook(kBfp8, a.data(), q.data(), scales.data(), 0.01f, kRow));
  report_macs(state, kRow, 0);
}
BENCHMARK_CAPTURE(dot_codebook_row, M8L8, 127);
BENCHMARK_CAPTURE(dot_codebook_row, M8L5, 15);

void dot_1bit_row(benchmark::State& state) {
  const auto a = stored(kBfp8, kRow);
  const auto w = weights(kRow / 8, 127);
  const std::vector<std::uint8_t> codes(w.begin(), w.end());
  const std::vector<Bf16> scales(kRow / 64, to_bf16(0.01f));
  for (auto _ : state) {
    benchmark::DoNotOptimize(dot_codebook_1bit(kBfp8, a.data(), codes.data(), -127, 127, scales.data(), 0.01f, kRow));
  }
  report_macs(state, kRow, 0);
}
BENCHMARK(dot_1bit_row)->Name("dot_1bit_row/M8B1");

void dot_fp16_row(benchmark::State& state) {
  const auto a = activations(kRow);
  const auto b = activations(kRow);
  for (auto _ : state) benchmark::DoNotOptimize(dot_fp16(a.data(), b.data(), kRow));
  report_macs(state, kRow, 0);
}
BENCHMARK(dot_fp16_row);

// 512 x 4096: the matrix lies in the outer caches, the vector is unpacked once.
constexpr std::size_t kRows = 512;

void gemv_bfp_matrix(benchmark::State& state, const BfpFormat& fb) {
  const auto a = stored(kBfp8, kRow);
  const auto b = stored(fb, kRows * kRow);
  std::vector<Fp16> out(kRows);
  for (auto _ : state) {
    gemv_bfp(kBfp8, a.data(), fb, b.data(), fb.row_bytes(kRow), kRows, kRow, out.data());
    benchmark::ClobberMemory();
  }
  report_macs(state, kRows * kRow, 0);
}
BENCHMARK_CAPTURE(gemv_bfp_matrix, M8M4, kBfp4);
BENCHMARK_CAPTURE(gemv_bfp_matrix, M8M8, kBfp8);

void gemv_codebook_matrix(benchmark::State& state) {
  const auto a = stored(kBfp8, kRow);
  const auto q = weights(kRows * kRow, 127);
  const std::vector<Bf16> scales(kRows * kRow / 64, to_bf16(0.01f));
  std::vector<Fp16> out(kRows);
  for (auto _ : state) {
    gemv_codebook(kBfp8, a.data(), q.data(), scales.data(), 0.01f, kRows, kRow, out.data());
    benchmark::ClobberMemory();
  }
  report_macs(state, kRows * kRow, 0);
}
BENCHMARK(gemv_codebook_matrix)->Name("gemv_codebook_matrix/M8L8");

void gemv_int_matrix(benchmark::State& state) {
  const auto a = stored(kBfp8, kRow);
  const auto w = weights(kRows * kRow, 8);
  const std::vector<Fp16> scales(kRows * kRow / 128, to_fp16(0.01f));
  std::vector<Fp16> out(kRows);
  for (auto _ : state) {
    gemv_int(kBfp8, a.data(), w.data(), scales.data(), kRows, kRow, 128, out.data());
    benchmark::ClobberMemory();
  }
  report_macs(state, kRows * kRow, 0);
}
BENCHMARK(gemv_int_matrix)->Name("gemv_int_matrix/M8W4");

void gemv_1bit_matrix(benchmark::State& state) {
  const auto a = stored(kBfp8, kRow);
  const auto w = weights(kRows * kRow / 8, 127);
  const std::vector<std::uint8_t> codes(w.begin(), w.end());
  const std::vector<Bf16> scales(kRows * kRow / 64, to_bf16(0.01f));
  std::vector<Fp16> out(kRows);
  for (auto _ : state) {
    gemv_codebook_1bit(kBfp8, a.data(), codes.data(), -127, 127, scales.data(), 0.01f, kRows, kRow, out.data());
    benchmark::ClobberMemory();
  }
  report_macs(state, kRows * kRow, 0);
}
BENCHMARK(gemv_1bit_matrix)->Name("gemv_1bit_matrix/M8B1");

void softmax_row(benchmark::State& state) {
  const auto x = activations(2048);
  std::vector<Fp16> out(x.size());
  for (auto _ : state) {
    harmonia::vector::softmax(x.data(), x.size(), 0.125f, out.data());
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, 2 * x.size(), 2 * x.size(), 0);
}
BENCHMARK(softmax_row);

void rms_norm_row(benchmark::State& state) {
  const auto x = activations(4096);
  const std::vector<float> weight(x.size(), 1.0f);
  std::vector<Fp16> out(x.size());
  for (auto _ : state) {
    harmonia::vector::rms_norm(x.data(), weight.data(), x.size(), 1e-5f, out.data());
    benchmark::ClobberMemory();
  }
  report_bandwidth(state, 2 * x.size(), 2 * x.size(), 0);
}
BENCHMARK(rms_norm_row);

}  // namespace

int main(int argc, char* argv[]) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  std::fprintf(stderr, "Library paths in use: %s. Rates are per CPU second of one core.\n",
               name(harmonia::formats::simd_level()));
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
