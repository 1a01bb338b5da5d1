#include "engine/cpu/convolution_winograd.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstddef>

#include "base/integer_math.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/huge_pages.h"
#include "engine/cpu/simd/vector_width.h"
#include "engine/cpu/winograd_kernel.h"

namespace srdiff::cpu {
namespace {

using winograd::Convolution;
using winograd::filter_side;
using winograd::Group;
using winograd::points;
using winograd::tile_step;
using winograd::WinogradKernel;

/// The most tiles that one thread takes from the image to the result at once: their values stay in
/// its second cache, and the filters, which do not fit into it, are read once for all of them.
constexpr std::int64_t most_tiles_of_group = 32;

/// Where a thread would have fewer tiles than this, all threads share one group.
constexpr std::int64_t least_tiles_of_group = 16;

/// Channels of the image that are transformed and multiplied at once, so that they stay in the
/// second cache too.
constexpr std::int64_t inputs_of_piece = 128;

/// The phases of a group's computation; threads may share the range of one.
enum class Phase { transform_inputs, multiply, transform_outputs };

template <typename Of>
SRDIFF_INLINE void run_phase(Phase phase, const Convolution& c, const Group& group,
                             std::int64_t first, std::int64_t end) {
  switch (phase) {
    case Phase::transform_inputs:
      return Of::transform_inputs(c, group, first, end);
    case Phase::multiply:
      return Of::multiply(c, group, first, end);
    case Phase::transform_outputs:
      return Of::transform_outputs(c, group, first, end);
  }
}

/// The kernel compiled for one kind of processor. Every caller runs the same function for a phase,
/// so that results are rounded in the same way.
struct WinogradLoops {
  std::int64_t panel;
  void (*run)(Phase phase, const Convolution& c, const Group& group, std::int64_t first,
              std::int64_t end);
  void (*transform_filters)(const Convolution& c, const float* filters, float* to,
                            std::int64_t first, std::int64_t end);
};

#ifdef SRDIFF_VECTOR_WIDTHS
using WinogradAvx2 = WinogradKernel<8, 2, 6>;
using WinogradAvx512 = WinogradKernel<16, 2, 12>;
#else
using WinogradAvx2 = WinogradKernel<8, 1, 4>;
using WinogradAvx512 = WinogradKernel<16, 1, 2>;
#endif

SRDIFF_FOR_AVX2 void run_phase_avx2(Phase phase, const Convolution& c, const Group& group,
                                    std::int64_t first, std::int64_t end) {
  run_phase<WinogradAvx2>(phase, c, group, first, end);
}

SRDIFF_FOR_AVX512 void run_phase_avx512(Phase phase, const Convolution& c, const Group& group,
                                        std::int64_t first, std::int64_t end) {
  run_phase<WinogradAvx512>(phase, c, group, first, end);
}

SRDIFF_FOR_AVX2 void filters_avx2(const Convolution& c, const float* filters, float* to,
                                  std::int64_t first, std::int64_t end) {
  WinogradAvx2::transform_filters(c, filters, to, first, end);
}

SRDIFF_FOR_AVX512 void filters_avx512(const Convolution& c, const float* filters, float* to,
                                      std::int64_t first, std::int64_t end) {
  WinogradAvx512::transform_filters(c, filters, to, first, end);
}

/// The kernel whose vectors are as wide as the blocks of images.
WinogradLoops winograd_loops() {
  return channel_block() == 16
             ? WinogradLoops{WinogradAvx512::panel, run_phase_avx512, filters_avx512}
             : WinogradLoops{WinogradAvx2::panel, run_phase_avx2, filters_avx2};
}

/// Uncleared memory for `values` values, which is kept for the thread's next call. It is in huge
/// pages where the system has them: a phase jumps between more pages of 4 kB than the processor
/// caches translations of, and took twice as long.
float* scratch_of_this_thread(std::int64_t values) {
  thread_local HugePages memory;
  thread_local std::int64_t size = 0;
  if (values > size) {
    const std::size_t bytes = static_cast<std::size_t>(values) * sizeof(float);
    memory = in_huge_pages(bytes);
#ifdef MADV_HUGEPAGE
    // Where it is refused, all is well, and slower.
    madvise(memory.get(), whole_huge_pages(bytes), MADV_HUGEPAGE);
#endif
    size = values;
  }
  // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what was freed is no longer what `memory` has
  return reinterpret_cast<float*>(memory.get());
}

std::int64_t tiles_along(std::int64_t pixels) {
  return divide_up(pixels, tile_step);
}

}  // namespace

bool suits_winograd(const std::vector<std::int64_t>& result, std::int64_t inputs) {
  constexpr std::int64_t tiles = 16;
  constexpr std::int64_t least_outputs = 16;  // half of a panel, as of a network's last layer
  constexpr std::int64_t least_inputs = 32;
  return result[0] * tiles_along(result[2]) * tiles_along(result[3]) >= tiles &&
         result[1] >= least_outputs && inputs >= least_inputs;
}

at::Tensor winograd_filters(const at::Tensor& weight) {
  const WinogradLoops own = winograd_loops();
  Convolution c{};
  c.outputs = weight.size(0);
  c.inputs = weight.size(1);
  c.panels = divide_up(c.outputs, own.panel);
  const at::Tensor from = at::empty({c.inputs, filter_side, filter_side, c.outputs}, at::kFloat);
  from.copy_(weight.permute({1, 2, 3, 0}));
  at::Tensor to = at::empty({points * c.panels * c.inputs * own.panel}, from.options());
  const auto* from_data = from.data_ptr<float>();
  auto* to_data = to.data_ptr<float>();
  at::parallel_for(0, c.panels * c.inputs, pieces_for_a_thread(points * own.panel),
                   [&](std::int64_t begin, std::int64_t end) {
                     own.transform_filters(c, from_data, to_data, begin, end);
                   });
  return to;
}

namespace {

Convolution convolution_of(const at::Tensor& x, const at::Tensor& filters,
                           const WinogradInputs& inputs, std::int64_t panel) {
  Convolution c{};
  c.x = x.data_ptr<float>();
  c.filters = filters.data_ptr<float>();
  c.bias = inputs.bias.data_ptr<float>();
  c.addend = inputs.addend.defined() ? inputs.addend.data_ptr<float>() : nullptr;
  c.inputs = x.size(1) * x.size(4);
  c.outputs = inputs.outputs;
  c.panels = divide_up(c.outputs, panel);
  c.doublings = inputs.upsamples ? 1 : 0;
  c.height = x.size(2) << c.doublings;
  c.width = x.size(3) << c.doublings;
  c.tile_rows = tiles_along(c.height);
  c.tile_columns = tiles_along(c.width);
  return c;
}

/// How tiles are divided among threads. Results do not depend on it.
struct Division {
  std::int64_t tiles;  ///< of all images
  std::int64_t groups;
  std::int64_t tiles_of_group;
  /// Threads share one group, of all tiles, and wait for each other between the phases.
  bool in_common;

