#include "channel_blocks.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "srdiff/error.h"

#ifdef SRDIFF_ONEDNN
#include <dnnl.hpp>
#endif

namespace srdiff {

bool fits_blocks(const at::Tensor& weight) {
  const std::int64_t block = channel_block();
  return block > 0 && weight.dim() == 4 && weight.size(0) % block == 0 &&
         weight.size(1) % block == 0;
}

at::Tensor repeat_pixels(const at::Tensor& blocks, std::int64_t factor) {
  const at::Tensor x = blocks.contiguous();
  const std::int64_t planes = x.size(0) * x.size(1);
  const std::int64_t height = x.size(2);
  const std::int64_t width = x.size(3);
  const std::int64_t block = x.size(4);
  at::Tensor y =
      at::empty({x.size(0), x.size(1), height * factor, width * factor, block}, x.options());
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto row = static_cast<std::size_t>(width * factor * block);
  const std::int64_t grain = 1 + 16384 / (width * block);
  at::parallel_for(0, planes * height, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* pixel = from + i * width * block;
      float* const first = to + static_cast<std::size_t>(i * factor) * row;
      float* out = first;
      for (std::int64_t column = 0; column < width; ++column, pixel += block) {
        for (std::int64_t k = 0; k < factor; ++k, out += block) {
          std::copy_n(pixel, block, out);
        }
      }
      for (std::int64_t k = 1; k < factor; ++k) {
        std::memcpy(first + static_cast<std::size_t>(k) * row, first, row * sizeof(float));
      }
    }
  });
  return y;
}

#ifdef SRDIFF_ONEDNN

namespace {

using Tag = dnnl::memory::format_tag;
using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Primitive = dnnl::convolution_forward::primitive_desc;

const dnnl::engine& processor() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

Tag block_tag() {
  return channel_block() == 16 ? Tag::nChw16c : Tag::nChw8c;
}

using Type = dnnl::memory::data_type;

Desc describe(const Dims& dims, Tag tag, Type type = Type::f32) {
  return {dims, type, tag};
}

dnnl::memory memory(const Desc& desc, const at::Tensor& tensor) {
  return {desc, processor(), tensor.data_ptr()};
}

/// [N,C,H,W] of an image in blocks or not.
Dims plain_size(const at::Tensor& x) {
  const auto size = x.sizes();
  return in_blocks(x) ? Dims{size[0], size[1] * size[4], size[2], size[3]} : size.vec();
}

at::Tensor empty_blocks(const Dims& size, const at::TensorOptions& options) {
  const std::int64_t block = channel_block();
  TORCH_CHECK(block > 0, "this processor has no blocks of channels");
  return at::empty({size[0], size[1] / block, size[2], size[3], block}, options);
}

void reorder(const Desc& from_desc, const at::Tensor& from, const Desc& to_desc,
             const at::Tensor& to) {
  dnnl::stream stream(processor());
  dnnl::memory source = memory(from_desc, from);
  dnnl::memory target = memory(to_desc, to);
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
}

/// Image, stride, padding, dilation: what a weight's kernels differ in.
using Shape = std::vector<std::int64_t>;

Shape shape_of(const at::Tensor& x, at::IntArrayRef stride, at::IntArrayRef padding,
               at::IntArrayRef dilation) {
  Shape shape = plain_size(x);
  for (const at::IntArrayRef values : {stride, padding, dilation}) {
    shape.insert(shape.end(), values.begin(), values.end());
  }
  return shape;
}

Dims output_size(const Dims& image, const at::Tensor& weight, at::IntArrayRef stride,
                 at::IntArrayRef padding, at::IntArrayRef dilation) {
  Dims size = {image[0], weight.size(0), 0, 0};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach =
        dilation[i] * (weight.size(static_cast<std::int64_t>(i) + 2) - 1) + 1;
    size[i + 2] = (image[i + 2] + 2 * padding[i] - reach) / stride[i] + 1;
  }
  return size;
}

}  // namespace

