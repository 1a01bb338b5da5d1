#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/channel_padding.h"
#include "engine/cpu/convolution_kernel.h"
#include "engine/cpu/jit_memory_check.h"

namespace srdiff {

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

Shape shape_of(const Dims& image, const ConvolutionSteps& steps, Also also) {
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

/// Kernels of a weight that are kept, those of the shapes that came last. Of faces-x8 each size of
/// pictures takes 2 MB, and a folder may hold hundreds.
constexpr std::size_t most_kernels_of_weight = 16;

/// A filled weight's size, or its phases'.
Dims filter_size(const at::Tensor& weight, Also also) {
  const Dims size = filled_size(weight);
  return also == Also::enlarges ? Dims{4 * size[0], size[1], 2, 2} : size;
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

/// oneDNN's kernels, each for a weight and an image's size, and the weights in oneDNN's order.
struct ConvolutionKernels::State {
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
      const at::Tensor plain = filled_weight(filters, filter_size(weight, also)).contiguous();
      at::Tensor result = bytes(order);
      dnnl::memory from({plain.sizes().vec(), Type::f32, Tag::oihw}, processor(), plain.data_ptr());
      dnnl::memory to(order, processor(), result.data_ptr());
      dnnl::reorder(from, to).execute(stream, from, to);
      stream.wait();
      orders.emplace_back(order, result);
      return result;
    }

   private:
    std::mutex mutex_;
    std::unordered_map<const void*, std::vector<std::pair<Desc, at::Tensor>>> orders_;
  };

  /// A kernel and what it reads and writes; where these are is set before each run.
  struct Kernel {
    dnnl::convolution_forward run;
    std::unordered_map<int, dnnl::memory> arguments;
    at::Tensor weight;  ///< in the kernel's order
    std::int64_t scratch_bytes = 0;
    Dims output;
    unsigned long last_use = 0;  ///< counted over all kernels
    bool usable = false;

    void set(int argument, const at::Tensor& tensor) {
      arguments.at(argument).set_data_handle(tensor.data_ptr());
    }
  };
  static constexpr int addend = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

  std::unordered_map<const void*, std::map<Shape, Kernel>> of_weight;
  unsigned long uses = 0;
  at::Tensor scratch;  ///< the kernels', between calls of no meaning
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

  at::Tensor input(const at::Tensor& x) const {
    const at::Tensor blocks = filled_blocks(x, block_of(filled(image_size(x)[1])));
    return type == Type::bf16 && blocks.scalar_type() == c10::kFloat ? round_to_bf16(blocks)
                                                                     : blocks;
  }

  Kernel& find(const Dims& image, const at::Tensor& weight, const ConvolutionSteps& steps,
               Also also) {
    std::map<Shape, Kernel>& kernels = of_weight[weight.unsafeGetTensorImpl()];
    const Shape shape = shape_of(image, steps, also);
    auto place = kernels.find(shape);
    if (place == kernels.end()) {
      Kernel kernel;
      prepare(kernel, image, weight, steps, also);
      if (kernels.size() == most_kernels_of_weight) {
        kernels.erase(oldest(kernels));
      }
      place = kernels.emplace(shape, std::move(kernel)).first;
    }
    place->second.last_use = ++uses;
    return place->second;
  }

  static std::map<Shape, Kernel>::iterator oldest(std::map<Shape, Kernel>& kernels) {
    return std::min_element(kernels.begin(), kernels.end(), [](const auto& a, const auto& b) {
      return a.second.last_use < b.second.last_use;
    });
  }

  /// A kernel's result for x, in blocks; an addend is set before.
  at::Tensor run(Kernel& kernel, const at::Tensor& x, const at::Tensor& bias) {
    const std::int64_t block = block_of(kernel.output[1]);
    const at::Tensor image = input(x);
    at::Tensor result = at::empty(
        {kernel.output[0], kernel.output[1] / block, kernel.output[2], kernel.output[3], block},
        at::kFloat);
    kernel.set(DNNL_ARG_SRC, image);
    kernel.set(DNNL_ARG_BIAS, bias);
    kernel.set(DNNL_ARG_DST, result);
    if (kernel.scratch_bytes > 0) {
      if (!scratch.defined() || scratch.numel() < kernel.scratch_bytes) {
        scratch = at::empty({kernel.scratch_bytes}, at::kByte);
      }
      kernel.set(DNNL_ARG_SCRATCHPAD, scratch);
    }
    kernel.run.execute(stream, kernel.arguments);
    stream.wait();
    return result;
  }

  void prepare(Kernel& kernel, const Dims& image, const at::Tensor& weight,
               const ConvolutionSteps& steps, Also also) {
    const Dims filter = filter_size(weight, also);
    const bool adds = also == Also::adds_an_image;
    kernel.output = convolved_size(image, filter, steps);
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
    require_memory_for_code();
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
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_out_of_memory) {
        throw std::bad_alloc();
      }
      return;  // no kernel for this shape
    }
    kernel.weight = weights->get(weight, also, description.weights_desc(), stream);
    kernel.scratch_bytes = static_cast<std::int64_t>(description.scratchpad_desc().get_size());
    const auto argument = [&](int name, const Desc& desc, void* data) {
      kernel.arguments.emplace(name, dnnl::memory(desc, processor(), data));
    };
    argument(DNNL_ARG_SRC, description.src_desc(), nullptr);
    argument(DNNL_ARG_WEIGHTS, description.weights_desc(), kernel.weight.data_ptr());
    argument(DNNL_ARG_BIAS, description.bias_desc(), nullptr);
    argument(DNNL_ARG_DST, description.dst_desc(), nullptr);
    argument(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), nullptr);
    if (adds) {
      argument(addend, result, nullptr);
    }
    kernel.usable = true;
  }
};

