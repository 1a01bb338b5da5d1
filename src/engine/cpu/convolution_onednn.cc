#include <ATen/ATen.h>
#include <ATen/Parallel.h>

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

namespace srdiff::cpu {
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

/// Along one direction, a filter of 3 over an image whose pixels are repeated equals two filters of
/// 2 over the image itself: the first gives the even outputs, which see [a, b, b] of the repeated
/// pixels, the second the odd ones, which see [a, a, b].
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

/// What a kernel does besides the convolution.
enum class Fusion : std::int64_t { none, addend, upsampling };

/// What the kernels of one weight differ in: the image, stride, padding and dilation, what else is
/// done, and the threads, among which oneDNN divides the work when it makes a kernel.
using KernelKey = std::array<std::int64_t, 12>;

KernelKey key_of(const Dims& image, const ConvolutionGeometry& geometry, Fusion fusion) {
  const auto& [stride, padding, dilation, groups] = geometry;
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
          static_cast<std::int64_t>(fusion),
          at::get_num_threads()};
}

/// Kernels of a weight that are kept, those that were used last. Of faces-x8 each size of pictures
/// takes 2 MB, and a folder may hold hundreds.
constexpr std::size_t most_kernels_of_weight = 16;

/// A filled weight's size, or its phases'.
Dims filter_size(const at::Tensor& weight, Fusion fusion) {
  const Dims size = filled_size(weight);
  return fusion == Fusion::upsampling ? Dims{4 * size[0], size[1], 2, 2} : size;
}

/// Whether the processor has AMX. With AMX, oneDNN's bf16 kernels want channels_last; without it,
/// blocks.
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

/// oneDNN's kernels of one weight, each for an image's size, and the weight in oneDNN's orders.
struct ConvolutionKernels::State {
  /// The arguments of a run of a kernel; their addresses are set before the run.
  struct Run {
    std::unordered_map<int, dnnl::memory> arguments;
    dnnl::stream stream = dnnl::stream(processor());

    void set(int argument, const at::Tensor& tensor) {
      arguments.at(argument).set_data_handle(tensor.data_ptr());
    }
  };

  /// A kernel, which several threads may run at once; none where oneDNN has none for the shape.
  struct Kernel {
    dnnl::convolution_forward primitive;
    Primitive description;
    at::Tensor weight;  ///< in the kernel's order
    std::int64_t scratch_bytes = 0;
    Dims output;
    bool adds = false;  ///< an image to the result
    bool usable = false;

    std::mutex mutex;
    std::vector<std::unique_ptr<Run>> idle_runs;  ///< made once: making one takes 10 µs

    std::unique_ptr<Run> take_run() {
      const std::lock_guard lock(mutex);
      if (idle_runs.empty()) {
        return nullptr;
      }
      std::unique_ptr<Run> run = std::move(idle_runs.back());
      idle_runs.pop_back();
      return run;
    }

    void give_back(std::unique_ptr<Run> run) {
      const std::lock_guard lock(mutex);
      idle_runs.push_back(std::move(run));
    }
  };

  /// A kernel and when it was used, counted over all kernels.
  struct KeptKernel {
    std::shared_ptr<Kernel> kernel;
    unsigned long last_use = 0;
  };
  using Kernels = std::map<KernelKey, KeptKernel>;

  explicit State(Type of_images) : type(of_images) {}

  const Type type;  ///< of images and weights

  std::mutex mutex;   ///< of all that follows
  at::Tensor weight;  ///< held, so that no other tensor can have its address
  std::vector<std::pair<Desc, at::Tensor>> ordered_weights;
  Kernels kernels;
  unsigned long uses = 0;

  /// The channels of a block in an image of `channels` channels.
  std::int64_t block_of(std::int64_t channels) const {
    return channels_last() ? channels : channel_block();
  }

  /// Whether these kernels' images are channels_last; else they are in blocks of b.
  bool channels_last() const { return type == Type::bf16 && has_amx(); }

  Tag tag() const { return channels_last() ? Tag::nhwc : block_tag(); }

  at::Tensor input(const at::Tensor& x) const {
    const at::Tensor blocks = filled_blocks(x, block_of(filled(image_size(x)[1])));
    return type == Type::bf16 && blocks.scalar_type() == c10::kFloat ? round_to_bf16(blocks)
                                                                     : blocks;
  }

  std::shared_ptr<Kernel> find(const Dims& image, const at::Tensor& given,
                               const ConvolutionGeometry& geometry, Fusion fusion) {
    const KernelKey key = key_of(image, geometry, fusion);
    const std::lock_guard lock(mutex);
    if (!weight.is_same(given)) {
      ordered_weights.clear();
      kernels.clear();
      weight = given;
    }
    auto place = kernels.find(key);
    if (place == kernels.end()) {
      auto kernel = std::make_shared<Kernel>();
      prepare(*kernel, image, geometry, fusion);
      if (kernels.size() == most_kernels_of_weight) {
        kernels.erase(oldest());
      }
      place = kernels.emplace(key, KeptKernel{std::move(kernel)}).first;
    }
    place->second.last_use = ++uses;
    return place->second.kernel;
  }

  Kernels::iterator oldest() {
    return std::min_element(kernels.begin(), kernels.end(), [](const auto& a, const auto& b) {
      return a.second.last_use < b.second.last_use;
    });
  }

