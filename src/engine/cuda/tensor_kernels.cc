#include "engine/cuda/tensor_kernels.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include <algorithm>

#include "engine/cuda/kernels/kernels.h"

namespace srdiff::cuda {

at::Tensor noise(const std::vector<std::uint64_t>& keys, int step, std::int64_t height,
                 std::int64_t width, std::int64_t y0, std::int64_t x0, c10::Device device) {
  const auto count = static_cast<std::int64_t>(keys.size());
  at::Tensor words = at::empty({count, 2}, at::kInt);
  auto* word = words.data_ptr<int>();
  for (const std::uint64_t key : keys) {
    *word++ = static_cast<int>(static_cast<std::uint32_t>(key));
    *word++ = static_cast<int>(static_cast<std::uint32_t>(key >> 32));
  }
  const c10::cuda::CUDAGuard guard(device);
  // From pinned memory, so that the copy is queued.
  const at::Tensor on_device = words.pin_memory().to(device, /*non_blocking=*/true);
  NoiseWindow window;
  window.keys = reinterpret_cast<const std::uint32_t*>(on_device.data_ptr<int>());
  window.step = static_cast<std::uint32_t>(step);
  window.x0 = static_cast<std::uint32_t>(x0);
  window.y0 = static_cast<std::uint32_t>(y0);
  window.images = static_cast<int>(count);
  window.height = static_cast<int>(height);
  window.width = static_cast<int>(width);
  at::Tensor result =
      at::empty({count, 3, height, width}, at::TensorOptions().dtype(at::kFloat).device(device));
  C10_CUDA_CHECK(write_noise(window, result.data_ptr<float>(), at::cuda::getCurrentCUDAStream()));
  return result;
}

at::Tensor weighted_sum(const std::vector<WeightedTensor>& terms, bool clip) {
  const at::Tensor& first = terms.front().first;
  const bool fits = first.is_cuda() && terms.size() <= WeightedSum::most &&
                    std::all_of(terms.begin(), terms.end(), [&](const WeightedTensor& term) {
                      const at::Tensor& tensor = term.first;
                      return tensor.device() == first.device() && tensor.sizes() == first.sizes() &&
                             tensor.scalar_type() == c10::kFloat && tensor.is_contiguous();
                    });
  if (!fits) {
    return {};
  }
  const c10::cuda::CUDAGuard guard(first.device());
  WeightedSum sum;
  sum.clip = clip;
  for (const auto& [tensor, weight] : terms) {
    sum.terms[sum.count] = tensor.data_ptr<float>();
    sum.weights[sum.count++] = static_cast<float>(weight);
  }
  at::Tensor result = at::empty_like(first);
  C10_CUDA_CHECK(write_weighted_sum(sum, result.numel(), result.data_ptr<float>(),
                                    at::cuda::getCurrentCUDAStream()));
  return result;
}

}  // namespace srdiff::cuda
