#pragma once

#include <functional>

#include "srdiff/error.h"

namespace srdiff {

/// Throws Cancelled if there is a function `cancelled` and it returns true.
inline void stop_if(const std::function<bool()>& cancelled) {
  if (cancelled && cancelled()) {
    throw Cancelled();
  }
}

}  // namespace srdiff
