#pragma once

#include <cstdint>

// One binary serves every x86-64 processor: loops marked with this are compiled for its widest
// vectors too, and chosen when the program starts. The address sanitizer is not ready that early.
// "x86-64-v3" is AVX2 with fused multiplication and addition, which "avx2" leaves out.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define SRDIFF_VECTOR_WIDTHS
#define SRDIFF_FOR_AVX2 __attribute__((target("arch=x86-64-v3")))
#define SRDIFF_FOR_AVX512 __attribute__((target("avx512f")))
#define SRDIFF_EVERY_VECTOR_WIDTH \
  __attribute__((target_clones("avx512f", "arch=x86-64-v3", "default")))
#else
#define SRDIFF_FOR_AVX2
#define SRDIFF_FOR_AVX512
#define SRDIFF_EVERY_VECTOR_WIDTH
#endif

// What such a loop calls must become part of it.
#define SRDIFF_INLINE inline __attribute__((always_inline))

namespace srdiff::cpu {

/// `Width` values that operators work on at once, whatever a compiler would make of a loop.
template <std::int64_t Width>
struct Vector {
  using Floats [[gnu::vector_size(Width * sizeof(float))]] = float;
  using Integers [[gnu::vector_size(Width * sizeof(float))]] = std::int32_t;
};

}  // namespace srdiff::cpu
