#include "blocked_convolution.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "channel_blocks.h"
#include "winograd.h"

#ifdef SRDIFF_ONEDNN
#include <dnnl.hpp>
#endif

namespace srdiff {

namespace {

/// Channels with those of zeros that fill the last block.
std::int64_t filled(std::int64_t channels) {
  const std::int64_t block = channel_block();
  return (channels + block - 1) / block * block;
}

}  // namespace

bool fits_blocks(const at::Tensor& weight) {
  return channel_block() > 0 && weight.dim() == 4 && filled(weight.size(0)) <= 2 * weight.size(0) &&
         filled(weight.size(1)) <= 2 * weight.size(1);
}

#ifdef SRDIFF_ONEDNN

namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
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

/// constant_pad_nd by zeros; no copy where nothing is added.
at::Tensor padded(const at::Tensor& x, at::IntArrayRef by) {
  const bool adds = std::any_of(by.begin(), by.end(), [](std::int64_t count) { return count > 0; });
  return adds ? at::constant_pad_nd(x, by) : x;
}

/// Along one direction, what a filter of 3 does to pixels that come twice is done by filters of 2
/// to them once: the first is that of the even outputs, which see [a, b, b], the second that of the
/// odd ones, [a, a, b].
std::array<at::Tensor, 2> filters_of_two(const at::Tensor& weight, std::int64_t direction) {
  const auto part = [&](std::int64_t i) { return weight.narrow(direction, i, 1); };
  return {at::cat({part(0), part(1) + part(2)}, direction),
          at::cat({part(0) + part(1), part(2)}, direction)};
}

/// [O,C,3,3] → [4·O,C,2,2]: the filters of output pixels in even rows and columns, in even rows and
/// odd columns, and so on.
at::Tensor filters_of_phases(const at::Tensor& weight) {
  std::vector<at::Tensor> filters;
  for (const at::Tensor& row : filters_of_two(weight, 2)) {
    for (const at::Tensor& filter : filters_of_two(row, 3)) {
      filters.push_back(filter);
    }
  }
  return at::cat(filters);
}

at::Tensor bytes(const Desc& desc) {
  return at::empty({static_cast<std::int64_t>(desc.get_size())}, at::kByte);
}

/// What a convolution does besides.
enum class Also : std::int64_t { nothing, adds_an_image, enlarges };

/// The image, stride, padding and dilation, and what else is done: what a weight's kernels differ
/// in.
using Shape = std::array<std::int64_t, 11>;

Shape shape_of(const Dims& image, const BlockedConvolutions::Steps& steps, Also also) {
  const auto& [stride, padding, dilation, groups] = steps;
  return {image[0],
          image[1],
          image[2],
          image[3],
          stride[0],
          stride[1],
          padding[0],
          padding[1],
          dilation[0],
          dilation[1],
          static_cast<std::int64_t>(also)};
}

/// A weight's size with both counts of channels filled up, or its phases'.
Dims filled_size(const at::Tensor& weight, Also also = Also::nothing) {
  Dims size = {filled(weight.size(0)), filled(weight.size(1)), weight.size(2), weight.size(3)};
  if (also == Also::enlarges) {
    size = {4 * size[0], size[1], 2, 2};
  }
  return size;
}

/// A weight, or its phases, with both counts of channels filled up to `size`.
at::Tensor filled_weight(const at::Tensor& filters, const Dims& size) {
  return padded(filters, {0, 0, 0, 0, 0, size[1] - filters.size(1), 0, size[0] - filters.size(0)});
}

/// An image's size with its channels filled up.
Dims filled_image_size(const at::Tensor& x) {
  Dims size = image_size(x);
  size[1] = filled(size[1]);
  return size;
}

Dims output_size(const Dims& image, const Dims& filter, const BlockedConvolutions::Steps& steps) {
  Dims size = {image[0], filter[0], 0, 0};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = steps.dilation[i] * (filter[i + 2] - 1) + 1;
    size[i + 2] = (image[i + 2] + 2 * steps.padding[i] - reach) / steps.stride[i] + 1;
  }
  return size;
}

/// Where there is AMX the other instructions for bf16 are slower than those for float32.
bool has_amx() {
  return dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_amx;
}

}  // namespace

bool has_bf16_convolutions() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::avx512_core_bf16:
    case dnnl::cpu_isa::avx512_core_amx:
      return true;
    default:
      return false;
  }
}

