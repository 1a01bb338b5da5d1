#include <jxl/encode.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/unstoppable_work.h"
#include "images/code_points.h"
#include "images/jxl_threads.h"
#include "images/metadata.h"
#include "images/optional_formats.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

/// libjxl's measure of loss, about that of JPEG's quality by cjxl's formula; 0 is lossless.
float distance_of(int quality) {
  const auto q = static_cast<float>(quality);
  return quality >= 100  ? 0.0F
         : quality >= 30 ? 0.1F + (100.0F - q) * 0.09F
                         : 53.0F / 3000.0F * q * q - 23.0F / 20.0F * q + 25.0F;
}

/// What libjxl calls the colours of code points; false where it has no words for them.
bool encode_code_points(const std::string& cicp, JxlColorEncoding& colour) {
  const auto primaries = static_cast<unsigned char>(cicp[0]);
  const auto transfer = static_cast<unsigned char>(cicp[1]);
  colour.white_point = JXL_WHITE_POINT_D65;
  switch (primaries) {
    case 1:
      colour.primaries = JXL_PRIMARIES_SRGB;
      break;
    case 9:
      colour.primaries = JXL_PRIMARIES_2100;
      break;
    case 11:
      colour.white_point = JXL_WHITE_POINT_DCI;
      colour.primaries = JXL_PRIMARIES_P3;
      break;
    case 12:
      colour.primaries = JXL_PRIMARIES_P3;
      break;
    default:
      return false;
  }
  switch (transfer) {
    case JXL_TRANSFER_FUNCTION_709:
    case JXL_TRANSFER_FUNCTION_LINEAR:
    case JXL_TRANSFER_FUNCTION_SRGB:
    case JXL_TRANSFER_FUNCTION_PQ:
    case JXL_TRANSFER_FUNCTION_DCI:
    case JXL_TRANSFER_FUNCTION_HLG:
      colour.transfer_function = static_cast<JxlTransferFunction>(transfer);
      return true;
    case 14:
    case 15:  // as 709's, of more bits
      colour.transfer_function = JXL_TRANSFER_FUNCTION_709;
      return true;
    default:
      return false;
  }
}

class JxlFileEncoder : public RowEncoder {
 public:
  JxlFileEncoder(const FileLayout& layout, int quality, std::string failure)
      : layout_(layout), distance_(distance_of(quality)), failure_(std::move(failure)) {
    pixels_.reserve(row_bytes() * static_cast<std::size_t>(layout.height));
  }

  void add_row(const unsigned char* samples) override {
    pixels_.insert(pixels_.end(), samples, samples + row_bytes());
  }

  void take_metadata(const Metadata& blocks) override { blocks_ = blocks; }

  std::string finish() override {
    const UnstoppableWork work;
    if (pixels_.size() != row_bytes() * static_cast<std::size_t>(layout_.height)) {
      throw InputError(failure_);
    }
    encoder_.reset(::JxlEncoderCreate(nullptr));
    if (encoder_ == nullptr) {
      throw std::bad_alloc();
    }
    ::JxlEncoderSetParallelRunner(encoder_.get(), run_on_our_threads, nullptr);
    begin();
    add_boxes();
    add_frame();
    ::JxlEncoderCloseInput(encoder_.get());
    return output();
  }

