#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "base/integer_math.h"
#include "engine/cuda/kernels/kernels.h"

namespace srdiff::cuda {

/// Threads of a block in kernels that run with any number of blocks: each thread takes items, one
/// after another, until none is left.
constexpr int threads_of_items = 256;

/// Blocks for that many items: a thread each, up to a number that fills any device.
inline unsigned int blocks_for(long long items) {
  constexpr std::int64_t most = 1 << 20;
  return static_cast<unsigned int>(
      std::clamp<std::int64_t>(divide_up(items, threads_of_items), 1, most));
}

template <typename T>
struct ElementType {
  using type = T;
};

/// call(ElementType<T>()) with the type that images of `element` have on the device.
template <typename Call>
cudaError_t with_type_of(Element element, const Call& call) {
  switch (element) {
    case Element::float32:
      return call(ElementType<float>());
    case Element::float16:
      return call(ElementType<__half>());
    case Element::bfloat16:
      return call(ElementType<__nv_bfloat16>());
  }
  return cudaErrorInvalidValue;
}

}  // namespace srdiff::cuda
