#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "srdiff/metadata.h"

namespace srdiff {

/// A picture as a value: what the networks see, and what must survive around them.
struct Image {
  /// [3,H,W] float32 RGB in [−1,1] on the CPU. A grey picture has three equal planes.
  at::Tensor rgb;
  /// [1,H,W] float32 in [0,1], 0 transparent; undefined for a picture without alpha.
  at::Tensor alpha;
  /// Bits a channel in the file: 8 or 16.
  int bit_depth = 8;
  /// The file had one colour channel.
  bool grey = false;
  /// What the file said besides; null: nothing.
  std::shared_ptr<const Metadata> metadata;
  /// What could not be read of the file, in words; empty: nothing is missing.
  std::string damage = {};

  std::int64_t width() const { return rgb.size(2); }
  std::int64_t height() const { return rgb.size(1); }
};

}  // namespace srdiff
