#include <jxl/decode.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "images/code_points.h"
#include "images/colour_conversion.h"
#include "images/iso_media.h"
#include "images/jxl_threads.h"
#include "images/optional_formats.h"

namespace srdiff {
namespace {

using JxlDecoderPointer = std::unique_ptr<JxlDecoder, decltype(&::JxlDecoderDestroy)>;

/// A decoder that was given a whole file and tells of these events. Pixels stay as they are stored.
JxlDecoderPointer jxl_decoder(std::string_view file, int events) {
  JxlDecoderPointer decoder(::JxlDecoderCreate(nullptr), ::JxlDecoderDestroy);
  if (decoder == nullptr) {
    throw std::bad_alloc();
  }
  ::JxlDecoderSubscribeEvents(decoder.get(), events);
  ::JxlDecoderSetKeepOrientation(decoder.get(), JXL_TRUE);
  ::JxlDecoderSetParallelRunner(decoder.get(), run_on_our_threads, nullptr);
  ::JxlDecoderSetInput(decoder.get(), reinterpret_cast<const std::uint8_t*>(file.data()),
                       file.size());
  // The input is not closed: libjxl would print that it has come to its end too early.
  return decoder;
}

bool is_deep(const JxlBasicInfo& info) {
  return info.bits_per_sample > 8 || info.exponent_bits_per_sample > 0;
}

bool has_black_ink(const JxlDecoder* decoder, const JxlBasicInfo& info) {
  for (std::uint32_t i = 0; i < info.num_extra_channels; ++i) {
    JxlExtraChannelInfo channel;
    if (::JxlDecoderGetExtraChannelInfo(decoder, i, &channel) == JXL_DEC_SUCCESS &&
        channel.type == JXL_CHANNEL_BLACK) {
      return true;
    }
  }
  return false;
}

void set_facts(const JxlDecoder* decoder, ImageHeader& header) {
  JxlBasicInfo info;
  if (::JxlDecoderGetBasicInfo(decoder, &info) != JXL_DEC_SUCCESS) {
    return;
  }
  header.width = info.xsize;
  header.height = info.ysize;
  header.orientation = static_cast<int>(info.orientation);
  header.several_pictures = info.have_animation != JXL_FALSE;
  header.floating_point = info.exponent_bits_per_sample > 0;
  header.extra_channels = static_cast<int>(info.num_extra_channels);
  if (info.alpha_bits > 0) {
    header.alpha_channel = 0;
    header.alpha = info.alpha_premultiplied != JXL_FALSE ? ImageHeader::Alpha::premultiplied
                                                         : ImageHeader::Alpha::straight;
  }
  if (has_black_ink(decoder, info)) {
    header.unfit = "is a CMYK JPEG XL, which srdiff does not read; convert it first";
  }
}

std::string icc_of(const JxlDecoder* decoder, JxlColorProfileTarget target) {
#if JPEGXL_NUMERIC_VERSION >= JPEGXL_COMPUTE_NUMERIC_VERSION(0, 9, 0)
  const auto size_of = [&](std::size_t* size) {
    return ::JxlDecoderGetICCProfileSize(decoder, target, size);
  };
  const auto get = [&](std::uint8_t* data, std::size_t size) {
    return ::JxlDecoderGetColorAsICCProfile(decoder, target, data, size);
  };
#else
  const auto size_of = [&](std::size_t* size) {
    return ::JxlDecoderGetICCProfileSize(decoder, nullptr, target, size);
  };
  const auto get = [&](std::uint8_t* data, std::size_t size) {
    return ::JxlDecoderGetColorAsICCProfile(decoder, nullptr, target, data, size);
  };
#endif
  std::size_t size = 0;
  if (size_of(&size) != JXL_DEC_SUCCESS) {
    return {};
  }
  std::string icc(size, '\0');
  return get(reinterpret_cast<std::uint8_t*>(icc.data()), size) == JXL_DEC_SUCCESS ? icc : "";
}

/// Whether the file names its colours instead of holding a profile.
bool names_its_colours(const JxlDecoder* decoder, JxlColorEncoding* encoding) {
#if JPEGXL_NUMERIC_VERSION >= JPEGXL_COMPUTE_NUMERIC_VERSION(0, 9, 0)
  return ::JxlDecoderGetColorAsEncodedProfile(decoder, JXL_COLOR_PROFILE_TARGET_ORIGINAL,
                                              encoding) == JXL_DEC_SUCCESS;
#else
  return ::JxlDecoderGetColorAsEncodedProfile(decoder, nullptr, JXL_COLOR_PROFILE_TARGET_ORIGINAL,
                                              encoding) == JXL_DEC_SUCCESS;
#endif
}

/// Primaries of H.273 of what a file names; 0 where they have no number.
unsigned primaries_of(const JxlColorEncoding& colour) {
  const bool daylight = colour.white_point == JXL_WHITE_POINT_D65;
  switch (colour.primaries) {
    case JXL_PRIMARIES_SRGB:
      return daylight ? 1 : 0;
    case JXL_PRIMARIES_2100:
      return daylight ? 9 : 0;
    case JXL_PRIMARIES_P3:
      return daylight ? 12 : colour.white_point == JXL_WHITE_POINT_DCI ? 11 : 0;
    default:
      return 0;
  }
}

/// Colours by code points where they have some, else by a profile; nothing where they are sRGB.
void set_colours(const JxlDecoder* decoder, Metadata& blocks) {
  JxlColorEncoding colour;
  if (names_its_colours(decoder, &colour)) {
    const bool grey = colour.color_space == JXL_COLOR_SPACE_GRAY;
    const bool known_curve = colour.transfer_function != JXL_TRANSFER_FUNCTION_UNKNOWN &&
                             colour.transfer_function != JXL_TRANSFER_FUNCTION_GAMMA;
    const unsigned primaries = grey ? 1 : primaries_of(colour);
    const bool daylight = colour.white_point == JXL_WHITE_POINT_D65;
    if (known_curve && primaries > 0 && (!grey || daylight)) {
      blocks.cicp = code_points(primaries, static_cast<unsigned>(colour.transfer_function));
      return;
    }
  }
  blocks.icc = icc_of(decoder, JXL_COLOR_PROFILE_TARGET_ORIGINAL);
}

/// Gathers the boxes of EXIF and XMP as the decoder comes to them. (Compressed ones may become far
/// larger than their file: what is beyond the limit is cut off, and then no valid block.)
class JxlBoxes {
 public:
  explicit JxlBoxes(JxlDecoder* decoder) : decoder_(decoder) {
    ::JxlDecoderSetDecompressBoxes(decoder, JXL_TRUE);  // fails where libjxl lacks Brotli
  }

