#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/cpu/simd/vector_math.h"

namespace srdiff::cpu {

/// The part of a matrix product that stays in registers: `Rows` rows of `Vectors` vectors.
template <std::int64_t Width, std::int64_t Vectors, std::int64_t Rows>
struct RegisterTile {
  using Row = std::array<Values<Width>, Vectors>;

  std::array<Row, Rows> sums;

  /// All zero. One by one: with AVX2, GCC makes `sums{}` a fill of memory by `rep stos`, which
  /// takes as long as an eighth of a product of 64 channels.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init, hicpp-member-init)
  SRDIFF_INLINE RegisterTile() {
#pragma GCC unroll 16
    for (std::int64_t row = 0; row < Rows; ++row) {
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Vectors; ++v) {
        sums[static_cast<std::size_t>(row)][v] = Values<Width>{};
      }
    }
  }

  /// Adds left(row) · right[columns] to each row.
  template <typename Left>
  SRDIFF_INLINE void add(const Left& left, const float* right) {
    Row factors;
#pragma GCC unroll 4
    for (std::int64_t v = 0; v < Vectors; ++v) {
      load(right + v * Width, factors[static_cast<std::size_t>(v)]);
    }
#pragma GCC unroll 16
    for (std::int64_t row = 0; row < Rows; ++row) {
      const float factor = left(row);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < Vectors; ++v) {
        sums[static_cast<std::size_t>(row)][v] += factors[v] * factor;
      }
    }
  }

  SRDIFF_INLINE void read(std::int64_t row, const float* from) {
    for (std::size_t v = 0; v < Vectors; ++v) {
      load(from + static_cast<std::int64_t>(v) * Width, sums[static_cast<std::size_t>(row)][v]);
    }
  }

  SRDIFF_INLINE void write(std::int64_t row, float* to) const {
    for (std::size_t v = 0; v < Vectors; ++v) {
      store(sums[static_cast<std::size_t>(row)][v], to + static_cast<std::int64_t>(v) * Width);
    }
  }
};

}  // namespace srdiff::cpu