ConvolutionKernels::ConvolutionKernels() : ConvolutionKernels(std::make_unique<State>()) {}

ConvolutionKernels ConvolutionKernels::for_another_thread() const {
  auto state = std::make_unique<State>();
  state->weights = state_->weights;
  state->type = state_->type;
  return ConvolutionKernels(std::move(state));
}

void ConvolutionKernels::use_bf16() {
  state_->type = Type::bf16;
}

bool ConvolutionKernels::in_bf16() const {
  return state_->type == Type::bf16;
}

at::Tensor ConvolutionKernels::in_these_blocks(const at::Tensor& x) const {
  return in_blocks_of(x, state_->block_of(image_size(x)[1]));
}

at::Tensor ConvolutionKernels::input(const at::Tensor& x) const {
  return state_->input(x);
}

at::Tensor ConvolutionKernels::operator()(const at::Tensor& x, const at::Tensor& weight,
                                          const at::Tensor& bias, const ConvolutionSteps& steps,
                                          const at::Tensor& addend) {
  State::Kernel& kernel = state_->find(filled_image_size(x), weight, steps,
                                       addend.defined() ? Also::adds_an_image : Also::nothing);
  if (!kernel.usable) {
    return {};
  }
  if (addend.defined()) {
    kernel.set(State::addend, addend);
  }
  return state_->run(kernel, x, bias);
}

/// Each output pixel sees 2x2 pixels of x, with weights that are sums of the filter's: 16
/// multiplications in the place of 36, by one convolution for all four kinds of output pixels.
at::Tensor ConvolutionKernels::of_enlarged(const at::Tensor& x, const at::Tensor& weight,
                                           const at::Tensor& bias) {
  constexpr std::array<std::int64_t, 2> one = {1, 1};
  State::Kernel& kernel =
      state_->find(filled_image_size(x), weight, {one, one, one}, Also::enlarges);
  if (!kernel.usable) {
    return {};
  }
  return interleave_phases(state_->run(kernel, x, bias.repeat({4})));
}

ConvolutionKernels::ConvolutionKernels(std::unique_ptr<State> state) : state_(std::move(state)) {}

ConvolutionKernels::ConvolutionKernels(ConvolutionKernels&&) noexcept = default;

ConvolutionKernels::~ConvolutionKernels() = default;

}  // namespace srdiff
