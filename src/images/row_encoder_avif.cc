#include <ATen/Parallel.h>
#include <avif/avif.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/unstoppable_work.h"
#include "images/metadata.h"
#include "images/optional_formats.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

/// 12 bits, the most that AVIF has, of 16.
constexpr std::uint16_t twelve_bits(std::uint16_t level) {
  return static_cast<std::uint16_t>((level * 4095U + 32767U) / 65535U);
}

/// Rows become planes of luma and colour differences as they come, of full size: enlarged pictures
/// have detail of colour. Grey and alpha keep their levels.
class AvifFileEncoder : public RowEncoder {
 public:
  AvifFileEncoder(const FileLayout& layout, int quality, std::string failure)
      : layout_(layout),
        quality_(quality),
        failure_(std::move(failure)),
        image_(::avifImageCreate(
                   static_cast<std::uint32_t>(layout.width),
                   static_cast<std::uint32_t>(layout.height), layout.bit_depth == 16 ? 12 : 8,
                   layout.channels < 3 ? AVIF_PIXEL_FORMAT_YUV400 : AVIF_PIXEL_FORMAT_YUV444),
               ::avifImageDestroy) {
    if (image_ == nullptr) {
      throw std::bad_alloc();
    }
    image_->yuvRange = AVIF_RANGE_FULL;
    image_->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
    image_->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
    image_->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
    require([&] {
      return ::avifImageAllocatePlanes(image_.get(), alpha() ? AVIF_PLANES_ALL : AVIF_PLANES_YUV);
    });
    if (image_->yuvPlanes[AVIF_CHAN_Y] == nullptr || (alpha() && image_->alphaPlane == nullptr)) {
      throw std::bad_alloc();
    }
  }

  void add_row(const unsigned char* samples) override {
    if (row_ >= image_->height) {
      throw InputError(failure_);
    }
    if (image_->yuvFormat == AVIF_PIXEL_FORMAT_YUV400) {
      keep_channel(samples, 0, image_->yuvPlanes[AVIF_CHAN_Y], image_->yuvRowBytes[AVIF_CHAN_Y]);
    } else {
      convert_colours(samples);
    }
    if (alpha()) {
      keep_channel(samples, layout_.channels - 1, image_->alphaPlane, image_->alphaRowBytes);
    }
    ++row_;
  }

  void take_metadata(const Metadata& blocks) override {
    const auto data = [](const std::string& block) {
      return reinterpret_cast<const std::uint8_t*>(block.data());
    };
    if (!blocks.icc.empty()) {
      require([&] {
        return ::avifImageSetProfileICC(image_.get(), data(blocks.icc), blocks.icc.size());
      });
      image_->colorPrimaries = AVIF_COLOR_PRIMARIES_UNSPECIFIED;
      image_->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_UNSPECIFIED;
    }
    if (!blocks.cicp.empty()) {
      image_->colorPrimaries = static_cast<unsigned char>(blocks.cicp[0]);
      image_->transferCharacteristics = static_cast<unsigned char>(blocks.cicp[1]);
    }
    if (!blocks.exif.empty()) {  // libavif states EXIF's orientation in AVIF's own words too
      require([&] {
        return ::avifImageSetMetadataExif(image_.get(), data(blocks.exif), blocks.exif.size());
      });
    }
    if (!blocks.xmp.empty()) {
      require([&] {
        return ::avifImageSetMetadataXMP(image_.get(), data(blocks.xmp), blocks.xmp.size());
      });
    }
  }

