#include "harmonia/hw/formats/cpu.h"

#include <atomic>
#include <cstdlib>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace harmonia::formats {
namespace {

std::atomic<int> forced{0};

SimdLevel detect() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // Not every compiler's __builtin_cpu_supports() knows F16C: CPUID leaf 1, ECX bit 29. AVX2 includes the system's
  // support.
  unsigned a = 0, b = 0, c = 0, d = 0;
  const bool f16c = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & (1u << 29)) != 0;
  if (f16c && __builtin_cpu_supports("avx2")) return SimdLevel::kAvx2;
#endif
  return SimdLevel::kScalar;
}

bool scalar_by_environment() noexcept {
  const char* value = std::getenv("HARMONIA_SCALAR");
  return value != nullptr && value[0] != '\0' && !(value[0] == '0' && value[1] == '\0');
}

}  // namespace

SimdLevel processor_simd_level() noexcept {
  static const SimdLevel level = detect();
  return level;
}

SimdLevel simd_level() noexcept {
  static const SimdLevel level = scalar_by_environment() ? SimdLevel::kScalar : processor_simd_level();
  return forced.load(std::memory_order_relaxed) > 0 ? SimdLevel::kScalar : level;
}

const char* name(SimdLevel level) noexcept { return level == SimdLevel::kAvx2 ? "AVX2" : "scalar"; }

ForceScalar::ForceScalar() noexcept { forced.fetch_add(1, std::memory_order_relaxed); }
ForceScalar::~ForceScalar() { forced.fetch_sub(1, std::memory_order_relaxed); }

}  // namespace harmonia::formats
