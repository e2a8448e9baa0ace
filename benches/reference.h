// What an operation is measured against: memcpy and the peak of 8-bit multiply-add on one core, measured in the same
// run.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace harmonia::bench {

/// CPU seconds of this thread: other programs on the machine do not count.
inline double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// GB/s of memcpy, counted on the bytes read, for a buffer of this size; the median of several runs, measured once per
/// size.
inline double memcpy_gb_per_s(std::size_t bytes) {
  static std::map<std::size_t, double> known;
  const auto found = known.find(bytes);
  if (found != known.end()) return found->second;
  std::vector<std::uint8_t> from(bytes, 1), to(bytes, 2);
  const std::size_t repeats = std::max<std::size_t>(1, (std::size_t{1} << 28) / bytes);
  std::vector<double> rates;
  for (int run = 0; run < 7; ++run) {
    const double start = cpu_seconds();
    for (std::size_t i = 0; i < repeats; ++i) {
      std::memcpy(to.data(), from.data(), bytes);
      benchmark::DoNotOptimize(to.data());
      benchmark::ClobberMemory();
    }
    rates.push_back(1e-9 * static_cast<double>(bytes * repeats) / (cpu_seconds() - start));
  }
  std::sort(rates.begin(), rates.end());
  return known[bytes] = rates[rates.size() / 2];
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) inline void multiply_add_loop(std::size_t rounds) {
  __m256i a = _mm256_set1_epi8(3);
  __m256i b = _mm256_set1_epi8(5);
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[8];
  for (__m256i& s : sum) s = _mm256_setzero_si256();
  for (std::size_t i = 0; i < rounds; ++i) {
    asm volatile("" : "+x"(a), "+x"(b));  // the products are not loop-invariant to the compiler
    for (__m256i& s : sum) s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    asm volatile("" : "+x"(sum[0]), "+x"(sum[1]), "+x"(sum[2]), "+x"(sum[3]));
    asm volatile("" : "+x"(sum[4]), "+x"(sum[5]), "+x"(sum[6]), "+x"(sum[7]));
  }
  for (__m256i& s : sum) benchmark::DoNotOptimize(s);
}
#endif

/// GMAC/s of AVX2's 8-bit multiply-add with every operand in registers, or 0 where there is no AVX2.
inline double peak_gmac_per_s() {
#if defined(__x86_64__)
  static const double peak = [] {
    if (!__builtin_cpu_supports("avx2")) return 0.0;
    const std::size_t rounds = 20000000;
    multiply_add_loop(rounds / 10);
    const double start = cpu_seconds();
    multiply_add_loop(rounds);
    return 1e-9 * static_cast<double>(rounds) * 8 * 32 / (cpu_seconds() - start);
  }();
  return peak;
#else
  return 0.0;
#endif
}

/// Prints GB/s of `bytes` an iteration beside memcpy of `memcpy_bytes`, their ratio, and the target ratio (0: none
/// stated).
inline void report_bandwidth(benchmark::State& state, std::size_t bytes, std::size_t memcpy_bytes,
                             double target_ratio) {
  using benchmark::Counter;
  const double total = static_cast<double>(bytes) * static_cast<double>(state.iterations());
  const double reference = memcpy_gb_per_s(memcpy_bytes);
  state.counters["GB/s"] = Counter(1e-9 * total, Counter::kIsRate);
  state.counters["memcpy_GB/s"] = reference;
  state.counters["of_memcpy"] = Counter(1e-9 * total / reference, Counter::kIsRate);
  if (target_ratio > 0) state.counters["target"] = target_ratio;
}

/// Prints GMAC/s beside the peak, their ratio, and the target in GMAC/s (0: none stated).
inline void report_macs(benchmark::State& state, std::size_t macs, double target) {
  using benchmark::Counter;
  const double total = static_cast<double>(macs) * static_cast<double>(state.iterations());
  const double peak = peak_gmac_per_s();
  state.counters["GMAC/s"] = Counter(1e-9 * total, Counter::kIsRate);
  state.counters["peak_GMAC/s"] = peak;
  if (peak > 0) state.counters["of_peak"] = Counter(1e-9 * total / peak, Counter::kIsRate);
  if (target > 0) state.counters["target"] = target;
}

}  // namespace harmonia::bench
