#pragma once

#include <cstdint>
#include <string>

#include "srdiff/manifest.h"
#include "srdiff/resize.h"
#include "srdiff/upscale_settings.h"

namespace srdiff {

/// What a picture becomes.
struct OutputSize {
  std::int64_t height;
  std::int64_t width;
  ResizeRatio
      factor;  ///< output / input, in lowest terms; sides that it gives no whole are rounded
};

/// up / down, both above 0.
ResizeRatio lowest_terms(std::int64_t up, std::int64_t down);

/// Whether the settings name the output's size in place of a scale.
bool names_size(const UpscaleSettings& settings);

/// The output of a picture of this size. Throws InputError "NAME: …" where it would be smaller than
/// the input, more than 64 times as large, or larger by a model that does not enlarge.
OutputSize output_size(const UpscaleSettings& settings, const Manifest& manifest,
                       std::int64_t height, std::int64_t width, const std::string& name);

/// How many passes of a model come up to a factor.
int pass_count(ResizeRatio factor, int model_scale);

/// The factor, in lowest terms, that brings the output of all passes to the wanted one.
ResizeRatio ratio_after_passes(ResizeRatio factor, int model_scale);

}  // namespace srdiff
