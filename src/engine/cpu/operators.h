#pragma once

#include <torch/custom_class.h>

#include "engine/cpu/convolution.h"
#include "engine/cpu/convolution_prepacked.h"

namespace srdiff::cpu {

// The operators srdiff::… that rewrite_graph.h puts in the place of LibTorch's. They take images in
// blocks of channels (blocked_layout.h) and plain ones: which of the two a value is shows only when
// the network runs.

/// What one convolution of a rewritten network keeps between calls: its weight as kernels read it,
/// and kernels. The graph owns it as a constant, which the convolution's operator is given; it
/// lives as long as the graph. Several threads may be in calls at once.
class ConvolutionState : public torch::CustomClassHolder {
 public:
  explicit ConvolutionState(bool in_bf16) : blocked(in_bf16) {}

  PrepackedConvolution prepacked;
  BlockedConvolution blocked;
};

}  // namespace srdiff::cpu
