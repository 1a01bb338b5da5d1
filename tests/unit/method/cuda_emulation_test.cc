#include "support/cuda_emulation.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <ucontext.h>

#include <stdexcept>
#include <vector>

#include "engine/cuda/kernels/group_norm.cuh"
#include "engine/cuda/kernels/noise_window.cuh"
#include "engine/cuda/kernels/patches.cuh"
#include "engine/cuda/operators.h"
#include "engine/cuda/patch_operators.h"
#include "srdiff/noise.h"

EmulatedIndex threadIdx;
EmulatedIndex blockIdx;
EmulatedIndex blockDim;
EmulatedIndex gridDim;

namespace srdiff::cuda {
namespace {

/// A thread of a cluster, stopped at a barrier.
struct Fiber {
  ucontext_t context = {};
  std::vector<char> stack;
  EmulatedIndex thread;
  EmulatedIndex block;
  bool done = false;
};

const std::function<void()>* running_kernel = nullptr;
Fiber* running = nullptr;
ucontext_t scheduler;
std::vector<std::vector<float2>> shared_memory;  ///< of a cluster's blocks

void run_fiber() {
  (*running_kernel)();
  running->done = true;
}

void start(Fiber& fiber) {
  constexpr std::size_t stack_bytes = 1 << 16;
  fiber.stack.resize(stack_bytes);
  fiber.done = false;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.data();
  fiber.context.uc_stack.ss_size = fiber.stack.size();
  fiber.context.uc_link = &scheduler;
  makecontext(&fiber.context, run_fiber, 0);
}

/// To the next barrier, or the end.
void resume(Fiber& fiber) {
  running = &fiber;
  threadIdx = fiber.thread;
  blockIdx = fiber.block;
  swapcontext(&scheduler, &fiber.context);
}

void run_cluster(std::vector<Fiber>& fibers, bool backwards) {
  for (bool any = true; any;) {
    any = false;
    for (std::size_t i = 0; i < fibers.size(); ++i) {
      Fiber& fiber = fibers[backwards ? fibers.size() - 1 - i : i];
      if (!fiber.done) {
        resume(fiber);
        any = true;
      }
    }
  }
}

}  // namespace

char* emulated_shared() {
  return emulated_shared_of(blockIdx.x);
}

char* emulated_shared_of(int block) {
  return reinterpret_cast<char*>(shared_memory[static_cast<std::size_t>(block)].data());
}

void emulated_barrier() {
  swapcontext(&running->context, &scheduler);
}

void emulate(EmulatedIndex grid, int threads, std::size_t shared_bytes, bool backwards,
             const std::function<void()>& kernel) {
  constexpr float unused = -12345.0F;
  const std::size_t used = shared_bytes / sizeof(float2);
  running_kernel = &kernel;
  gridDim = grid;
  blockDim = {threads, 1, 1};
  std::vector<Fiber> fibers(static_cast<std::size_t>(grid.x) * static_cast<std::size_t>(threads));
  for (int cluster = 0; cluster < grid.y * grid.z; ++cluster) {
    shared_memory.assign(static_cast<std::size_t>(grid.x),
                         std::vector<float2>(used + 1, float2{unused, unused}));
    for (std::size_t i = 0; i < fibers.size(); ++i) {
      fibers[i].thread = {static_cast<int>(i) % threads, 0, 0};
      fibers[i].block = {static_cast<int>(i) / threads, cluster % grid.y, cluster / grid.y};
      start(fibers[i]);
    }
    run_cluster(fibers, backwards);
    for (const auto& memory : shared_memory) {
      if (memory[used].x != unused || memory[used].y != unused) {
        throw std::logic_error("a kernel wrote behind its shared memory");
      }
    }
  }
}

namespace {

template <typename T>
constexpr c10::ScalarType type_of = c10::kFloat;
template <>
constexpr c10::ScalarType type_of<__half> = c10::kHalf;
template <>
constexpr c10::ScalarType type_of<__nv_bfloat16> = c10::kBFloat16;

at::Tensor image(at::IntArrayRef shape, c10::ScalarType type) {
  return (at::randn(shape) * 2 + 3).to(type).contiguous(at::MemoryFormat::ChannelsLast);
}

struct NormCase {
  int images, channels, joined, height, width, groups;
  bool clusters, keep;
};

ImageTerms terms_of(const NormCase& c, c10::ScalarType type) {
  ImageTerms terms = {image({c.images, c.channels, c.height, c.width}, type)};
  terms.addend = image({c.images, c.channels, c.height, c.width}, type);
  if (c.joined > 0) {
    terms.b = image({c.images, c.joined, c.height, c.width}, type);
  }
  terms.bias = at::randn({c.channels});
  terms.offset = at::randn({c.images, c.channels}).to(type);
  return terms;
}

ImageSum sum_of(const NormCase& c, const ImageTerms& terms) {
  ImageSum sum;
  sum.a = terms.a.data_ptr();
  sum.addend = terms.addend.data_ptr();
  sum.bias = terms.bias.data_ptr<float>();
  sum.offset = terms.offset.data_ptr();
  sum.offset_step = c.channels;
  sum.b = terms.b.defined() ? terms.b.data_ptr() : nullptr;
  sum.images = c.images;
  sum.positions = c.height * c.width;
  sum.channels_a = c.channels;
  sum.channels_b = c.joined;
  return sum;
}

template <typename T>
void run_norm(const ImageSum& sum, const ImageNorm& norm, const NormShape& shape, bool backwards) {
  const EmulatedIndex grid = {shape.blocks, sum.channels() / shape.chunk, sum.images};
  const int threads = shape.rows * shape.chunk / Pack<T>::width;
  const auto run = [&](const std::function<void()>& kernel) {
    emulate(grid, threads, norm_shared_bytes(shape, Pack<T>::width), backwards, kernel);
  };
  switch (shape.held) {
    case 0: {
      std::vector<float2> sums(static_cast<std::size_t>(norm_workspace(sum, shape) / 2));
      run([&] { sums_for_norm<T>(sum, norm.sum, shape, sums.data()); });
      run([&] { norm_by_sums<T>(sum, norm, shape, sums.data()); });
      break;
    }
    case 1:
      return run([&] { norm_in_registers<T, 1>(sum, norm, shape); });
    case 2:
      return run([&] { norm_in_registers<T, 2>(sum, norm, shape); });
    case 4:
      return run([&] { norm_in_registers<T, 4>(sum, norm, shape); });
    case 8:
      return run([&] { norm_in_registers<T, 8>(sum, norm, shape); });
    case 16:
      return run([&] { norm_in_registers<T, 16>(sum, norm, shape); });
    default:
      FAIL() << "no kernel holds " << shape.held;
  }
}

/// In units of 1 + |expected|, float64.
double error_of(const at::Tensor& measured, const at::Tensor& expected) {
  return ((measured.to(at::kDouble) - expected).abs() / (expected.abs() + 1)).max().item<double>();
}

template <typename T>
void expect_norm(const NormCase& c, bool backwards) {
  const c10::ScalarType type = type_of<T>;
  const ImageTerms terms = terms_of(c, type);
  const int channels = c.channels + c.joined;
  const at::Tensor weight = at::randn({channels});
  const at::Tensor bias = at::randn({channels});
  const at::Tensor result = at::empty({c.images, channels, c.height, c.width}, terms.a.options(),
                                      at::MemoryFormat::ChannelsLast);
  const at::Tensor kept = at::empty_like(result);
  ImageNorm norm;
  norm.groups = c.groups;
  norm.weight = weight.data_ptr<float>();
  norm.bias = bias.data_ptr<float>();
  norm.eps = 1e-5F;
  norm.silu = c.keep;
  norm.result = result.data_ptr();
  norm.sum = c.keep ? kept.data_ptr() : nullptr;
  const NormShape shape =
      norm_shape(c.height * c.width, channels, c.groups, Pack<T>::width, c.clusters);
  ASSERT_GT(shape.chunk, 0);
  run_norm<T>(sum_of(c, terms), norm, shape, backwards);

  ImageTerms exact = terms;
  for (at::Tensor* term : {&exact.a, &exact.addend, &exact.b, &exact.offset}) {
    *term = term->defined() ? term->to(at::kDouble) : *term;
  }
  const at::Tensor sum = upsampled_sum(exact, 1).to(at::kDouble);
  const at::Tensor stored = sum.to(type).to(at::kDouble);
  const at::Tensor expected =
      std::get<1>(normalised_sum({stored}, {c.groups, weight, bias, norm.eps, norm.silu}, false));
  // A sum may be rounded the other way before it is normalised.
  const double tolerance = type == c10::kFloat ? 2e-5 : type == c10::kHalf ? 2e-2 : 1e-1;
  EXPECT_LT(error_of(result, expected), tolerance)
      << shape.chunk << ' ' << shape.rows << ' ' << shape.blocks << ' ' << shape.held;
  if (c.keep) {
    EXPECT_LT(error_of(kept, sum), tolerance);
  }
}

/// A cluster, a join within a group, threads without a position, two passes, one channel a group.
const NormCase norm_cases[] = {
    {1, 64, 0, 64, 64, 32, true, true},   {2, 192, 128, 16, 16, 32, true, false},
    {1, 96, 64, 33, 31, 32, true, true},  {2, 32, 0, 7, 5, 16, false, true},
    {1, 64, 0, 64, 64, 32, false, false}, {1, 64, 0, 150, 201, 32, true, true},
    {1, 48, 0, 21, 97, 1, true, false},   {2, 256, 0, 1, 1, 16, true, true},
    {1, 1024, 0, 9, 5, 2, true, false},   {1, 32, 32, 8, 8, 64, true, true}};

TEST(EmulatedKernels, NormIsThatOfLibTorch) {
  bool backwards = false;
  for (const NormCase& c : norm_cases) {
    expect_norm<float>(c, backwards);
    expect_norm<__half>(c, !backwards);
    expect_norm<__nv_bfloat16>(c, backwards);
    backwards = !backwards;
  }
}

TEST(EmulatedKernels, SumsAreEnlarged) {
  const at::Tensor a = image({2, 16, 5, 3}, at::kBFloat16);
  ImageSum sum;
  sum.a = a.data_ptr();
  sum.images = 2;
  sum.positions = 15;
  sum.channels_a = 16;
  const at::Tensor large = at::empty({2, 16, 10, 6}, a.options(), at::MemoryFormat::ChannelsLast);
  emulate({3, 1, 1}, 8, 0, false,
          [&] { write_sum<__nv_bfloat16>(sum, 3, large.data_ptr(), nullptr); });
  EXPECT_TRUE(at::equal(large, at::upsample_nearest2d(a, {10, 6})));
  const at::Tensor copy = at::empty_like(a);
  const at::Tensor activated = at::empty_like(a);
  emulate({3, 1, 1}, 8, 0, false,
          [&] { write_sum<__nv_bfloat16>(sum, 0, copy.data_ptr(), activated.data_ptr()); });
  EXPECT_TRUE(at::equal(copy, a));
  EXPECT_LT(error_of(activated, at::silu(a.to(at::kDouble))), 1e-2);
}

TEST(EmulatedKernels, PatchesAreThoseOfLibTorch) {
  const at::Tensor condition = at::randn({2, 3, 6, 8});
  const at::Tensor x_t = at::randn({2, 3, 6, 8});
  const at::Tensor scales = at::rand({4, 2}) + 0.5;
  const auto scale = [&](int which) { return scales[which].data_ptr<float>(); };
  const PatchInput input = {
      condition.data_ptr<float>(), x_t.data_ptr<float>(), scale(0), scale(1), 2, 3, 3, 4, 2};
  const at::Tensor patches =
      at::empty({2, 32, 3, 4}, condition.options(), at::MemoryFormat::ChannelsLast);
  emulate({2, 1, 1}, 32, 0, false, [&] { gather_patches<float>(input, 32, patches.data_ptr()); });
  EXPECT_LT(error_of(patches, input_patches({condition, x_t, scales}, 2, 32, at::kFloat)), 1e-6);

  const at::Tensor bias = at::randn({12});
  const at::Tensor result = at::empty_like(condition);
  const PatchOutput output = {patches.data_ptr(),
                              bias.data_ptr<float>(),
                              condition.data_ptr<float>(),
                              x_t.data_ptr<float>(),
                              scale(0),
                              scale(2),
                              scale(3),
                              32,
                              2,
                              3,
                              3,
                              4,
                              2};
  emulate({2, 1, 1}, 32, 0, false,
          [&] { scatter_patches<float>(output, result.data_ptr<float>()); });
  EXPECT_LT(error_of(result, output_image(patches, bias, 2, {condition, x_t, scales})), 1e-6);
}

TEST(EmulatedKernels, NoiseIsThatOfTheCpu) {
  const std::vector<std::uint64_t> keys = {0x123456789ABCDEF0, 7};
  const std::uint32_t words[] = {0x9ABCDEF0, 0x12345678, 7, 0};
  const NoiseWindow window = {words, 300, 3, 100000, 2, 5, 9};
  const at::Tensor made = at::empty({2, 3, 5, 9});
  emulate({2, 1, 1}, 32, 0, false, [&] { fill_noise(window, made.data_ptr<float>()); });
  for (std::size_t i = 0; i < keys.size(); ++i) {
    EXPECT_TRUE(
        at::equal(made[static_cast<std::int64_t>(i)], noise_field(keys[i], 300, 5, 9, 100000, 3)));
  }
}

}  // namespace
}  // namespace srdiff::cuda