struct BlockedConvolutions::Kernels {
  /// Weights in the orders that kernels want; most of one weight's want the same. Several threads
  /// may ask at once.
  class OrderedWeights {
   public:
    at::Tensor get(const at::Tensor& weight, Also also, const Desc& order, dnnl::stream& stream) {
      const std::lock_guard lock(mutex_);
      auto& orders = orders_[weight.unsafeGetTensorImpl()];
      for (const auto& [desc, tensor] : orders) {
        if (desc == order) {
          return tensor;
        }
      }
      const at::Tensor exact = weight.to(c10::kFloat);
      const at::Tensor filters = also == Also::enlarges ? filters_of_phases(exact) : exact;
      const Dims size = filled_size(weight, also);
      const at::Tensor plain = filled_weight(filters, size).contiguous();
      at::Tensor result = bytes(order);
      dnnl::memory from({plain.sizes().vec(), Type::f32, Tag::oihw}, processor(), plain.data_ptr());
      dnnl::memory to(order, processor(), result.data_ptr());
      dnnl::reorder(from, to).execute(stream, from, to);
      stream.wait();
      orders.emplace_back(order, result);
      return result;
    }

    /// Transformed for Winograd's algorithm.
    at::Tensor for_winograd(const at::Tensor& weight) {
      const std::lock_guard lock(mutex_);
      at::Tensor& filters = winograd_[weight.unsafeGetTensorImpl()];
      if (!filters.defined()) {
        filters = winograd_filters(filled_weight(weight, filled_size(weight)));
      }
      return filters;
    }

   private:
    std::mutex mutex_;
    std::unordered_map<const void*, std::vector<std::pair<Desc, at::Tensor>>> orders_;
    std::unordered_map<const void*, at::Tensor> winograd_;
  };

  /// A kernel and what it reads and writes; where these are is set before each run.
  struct Kernel {
    dnnl::convolution_forward run;
    std::unordered_map<int, dnnl::memory> arguments;
    at::Tensor weight;   ///< in the kernel's order
    at::Tensor scratch;  ///< the kernel's, between calls of no meaning
    at::Tensor no_bias;  ///< zeros
    Dims output;
    bool usable = false;

    void set(int argument, const at::Tensor& tensor) {
      arguments.at(argument).set_data_handle(tensor.data_ptr());
    }
  };
  static constexpr int addend = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

  std::unordered_map<const void*, std::map<Shape, Kernel>> of_weight;
  std::shared_ptr<OrderedWeights> weights = std::make_shared<OrderedWeights>();
  dnnl::stream stream = dnnl::stream(processor());
  Type type = Type::f32;  ///< of images and weights

  /// The channels of a block in an image of so many.
  std::int64_t block_of(std::int64_t channels) const {
    return channels_last() ? channels : channel_block();
  }

  /// Of these kernels' images; else they are in blocks of b.
  bool channels_last() const { return type == Type::bf16 && has_amx(); }

  Tag tag() const { return channels_last() ? Tag::nhwc : block_tag(); }

  /// An image in blocks as large as these kernels'.
  at::Tensor in_these_blocks(const at::Tensor& x) const {
    const std::int64_t block = block_of(image_size(x)[1]);
    return in_blocks(x) && x.size(4) == block ? x.contiguous() : to_blocks(from_blocks(x), block);
  }

  /// The same, of the kernels' type.
  at::Tensor input(const at::Tensor& x) const {
    const std::int64_t missing = in_blocks(x) ? 0 : filled(x.size(1)) - x.size(1);
    const at::Tensor blocks = in_these_blocks(padded(x, {0, 0, 0, 0, 0, missing}));
    return type == Type::bf16 && blocks.scalar_type() == c10::kFloat ? round_to_bf16(blocks)
                                                                     : blocks;
  }

  /// Whether x and weight are of a kind that is computed here at all.
  bool take(const at::Tensor& x, const at::Tensor& weight) const {
    const bool of_blocks = in_blocks(x);
    const bool can_be_read = x.scalar_type() == c10::kFloat ||
                             (of_blocks && type == Type::bf16 && x.scalar_type() == c10::kBFloat16);
    const bool weight_can_be_read =
        weight.scalar_type() == c10::kFloat || weight.scalar_type() == c10::kHalf;
    return fits_blocks(weight) && (x.dim() == 4 || of_blocks) && can_be_read &&
           weight_can_be_read && x.device().is_cpu() && x.numel() > 0 &&
           image_size(x)[1] == weight.size(1);
  }