  /// The weight in a kernel's order; most kernels want the same.
  at::Tensor ordered_weight(const Desc& order, Fusion fusion) {
    for (const auto& [desc, tensor] : ordered_weights) {
      if (desc == order) {
        return tensor;
      }
    }
    const at::Tensor exact = weight.to(c10::kFloat);
    const at::Tensor filters = fusion == Fusion::upsampling ? filters_of_phases(exact) : exact;
    const at::Tensor plain = filled_weight(filters, filter_size(weight, fusion)).contiguous();
    at::Tensor result = bytes(order);
    dnnl::memory from({plain.sizes().vec(), Type::f32, Tag::oihw}, processor(), plain.data_ptr());
    dnnl::memory to(order, processor(), result.data_ptr());
    dnnl::stream stream(processor());
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
    ordered_weights.emplace_back(order, result);
    return result;
  }

  /// A kernel's result for x and, where the kernel adds one, an addend; in blocks.
  at::Tensor run(Kernel& kernel, const at::Tensor& x, const at::Tensor& bias,
                 const at::Tensor& addend) const {
    const std::int64_t block = block_of(kernel.output[1]);
    const at::Tensor image = input(x);
    at::Tensor result = at::empty(
        {kernel.output[0], kernel.output[1] / block, kernel.output[2], kernel.output[3], block},
        at::kFloat);
    std::unique_ptr<Run> run = kernel.take_run();
    if (run == nullptr) {
      run = new_run(kernel);
    }
    run->set(DNNL_ARG_SRC, image);
    run->set(DNNL_ARG_BIAS, bias);
    run->set(DNNL_ARG_DST, result);
    if (addend.defined()) {
      run->set(addend_argument, addend);
    }
    at::Tensor scratch;
    if (kernel.scratch_bytes > 0) {
      scratch = at::empty({kernel.scratch_bytes}, at::kByte);
      run->set(DNNL_ARG_SCRATCHPAD, scratch);
    }
    kernel.primitive.execute(run->stream, run->arguments);
    run->stream.wait();
    kernel.give_back(std::move(run));
    return result;
  }

  static constexpr int addend_argument = DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1;

  static std::unique_ptr<Run> new_run(const Kernel& kernel) {
    auto run = std::make_unique<Run>();
    const Primitive& description = kernel.description;
    const auto argument = [&](int name, const Desc& desc, void* data) {
      run->arguments.emplace(name, dnnl::memory(desc, processor(), data));
    };
    argument(DNNL_ARG_SRC, description.src_desc(), nullptr);
    argument(DNNL_ARG_WEIGHTS, description.weights_desc(), kernel.weight.data_ptr());
    argument(DNNL_ARG_BIAS, description.bias_desc(), nullptr);
    argument(DNNL_ARG_DST, description.dst_desc(), nullptr);
    argument(DNNL_ARG_SCRATCHPAD, description.scratchpad_desc(), nullptr);
    if (kernel.adds) {
      argument(addend_argument, description.dst_desc(), nullptr);
    }
    return run;
  }

  void prepare(Kernel& kernel, const Dims& image, const ConvolutionGeometry& geometry,
               Fusion fusion) {
    const Dims filter = filter_size(weight, fusion);
    kernel.output = convolved_size(image, filter, geometry);
    const Dims around = geometry.padding.vec();
    const Dims gaps = {geometry.dilation[0] - 1, geometry.dilation[1] - 1};
    const Desc result(kernel.output, Type::f32, tag());
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (fusion == Fusion::addend) {
      dnnl::post_ops add;
      add.append_binary(dnnl::algorithm::binary_add, result);
      attributes.set_post_ops(add);
    }
    require_memory_for_code();
    try {
      // Every kernel has a bias: one of zeros costs no measurable time.
      const dnnl::convolution_forward::desc wanted(
          dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
          Desc(image, type, tag()), Desc(filter, type, Tag::any),
          Desc({filter[0]}, Type::f32, Tag::x), result, geometry.stride.vec(), gaps, around,
          around);
      kernel.description = Primitive(wanted, attributes, processor());
      const std::string name = kernel.description.impl_info_str();
      if (name.rfind("ref", 0) == 0 || name.rfind("gemm", 0) == 0) {
        return;
      }
      kernel.primitive = dnnl::convolution_forward(kernel.description);
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_out_of_memory) {
        throw std::bad_alloc();
      }
      return;  // no kernel for this shape
    }
    kernel.adds = fusion == Fusion::addend;
    kernel.scratch_bytes =
        static_cast<std::int64_t>(kernel.description.scratchpad_desc().get_size());
    kernel.weight = ordered_weight(kernel.description.weights_desc(), fusion);
    kernel.usable = true;
  }
};

ConvolutionKernels::ConvolutionKernels(bool in_bf16)
    : state_(std::make_unique<State>(in_bf16 ? Type::bf16 : Type::f32)) {}

ConvolutionKernels::~ConvolutionKernels() = default;

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
                                          const at::Tensor& bias,
                                          const ConvolutionGeometry& geometry,
                                          const at::Tensor& addend) {
  const auto kernel = state_->find(filled_image_size(x), weight, geometry,
                                   addend.defined() ? Fusion::addend : Fusion::none);
  return kernel->usable ? state_->run(*kernel, x, bias, addend) : at::Tensor();
}

/// Each output pixel sees 2x2 pixels of x, with weights that are sums of the filter's: 16
/// multiplications in the place of 36, by one convolution for all four kinds of output pixels.
at::Tensor ConvolutionKernels::of_upsampled(const at::Tensor& x, const at::Tensor& weight,
                                            const at::Tensor& bias) {
  constexpr std::array<std::int64_t, 2> one = {1, 1};
  const auto kernel =
      state_->find(filled_image_size(x), weight, {one, one, one}, Fusion::upsampling);
  return kernel->usable ? interleave_phases(state_->run(*kernel, x, bias.repeat({4}), {}))
                        : at::Tensor();
}

}  // namespace srdiff::cpu
