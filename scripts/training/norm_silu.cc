// Group norm, with SiLU behind it or without, and its derivative, for training on a CPU: bf16
// images in channels_last, float32 weights and sums. PyTorch's own takes more of a bf16 training
// step on AMX than all convolutions together. Built by fused_norm.py.
#include <torch/extension.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// A bf16 value is the upper half of a float32.
float widen(std::uint16_t half) {
  const std::uint32_t bits = std::uint32_t{half} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

std::uint16_t round_to_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);  // ties to even
}

// One image [positions, channels], and what a norm knows of it.
struct Shape {
  std::int64_t positions, channels, groups;
  std::int64_t per_group() const { return channels / groups; }
};

// A norm is x * scale + offset, with values for each channel.
struct Affine {
  std::vector<float> scale, offset;
  Affine(const Shape& shape, const float* weight, const float* bias, const float* mean,
         const float* rstd)
      : scale(shape.channels), offset(shape.channels) {
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      const std::int64_t group = c / shape.per_group();
      scale[c] = weight[c] * rstd[group];
      offset[c] = bias[c] - mean[group] * scale[c];
    }
  }
};

void statistics(const Shape& shape, const std::uint16_t* x, float eps, float* mean, float* rstd) {
  // Sums of 64 positions each: long float32 sums would lose the small differences that a variance
  // is.
  std::vector<float> sum(shape.channels), squares(shape.channels), part(shape.channels),
      part_squares(shape.channels);
  float* const s = part.data();
  float* const q = part_squares.data();
  for (std::int64_t begin = 0; begin < shape.positions; begin += 64) {
    std::fill(part.begin(), part.end(), 0.0F);
    std::fill(part_squares.begin(), part_squares.end(), 0.0F);
    for (std::int64_t p = begin; p < std::min(shape.positions, begin + 64); ++p) {
      const std::uint16_t* const row = x + p * shape.channels;
#pragma omp simd
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const float value = widen(row[c]);
        s[c] += value;
        q[c] += value * value;
      }
    }
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      sum[c] += s[c];
      squares[c] += q[c];
    }
  }
  const auto count = static_cast<double>(shape.per_group() * shape.positions);
  for (std::int64_t g = 0; g < shape.groups; ++g) {
    double first = 0.0, second = 0.0;
    for (std::int64_t c = g * shape.per_group(); c < (g + 1) * shape.per_group(); ++c) {
      first += sum[c];
      second += squares[c];
    }
    first /= count;
    mean[g] = static_cast<float>(first);
    rstd[g] =
        static_cast<float>(1.0 / std::sqrt(std::max(0.0, second / count - first * first) + eps));
  }
}

void normalise(const Shape& shape, const Affine& affine, bool silu, const std::uint16_t* x,
               std::uint16_t* y) {
  const float* const scale = affine.scale.data();
  const float* const offset = affine.offset.data();
  for (std::int64_t p = 0; p < shape.positions; ++p) {
    const std::uint16_t* const row = x + p * shape.channels;
    std::uint16_t* const out = y + p * shape.channels;
    if (silu) {
#pragma omp simd
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const float z = widen(row[c]) * scale[c] + offset[c];
        out[c] = round_to_bf16(z / (1.0F + std::exp(-z)));
      }
    } else {
#pragma omp simd
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        out[c] = round_to_bf16(widen(row[c]) * scale[c] + offset[c]);
      }
    }
  }
}

// dz = dL/dz of one image, z being the normalised x before the SiLU, if there is one. Adds the sums
// of dz and of dz x over the positions, for each channel, to s and m.
void derive_silu(const Shape& shape, const Affine& affine, bool silu, const std::uint16_t* x,
                 const std::uint16_t* dy, float* dz, float* s, float* m) {
  const float* const scale = affine.scale.data();
  const float* const offset = affine.offset.data();
  for (std::int64_t p = 0; p < shape.positions; ++p) {
    const std::uint16_t* const row = x + p * shape.channels;
    const std::uint16_t* const gradient = dy + p * shape.channels;
    float* const out = dz + p * shape.channels;
    if (silu) {
#pragma omp simd
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const float value = widen(row[c]);
        const float z = value * scale[c] + offset[c];
        const float sigmoid = 1.0F / (1.0F + std::exp(-z));
        const float d = widen(gradient[c]) * (sigmoid * (1.0F + z * (1.0F - sigmoid)));
        out[c] = d;
        s[c] += d;
        m[c] += d * value;
      }
    } else {
#pragma omp simd
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const float d = widen(gradient[c]);
        out[c] = d;
        s[c] += d;
        m[c] += d * widen(row[c]);
      }
    }
  }
}

