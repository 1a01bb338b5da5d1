#include "engine/cpu/linear.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "engine/cpu/simd/vector_math.h"

namespace srdiff::cpu {
namespace {

constexpr std::int64_t lanes = 16;
using Floats = Values<lanes>;

/// Σ x·w over `count` values; `whole` is the largest multiple of two vectors in `count`.
SRDIFF_INLINE float dot(const float* x, const float* w, std::int64_t whole, std::int64_t count) {
  Floats even{};
  Floats odd{};
  for (std::int64_t k = 0; k < whole; k += 2 * lanes) {
    Floats a;
    Floats b;
    load(x + k, a);
    load(w + k, b);
    even += a * b;
    load(x + k + lanes, a);
    load(w + k + lanes, b);
    odd += a * b;
  }
  even += odd;
  float sum = 0.0F;
  for (std::int64_t i = 0; i < lanes; ++i) {
    sum += even[i];
  }
  for (std::int64_t k = whole; k < count; ++k) {
    sum += x[k] * w[k];
  }
  return sum;
}

/// Outputs `begin` to `end` of each row; a row of the weight stays in the first cache meanwhile.
SRDIFF_EVERY_VECTOR_WIDTH void outputs_of_rows(const float* x, std::int64_t rows,
                                               std::int64_t inputs, const float* weight,
                                               const float* bias, float* y, std::int64_t outputs,
                                               std::int64_t begin, std::int64_t end) {
  const std::int64_t whole = inputs - inputs % (2 * lanes);
  for (std::int64_t m = begin; m < end; ++m) {
    for (std::int64_t row = 0; row < rows; ++row) {
      y[row * outputs + m] = bias[m] + dot(x + row * inputs, weight + m * inputs, whole, inputs);
    }
  }
}

}  // namespace

at::Tensor linear_of_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto fits = [](const at::Tensor& t, std::int64_t dim) {
    return t.dim() == dim && t.scalar_type() == c10::kFloat && t.device().is_cpu() && t.numel() > 0;
  };
  if (!fits(x, 2) || !fits(weight, 2) || !fits(bias, 1) || x.size(1) != weight.size(1) ||
      bias.size(0) != weight.size(0)) {
    return at::linear(x, weight, bias);
  }
  const at::Tensor rows = x.contiguous();
  const at::Tensor weights = weight.contiguous();
  const at::Tensor offsets = bias.contiguous();
  const std::int64_t outputs = weight.size(0);
  at::Tensor y = at::empty({x.size(0), outputs}, x.options());
  const auto* from = rows.data_ptr<float>();
  const auto* w = weights.data_ptr<float>();
  const auto* b = offsets.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  // Waking a thread pays from some ten thousand multiplications on.
  const std::int64_t grain = std::max<std::int64_t>(1, 16384 / rows.numel());
  at::parallel_for(0, outputs, grain, [&](std::int64_t begin, std::int64_t end) {
    outputs_of_rows(from, rows.size(0), rows.size(1), w, b, to, outputs, begin, end);
  });
  return y;
}

}  // namespace srdiff::cpu