  std::string finish() override {
    const UnstoppableWork work;
    if (row_ != image_->height) {
      throw InputError(failure_);
    }
    const std::unique_ptr<avifEncoder, decltype(&::avifEncoderDestroy)> encoder(
        ::avifEncoderCreate(), ::avifEncoderDestroy);
    if (encoder == nullptr) {
      throw std::bad_alloc();
    }
    constexpr int speed = 6;  // avifenc's
    encoder->speed = speed;
    encoder->codecChoice = AVIF_CODEC_CHOICE_AOM;
    encoder->maxThreads = at::get_num_threads();
#if AVIF_VERSION_MAJOR >= 1
    encoder->quality = quality_;
    encoder->qualityAlpha = AVIF_QUALITY_LOSSLESS;
#else
    encoder->minQuantizer = encoder->maxQuantizer =
        ((100 - quality_) * AVIF_QUANTIZER_WORST_QUALITY + 50) / 100;
    encoder->minQuantizerAlpha = encoder->maxQuantizerAlpha = AVIF_QUANTIZER_LOSSLESS;
#endif
    avifRWData output = AVIF_DATA_EMPTY;
    const avifResult result = ::avifEncoderWrite(encoder.get(), image_.get(), &output);
    image_.reset();
    const std::unique_ptr<avifRWData, decltype(&::avifRWDataFree)> owner(&output, ::avifRWDataFree);
    if (result == AVIF_RESULT_OUT_OF_MEMORY) {
      throw std::bad_alloc();
    }
    require([&] { return result; });
    return {reinterpret_cast<const char*>(output.data), output.size};
  }

 private:
  bool alpha() const {
    return layout_.channels % 2 == 0;
  }

  /// What libavif 0.11 cannot fail at, later versions return a result for.
  template <typename Call>
  void require(const Call& call) const {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
    } else if (call() != AVIF_RESULT_OK) {
      throw InputError(failure_);
    }
  }

  void keep_channel(const unsigned char* samples, int channel, std::uint8_t* plane,
                    std::uint32_t stride) const {
    std::uint8_t* out = plane + static_cast<std::size_t>(row_) * stride;
    const auto channels = static_cast<std::size_t>(layout_.channels);
    for (std::size_t x = 0; x < image_->width; ++x) {
      const std::size_t at = x * channels + static_cast<std::size_t>(channel);
      if (layout_.bit_depth == 8) {
        out[x] = samples[at];
        continue;
      }
      std::uint16_t level = 0;
      std::memcpy(&level, samples + 2 * at, sizeof(level));
      level = twelve_bits(level);
      std::memcpy(out + 2 * x, &level, sizeof(level));
    }
  }

  void convert_colours(const unsigned char* samples) {
    const avifCropRect place = {0, row_, image_->width, 1};
    const std::unique_ptr<avifImage, decltype(&::avifImageDestroy)> row(::avifImageCreateEmpty(),
                                                                        ::avifImageDestroy);
    if (row == nullptr) {
      throw std::bad_alloc();
    }
    require([&] { return ::avifImageSetViewRect(row.get(), image_.get(), &place); });
    row->alphaPlane = nullptr;  // kept apart
    row->alphaRowBytes = 0;
    avifRGBImage rgb;
    ::avifRGBImageSetDefaults(&rgb, row.get());
    rgb.depth = static_cast<std::uint32_t>(layout_.bit_depth);
    rgb.format = alpha() ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
    rgb.ignoreAlpha = AVIF_TRUE;
    rgb.pixels = const_cast<unsigned char*>(samples);  // NOLINT: libavif only reads it
    rgb.rowBytes =
        static_cast<std::uint32_t>(layout_.width * layout_.channels * (layout_.bit_depth / 8));
    const avifResult result = ::avifImageRGBToYUV(row.get(), &rgb);
    row->imageOwnsYUVPlanes = AVIF_FALSE;  // libavif 0.11 has taken them for the row's own
    require([&] { return result; });
  }

  FileLayout layout_;
  int quality_;
  std::string failure_;
  std::unique_ptr<avifImage, decltype(&::avifImageDestroy)> image_;
  std::uint32_t row_ = 0;
};

}  // namespace

std::unique_ptr<RowEncoder> make_avif_encoder(const FileLayout& layout, int quality,
                                              const std::string& failure) {
  return std::make_unique<AvifFileEncoder>(layout, quality, failure);
}

}  // namespace srdiff
