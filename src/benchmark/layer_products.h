#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace srdiff {

/// A convolution, a matrix product or attention's two as LibTorch was asked for it: all that its
/// time depends on.
struct Product {
  enum class Kind { convolution, matrix, attention };
  Kind kind = Kind::convolution;
  /// the image [N,C,H,W], the left matrix [M,K] or [B,M,K], or queries [B,d,T]
  std::vector<std::int64_t> left;
  /// the weights, the right matrix [K,N] or [B,K,N], or keys [B,d,S]
  std::vector<std::int64_t> right;
  std::vector<std::int64_t> left_strides = {};   ///< of matrices
  std::vector<std::int64_t> right_strides = {};  ///< of matrices
  bool bias = false;
  bool transposed = false;
  bool enlarged = false;  ///< the image, by 2, before the convolution: `left` is the larger one
  std::vector<std::int64_t> stride = {};
  std::vector<std::int64_t> padding = {};
  std::vector<std::int64_t> dilation = {};
  std::vector<std::int64_t> output_padding = {};
  std::int64_t groups = 1;
  std::int64_t value_channels = 0;  ///< of attention's values [B,e,S]
  c10::ScalarType type = c10::kFloat;

  bool operator==(const Product&) const = default;
};

/// Two operations for each multiplication with its addition, as the field counts.
double flops(const Product& product);

/// Bytes that must go through memory for it: each operand read once, the result written once.
double traffic(const Product& product);

/// "convolution [1,96,32,32] with [128,96,3,3], stride [2,2]", "matrix product [4,64,32]
/// [4,32,64]", "attention of [4,32,64] to [4,32,64]".
std::string describe(const Product& product);

/// The products that `call` does on this thread, each distinct one with how often it occurs, in the
/// order of their first call. One that another is made of is not counted again.
std::vector<std::pair<Product, std::int64_t>> record_products(const std::function<void()>& call);

/// One way to do a product on random numbers: a layout's name, and the call.
struct ProductLayout {
  std::string name;
  std::function<void()> run;
  bool own = false;  ///< srdiff's way, not LibTorch's
};

/// All the layouts that this LibTorch can do it in, and srdiff's own call where it has one. On the
/// CPU: NCHW, channels_last, and oneDNN's own blocks of channels, for weights alone or for the
/// image too. In srdiff's call weights are in order, or transformed, already.
std::vector<ProductLayout> layouts_of(const Product& product, c10::Device device);

}  // namespace srdiff
