#include "engine/cuda/patch_operators.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <limits>

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernel_arguments.h"
#endif

namespace srdiff::cuda {
namespace {

at::Tensor plain_patches(const NetworkImages& images, std::int64_t grid, std::int64_t channels,
                         c10::ScalarType type) {
  at::Tensor x = images.condition;
  if (images.x_t.defined()) {
    const at::Tensor second =
        images.a.defined() ? images.c_in * (images.x_t / images.a - images.condition) : images.x_t;
    x = at::cat({x, second}, 1);
  }
  x = grid > 1 ? at::pixel_unshuffle(x, grid) : x;
  x = at::constant_pad_nd(x, {0, 0, 0, 0, 0, channels - x.size(1)});
  return x.to(type).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor plain_image(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                       const Preconditioning& by) {
  at::Tensor found = x.narrow(1, 0, bias.size(0)).to(c10::kFloat) + bias.reshape({1, -1, 1, 1});
  found = grid > 1 ? at::pixel_shuffle(found, grid) : found.contiguous();
  return by.base.defined() ? by.base + by.c_skip * (by.x_t / by.a - by.base) + by.c_out * found
                           : found;
}

#ifdef SRDIFF_CUDA

bool is_plain_float(const at::Tensor& x, c10::Device device) {
  return x.device() == device && x.scalar_type() == c10::kFloat && x.is_contiguous();
}

bool is_image_like(const at::Tensor& x, at::IntArrayRef shape, c10::Device device) {
  return x.sizes() == shape && is_plain_float(x, device);
}

/// One value for each image.
bool is_scale(const at::Tensor& x, std::int64_t images, c10::Device device) {
  return x.defined() && x.numel() == images && is_plain_float(x, device);
}

bool is_small_enough(std::int64_t images, std::int64_t pixels) {
  return images > 0 && pixels > 0 && images <= std::numeric_limits<int>::max() &&
         pixels <= std::numeric_limits<int>::max();
}

/// Undefined where the kernels cannot take it.
at::Tensor patches_by_kernel(const NetworkImages& images, std::int64_t grid, std::int64_t channels,
                             c10::ScalarType type) {
  const at::Tensor& condition = images.condition;
  const auto element = condition.is_cuda() ? element_of(type) : std::nullopt;
  if (!element || condition.dim() != 4 || channels % vector_width(*element) != 0) {
    return {};
  }
  const auto device = condition.device();
  const std::int64_t count = condition.size(0);
  const bool scaled = images.a.defined();
  if (!is_plain_float(condition, device) || condition.size(2) % grid != 0 ||
      condition.size(3) % grid != 0 || !is_small_enough(count, condition.numel()) ||
      (images.x_t.defined() && !is_image_like(images.x_t, condition.sizes(), device)) ||
      (scaled && !(is_scale(images.a, count, device) && is_scale(images.c_in, count, device)))) {
    return {};
  }
  PatchInput input;
  input.condition = floats_of(condition);
  input.x_t = floats_of(images.x_t);
  input.a = floats_of(images.a);
  input.c_in = floats_of(images.c_in);
  input.images = static_cast<int>(count);
  input.colours = static_cast<int>(condition.size(1));
  input.height = static_cast<int>(condition.size(2) / grid);
  input.width = static_cast<int>(condition.size(3) / grid);
  input.grid = static_cast<int>(grid);
  const c10::cuda::CUDAGuard guard(device);
  at::Tensor result = at::empty({count, channels, input.height, input.width},
                                condition.options().dtype(type), at::MemoryFormat::ChannelsLast);
  C10_CUDA_CHECK(write_patches(input, static_cast<int>(channels), result.data_ptr(), *element,
                               at::cuda::getCurrentCUDAStream()));
  return result;
}

/// Undefined where the kernels cannot take it.
at::Tensor image_by_kernel(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                           const Preconditioning& by) {
  const auto element = x.is_cuda() ? element_of(x.scalar_type()) : std::nullopt;
  const auto device = x.device();
  if (!element || x.dim() != 4 || !x.is_contiguous(at::MemoryFormat::ChannelsLast) ||
      !is_small_enough(x.size(0), x.numel()) || bias.dim() != 1 || !is_plain_float(bias, device) ||
      bias.size(0) > x.size(1) || bias.size(0) % (grid * grid) != 0) {
    return {};
  }
  const std::int64_t count = x.size(0);
  const std::vector<std::int64_t> shape = {count, bias.size(0) / (grid * grid), x.size(2) * grid,
                                           x.size(3) * grid};
  if (by.base.defined() &&
      !(is_image_like(by.base, shape, device) && is_image_like(by.x_t, shape, device) &&
        is_scale(by.a, count, device) && is_scale(by.c_skip, count, device) &&
        is_scale(by.c_out, count, device))) {
    return {};
  }
  PatchOutput output;
  output.patches = x.data_ptr();
  output.bias = floats_of(bias);
  output.base = floats_of(by.base);
  output.x_t = floats_of(by.x_t);
  output.a = floats_of(by.a);
  output.c_skip = floats_of(by.c_skip);
  output.c_out = floats_of(by.c_out);
  output.channels = static_cast<int>(x.size(1));
  output.images = static_cast<int>(count);
  output.colours = static_cast<int>(shape[1]);
  output.height = static_cast<int>(x.size(2));
  output.width = static_cast<int>(x.size(3));
  output.grid = static_cast<int>(grid);
  const c10::cuda::CUDAGuard guard(device);
  at::Tensor result = at::empty(shape, bias.options());
  C10_CUDA_CHECK(
      write_image(output, result.data_ptr<float>(), *element, at::cuda::getCurrentCUDAStream()));
  return result;
}

#endif

using Optional = c10::optional<at::Tensor>;

at::Tensor patches_of(const at::Tensor& condition, const Optional& x_t, const Optional& a,
                      const Optional& c_in, std::int64_t grid, std::int64_t channels,
                      std::int64_t type) {
  const at::Tensor none;
  return input_patches({condition, x_t.value_or(none), a.value_or(none), c_in.value_or(none)}, grid,
                       channels, static_cast<c10::ScalarType>(type));
}

at::Tensor image_of(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                    const Optional& base, const Optional& x_t, const Optional& a,
                    const Optional& c_skip, const Optional& c_out) {
  const at::Tensor none;
  return output_image(x, bias, grid,
                      {base.value_or(none), x_t.value_or(none), a.value_or(none),
                       c_skip.value_or(none), c_out.value_or(none)});
}

TORCH_LIBRARY_FRAGMENT(srdiff, library) {
  library.def(
      "input_patches(Tensor condition, Tensor? x_t, Tensor? a, Tensor? c_in, int grid, int "
      "channels, int type) -> Tensor",
      patches_of);
  library.def(
      "output_image(Tensor x, Tensor bias, int grid, Tensor? base, Tensor? x_t, Tensor? a, Tensor? "
      "c_skip, Tensor? c_out) -> Tensor",
      image_of);
}

}  // namespace

at::Tensor input_patches(const NetworkImages& images, std::int64_t grid, std::int64_t channels,
                         c10::ScalarType type) {
#ifdef SRDIFF_CUDA
  at::Tensor result = patches_by_kernel(images, grid, channels, type);
  if (result.defined()) {
    return result;
  }
#endif
  return plain_patches(images, grid, channels, type);
}

at::Tensor output_image(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                        const Preconditioning& by) {
#ifdef SRDIFF_CUDA
  at::Tensor result = image_by_kernel(x, bias, grid, by);
  if (result.defined()) {
    return result;
  }
#endif
  return plain_image(x, bias, grid, by);
}

}  // namespace srdiff::cuda
