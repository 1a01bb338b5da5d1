#include "images/row_encoder.h"

#include <cstring>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <utility>
#include <vector>

#include "images/pixels_a_metre.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

/// The formats that want the whole picture, of 8 bits a channel: WebP and BMP.
class WholePictureEncoder : public RowEncoder {
 public:
  WholePictureEncoder(const FileLayout& layout, std::string extension, int quality,
                      std::string failure)
      : extension_(std::move(extension)),
        quality_(quality),
        failure_(std::move(failure)),
        resolution_(layout.resolution),
        pixels_(static_cast<int>(layout.height), static_cast<int>(layout.width),
                CV_8UC(layout.channels)) {}

  void add_row(const unsigned char* samples) override {
    unsigned char* row = pixels_.ptr(next_row_++);
    std::memcpy(row, samples, static_cast<std::size_t>(pixels_.cols) * pixels_.elemSize());
    if (pixels_.channels() >= 3) {  // OpenCV's order is BGR
      for (int x = 0; x < pixels_.cols; ++x, row += pixels_.channels()) {
        std::swap(row[0], row[2]);
      }
    }
  }

  std::string finish() override {
    std::vector<unsigned char> encoded;
    try {
      if (cv::imencode(extension_, pixels_, encoded, {cv::IMWRITE_WEBP_QUALITY, quality_})) {
        pixels_.release();
        std::string file(encoded.begin(), encoded.end());
        if (resolution_ && (resolution_->unit == 2 || resolution_->unit == 3)) {
          put_resolution(file);
        }
        return file;
      }
    } catch (const cv::Exception& error) {
      if (is_out_of_memory(error)) {
        throw;
      }
    }
    throw InputError(failure_);
  }

 private:
  /// For BMP, whose header OpenCV leaves without one.
  void put_resolution(std::string& bmp) const {
    constexpr std::size_t offset = 38;
    for (std::size_t i = 0; i < 8; ++i) {
      const float value = i < 4 ? resolution_->x : resolution_->y;
      const std::int64_t number = pixels_a_metre(value, resolution_->unit);
      bmp.at(offset + i) = static_cast<char>(number >> 8 * (i % 4) & 0xFF);
    }
  }

  std::string extension_;
  int quality_;
  std::string failure_;
  std::optional<Resolution> resolution_;
  cv::Mat pixels_;
  int next_row_ = 0;
};

}  // namespace

std::unique_ptr<RowEncoder> make_whole_picture_encoder(const FileLayout& layout, ImageFormat format,
                                                       int quality, const std::string& failure) {
  return std::make_unique<WholePictureEncoder>(layout, "." + traits_of(format).words.front(),
                                               quality, failure);
}

}  // namespace srdiff