std::int64_t channel_block() {
  static const std::int64_t block = [] {
    switch (dnnl::get_effective_cpu_isa()) {
      case dnnl::cpu_isa::avx2:
      case dnnl::cpu_isa::avx2_vnni:
        return 8;
      case dnnl::cpu_isa::sse41:
      case dnnl::cpu_isa::avx:
        return 0;
      default:
        return 16;
    }
  }();
  return block;
}

bool has_bf16_convolutions() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return false;
  }
}

at::Tensor to_blocks(const at::Tensor& image) {
  const at::Tensor x = image.contiguous();
  const Dims size = x.sizes().vec();
  at::Tensor blocks = empty_blocks(size, x.options());
  reorder(describe(size, Tag::nchw), x, describe(size, block_tag()), blocks);
  return blocks;
}

at::Tensor from_blocks(const at::Tensor& x) {
  if (!in_blocks(x)) {
    return x;
  }
  const at::Tensor blocks = x.contiguous();
  const Dims size = plain_size(x);
  at::Tensor image = at::empty(size, x.options());
  reorder(describe(size, block_tag()), blocks, describe(size, Tag::nchw), image);
  return image;
}

struct BlockedConvolutions::Kernels {
  struct Kernel {
    Primitive description;
    dnnl::convolution_forward run;
    at::Tensor weight;   ///< in the kernel's order
    at::Tensor scratch;  ///< the kernel's, between calls of no meaning
    Dims output;
    bool usable = false;
  };
  struct OfWeight {
    std::map<Shape, Kernel> kernels;
    /// The weight in each order that a kernel wants; most want the same.
    std::vector<std::pair<Desc, at::Tensor>> orders;
  };
  std::unordered_map<const void*, OfWeight> of_weight;
  Type type = Type::f32;  ///< of images and weights

  /// An image in blocks of the kernels' type.
  at::Tensor input(const at::Tensor& x) const {
    if (type == Type::f32) {
      return in_blocks(x) ? x.contiguous() : to_blocks(x);
    }
    const at::Tensor from = x.contiguous();
    const Dims size = plain_size(x);
    at::Tensor rounded = empty_blocks(size, x.options().dtype(c10::kBFloat16));
    reorder(describe(size, in_blocks(x) ? block_tag() : Tag::nchw), from,
            describe(size, block_tag(), type), rounded);
    return rounded;
  }

  Kernel& find(const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef stride,
               at::IntArrayRef padding, at::IntArrayRef dilation) {
    OfWeight& known = of_weight[weight.unsafeGetTensorImpl()];
    const auto [place, is_new] = known.kernels.try_emplace(shape_of(x, stride, padding, dilation));
    if (is_new) {
      prepare(known, place->second, plain_size(x), weight, stride, padding, dilation);
    }
    return place->second;
  }

  static at::Tensor bytes(const Desc& desc, const at::TensorOptions& options) {
    return at::empty({static_cast<std::int64_t>(desc.get_size())}, options.dtype(c10::kByte));
  }

  static at::Tensor in_order(OfWeight& known, const at::Tensor& weight, const Desc& order) {
    for (const auto& [desc, tensor] : known.orders) {
      if (desc == order) {
        return tensor;
      }
    }
    at::Tensor result = bytes(order, weight.options());
    reorder(describe(weight.sizes().vec(), Tag::oihw), weight.contiguous(), order, result);
    known.orders.emplace_back(order, result);
    return result;
  }

