#pragma once

#include "srdiff/schedule.h"

namespace srdiff::support {

/// The noise of SR3 and of the paper: 2000 steps.
inline Schedule sr3_schedule() {
  return Schedule::linear(2000, 1e-6, 1e-2);
}

}  // namespace srdiff::support
