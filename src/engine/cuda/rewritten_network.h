#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>
#include <torch/csrc/jit/api/module.h>

#include <optional>
#include <string>
#include <vector>

#include "engine/cuda/graph_replay.h"
#include "engine/cuda/noise_level_encodings.h"

namespace srdiff::cuda {

/// A network as it runs on a CUDA device; on the CPU, where it is tested, it computes the same.
/// Takes one call at a time.
class RewrittenNetwork {
 public:
  /// Rewrites a network whose tensors are on `device`, and converts its weights to `precision`.
  /// A denoiser with methods of its own for its parts (docs/MODELS.md) is called by these, any
  /// other network by `forward`.
  RewrittenNetwork(const torch::jit::Module& module, c10::Device device, c10::ScalarType precision);

  /// Runs the network on inputs of any device, images [N,C,H,W] and others, and returns float32.
  at::Tensor operator()(const std::vector<at::Tensor>& inputs);

  /// Gives back the memory of recorded calls.
  void drop_recordings() { graphs_.drop(); }

  /// The rewritten graph that a call runs.
  const torch::jit::Graph& graph() const;

 private:
  std::vector<at::Tensor> arguments_of(const std::vector<at::Tensor>& inputs);

  torch::jit::Module module_;
  c10::Device device_;
  c10::ScalarType precision_;
  std::string method_ = "forward";
  bool casts_ = false;                            ///< its inputs itself, from float32
  std::optional<NoiseLevelEncodings> encodings_;  ///< where the denoiser has methods
  CudaGraphs graphs_;
};

}  // namespace srdiff::cuda
