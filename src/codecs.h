#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "image_header.h"

namespace srdiff {

/// A picture as its file has it.
struct FilePixels {
  /// [C,H,W] float32 in [0,1]: 1 grey, 3 RGB, 4 RGB and straight alpha.
  at::Tensor channels;
  int bit_depth = 8;  ///< 8 or 16
};

/// The pixels of a file whose header was found good. TIFF comes upright, the others as stored.
/// Throws InputError "NAME: reason".
FilePixels decode_pixels(const std::string& file, const ImageHeader& header,
                         const std::string& name);

}  // namespace srdiff
