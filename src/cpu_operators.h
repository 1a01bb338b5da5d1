#pragma once

#include "blocked_convolution.h"
#include "packed_convolution.h"

namespace srdiff {

// The operators srdiff::… that cpu_graph.h puts in the place of LibTorch's. They take images in
// blocks of channels (channel_blocks.h) and plain ones: which of the two a value is shows only when
// the network runs.

/// What a network's operators keep between calls.
struct OperatorState {
  PackedConvolutions packed;
  BlockedConvolutions blocked;
};

/// Makes a state that of the operators that run on this thread while it lives: operators carry none
/// of their own.
class OperatorScope {
 public:
  explicit OperatorScope(OperatorState& state);
  OperatorScope(const OperatorScope&) = delete;
  OperatorScope& operator=(const OperatorScope&) = delete;
  ~OperatorScope();

 private:
  OperatorState* outer_;
};

}  // namespace srdiff
