#pragma once

// One binary serves every x86-64 processor: loops marked with this are compiled for its widest
// vectors too, and chosen when the program starts. The address sanitizer is not ready that early.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define SRDIFF_EVERY_VECTOR_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SRDIFF_EVERY_VECTOR_WIDTH
#endif

// What such a loop calls must become part of it.
#define SRDIFF_INLINE inline __attribute__((always_inline))
