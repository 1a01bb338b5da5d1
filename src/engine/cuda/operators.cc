#include "engine/cuda/operators.h"

#include <ATen/ATen.h>
#include <torch/library.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#ifdef SRDIFF_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include "engine/cuda/kernel_arguments.h"
#include "engine/cuda/kernels/kernels.h"
#endif

namespace srdiff::cuda {
namespace {

/// The sum by LibTorch's operators.
at::Tensor plain_sum(const ImageTerms& terms) {
  at::Tensor sum = terms.addend.defined() ? at::add(terms.a, terms.addend) : terms.a;
  if (terms.bias.defined()) {
    sum = at::add(sum, terms.bias.to(sum.scalar_type()).reshape({1, -1, 1, 1}));
  }
  if (terms.offset.defined()) {
    sum = at::add(sum, terms.offset.unsqueeze(-1).unsqueeze(-1));
  }
  return terms.b.defined() ? at::cat({sum, terms.b}, 1) : sum;
}

at::Tensor plain_norm(const at::Tensor& sum, const NormParameters& norm) {
  const at::Tensor normalised = at::group_norm(sum, norm.groups, norm.weight.to(sum.scalar_type()),
                                               norm.bias.to(sum.scalar_type()), norm.eps);
  return norm.silu ? at::silu(normalised) : normalised;
}

at::Tensor plain_attention(const at::Tensor& qkv, at::IntArrayRef parts, at::IntArrayRef shape,
                           double scale) {
  const std::vector<at::Tensor> part = qkv.reshape(parts).chunk(3, 1);
  const at::Tensor scores = at::bmm(part[0].transpose(1, 2), part[1]) * scale;
  return at::bmm(part[2], at::softmax(scores, -1).transpose(1, 2)).reshape(shape);
}

#ifdef SRDIFF_CUDA

/// Whether kernels can read `x` beside `like`, but for the number of channels.
bool is_readable(const at::Tensor& x, const at::Tensor& like, int width) {
  return x.dim() == 4 && x.device() == like.device() && x.scalar_type() == like.scalar_type() &&
         x.size(0) == like.size(0) && x.size(2) == like.size(2) && x.size(3) == like.size(3) &&
         x.size(1) % width == 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         at_whole_vectors(x);
}

bool is_offset(const at::Tensor& offset, const at::Tensor& a, int width) {
  return offset.dim() == 2 && offset.device() == a.device() &&
         offset.scalar_type() == a.scalar_type() && offset.size(0) == a.size(0) &&
         offset.size(1) == a.size(1) && offset.stride(1) == 1 && offset.stride(0) % width == 0 &&
         at_whole_vectors(offset);
}

bool is_parameter(const at::Tensor& x, const at::Tensor& a, std::int64_t channels) {
  return x.device() == a.device() && x.scalar_type() == c10::kFloat && x.is_contiguous() &&
         x.dim() == 1 && x.size(0) == channels;
}

/// What the kernels take of the terms; none where they cannot.
std::optional<ImageSum> for_kernels(const ImageTerms& terms) {
  const at::Tensor& a = terms.a;
  const auto element = a.is_cuda() ? element_of(a.scalar_type()) : std::nullopt;
  constexpr std::int64_t most_images = 65535;
  if (!element || a.numel() == 0 || a.dim() != 4 || a.size(0) > most_images ||
      a.numel() / a.size(0) > std::numeric_limits<int>::max()) {
    return std::nullopt;
  }
  const int width = vector_width(*element);
  if (!is_readable(a, a, width) ||
      (terms.addend.defined() &&
       !(is_readable(terms.addend, a, width) && terms.addend.size(1) == a.size(1))) ||
      (terms.b.defined() && !is_readable(terms.b, a, width)) ||
      (terms.bias.defined() && !is_parameter(terms.bias, a, a.size(1))) ||
      (terms.offset.defined() && !is_offset(terms.offset, a, width))) {
    return std::nullopt;
  }
  ImageSum sum;
  sum.a = a.data_ptr();
  sum.addend = data_of(terms.addend);
  sum.bias = floats_of(terms.bias);
  if (terms.offset.defined()) {
    sum.offset = terms.offset.data_ptr();
    sum.offset_step = terms.offset.stride(0);
  }
  sum.images = static_cast<int>(a.size(0));
  sum.positions = static_cast<int>(a.size(2) * a.size(3));
  sum.channels_a = static_cast<int>(a.size(1));
  if (terms.b.defined()) {
    sum.b = terms.b.data_ptr();
    sum.channels_b = static_cast<int>(terms.b.size(1));
  }
  return sum;
}

at::Tensor new_image(const ImageTerms& terms, std::int64_t factor = 1) {
  const at::Tensor& a = terms.a;
  const std::int64_t channels = a.size(1) + (terms.b.defined() ? terms.b.size(1) : 0);
  return at::empty({a.size(0), channels, a.size(2) * factor, a.size(3) * factor}, a.options(),
                   at::MemoryFormat::ChannelsLast);
}

/// False where the kernels cannot take it.
bool norm_by_kernels(const ImageTerms& terms, const NormParameters& parameters, bool keep,
                     at::Tensor& sum, at::Tensor& result) {
  const auto image = for_kernels(terms);
  if (!image || !is_parameter(parameters.weight, terms.a, image->channels()) ||
      !is_parameter(parameters.bias, terms.a, image->channels())) {
    return false;
  }
  const c10::cuda::CUDAGuard guard(terms.a.device());
  const auto element = *element_of(terms.a.scalar_type());
  const NormShape shape =
      norm_shape(image->positions, image->channels(), static_cast<int>(parameters.groups),
                 vector_width(element), norm_forms_clusters());
  if (shape.chunk == 0) {
    return false;
  }
  sum = keep ? new_image(terms) : at::Tensor();
  result = new_image(terms);
  const at::Tensor workspace =
      at::empty({norm_workspace(*image, shape)}, terms.a.options().dtype(c10::kFloat));
  ImageNorm norm;
  norm.groups = static_cast<int>(parameters.groups);
  norm.weight = parameters.weight.data_ptr<float>();
  norm.bias = parameters.bias.data_ptr<float>();
  norm.eps = static_cast<float>(parameters.eps);
  norm.silu = parameters.silu;
  norm.result = result.data_ptr();
  norm.sum = data_of(sum);
  C10_CUDA_CHECK(group_norm(*image, norm, shape, element, workspace.data_ptr<float>(),
                            at::cuda::getCurrentCUDAStream()));
  return true;
}

/// `image` is what for_kernels made of the terms.
void sum_by_kernels(const ImageTerms& terms, const ImageSum& image, std::int64_t factor,
                    const at::Tensor& sum, const at::Tensor& activated) {
  const c10::cuda::CUDAGuard guard(terms.a.device());
  const int width = factor == 2 ? static_cast<int>(terms.a.size(3)) : 0;
  C10_CUDA_CHECK(add_images(image, width, data_of(sum), data_of(activated),
                            *element_of(terms.a.scalar_type()), at::cuda::getCurrentCUDAStream()));
}

/// Heads of views into qkv's own memory, [N,heads,H·W,dim]; undefined where it is not laid out so.
at::Tensor attention_by_heads(const at::Tensor& qkv, at::IntArrayRef parts, at::IntArrayRef shape,
                              double scale) {
  if (!qkv.is_cuda() || qkv.dim() != 4 || qkv.numel() == 0 || parts.size() != 3 ||
      !qkv.is_contiguous(at::MemoryFormat::ChannelsLast)) {
    return {};
  }
  const std::int64_t images = qkv.size(0);
  const std::int64_t positions = qkv.size(2) * qkv.size(3);
  const std::int64_t heads = parts[0] / images;
  if (heads < 1 || parts[0] != heads * images || parts[1] % 3 != 0 ||
      parts[1] * heads != qkv.size(1) || parts[2] != positions ||
      shape != at::IntArrayRef({images, qkv.size(1) / 3, qkv.size(2), qkv.size(3)})) {
    return {};
  }
  const at::Tensor rows =
      qkv.permute({0, 2, 3, 1}).view({images, positions, heads, 3, parts[1] / 3});
  const auto part = [&](std::int64_t i) { return rows.select(3, i).transpose(1, 2); };
  const at::Tensor result =
      at::scaled_dot_product_attention(part(0), part(1), part(2), {}, 0.0, false, scale);
  return result.transpose(1, 2)
      .reshape({images, qkv.size(2), qkv.size(3), qkv.size(1) / 3})
      .permute({0, 3, 1, 2});
}

#endif

ImageTerms terms_of(const at::Tensor& a, const c10::optional<at::Tensor>& addend,
                    const c10::optional<at::Tensor>& bias,
                    const c10::optional<at::Tensor>& offset) {
  return {a,
          addend.value_or(at::Tensor()),
          {},
          bias.value_or(at::Tensor()),
          offset.value_or(at::Tensor())};
}

std::tuple<at::Tensor, at::Tensor> sum_norm(
    const at::Tensor& a, const c10::optional<at::Tensor>& addend,
    const c10::optional<at::Tensor>& b, const c10::optional<at::Tensor>& bias,
    const c10::optional<at::Tensor>& offset, std::int64_t groups, const at::Tensor& weight,
    const at::Tensor& norm_bias, double eps, bool silu, bool keep) {
  ImageTerms terms = terms_of(a, addend, bias, offset);
  terms.b = b.value_or(at::Tensor());
  return normalised_sum(terms, {groups, weight, norm_bias, eps, silu}, keep);
}

std::tuple<at::Tensor, at::Tensor> sum_silu(const at::Tensor& a,
                                            const c10::optional<at::Tensor>& addend,
                                            const c10::optional<at::Tensor>& bias,
                                            const c10::optional<at::Tensor>& offset, bool keep) {
  return activated_sum(terms_of(a, addend, bias, offset), keep);
}

at::Tensor sum_upsampled(const at::Tensor& a, const c10::optional<at::Tensor>& addend,
                         const c10::optional<at::Tensor>& bias,
                         const c10::optional<at::Tensor>& offset, std::int64_t factor) {
  return upsampled_sum(terms_of(a, addend, bias, offset), factor);
}

at::Tensor upsample_nearest(const at::Tensor& x, std::int64_t factor) {
  return upsampled_sum({x}, factor);
}

TORCH_LIBRARY_FRAGMENT(srdiff, library) {
  const std::string sum = "(Tensor a, Tensor? addend, ";
  const std::string parameters = "Tensor? bias, Tensor? offset, ";
  library.def(("sum_norm" + sum + "Tensor? b, " + parameters +
               "int groups, Tensor weight, Tensor norm_bias, float eps, bool silu, bool keep) -> "
               "(Tensor, Tensor)")
                  .c_str(),
              sum_norm);
  library.def(("sum_silu" + sum + parameters + "bool keep) -> (Tensor, Tensor)").c_str(), sum_silu);
  library.def(("sum_upsampled" + sum + parameters + "int factor) -> Tensor").c_str(),
              sum_upsampled);
  library.def("attention_of_parts(Tensor qkv, int[] parts, int[] shape, float scale) -> Tensor",
              attention_of_parts);
}

TORCH_LIBRARY_IMPL(srdiff, CUDA, library) {
  library.impl("upsample_nearest", upsample_nearest);
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> normalised_sum(const ImageTerms& terms,
                                                  const NormParameters& norm, bool keep) {
#ifdef SRDIFF_CUDA
  at::Tensor kept;
  at::Tensor result;
  if (norm_by_kernels(terms, norm, keep, kept, result)) {
    return {kept, result};
  }
#endif
  const at::Tensor sum = plain_sum(terms);
  return {keep ? sum : at::Tensor(), plain_norm(sum, norm)};
}

std::tuple<at::Tensor, at::Tensor> activated_sum(const ImageTerms& terms, bool keep) {
#ifdef SRDIFF_CUDA
  if (const auto image = for_kernels(terms)) {
    const at::Tensor kept = keep ? new_image(terms) : at::Tensor();
    at::Tensor result = new_image(terms);
    sum_by_kernels(terms, *image, 1, kept, result);
    return {kept, result};
  }
#endif
  const at::Tensor sum = plain_sum(terms);
  return {keep ? sum : at::Tensor(), at::silu(sum)};
}

at::Tensor upsampled_sum(const ImageTerms& terms, std::int64_t factor) {
#ifdef SRDIFF_CUDA
  if (const auto image = factor == 1 || factor == 2 ? for_kernels(terms) : std::nullopt) {
    at::Tensor result = new_image(terms, factor);
    sum_by_kernels(terms, *image, factor, result, {});
    return result;
  }
#endif
  const at::Tensor sum = plain_sum(terms);
  return factor == 1 ? sum
                     : at::upsample_nearest2d(sum, {sum.size(2) * factor, sum.size(3) * factor});
}

at::Tensor attention_of_parts(const at::Tensor& qkv, at::IntArrayRef parts, at::IntArrayRef shape,
                              double scale) {
#ifdef SRDIFF_CUDA
  at::Tensor result = attention_by_heads(qkv, parts, shape, scale);
  if (result.defined()) {
    return result;
  }
#endif
  return plain_attention(qkv, parts, shape, scale);
}

}  // namespace srdiff::cuda
