#include "norm_silu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <array>
#include <bit>
#include <cmath>

// One binary serves every x86-64 processor: the loops are compiled for its widest vectors too, and
// chosen when the program starts. The address sanitizer is not ready that early.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define SRDIFF_EVERY_VECTOR_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SRDIFF_EVERY_VECTOR_WIDTH
#endif

namespace srdiff {
namespace {

/// Sums are kept in this many parts, so that a loop over them is one vector operation.
constexpr std::int64_t lanes = 16;
using Lanes = std::array<float, lanes>;

/// e^x within 2 units in the last place, in operations that a compiler turns into vector ones.
inline __attribute__((always_inline)) float exponential(float x) {
  constexpr float log2_e = 1.44269504F;
  constexpr float ln2_high = 0.693359375F;
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float to_integer = 12582912.0F;  // 1.5 · 2^23: adding it rounds to a whole number
  x = x < -87.0F ? -87.0F : x;
  x = x > 87.0F ? 87.0F : x;
  const float n = (x * log2_e + to_integer) - to_integer;
  const float r = (x - n * ln2_high) - n * ln2_low;
  float p = 1.9875691500e-4F;  // Cephes' polynomial for expf
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  return p * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

inline __attribute__((always_inline)) float silu(float x) {
  return x / (1.0F + exponential(-x));
}

float sum(const Lanes& parts) {
  float total = 0.0F;
  for (const float part : parts) {
    total += part;
  }
  return total;
}

struct Moments {
  float mean;
  float variance;
};

/// In two passes: the second is over values that are in the cache, and cancels nothing.
inline __attribute__((always_inline)) Moments moments(const float* x, std::int64_t count) {
  const std::int64_t whole = count - count % lanes;
  // Long sums are cut: a float that has grown loses what is added to it.
  constexpr std::int64_t piece = 1024 * lanes;
  double total = 0.0;
  for (std::int64_t first = 0; first < whole; first += piece) {
    const std::int64_t end = first + piece < whole ? first + piece : whole;
    Lanes parts{};
    for (std::int64_t i = first; i < end; i += lanes) {
      for (std::int64_t j = 0; j < lanes; ++j) {
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
    for (std::int64_t i = first; i < end; i += lanes) {
      for (std::int64_t j = 0; j < lanes; ++j) {
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
    for (std::int64_t i = 0; i < pixels; ++i) {
      to[i] = silu(from[i] * a + b);
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
      to[c] = silu((from[c] - m.mean) * scale * weight[c] + bias[c]);
    }
  }
}

/// [C] in float32, or all the same value where there is none.
at::Tensor per_channel(const c10::optional<at::Tensor>& values, std::int64_t channels,
                       double otherwise) {
  return values && values->defined() ? values->contiguous() : at::full({channels}, otherwise);
}

}  // namespace

at::Tensor group_norm_silu(const at::Tensor& x, std::int64_t groups,
                           const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps) {
  const bool fits = x.device().is_cpu() && x.scalar_type() == c10::kFloat && x.dim() > 1 &&
                    x.is_contiguous() && groups > 0 && x.size(1) % groups == 0 && x.numel() > 0;
  if (!fits) {
    return at::silu(at::group_norm(x, groups, weight, bias, eps));
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
  const std::int64_t grain = 1 + 16384 / (channels * pixels);
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

at::Tensor pixel_norm_silu(const at::Tensor& x, const c10::optional<at::Tensor>& weight,
                           const c10::optional<at::Tensor>& bias, double eps) {
  const std::int64_t channels = x.size(1);
  if (!x.device().is_cpu() || x.scalar_type() != c10::kFloat || x.numel() == 0) {
    return at::silu(at::layer_norm(x.permute({0, 2, 3, 1}), {channels}, weight, bias, eps))
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
  at::parallel_for(0, x.numel() / channels, 1 + 16384 / channels,
                   [&](std::int64_t begin, std::int64_t end) {
                     norm_positions(from + begin * channels, to + begin * channels, end - begin,
                                    channels, weights, biases, static_cast<float>(eps));
                   });
  return y;
}

}  // namespace srdiff
