#pragma once

#include "engine/backend.h"

namespace srdiff {

// The back ends that backend_for chooses from.

const Backend& cpu_backend();

/// Throws ModelError where LibTorch sees no such device.
const Backend& cuda_backend(c10::DeviceIndex index);

}  // namespace srdiff
