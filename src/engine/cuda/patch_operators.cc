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

enum Scale : std::int64_t { scale_a, scale_c_in, scale_c_skip, scale_c_out, scale_count };

bool is_scaled(const DenoiserImages& images) {
  return images.scales.defined() && images.scales.size(0) == scale_count;
}

at::Tensor scale(const DenoiserImages& images, Scale which) {
  return images.scales.select(0, which).reshape({-1, 1, 1, 1});
}

at::Tensor residual(const DenoiserImages& images) {
  return images.x_t / scale(images, scale_a) - images.condition;
}

at::Tensor plain_patches(const DenoiserImages& images, std::int64_t grid, std::int64_t channels,
                         c10::ScalarType type) {
  at::Tensor x = images.x_t.defined() ? denoiser_input(images) : images.condition;
  x = grid > 1 ? at::pixel_unshuffle(x, grid) : x;
  x = at::constant_pad_nd(x, {0, 0, 0, 0, 0, channels - x.size(1)});
  return x.to(type).contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor plain_image(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                       const DenoiserImages& images) {
  at::Tensor found = x.narrow(1, 0, bias.size(0)).to(c10::kFloat) + bias.reshape({1, -1, 1, 1});
  found = grid > 1 ? at::pixel_shuffle(found, grid) : found.contiguous();
  return denoiser_output(found, images);
}

#ifdef SRDIFF_CUDA

bool is_plain_float(const at::Tensor& x, c10::Device device) {
  return x.device() == device && x.scalar_type() == c10::kFloat && x.is_contiguous();
}

bool is_image_like(const at::Tensor& x, at::IntArrayRef shape, c10::Device device) {
  return x.sizes() == shape && is_plain_float(x, device);
}

/// Whether the scales, if there are any, are one of each kind for each image.
bool are_scales(const DenoiserImages& images, std::int64_t count, c10::Device device) {
  return !is_scaled(images) ||
         (images.scales.numel() == scale_count * count && is_plain_float(images.scales, device));
}

/// The scales of one kind, an image each; null where there are none.
const float* scale_data(const DenoiserImages& images, Scale which) {
  return is_scaled(images) ? images.scales.data_ptr<float>() + which * images.scales.size(1)
                           : nullptr;
}

bool is_small_enough(std::int64_t images, std::int64_t pixels) {
  return images > 0 && pixels > 0 && images <= std::numeric_limits<int>::max() &&
         pixels <= std::numeric_limits<int>::max();
}

/// Undefined where the kernels cannot take it.
at::Tensor patches_by_kernel(const DenoiserImages& images, std::int64_t grid, std::int64_t channels,
                             c10::ScalarType type) {
  const at::Tensor& condition = images.condition;
  const auto element = condition.is_cuda() ? element_of(type) : std::nullopt;
  if (!element || condition.dim() != 4 || channels % vector_width(*element) != 0) {
    return {};
  }
  const auto device = condition.device();
  const std::int64_t count = condition.size(0);
  if (!is_plain_float(condition, device) || condition.size(2) % grid != 0 ||
      condition.size(3) % grid != 0 || !is_small_enough(count, condition.numel()) ||
      (images.x_t.defined() && !is_image_like(images.x_t, condition.sizes(), device)) ||
      !are_scales(images, count, device)) {
    return {};
  }
  PatchInput input;
  input.condition = floats_of(condition);
  input.x_t = floats_of(images.x_t);
  input.a = scale_data(images, scale_a);
  input.c_in = scale_data(images, scale_c_in);
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
                           const DenoiserImages& images) {
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
  const bool scaled = images.condition.defined() && is_scaled(images);
  if (scaled && !(is_image_like(images.condition, shape, device) &&
                  is_image_like(images.x_t, shape, device) && are_scales(images, count, device))) {
    return {};
  }
  PatchOutput output;
  output.patches = x.data_ptr();
  output.bias = floats_of(bias);
  if (scaled) {
    output.base = floats_of(images.condition);
    output.x_t = floats_of(images.x_t);
    output.a = scale_data(images, scale_a);
    output.c_skip = scale_data(images, scale_c_skip);
    output.c_out = scale_data(images, scale_c_out);
  }
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

DenoiserImages images_of(const Optional& condition, const Optional& x_t, const Optional& scales) {
  const at::Tensor none;
  return {condition.value_or(none), x_t.value_or(none), scales.value_or(none)};
}

at::Tensor run_denoiser_input(const at::Tensor& condition, const at::Tensor& x_t,
                              const at::Tensor& scales) {
  return denoiser_input({condition, x_t, scales});
}

at::Tensor run_denoiser_output(const at::Tensor& found, const at::Tensor& condition,
                               const at::Tensor& x_t, const at::Tensor& scales) {
  return denoiser_output(found, {condition, x_t, scales});
}

at::Tensor run_input_patches(const at::Tensor& condition, const Optional& x_t,
                             const Optional& scales, std::int64_t grid, std::int64_t channels,
                             std::int64_t type) {
  return input_patches(images_of(condition, x_t, scales), grid, channels,
                       static_cast<c10::ScalarType>(type));
}

at::Tensor run_output_image(const at::Tensor& x, const at::Tensor& bias, std::int64_t grid,
                            const Optional& condition, const Optional& x_t,
                            const Optional& scales) {
  return output_image(x, bias, grid, images_of(condition, x_t, scales));
}

TORCH_LIBRARY_FRAGMENT(srdiff, library) {
  library.def("denoiser_input(Tensor condition, Tensor x_t, Tensor scales) -> Tensor",
              run_denoiser_input);
  library.def(
      "denoiser_output(Tensor found, Tensor condition, Tensor x_t, Tensor scales) -> Tensor",
      run_denoiser_output);
  library.def(
      "input_patches(Tensor condition, Tensor? x_t, Tensor? scales, int grid, int channels, int "
      "type) -> Tensor",
      run_input_patches);
  library.def(
      "output_image(Tensor x, Tensor bias, int grid, Tensor? condition, Tensor? x_t, Tensor? "
      "scales) -> Tensor",
      run_output_image);
}

}  // namespace

at::Tensor denoiser_input(const DenoiserImages& images) {
  return at::cat({images.condition,
                  is_scaled(images) ? scale(images, scale_c_in) * residual(images) : images.x_t},
                 1);
}

at::Tensor denoiser_output(const at::Tensor& found, const DenoiserImages& images) {
  return images.condition.defined() && is_scaled(images)
             ? images.condition + scale(images, scale_c_skip) * residual(images) +
                   scale(images, scale_c_out) * found
             : found;
}

at::Tensor input_patches(const DenoiserImages& images, std::int64_t grid, std::int64_t channels,
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
                        const DenoiserImages& images) {
#ifdef SRDIFF_CUDA
  at::Tensor result = image_by_kernel(x, bias, grid, images);
  if (result.defined()) {
    return result;
  }
#endif
  return plain_image(x, bias, grid, images);
}

}  // namespace srdiff::cuda