 private:
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(layout_.width * layout_.channels * layout_.bit_depth / 8);
  }

  void require(JxlEncoderStatus status) const {
    if (status != JXL_ENC_SUCCESS) {
      throw InputError(failure_);
    }
  }

  void begin() {
    JxlBasicInfo info;
    ::JxlEncoderInitBasicInfo(&info);
    const auto bits = static_cast<std::uint32_t>(layout_.bit_depth);
    info.xsize = static_cast<std::uint32_t>(layout_.width);
    info.ysize = static_cast<std::uint32_t>(layout_.height);
    info.bits_per_sample = bits;
    info.num_color_channels = layout_.channels < 3 ? 1 : 3;
    if (layout_.channels % 2 == 0) {
      info.num_extra_channels = 1;
      info.alpha_bits = bits;
    }
    info.orientation = static_cast<JxlOrientation>(orientation_in(blocks_.exif));
    info.uses_original_profile = distance_ == 0.0F ? JXL_TRUE : JXL_FALSE;
    require(::JxlEncoderSetBasicInfo(encoder_.get(), &info));
    if (!blocks_.icc.empty()) {
      require(::JxlEncoderSetICCProfile(encoder_.get(),
                                        reinterpret_cast<const std::uint8_t*>(blocks_.icc.data()),
                                        blocks_.icc.size()));
      return;
    }
    JxlColorEncoding colour;
    ::JxlColorEncodingSetToSRGB(&colour, layout_.channels < 3 ? JXL_TRUE : JXL_FALSE);
    JxlColorEncoding named = colour;
    if (!blocks_.cicp.empty() && encode_code_points(blocks_.cicp, named)) {
      colour = named;
    }
    require(::JxlEncoderSetColorEncoding(encoder_.get(), &colour));
  }

  void add_boxes() {
    if (blocks_.exif.empty() && blocks_.xmp.empty()) {
      return;
    }
    require(::JxlEncoderUseBoxes(encoder_.get()));
    const auto add = [&](const char* type, const std::string& block) {
      require(::JxlEncoderAddBox(encoder_.get(), type,
                                 reinterpret_cast<const std::uint8_t*>(block.data()), block.size(),
                                 JXL_FALSE));
    };
    if (!blocks_.exif.empty()) {
      add("Exif", std::string(4, '\0') + blocks_.exif);  // the TIFF structure begins at once
    }
    if (!blocks_.xmp.empty()) {
      add("xml ", blocks_.xmp);
    }
  }

  void add_frame() {
    JxlEncoderFrameSettings* settings = ::JxlEncoderFrameSettingsCreate(encoder_.get(), nullptr);
    if (distance_ == 0.0F) {
      constexpr int effort = 5;  // its default, 7, takes several times as long for a few percent
      require(::JxlEncoderSetFrameLossless(settings, JXL_TRUE));
      require(::JxlEncoderFrameSettingsSetOption(settings, JXL_ENC_FRAME_SETTING_EFFORT, effort));
    } else {
      require(::JxlEncoderSetFrameDistance(settings, distance_));
    }
    const JxlPixelFormat format = {static_cast<std::uint32_t>(layout_.channels),
                                   layout_.bit_depth == 16 ? JXL_TYPE_UINT16 : JXL_TYPE_UINT8,
                                   JXL_NATIVE_ENDIAN, 0};
    require(::JxlEncoderAddImageFrame(settings, &format, pixels_.data(), pixels_.size()));
    std::vector<unsigned char>().swap(pixels_);  // the encoder has a copy
  }

  std::string output() {
    std::string file(std::size_t{1} << 16, '\0');
    auto* next = reinterpret_cast<std::uint8_t*>(file.data());
    std::size_t left = file.size();
    JxlEncoderStatus status = JXL_ENC_NEED_MORE_OUTPUT;
    while (status == JXL_ENC_NEED_MORE_OUTPUT) {
      status = ::JxlEncoderProcessOutput(encoder_.get(), &next, &left);
      if (status == JXL_ENC_NEED_MORE_OUTPUT) {
        const std::size_t written = file.size() - left;
        file.resize(2 * file.size());
        next = reinterpret_cast<std::uint8_t*>(file.data()) + written;
        left = file.size() - written;
      }
    }
    require(status);
    encoder_.reset();
    file.resize(file.size() - left);
    return file;
  }

  FileLayout layout_;
  float distance_;
  std::string failure_;
  Metadata blocks_;
  std::vector<unsigned char> pixels_;
  std::unique_ptr<JxlEncoder, decltype(&::JxlEncoderDestroy)> encoder_ = {nullptr,
                                                                          ::JxlEncoderDestroy};
};

}  // namespace

bool jxl_has_words_for(const std::string& cicp) {
  JxlColorEncoding colour;
  ::JxlColorEncodingSetToSRGB(&colour, JXL_FALSE);
  return cicp.empty() || encode_code_points(cicp, colour);
}

std::unique_ptr<RowEncoder> make_jxl_encoder(const FileLayout& layout, int quality,
                                             const std::string& failure) {
  return std::make_unique<JxlFileEncoder>(layout, quality, failure);
}

}  // namespace srdiff
