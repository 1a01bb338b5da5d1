#include "output/weight_map_picture.h"

#include <ATen/ATen.h>

#include <utility>

#include "pipeline/output_size.h"

WeightMapPicture::WeightMapPicture(const srdiff::UpscalePlan& plan, int model_scale,
                                   std::filesystem::path file, srdiff::EncodeOptions options)
    : from_{plan.height() * model_scale, plan.width() * model_scale},
      to_{plan.output_height(), plan.output_width()},
      ratio_(srdiff::lowest_terms(plan.factor().up, plan.factor().down * model_scale)),
      file_(std::move(file)),
      options_(std::move(options)) {}

void WeightMapPicture::start(bool grey) {
  srdiff::ImageLayout layout;
  layout.width = to_.width;
  layout.height = to_.height;
  layout.grey = grey;
  encoder_.emplace(layout, srdiff::picture_ending(file_), file_.string(), options_);
  resized_.emplace(from_, to_, ratio_, [this](const at::Tensor& rows) {
    encoder_->add(rows[0].clamp(0.0, 1.0).expand({3, -1, -1}).mul(2.0).sub(1.0).contiguous());
  });
}

void WeightMapPicture::add(const at::Tensor& rows, std::int64_t top) {
  if (top == 0) {
    start(rows.size(1) == 1);
  }
  resized_->add(rows);
}

void WeightMapPicture::write() {
  srdiff::write_image_file(file_, encoder_->finish());
}
