#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

#include "engine/cuda/kernels/kernels.h"

namespace srdiff::cuda {

/// Of a block, in kernels whose threads take items one after another, however many blocks there
/// are.
constexpr int threads_of_items = 256;

inline unsigned int blocks_for(long long items) {
  constexpr long long most = 1 << 20;
  return static_cast<unsigned int>(
      std::clamp((items + threads_of_items - 1) / threads_of_items, 1LL, most));
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
