#pragma once

#include <functional>

#include "batch/image_report.h"

namespace srdiff {

/// Whom a folder run tells how it goes. All are optional. Calls come one at a time, from several
/// threads.
struct BatchObserver {
  std::function<void(const ImageReport&, const BatchProgress&)> on_image;
  /// After calls of a network; what is computed may still have to be written.
  std::function<void(const BatchWork&, const BatchProgress&)> on_work;
  std::function<bool()> cancelled;  ///< true: the picture in the networks is dropped, then stop
};

}  // namespace srdiff