  /// Whether Winograd's algorithm computes this of an image [N,C,H,W], the enlarged one where it is
  /// enlarged first.
  bool by_winograd(const Dims& image, const at::Tensor& weight, const Steps& steps) const {
    const auto are_one = [](at::IntArrayRef values) {
      return std::all_of(values.begin(), values.end(), [](std::int64_t v) { return v == 1; });
    };
    return type == Type::f32 && weight.size(2) == 3 && weight.size(3) == 3 &&
           are_one(steps.stride) && are_one(steps.padding) && are_one(steps.dilation) &&
           suits_winograd({image[0], filled(weight.size(0)), image[2], image[3]}, image[1]);
  }

  /// Its result for x, in blocks.
  at::Tensor winograd(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                      const at::Tensor& addend, bool enlarges) {
    const std::int64_t outputs = filled(weight.size(0));
    const at::Tensor offsets = bias.defined()
                                   ? padded(bias, {0, outputs - bias.size(0)}).contiguous()
                                   : at::zeros({outputs}, at::kFloat);
    return winograd_convolution(input(x), weights->for_winograd(weight),
                                {outputs, offsets, addend, enlarges});
  }

  Kernel& find(const Dims& image, const at::Tensor& weight, const Steps& steps, Also also) {
    const auto [place, is_new] =
        of_weight[weight.unsafeGetTensorImpl()].try_emplace(shape_of(image, steps, also));
    if (is_new) {
      prepare(place->second, image, weight, steps, also);
    }
    return place->second;
  }

  /// A kernel's result for x, in blocks; an addend is set before. `offsets` [O], contiguous.
  at::Tensor run(Kernel& kernel, const at::Tensor& x, const at::Tensor& offsets) {
    const std::int64_t block = block_of(kernel.output[1]);
    const at::Tensor image = input(x);
    at::Tensor result = at::empty(
        {kernel.output[0], kernel.output[1] / block, kernel.output[2], kernel.output[3], block},
        at::kFloat);
    kernel.set(DNNL_ARG_SRC, image);
    kernel.set(DNNL_ARG_BIAS, offsets);
    kernel.set(DNNL_ARG_DST, result);
    kernel.run.execute(stream, kernel.arguments);
    stream.wait();
    return result;
  }

  void prepare(Kernel& kernel, const Dims& image, const at::Tensor& weight, const Steps& steps,
               Also also) {
    const Dims filter = filled_size(weight, also);
    const bool adds = also == Also::adds_an_image;
    kernel.output = output_size(image, filter, steps);
    const Dims around = steps.padding.vec();
    const Dims gaps = {steps.dilation[0] - 1, steps.dilation[1] - 1};
    const Desc result(kernel.output, Type::f32, tag());
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (adds) {
      dnnl::post_ops add;
      add.append_binary(dnnl::algorithm::binary_add, result);
      attributes.set_post_ops(add);
    }
    Primitive description;
    try {
      // A bias always: one of zeros costs nothing that can be measured.
      const dnnl::convolution_forward::desc wanted(
          dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
          Desc(image, type, tag()), Desc(filter, type, Tag::any),
          Desc({filter[0]}, Type::f32, Tag::x), result, steps.stride.vec(), gaps, around, around);
      description = Primitive(wanted, attributes, processor());
      const std::string name = description.impl_info_str();
      if (name.rfind("ref", 0) == 0 || name.rfind("gemm", 0) == 0) {
        return;
      }
      kernel.run = dnnl::convolution_forward(description);
    } catch (const dnnl::error&) {
      return;  // no kernel for this shape
    }
    kernel.weight = weights->get(weight, also, description.weights_desc(), stream);
    kernel.scratch = bytes(description.scratchpad_desc());
    kernel.no_bias = at::zeros({filter[0]}, at::kFloat);
    const auto argument = [&](int name, const Desc& desc, void* data) {
      kernel.arguments.emplace(name, dnnl::memory(desc, processor(), data));
    };
    argument(DNNL_ARG_SRC, description.src_desc(), nullptr);
    argument(DNNL_ARG_WEIGHTS, description.weights_desc(), kernel.weight.data_ptr());
    argument(DNNL_ARG_BIAS, description.bias_desc(), nullptr);
    argument(DNNL_ARG_DST, description.dst_desc(), nullptr);
    argument(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), kernel.scratch.data_ptr());
    if (adds) {
      argument(addend, result, nullptr);
    }
    kernel.usable = true;
  }
};

