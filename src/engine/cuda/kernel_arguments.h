#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "engine/cuda/kernels/kernels.h"

namespace srdiff::cuda {

// Tensors as arguments of the kernels of kernels/kernels.h.

/// The kernels' word for a type; none for a type that they do not take.
inline std::optional<Element> element_of(c10::ScalarType type) {
  switch (type) {
    case c10::kFloat:
      return Element::float32;
    case c10::kHalf:
      return Element::float16;
    case c10::kBFloat16:
      return Element::bfloat16;
    default:
      return std::nullopt;
  }
}

inline bool at_whole_vectors(const at::Tensor& x) {
  constexpr std::uintptr_t vector_bytes = 16;
  return reinterpret_cast<std::uintptr_t>(x.data_ptr()) % vector_bytes == 0;
}

inline void* data_of(const at::Tensor& x) {
  return x.defined() ? x.data_ptr() : nullptr;
}

inline const float* floats_of(const at::Tensor& x) {
  return x.defined() ? x.data_ptr<float>() : nullptr;
}

}  // namespace srdiff::cuda