  explicit Division(std::int64_t of_tiles) : tiles(of_tiles) {
    const std::int64_t threads = at::in_parallel_region() ? 1 : at::get_num_threads();
    in_common = threads > 1 && tiles < threads * least_tiles_of_group;
    // Each thread gets as many groups as the others.
    groups = in_common ? 1 : threads * divide_up(tiles, threads * most_tiles_of_group);
    tiles_of_group = divide_up(tiles, groups);
    groups = divide_up(tiles, tiles_of_group);
  }
};

}  // namespace

at::Tensor winograd_convolution(const at::Tensor& x, const at::Tensor& filters,
                                const WinogradInputs& inputs) {
  const WinogradLoops own = winograd_loops();
  Convolution c = convolution_of(x, filters, inputs, own.panel);
  at::Tensor result =
      at::empty({x.size(0), c.outputs / x.size(4), c.height, c.width, x.size(4)}, x.options());
  c.result = result.data_ptr<float>();

  const Division division(x.size(0) * c.tiles_of_image());
  const std::int64_t inputs_at_once = std::min(c.inputs, inputs_of_piece);
  // The steps are a vector longer than needed: addresses a power of two apart would share lines of
  // the cache.
  const std::int64_t d_step = division.tiles_of_group * inputs_at_once + x.size(4);
  const std::int64_t m_step = division.tiles_of_group * c.panels * own.panel + x.size(4);
  // A phase is run by `run(phase, group, how many there are to share)`.
  const auto compute = [&](std::int64_t i, const auto& run) {
    Group group{};
    group.first = i * division.tiles_of_group;
    group.count = std::min(division.tiles - group.first, division.tiles_of_group);
    group.d_step = d_step;
    group.m_step = m_step;
    group.d = scratch_of_this_thread(points * (d_step + m_step));
    group.m = group.d + points * d_step;
    for (; group.first_input < c.inputs; group.first_input += group.inputs) {
      group.inputs = std::min(c.inputs - group.first_input, inputs_at_once);
      run(Phase::transform_inputs, group, group.count);
      run(Phase::multiply, group, points * c.panels);
    }
    run(Phase::transform_outputs, group, group.count);
  };
  if (division.in_common) {
    compute(0, [&](Phase phase, const Group& group, std::int64_t count) {
      at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
        own.run(phase, c, group, begin, end);
      });
    });
    return result;
  }
  at::parallel_for(0, division.groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      compute(i, [&](Phase phase, const Group& group, std::int64_t count) {
        own.run(phase, c, group, 0, count);
      });
    }
  });
  return result;
}

}  // namespace srdiff::cpu
