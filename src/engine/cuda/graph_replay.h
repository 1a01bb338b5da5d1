#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/scoped_flag.h"

namespace srdiff::cuda {

/// Records a network's calls as CUDA graphs: a replay costs the host a single launch, where a call
/// costs one for each of some hundred operators. There is one recording for each set of shapes.
/// Calls that CUDA cannot record, and calls on another device, are simply made.
class CudaGraphs {
 public:
  using Tensors = std::vector<at::Tensor>;
  using Call = std::function<at::Tensor(const Tensors& inputs)>;

  CudaGraphs();
  CudaGraphs(const CudaGraphs&) = delete;
  CudaGraphs& operator=(const CudaGraphs&) = delete;
  ~CudaGraphs();

  /// Returns call(inputs). The call depends on the values of its inputs alone, and its operators do
  /// not.
  at::Tensor operator()(const Tensors& inputs, const Call& call);

  /// Forgets the recordings, and gives back the memory that they hold.
  void drop();

 private:
  struct Recording;
  std::vector<std::unique_ptr<Recording>> recordings_;  ///< the one used last is last
  bool refused_ = false;
};

/// While it lives, networks' calls on this thread are neither recorded nor replayed, so that
/// observers of operators or memory see those of one call.
class WithoutCudaGraphs : ScopedFlag {
 public:
  WithoutCudaGraphs();
};

}  // namespace srdiff::cuda
