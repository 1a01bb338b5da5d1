#pragma once

#include <cstddef>
#include <memory>

namespace srdiff::cpu {

/// Keeps networks' large blocks of CPU memory between their layers and calls. Every layer frees
/// activations as large as those that the next layer allocates. The C library returns blocks of
/// megabytes to the system, which clears their pages before it hands them out again; that took a
/// quarter of an evaluation of the paper-size network at eight pictures. The networks of a
/// photograph take turns, and so must not lose what they need to each other.
///
/// Blocks are cut from segments of memory, from their beginning on, so that blocks of other sizes
/// take the place of those that were given back. Pages that no call needs any more are given back
/// to the system after `calls_without_use` calls, so that what is kept follows the shapes in use.
/// Several threads may be in calls at once.
///
/// Blocks are kept only in a program that has called `install`.
class ActivationPool {
 public:
  class Segments;

  /// How many calls at least keep what they do not need, three times as many at most: more than
  /// those of a row of tiles, since the networks take turns row by row.
  static constexpr unsigned long calls_without_use = 256;

  /// Replaces LibTorch's CPU allocator, for the whole process; later calls do nothing. Outside
  /// calls of a pool the allocator is LibTorch's own.
  static void install();

  ActivationPool();

  /// Bytes that blocks had and that are kept, and are not in use.
  std::size_t kept() const;

  /// While it lives, LibTorch's large CPU blocks of this thread come from `memory`.
  class Call {
   public:
    explicit Call(const ActivationPool& memory);
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();

   private:
    Segments* segments_;
    Segments* outer_;  ///< of the call around this one
  };

 private:
  std::shared_ptr<Segments> segments_;  ///< which blocks in use hold too
};

}  // namespace srdiff::cpu