BlockedConvolutions::BlockedConvolutions() : BlockedConvolutions(std::make_unique<Kernels>()) {}

BlockedConvolutions BlockedConvolutions::for_another_thread() const {
  auto kernels = std::make_unique<Kernels>();
  kernels->weights = kernels_->weights;
  kernels->type = kernels_->type;
  return BlockedConvolutions(std::move(kernels));
}

void BlockedConvolutions::use_bf16() {
  kernels_->type = Type::bf16;
}

bool BlockedConvolutions::in_bf16() const {
  return kernels_->type == Type::bf16;
}

at::Tensor BlockedConvolutions::prepared(const at::Tensor& x) const {
  return kernels_->input(x);
}

at::Tensor BlockedConvolutions::operator()(const at::Tensor& x, const at::Tensor& weight,
                                           const at::Tensor& bias, const Steps& steps,
                                           const at::Tensor& addend) {
  if (!kernels_->take(x, weight) || steps.groups != 1 || steps.stride.size() != 2 ||
      steps.padding.size() != 2 || steps.dilation.size() != 2) {
    return {};
  }
  const std::int64_t surplus = filled(weight.size(0)) - weight.size(0);
  if (surplus > 0 && addend.defined()) {
    return {};
  }
  const Dims image = filled_image_size(x);
  if (addend.defined() && (addend.scalar_type() != c10::kFloat ||
                           image_size(addend) != output_size(image, filled_size(weight), steps))) {
    return {};
  }
  const at::Tensor added = addend.defined() ? kernels_->in_these_blocks(addend) : addend;
  at::Tensor result;
  if (kernels_->by_winograd(image, weight, steps)) {
    result = kernels_->winograd(x, weight, bias, added, /*enlarges=*/false);
  } else {
    Kernels::Kernel& kernel =
        kernels_->find(image, weight, steps, added.defined() ? Also::adds_an_image : Also::nothing);
    if (!kernel.usable) {
      return {};
    }
    if (added.defined()) {
      kernel.set(Kernels::addend, added);
    }
    result = kernels_->run(
        kernel, x, bias.defined() ? padded(bias, {0, surplus}).contiguous() : kernel.no_bias);
  }
  return surplus > 0 ? from_blocks(result).narrow(1, 0, weight.size(0)) : result;
}

at::Tensor BlockedConvolutions::of_enlarged(const at::Tensor& x, const at::Tensor& weight,
                                            const at::Tensor& bias) {
  if (!kernels_->take(x, weight) || filled(weight.size(0)) != weight.size(0) ||
      weight.size(2) != 3 || weight.size(3) != 3) {
    return {};
  }
  constexpr std::array<std::int64_t, 2> one = {1, 1};
  const Steps steps = {one, one, one};
  const Dims image = filled_image_size(x);
  if (kernels_->by_winograd({image[0], image[1], 2 * image[2], 2 * image[3]}, weight, steps)) {
    return kernels_->winograd(x, weight, bias, {}, /*enlarges=*/true);
  }
  Kernels::Kernel& kernel = kernels_->find(image, weight, steps, Also::enlarges);
  if (!kernel.usable) {
    return {};
  }
  return interleave_phases(
      kernels_->run(kernel, x, bias.defined() ? bias.repeat({4}) : kernel.no_bias));
}

#else

bool has_bf16_convolutions() {
  return false;
}

struct BlockedConvolutions::Kernels {};

BlockedConvolutions::BlockedConvolutions() = default;

BlockedConvolutions BlockedConvolutions::for_another_thread() const {
  return {};
}

void BlockedConvolutions::use_bf16() {}

bool BlockedConvolutions::in_bf16() const {
  return false;
}

at::Tensor BlockedConvolutions::prepared(const at::Tensor& x) const {
  return x;
}

at::Tensor BlockedConvolutions::operator()(const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                                           const at::Tensor& /*bias*/, const Steps& /*steps*/,
                                           const at::Tensor& /*addend*/) {
  return {};
}

at::Tensor BlockedConvolutions::of_enlarged(const at::Tensor& /*x*/, const at::Tensor& /*weight*/,
                                            const at::Tensor& /*bias*/) {
  return {};
}

#endif

BlockedConvolutions::BlockedConvolutions(std::unique_ptr<Kernels> kernels)
    : kernels_(std::move(kernels)) {}

BlockedConvolutions::BlockedConvolutions(BlockedConvolutions&&) noexcept = default;

BlockedConvolutions::~BlockedConvolutions() = default;

}  // namespace srdiff