  void begin(Metadata& blocks) {
    end();
    JxlBoxType type = {};
    ::JxlDecoderGetBoxType(decoder_, type, JXL_TRUE);
    const std::string_view word(type, sizeof(type));
    block_ = word == "Exif" ? &blocks.exif : word == "xml " ? &blocks.xmp : nullptr;
    if (block_ != nullptr && !block_->empty()) {
      block_ = nullptr;  // the first of its kind counts
    }
    if (block_ != nullptr) {
      grow();
    }
  }

  /// False once a box has become too large to go on.
  bool grow() {
    if (block_ == nullptr) {
      return true;
    }
    const std::size_t held = block_->size() - ::JxlDecoderReleaseBoxBuffer(decoder_);
    constexpr std::size_t most_bytes = std::size_t{8} << 20;
    if (held >= most_bytes) {
      return false;
    }
    block_->resize(std::max<std::size_t>(4096, 2 * held));
    return ::JxlDecoderSetBoxBuffer(decoder_,
                                    reinterpret_cast<std::uint8_t*>(block_->data()) + held,
                                    block_->size() - held) == JXL_DEC_SUCCESS;
  }

  void end() {
    if (block_ != nullptr) {
      block_->resize(block_->size() - ::JxlDecoderReleaseBoxBuffer(decoder_));
      block_ = nullptr;
    }
  }

 private:
  JxlDecoder* decoder_;
  std::string* block_ = nullptr;
};

/// RGB to BGR, in place.
template <typename Sample>
void swap_red_and_blue(cv::Mat& pixels) {
  for (int y = 0; y < pixels.rows; ++y) {
    auto* sample = pixels.ptr<Sample>(y);
    for (int x = 0; x < pixels.cols; ++x, sample += pixels.channels()) {
      std::swap(sample[0], sample[2]);
    }
  }
}

/// Decodes the first frame of a file.
class JxlPixels {
 public:
  JxlPixels(const std::string& file, const std::string& profile)
      : decoder_(
            jxl_decoder(file, JXL_DEC_BASIC_INFO | JXL_DEC_COLOR_ENCODING | JXL_DEC_FULL_IMAGE)),
        profile_(profile) {}

  cv::Mat read() {
    for (;;) {
      switch (::JxlDecoderProcessInput(decoder_.get())) {
        case JXL_DEC_BASIC_INFO:
          if (::JxlDecoderGetBasicInfo(decoder_.get(), &info_) != JXL_DEC_SUCCESS) {
            return {};
          }
          break;
        case JXL_DEC_COLOR_ENCODING:
          choose_colours();
          break;
        case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
          if (!give_buffer()) {
            return {};
          }
          break;
        case JXL_DEC_FULL_IMAGE:
          return finished();
        default:
          return {};
      }
    }
  }

