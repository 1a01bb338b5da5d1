#pragma once

#include <functional>

#include "batch/image_report.h"

namespace srdiff {

/// Whom a folder run tells how it goes. All are optional. Calls come one at a time, from several
/// threads.
struct BatchObserver {
  std::function<void(const ImageReport&, const BatchProgress&)> on_image;
  std::function<bool()> cancelled;  ///< true: the picture in the networks is dropped, then stop
};

}  // namespace srdiff
