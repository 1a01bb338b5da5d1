#pragma once

#include "srdiff/resize.h"

namespace srdiff {

/// How many passes of a model come up to a scale.
int pass_count(double scale, int model_scale);

/// The factor that brings all passes' output to the scale: to a thousandth, in lowest terms.
ResizeRatio ratio_to_scale(double scale, int model_scale);

}  // namespace srdiff