 private:
  /// A lossy file is stored in libjxl's own colours, which it converts to any that have a name, but
  /// not to those of a profile: that is done here, by way of colours that hold all others.
  void choose_colours() {
    JxlColorEncoding named;
    by_profile_ = info_.uses_original_profile == JXL_FALSE && !profile_.empty() &&
                  !names_its_colours(decoder_.get(), &named);
    if (!by_profile_) {
      return;
    }
    JxlColorEncoding wide = {};
    wide.color_space = info_.num_color_channels == 1 ? JXL_COLOR_SPACE_GRAY : JXL_COLOR_SPACE_RGB;
    wide.white_point = JXL_WHITE_POINT_D65;
    wide.primaries = JXL_PRIMARIES_2100;
    wide.transfer_function = JXL_TRANSFER_FUNCTION_SRGB;
    wide.rendering_intent = JXL_RENDERING_INTENT_RELATIVE;
    ::JxlDecoderSetPreferredColorProfile(decoder_.get(), &wide);
    stored_profile_ = icc_of(decoder_.get(), JXL_COLOR_PROFILE_TARGET_DATA);
  }

  bool give_buffer() {
    const bool deep = is_deep(info_) || by_profile_;
    const std::uint32_t channels = info_.num_color_channels + (info_.alpha_bits > 0 ? 1 : 0);
    pixels_.create(static_cast<int>(info_.ysize), static_cast<int>(info_.xsize),
                   CV_MAKETYPE(deep ? CV_16U : CV_8U, static_cast<int>(channels)));
    const JxlPixelFormat format = {channels, deep ? JXL_TYPE_UINT16 : JXL_TYPE_UINT8,
                                   JXL_NATIVE_ENDIAN, 0};
    const std::size_t size = pixels_.total() * pixels_.elemSize();
    std::size_t expected = 0;
    return ::JxlDecoderImageOutBufferSize(decoder_.get(), &format, &expected) == JXL_DEC_SUCCESS &&
           expected == size &&
           ::JxlDecoderSetImageOutBuffer(decoder_.get(), &format, pixels_.data, size) ==
               JXL_DEC_SUCCESS;
  }

  cv::Mat finished() {
    decoder_.reset();
    if (pixels_.channels() >= 3) {
      pixels_.depth() == CV_16U ? swap_red_and_blue<std::uint16_t>(pixels_)
                                : swap_red_and_blue<std::uint8_t>(pixels_);
    }
    return by_profile_ ? between_profiles(pixels_, stored_profile_, profile_, is_deep(info_))
                       : pixels_;
  }

  JxlDecoderPointer decoder_;
  const std::string& profile_;
  JxlBasicInfo info_ = {};
  bool by_profile_ = false;
  std::string stored_profile_;
  cv::Mat pixels_;
};

}  // namespace

std::string jxl_library() {
  const std::uint32_t version = ::JxlDecoderVersion();
  return "libjxl " + std::to_string(version / 1'000'000) + "." +
         std::to_string(version / 1000 % 1000) + "." + std::to_string(version % 1000);
}

ImageHeader read_jxl_header(const ByteReader& bytes) {
  ImageHeader header{ImageFormat::jxl};
  header.truncated = has_cut_box(bytes);
  if (header.truncated) {
    return header;
  }
  const JxlDecoderPointer decoder =
      jxl_decoder(bytes.bytes(), JXL_DEC_BASIC_INFO | JXL_DEC_COLOR_ENCODING | JXL_DEC_BOX);
  JxlBoxes boxes(decoder.get());
  for (bool more = true; more;) {
    switch (::JxlDecoderProcessInput(decoder.get())) {
      case JXL_DEC_BASIC_INFO:
        set_facts(decoder.get(), header);
        break;
      case JXL_DEC_COLOR_ENCODING:
        set_colours(decoder.get(), header.beside);
        break;
      case JXL_DEC_BOX:
        boxes.begin(header.beside);
        break;
      case JXL_DEC_BOX_NEED_MORE_OUTPUT:
        more = boxes.grow();
        break;
      case JXL_DEC_NEED_MORE_INPUT:
        header.truncated = header.width < 0;
        more = false;
        break;
      default:
        more = false;
    }
  }
  boxes.end();
  header.beside.exif = exif_without_prefix(header.beside.exif);
  return header;
}

cv::Mat read_jxl_pixels(const std::string& file, const ImageHeader& header) {
  return JxlPixels(file, header.beside.icc).read();
}

}  // namespace srdiff
