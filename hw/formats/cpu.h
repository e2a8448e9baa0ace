// Which vector instructions the library may use on this processor, decided when the program runs.
//
// Models: nothing of the machine. Every vectorised function has a scalar definition and gives the same bits.
// The environment variable HARMONIA_SCALAR (any value but empty or 0) and ForceScalar select the scalar definitions.
#pragma once

namespace harmonia::formats {

enum class SimdLevel { kScalar, kAvx2 };

/// What the processor offers: kAvx2 means AVX2 and F16C.
SimdLevel processor_simd_level() noexcept;
/// What the library's functions use now.
SimdLevel simd_level() noexcept;
inline bool use_avx2() noexcept { return simd_level() == SimdLevel::kAvx2; }
const char* name(SimdLevel level) noexcept;

/// While an object of this class exists, all threads use the scalar definitions. For tests and for measuring.
class ForceScalar {
 public:
  ForceScalar() noexcept;
  ~ForceScalar();
  ForceScalar(const ForceScalar&) = delete;
  ForceScalar& operator=(const ForceScalar&) = delete;
};

}  // namespace harmonia::formats
