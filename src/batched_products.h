#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace srdiff {

/// Products of pairs of matrices, as attention's, by oneDNN's kernels: OpenBLAS names its own by
/// the processor's model, and for one that it does not know takes those of twenty years ago. A
/// kernel is made once for matrices of one size and layout and kept. Each value is one thread's
/// sum, so that results do not depend on the number of threads.
class BatchedProducts {
 public:
  BatchedProducts();
  ~BatchedProducts();
  BatchedProducts(BatchedProducts&&) noexcept;
  BatchedProducts(const BatchedProducts&) = delete;
  BatchedProducts& operator=(const BatchedProducts&) = delete;

  /// Lets oneDNN make what it makes before its first product in a process: 0.03 s, during which
  /// other threads can do something else.
  static void prepare();

  /// bmm: [B,M,K] and [B,K,N] → [B,M,N]. LibTorch's where srdiff was built without oneDNN, and for
  /// what is not float32 on the CPU.
  at::Tensor operator()(const at::Tensor& left, const at::Tensor& right);

 private:
  struct Kernels;
  std::unique_ptr<Kernels> kernels_;
};

}  // namespace srdiff
