#pragma once

#include <cstddef>

#include "engine/backend.h"
#include "srdiff/upscaler.h"

namespace srdiff {

/// How many pictures may wait between two parts of a folder run, and their bytes, so that memory is
/// bounded whatever the number of pictures.
inline constexpr std::size_t max_queued = 16;  // on a CPU, which takes few pictures at a time
inline constexpr std::size_t max_waiting_for_gpu = 256;  // a GPU's full calls need many
inline constexpr std::size_t max_queued_bytes = std::size_t{256} << 20;

/// Whether few pictures go together in a network call, as on a CPU.
inline bool computes_few_together(const Upscaler& upscaler) {
  return backend_for(upscaler.model().device()).one_image_per_call();
}

}  // namespace srdiff
