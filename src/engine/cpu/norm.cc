#include "engine/cpu/norm.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/integer_math.h"
#include "engine/cpu/activation.h"
#include "engine/cpu/blocked_layout.h"
#include "engine/cpu/norm_blocked.h"
#include "engine/cpu/simd/vector_math.h"

namespace srdiff::cpu {
namespace {

using Lanes = std::array<float, silu_lanes>;

SRDIFF_EVERY_VECTOR_WIDTH void silu_values(const float* x, float* y, std::int64_t count) {
  apply_curve<Curve::silu>(x, y, count);
}

SRDIFF_EVERY_VECTOR_WIDTH void sigmoid_values(const float* x, float* y, std::int64_t count) {
  apply_curve<Curve::sigmoid>(x, y, count);
}

template <std::size_t Count>
float sum(const std::array<float, Count>& parts) {
  float total = 0.0F;
  for (const float part : parts) {
    total += part;
  }
  return total;
}

/// The mean and variance of values, in two passes: the second reads values that are in the cache,
/// and subtracts no large sums from each other.
SRDIFF_INLINE Moments moments(const float* x, std::int64_t count) {
  const std::int64_t whole = count - count % silu_lanes;
  // Long sums are cut into pieces: small terms added to a large float would be lost.
  constexpr std::int64_t piece = 1024 * silu_lanes;
  double total = 0.0;
  for (std::int64_t first = 0; first < whole; first += piece) {
    const std::int64_t end = first + piece < whole ? first + piece : whole;
    Lanes parts{};
    for (std::int64_t i = first; i < end; i += silu_lanes) {
      for (std::int64_t j = 0; j < silu_lanes; ++j) {
        parts[static_cast<std::size_t>(j)] += x[i + j];
      }
    }
    total += static_cast<double>(sum(parts));
  }
  for (std::int64_t i = whole; i < count; ++i) {
    total += static_cast<double>(x[i]);
  }
  const auto mean = static_cast<float>(total / static_cast<double>(count));
  total = 0.0;
  for (std::int64_t first = 0; first < whole; first += piece) {
    const std::int64_t end = first + piece < whole ? first + piece : whole;
    Lanes parts{};
    for (std::int64_t i = first; i < end; i += silu_lanes) {
      for (std::int64_t j = 0; j < silu_lanes; ++j) {
        const float d = x[i + j] - mean;
        parts[static_cast<std::size_t>(j)] += d * d;
      }
    }
    total += static_cast<double>(sum(parts));
  }
  for (std::int64_t i = whole; i < count; ++i) {
    const float d = x[i] - mean;
    total += static_cast<double>(d) * static_cast<double>(d);
  }
  return {mean, static_cast<float>(total / static_cast<double>(count))};
}

/// One group: `channels` of `pixels` values each, one after the other.
SRDIFF_EVERY_VECTOR_WIDTH void norm_group(const float* x, float* y, std::int64_t channels,
                                          std::int64_t pixels, const float* weight,
                                          const float* bias, float eps) {
  const Moments m = moments(x, channels * pixels);
  const float scale = 1.0F / std::sqrt(m.variance + eps);
  for (std::int64_t c = 0; c < channels; ++c) {
    const float a = scale * weight[c];
    const float b = bias[c] - m.mean * a;
    const float* from = x + c * pixels;
    float* to = y + c * pixels;
    for (std::int64_t first = 0; first < pixels; first += values_at_once) {
      const std::int64_t end = std::min(first + values_at_once, pixels);
      for (std::int64_t i = first; i < end; ++i) {
        to[i] = from[i] * a + b;
      }
      apply_curve<Curve::silu>(to + first, to + first, end - first);
    }
  }
}

/// `positions` of `channels` values each, one after the other.
SRDIFF_EVERY_VECTOR_WIDTH void norm_positions(const float* x, float* y, std::int64_t positions,
                                              std::int64_t channels, const float* weight,
                                              const float* bias, float eps) {
  for (std::int64_t p = 0; p < positions; ++p) {
    const float* from = x + p * channels;
    float* to = y + p * channels;
    const Moments m = moments(from, channels);
    const float scale = 1.0F / std::sqrt(m.variance + eps);
    for (std::int64_t c = 0; c < channels; ++c) {
      to[c] = (from[c] - m.mean) * scale * weight[c] + bias[c];
    }
    apply_curve<Curve::silu>(to, to, channels);
  }
}

/// Runs `loop` over all values in the tensor's own layout; undefined where the loop cannot read
/// them.
at::Tensor of_each_value(const at::Tensor& x, void (*loop)(const float*, float*, std::int64_t)) {
  if (!x.device().is_cpu() || x.scalar_type() != c10::kFloat || !x.is_non_overlapping_and_dense()) {
    return {};
  }
  at::Tensor y = at::empty_like(x);
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  at::parallel_for(0, x.numel(), pieces_for_a_thread(1), [&](std::int64_t begin, std::int64_t end) {
    loop(from + begin, to + begin, end - begin);
  });
  return y;
}

}  // namespace

at::Tensor silu_of_each(const at::Tensor& x) {
  const at::Tensor y = of_each_value(x, silu_values);
  return y.defined() ? y : at::silu(x);
}

at::Tensor sigmoid_of_each(const at::Tensor& x) {
  const at::Tensor y = of_each_value(x, sigmoid_values);
  return y.defined() ? y : at::sigmoid(x);
}

at::Tensor group_norm_in_any_layout(const at::Tensor& x, std::int64_t groups,
                                    const c10::optional<at::Tensor>& weight,
                                    const c10::optional<at::Tensor>& bias, double eps,
                                    c10::ScalarType type) {
  if (!in_blocks(x)) {
    return at::group_norm(x, groups, weight, bias, eps);
  }
  return group_norm_in_blocks(x, groups, weight, bias, eps, false, type);
}

at::Tensor group_norm_silu(const at::Tensor& x, std::int64_t groups,
                           const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps,
                           c10::ScalarType type) {
  if (in_blocks(x)) {
    return group_norm_in_blocks(x, groups, weight, bias, eps, true, type);
  }
  const bool fits = x.device().is_cpu() && x.scalar_type() == c10::kFloat && x.dim() > 1 &&
                    x.is_contiguous() && groups > 0 && x.size(1) % groups == 0 && x.numel() > 0;
  if (!fits) {
    return silu_of_each(at::group_norm(x, groups, weight, bias, eps));
  }
  const std::int64_t channels = x.size(1) / groups;
  const std::int64_t pixels = x.numel() / x.size(0) / x.size(1);
  const at::Tensor w = per_channel(weight, x.size(1), 1.0);
  const at::Tensor b = per_channel(bias, x.size(1), 0.0);
  at::Tensor y = at::empty_like(x);
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto* weights = w.data_ptr<float>();
  const auto* biases = b.data_ptr<float>();
  const std::int64_t grain = pieces_for_a_thread(channels * pixels);
  at::parallel_for(0, x.size(0) * groups, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i * channels * pixels;
      const std::int64_t channel = i % groups * channels;
      norm_group(from + first, to + first, channels, pixels, weights + channel, biases + channel,
                 static_cast<float>(eps));
    }
  });
  return y;
}

at::Tensor layer_norm_silu(const at::Tensor& x, const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps,
                           c10::ScalarType type) {
  if (in_blocks(x)) {
    return layer_norm_silu_in_blocks(x, weight, bias, eps, type);
  }
  const std::int64_t channels = x.size(1);
  if (!x.device().is_cpu() || x.scalar_type() != c10::kFloat || x.numel() == 0) {
    return silu_of_each(at::layer_norm(x.permute({0, 2, 3, 1}), {channels}, weight, bias, eps))
        .permute({0, 3, 1, 2});
  }
  const at::Tensor image = x.contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor w = per_channel(weight, channels, 1.0);
  const at::Tensor b = per_channel(bias, channels, 0.0);
  at::Tensor y = at::empty_like(image);
  const auto* from = image.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto* weights = w.data_ptr<float>();
  const auto* biases = b.data_ptr<float>();
  at::parallel_for(0, x.numel() / channels, pieces_for_a_thread(channels),
                   [&](std::int64_t begin, std::int64_t end) {
                     norm_positions(from + begin * channels, to + begin * channels, end - begin,
                                    channels, weights, biases, static_cast<float>(eps));
                   });
  return y;
}

}  // namespace srdiff::cpu
