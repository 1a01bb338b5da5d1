#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <tuple>

namespace srdiff::cuda {

// The operators srdiff::… that rewrite_graph.h puts in the place of LibTorch's. On a CUDA device,
// the kernels of kernels/kernels.h compute them for channels_last images of float32, float16 or
// bfloat16 whose channels fill whole vectors of 16 bytes. LibTorch's operators compute all others,
// with the same results up to rounding.

/// The sum a + addend + bias + offset, whose channels are followed by those of b.
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

/// The sum, undefined unless it is to be kept, and its group norm, with or without SiLU.
std::tuple<at::Tensor, at::Tensor> normalised_sum(const ImageTerms& terms,
                                                  const NormParameters& norm, bool keep);

/// The sum, undefined unless it is to be kept, and silu of it.
std::tuple<at::Tensor, at::Tensor> activated_sum(const ImageTerms& terms, bool keep);

/// The sum, with each pixel `factor` times as high and wide.
at::Tensor upsampled_sum(const ImageTerms& terms, std::int64_t factor);

/// Attention of the image qkv [N,3C,H,W], which as `parts` [N·heads, 3·dim, H·W] holds each head's
/// query, key and value: softmax(queryᵀ·key·scale) over the keys, times the values, as `shape`.
at::Tensor attention_of_parts(const at::Tensor& qkv, at::IntArrayRef parts, at::IntArrayRef shape,
                              double scale);

}  // namespace srdiff::cuda