  void prepare(OfWeight& known, Kernel& kernel, const Dims& image, const at::Tensor& weight,
               at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation) const {
    kernel.output = output_size(image, weight, stride, padding, dilation);
    const Dims around = padding.vec();
    const Dims gaps = {dilation[0] - 1, dilation[1] - 1};
    const Dims filter = weight.sizes().vec();
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    try {
      // A bias always: one of zeros costs nothing that can be measured.
      const dnnl::convolution_forward::desc wanted(
          dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
          describe(image, block_tag(), type), describe(filter, Tag::any, type),
          describe({filter[0]}, Tag::x), describe(kernel.output, block_tag()), stride.vec(), gaps,
          around, around);
      kernel.description = Primitive(wanted, attributes, processor());
      const std::string name = kernel.description.impl_info_str();
      if (name.rfind("ref", 0) == 0 || name.rfind("gemm", 0) == 0) {
        return;
      }
      kernel.run = dnnl::convolution_forward(kernel.description);
    } catch (const dnnl::error&) {
      return;  // no kernel for this shape
    }
    kernel.weight = in_order(known, weight, kernel.description.weights_desc());
    kernel.scratch = bytes(kernel.description.scratchpad_desc(), weight.options());
    kernel.usable = true;
  }
};

BlockedConvolutions::BlockedConvolutions() : kernels_(std::make_unique<Kernels>()) {}

void BlockedConvolutions::use_bf16() {
  kernels_->type = Type::bf16;
}

bool BlockedConvolutions::takes(const at::Tensor& x, const at::Tensor& weight,
                                at::IntArrayRef stride, at::IntArrayRef padding,
                                at::IntArrayRef dilation, std::int64_t groups) {
  return fits_blocks(weight) && (x.dim() == 4 || in_blocks(x)) && x.scalar_type() == c10::kFloat &&
         weight.scalar_type() == c10::kFloat && x.device().is_cpu() && x.numel() > 0 &&
         groups == 1 && plain_size(x)[1] == weight.size(1) && stride.size() == 2 &&
         padding.size() == 2 && dilation.size() == 2 &&
         kernels_->find(x, weight, stride, padding, dilation).usable;
}

at::Tensor BlockedConvolutions::operator()(const at::Tensor& x, const at::Tensor& weight,
                                           const at::Tensor& bias, at::IntArrayRef stride,
                                           at::IntArrayRef padding, at::IntArrayRef dilation) {
  Kernels::Kernel& kernel = kernels_->find(x, weight, stride, padding, dilation);
  const at::Tensor image = kernels_->input(x);
  const at::Tensor offsets =
      bias.defined() ? bias.contiguous() : at::zeros({weight.size(0)}, weight.options());
  at::Tensor result = empty_blocks(kernel.output, x.options());
  const Primitive& about = kernel.description;
  dnnl::stream stream(processor());
  kernel.run.execute(stream,
                     {{DNNL_ARG_SRC, memory(about.src_desc(), image)},
                      {DNNL_ARG_WEIGHTS, memory(about.weights_desc(), kernel.weight)},
                      {DNNL_ARG_BIAS, memory(about.bias_desc(), offsets)},
                      {DNNL_ARG_DST, memory(about.dst_desc(), result)},
                      {DNNL_ARG_SCRATCHPAD, memory(about.scratchpad_desc(), kernel.scratch)}});
  stream.wait();
  return result;
}

#else

std::int64_t channel_block() {
  return 0;
}

bool has_bf16_convolutions() {
  return false;
}

at::Tensor to_blocks(const at::Tensor& /*image*/) {
  throw ModelError("srdiff was built without oneDNN");
}

at::Tensor from_blocks(const at::Tensor& x) {
  return x;
}

struct BlockedConvolutions::Kernels {};

BlockedConvolutions::BlockedConvolutions() = default;

void BlockedConvolutions::use_bf16() {}

bool BlockedConvolutions::takes(const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                                at::IntArrayRef /*stride*/, at::IntArrayRef /*padding*/,
                                at::IntArrayRef /*dilation*/, std::int64_t /*groups*/) {
  return false;
}

at::Tensor BlockedConvolutions::operator()(const at::Tensor& x, const at::Tensor& /*weight*/,
                                           const at::Tensor& /*bias*/, at::IntArrayRef /*stride*/,
                                           at::IntArrayRef /*padding*/,
                                           at::IntArrayRef /*dilation*/) {
  return to_blocks(x);
}

#endif

BlockedConvolutions::~BlockedConvolutions() = default;

}  // namespace srdiff
