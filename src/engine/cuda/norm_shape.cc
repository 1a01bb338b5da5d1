#include <algorithm>
#include <numeric>

#include "base/integer_math.h"
#include "engine/cuda/kernels/kernels.h"

namespace srdiff::cuda {
namespace {

constexpr int most_threads = 256;  ///< of a block
constexpr int most_blocks = 8;     ///< of a cluster, on every device that has clusters
constexpr int most_held = 16;
constexpr int most_chunk = 1024;

/// How many blocks it takes to hold a chunk's channels of all positions in registers; 0 where it
/// takes more than there can be.
int blocks_to_hold(int positions, int rows, int held, bool clusters) {
  for (int blocks = 1; blocks <= (clusters ? most_blocks : 1); blocks *= 2) {
    if (divide_up(positions, rows * blocks) <= held) {
      return blocks;
    }
  }
  return 0;
}

NormShape holding(int positions, int chunk, int width, int held, bool clusters) {
  const int vectors = chunk / width;
  const int rows = std::min(most_threads / vectors, positions);
  const int blocks = blocks_to_hold(positions, rows, held, clusters);
  if (blocks == 0) {
    return {};
  }
  int least = 1;
  while (least < divide_up(positions, rows * blocks)) {
    least *= 2;
  }
  return {chunk, rows, blocks, least};
}

}  // namespace

NormShape norm_shape(int positions, int channels, int groups, int width, bool clusters) {
  if (positions < 1 || groups < 1 || channels % groups != 0 || channels % width != 0) {
    return {};
  }
  const int unit = std::lcm(channels / groups, width);
  if (unit > most_chunk || unit > most_threads * width || channels % unit != 0) {
    return {};
  }
  // A memory access brings 64 bytes in a row, or 32 at least; a chunk should use them all.
  const auto grown = [&](int vectors) {
    int chunk = unit;
    while (chunk < vectors * width && channels % (2 * chunk) == 0) {
      chunk *= 2;
    }
    return chunk;
  };
  constexpr int wide = 4;
  constexpr int narrow = 2;
  const int chunk = grown(wide);
  for (const int held : {most_held / 2, most_held}) {
    for (int size = chunk; size >= grown(narrow); size /= 2) {
      const NormShape shape = holding(positions, size, width, held, clusters);
      if (shape.chunk > 0) {
        return shape;
      }
    }
  }
  const int rows = std::min(most_threads / (chunk / width), positions);
  constexpr int positions_of_thread = 16;
  constexpr int most_shares = 64;
  return {chunk, rows, std::clamp(positions / (rows * positions_of_thread), 1, most_shares), 0};
}

std::size_t norm_shared_bytes(const NormShape& shape, int width) {
  const int vectors = shape.chunk / width;
  const int threads = shape.rows * vectors;
  // As NormMemory (group_norm.cuh) parts it.
  const int pairs = width * (threads + vectors) + std::max(threads, shape.chunk) + 2 * shape.chunk;
  return 2 * sizeof(float) * static_cast<std::size_t>(pairs);
}

std::int64_t norm_workspace(const ImageSum& image, const NormShape& shape) {
  return shape.held > 0 ? 0 : std::int64_t{2} * image.images * shape.blocks * image.channels();
}

}  // namespace srdiff::cuda