// dL/dx of one image, and its shares of dL/dweight and dL/dbias. With n = (x - mean) rstd and g =
// dL/dn, dL/dx = rstd (g - mean(g) - n mean(g n)), means over a group.
void derive(const Shape& shape, const Affine& affine, bool silu, const std::uint16_t* x,
            const std::uint16_t* dy, const float* weight, const float* mean, const float* rstd,
            std::uint16_t* dx, float* dweight, float* dbias) {
  std::vector<float> dz(shape.positions * shape.channels);
  std::vector<float> sum(shape.channels), moment(shape.channels), constant(shape.channels),
      slope(shape.channels);
  const float* const scale = affine.scale.data();
  float* const s = sum.data();
  float* const m = moment.data();
  derive_silu(shape, affine, silu, x, dy, dz.data(), s, m);
  const float share = 1.0F / static_cast<float>(shape.per_group() * shape.positions);
  for (std::int64_t g = 0; g < shape.groups; ++g) {
    float mean_g = 0.0F, mean_gn = 0.0F;
    for (std::int64_t c = g * shape.per_group(); c < (g + 1) * shape.per_group(); ++c) {
      dweight[c] = rstd[g] * (m[c] - mean[g] * s[c]);
      dbias[c] = s[c];
      mean_g += weight[c] * s[c] * share;
      mean_gn += weight[c] * dweight[c] * share;
    }
    for (std::int64_t c = g * shape.per_group(); c < (g + 1) * shape.per_group(); ++c) {
      slope[c] = -rstd[g] * rstd[g] * mean_gn;
      constant[c] = -rstd[g] * mean_g - slope[c] * mean[g];
    }
  }
  const float* const k = constant.data();
  const float* const l = slope.data();
  for (std::int64_t p = 0; p < shape.positions; ++p) {
    const std::uint16_t* const row = x + p * shape.channels;
    const float* const d = dz.data() + p * shape.channels;
    std::uint16_t* const out = dx + p * shape.channels;
#pragma omp simd
    for (std::int64_t c = 0; c < shape.channels; ++c) {
      out[c] = round_to_bf16(scale[c] * d[c] + widen(row[c]) * l[c] + k[c]);
    }
  }
}

Tensor in_layout(const Tensor& image) {
  return image.to(torch::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
}

std::uint16_t* words(const Tensor& image) {
  return static_cast<std::uint16_t*>(image.data_ptr());
}

struct NormSilu : torch::autograd::Function<NormSilu> {
  static Tensor forward(AutogradContext* context, const Tensor& image, const Tensor& weight,
                        const Tensor& bias, std::int64_t groups, double eps, bool silu) {
    const Tensor x = in_layout(image.detach());
    const Shape shape{x.size(2) * x.size(3), x.size(1), groups};
    const Tensor mean = torch::empty({x.size(0), groups});
    const Tensor rstd = torch::empty({x.size(0), groups});
    const Tensor y = torch::empty_like(x);
    at::parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        float* const m = mean.data_ptr<float>() + n * groups;
        float* const r = rstd.data_ptr<float>() + n * groups;
        const std::int64_t start = n * shape.positions * shape.channels;
        statistics(shape, words(x) + start, static_cast<float>(eps), m, r);
        normalise(shape, Affine(shape, weight.data_ptr<float>(), bias.data_ptr<float>(), m, r),
                  silu, words(x) + start, words(y) + start);
      }
    });
    context->save_for_backward({x, weight, bias, mean, rstd});
    context->saved_data["silu"] = silu;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3],
                 &rstd = saved[4];
    const bool silu = context->saved_data["silu"].toBool();
    const Shape shape{x.size(2) * x.size(3), x.size(1), mean.size(1)};
    const Tensor dy = in_layout(gradients[0]);
    const Tensor dx = torch::empty_like(x);
    const Tensor dweight = torch::empty({x.size(0), shape.channels});
    const Tensor dbias = torch::empty({x.size(0), shape.channels});
    at::parallel_for(0, x.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n) {
        const float* const m = mean.data_ptr<float>() + n * shape.groups;
        const float* const r = rstd.data_ptr<float>() + n * shape.groups;
        const std::int64_t start = n * shape.positions * shape.channels;
        derive(shape, Affine(shape, weight.data_ptr<float>(), bias.data_ptr<float>(), m, r), silu,
               words(x) + start, words(dy) + start, weight.data_ptr<float>(), m, r,
               words(dx) + start, dweight.data_ptr<float>() + n * shape.channels,
               dbias.data_ptr<float>() + n * shape.channels);
      }
    });
    return {dx, dweight.sum(0), dbias.sum(0), Tensor(), Tensor(), Tensor()};
  }
};

// x [N,C,H,W] -> bf16 [N,C,H,W] in channels_last; weight and bias float32 [C], on the CPU all of
// them.
Tensor norm_silu(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                 double eps, bool silu) {
  TORCH_CHECK(x.dim() == 4 && x.device().is_cpu(), "norm_silu takes images [N,C,H,W] on the CPU");
  TORCH_CHECK(groups > 0 && x.size(1) % groups == 0, x.size(1), " channels do not divide into ",
              groups, " groups");
  TORCH_CHECK(weight.scalar_type() == torch::kFloat && weight.is_contiguous() &&
                  weight.numel() == x.size(1) && bias.scalar_type() == torch::kFloat &&
                  bias.is_contiguous() && bias.numel() == x.size(1),
              "norm_silu takes float32 weight and bias, a value for each channel");
  return NormSilu::apply(x, weight, bias, groups, eps, silu);
}

}  // namespace

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
  module.def("norm_silu", &norm_silu, pybind11::call_guard<pybind11::gil_scoped_release>());
}
