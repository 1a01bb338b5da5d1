#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/row_stages.h"
#include "srdiff/image_io.h"
#include "srdiff/upscale_plan.h"

/// W as a picture of the output's size, white where detail is invented, made as its rows come.
class WeightMapPicture {
 public:
  /// `model_scale` is that of W. Throws as ImageEncoder does once the first rows come.
  WeightMapPicture(const srdiff::UpscalePlan& plan, int model_scale, std::filesystem::path file,
                   srdiff::EncodeOptions options);

  /// See UpscaleObserver::on_weight_map.
  void add(const at::Tensor& rows, std::int64_t top);

  /// Writes the file, once all rows are there. Throws InputError.
  void write();

 private:
  void start(bool grey);

  srdiff::ResizedRows::Size from_;
  srdiff::ResizedRows::Size to_;
  srdiff::ResizeRatio ratio_;
  std::filesystem::path file_;
  srdiff::EncodeOptions options_;
  std::optional<srdiff::ImageEncoder> encoder_;
  std::optional<srdiff::ResizedRows> resized_;
};
