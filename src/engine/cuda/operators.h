#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

namespace srdiff::cuda {

// The operators srdiff::… that engine/cuda/rewrite_graph.h puts in the place of LibTorch's. On a
// CUDA device, and for images in channels_last of float32, float16 or bfloat16 with whole 16 bytes
// of channels, they are the kernels of cuda_kernels.h; elsewhere LibTorch's operators, with the
// same results to rounding.

/// a + addend + bias + offset, and behind its channels those of b.
struct ImageTerms {
  at::Tensor a;            ///< [N,C,H,W]
  at::Tensor addend = {};  ///< [N,C,H,W]
  at::Tensor b = {};       ///< [N,C',H,W]
  at::Tensor bias = {};    ///< [C] float32
  at::Tensor offset = {};  ///< [N,C]
};

struct NormParameters {
  std::int64_t groups;
  at::Tensor weight;  ///< of all channels, float32
  at::Tensor bias;    ///< as `weight`
  double eps;
  bool silu;
};

/// The sum, undefined unless it is to be kept, and its group norm, with or without SiLU behind.
std::tuple<at::Tensor, at::Tensor> normalised_sum(const ImageTerms& terms,
                                                  const NormParameters& norm, bool keep);

/// The sum, undefined unless it is to be kept, and silu of it.
std::tuple<at::Tensor, at::Tensor> activated_sum(const ImageTerms& terms, bool keep);

/// The sum, with each pixel `factor` times as high and wide.
at::Tensor enlarged_sum(const ImageTerms& terms, std::int64_t factor);

/// Attention of the image qkv [N,3C,H,W], which as `parts` [N·heads, 3·dim, H·W] holds each head's
/// query, key and value: softmax(queryᵀ·key·scale) over the keys, times the values, as `shape`.
at::Tensor attention_of_parts(const at::Tensor& qkv, at::IntArrayRef parts, at::IntArrayRef shape,
                              double scale);

}  // namespace srdiff::cuda
