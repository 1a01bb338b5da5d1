#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/scoped_flag.h"

namespace srdiff::cuda {

/// A network's calls, recorded as CUDA graphs: replaying one costs the host a single launch where a
/// call costs one for each of some hundred operators. One recording a set of shapes; a recording
/// that CUDA refuses, and every call on another device, is made as it stands.
class CudaGraphs {
 public:
  using Tensors = std::vector<at::Tensor>;
  using Call = std::function<at::Tensor(const Tensors& inputs)>;

  CudaGraphs();
  CudaGraphs(const CudaGraphs&) = delete;
  CudaGraphs& operator=(const CudaGraphs&) = delete;
  ~CudaGraphs();

  /// call(inputs), for a call that depends on its inputs' values alone and asks none of them.
  at::Tensor operator()(const Tensors& inputs, const Call& call);

  /// Forgets the recordings, and gives back the memory that they hold.
  void drop();

 private:
  struct Recording;
  std::vector<std::unique_ptr<Recording>> recordings_;  ///< the one used last is last
  bool refused_ = false;
};

/// While it lives, networks' calls on this thread are made as they stand, neither recorded nor
/// replayed: whoever watches operators or memory sees those of one call.
class WithoutCudaGraphs : ScopedFlag {
 public:
  WithoutCudaGraphs();
};

}  // namespace srdiff::cuda
