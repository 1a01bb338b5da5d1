#pragma once

#include <functional>

#include "srdiff/error.h"

namespace srdiff {

/// Throws Cancelled where an observer, if there is one, says so.
inline void stop_if(const std::function<bool()>& cancelled) {
  if (cancelled && cancelled()) {
    throw Cancelled();
  }
}

}  // namespace srdiff
