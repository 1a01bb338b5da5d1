#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "engine/cpu/convolution.h"
#include "engine/cpu/convolution_prepacked.h"

namespace srdiff {

// The operators srdiff::… that cpu_graph.h puts in the place of LibTorch's. They take images in
// blocks of channels (channel_blocks.h) and plain ones: which of the two a value is shows only when
// the network runs.

/// What a network's operators keep between calls.
struct OperatorState {
  PackedConvolutions packed;
  BlockedConvolutions blocked;

  /// One for another thread: what depends on weights alone is in common.
  OperatorState for_another_thread() const {
    return {packed.for_another_thread(), blocked.for_another_thread()};
  }
};

/// The states of a network that several threads call at once: each call takes one that no other
/// has. States are made as they are needed, and kept; kernels are made for a number of threads, so
/// that calls with as many find theirs again.
class OperatorStates {
 public:
  /// Before the first call.
  void use_bf16() { first_.blocked.use_bf16(); }

 private:
  friend class OperatorScope;
  std::unique_ptr<OperatorState> take(int threads);
  void give_back(int threads, std::unique_ptr<OperatorState> state);

  OperatorState first_;                                      ///< that the others are like
  std::mutex mutex_;                                         ///< for what follows
  std::multimap<int, std::unique_ptr<OperatorState>> idle_;  ///< by threads
};

/// Makes a state that of the operators that run on this thread while it lives: operators carry none
/// of their own.
class OperatorScope {
 public:
  explicit OperatorScope(OperatorState& state);
  explicit OperatorScope(OperatorStates& states);
  OperatorScope(const OperatorScope&) = delete;
  OperatorScope& operator=(const OperatorScope&) = delete;
  ~OperatorScope();

 private:
  OperatorState* outer_;
  OperatorStates* states_ = nullptr;  ///< that `taken_` goes back to
  int threads_ = 0;
  std::unique_ptr<OperatorState> taken_;
};

/// Whether those that run on this thread round convolutions' inputs to bf16.
bool convolutions_round_to_bf16();

}  // namespace srdiff
