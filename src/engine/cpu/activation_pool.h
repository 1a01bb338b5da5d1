#pragma once

#include <cstddef>
#include <memory>

namespace srdiff::cpu {

/// Keeps networks' large blocks of CPU memory between their layers and calls. Every layer frees
/// activations as large as those that the next layer allocates. The C library returns blocks of
/// megabytes to the system, which clears their pages before it hands them out again; that took a
/// quarter of an evaluation of the paper-size network at eight pictures.
///
/// A block that a call did not need is given back when that call ends, so that what is kept follows
/// the shapes in use. Several threads may be in calls at once.
///
/// Blocks are kept only in a program that has called `install`.
class ActivationPool {
 public:
  class FreeBlocks;

  /// Replaces LibTorch's CPU allocator, for the whole process; later calls do nothing. Outside
  /// calls of a pool the allocator is LibTorch's own.
  static void install();

  ActivationPool();

  /// Bytes that are kept and not in use.
  std::size_t kept() const;

  /// While it lives, LibTorch's large CPU blocks of this thread come from `memory`.
  class Call {
   public:
    explicit Call(const ActivationPool& memory);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();

   private:
    FreeBlocks* pool_;
    FreeBlocks* outer_;  ///< of the call around this one
    unsigned long number_;
  };

 private:
  std::shared_ptr<FreeBlocks> pool_;  ///< which blocks in use hold too
};

}  // namespace srdiff::cpu
