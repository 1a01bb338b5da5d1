#include <ATen/Parallel.h>
#include <libheif/heif.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>

#include "images/code_points.h"
#include "images/hevc_size.h"
#include "images/iso_media.h"
#include "images/optional_formats.h"

namespace srdiff {
namespace {

/// A file's main picture before it is decoded. Null where libheif cannot read the file.
class HeicPicture {
 public:
  explicit HeicPicture(std::string_view file) : context_(::heif_context_alloc()) {
    if (context_ == nullptr) {
      throw std::bad_alloc();
    }
    ::heif_context_set_max_decoding_threads(context_, at::get_num_threads());
    // A picture of several tiles states its size once more, and libheif makes room for that one.
    const ItemSize declared = largest_item(ByteReader(file));
    const std::int64_t side = std::max(declared.width, declared.height);
    ::heif_context_set_maximum_image_size_limit(
        context_, static_cast<int>(std::clamp<std::int64_t>(side + 1, 1, 1 << 30)));
    error_ =
        ::heif_context_read_from_memory_without_copy(context_, file.data(), file.size(), nullptr);
    if (error_.code == heif_error_Ok) {
      error_ = ::heif_context_get_primary_image_handle(context_, &handle_);
    }
  }
  HeicPicture(const HeicPicture&) = delete;
  HeicPicture& operator=(const HeicPicture&) = delete;
  ~HeicPicture() {
    ::heif_image_handle_release(handle_);
    ::heif_context_free(context_);
  }

  const heif_image_handle* handle() const { return handle_; }
  int pictures() const { return ::heif_context_get_number_of_top_level_images(context_); }
  std::string reason() const { return error_.message == nullptr ? "" : error_.message; }

 private:
  heif_context* context_;
  heif_image_handle* handle_ = nullptr;
  heif_error error_ = {};
};

/// The first block of metadata of this type, and of this kind where types hold several.
std::string heic_block(const heif_image_handle* handle, const char* type,
                       std::string_view content) {
  std::array<heif_item_id, 16> ids = {};
  const int found = ::heif_image_handle_get_list_of_metadata_block_IDs(
      handle, type, ids.data(), static_cast<int>(ids.size()));
  for (int i = 0; i < found; ++i) {
    const heif_item_id id = ids.at(static_cast<std::size_t>(i));
    const char* kind = ::heif_image_handle_get_metadata_content_type(handle, id);
    if (!content.empty() && (kind == nullptr || content != kind)) {
      continue;
    }
    std::string block(::heif_image_handle_get_metadata_size(handle, id), '\0');
    if (::heif_image_handle_get_metadata(handle, id, block.data()).code == heif_error_Ok) {
      return block;
    }
  }
  return {};
}

void set_heic_colours(const heif_image_handle* handle, Metadata& blocks) {
  const heif_color_profile_type type = ::heif_image_handle_get_color_profile_type(handle);
  if (type == heif_color_profile_type_rICC || type == heif_color_profile_type_prof) {
    blocks.icc.resize(::heif_image_handle_get_raw_color_profile_size(handle));
    if (::heif_image_handle_get_raw_color_profile(handle, blocks.icc.data()).code !=
        heif_error_Ok) {
      blocks.icc.clear();
    }
    return;
  }
  heif_color_profile_nclx* named = nullptr;
  if (type == heif_color_profile_type_nclx &&
      ::heif_image_handle_get_nclx_color_profile(handle, &named).code == heif_error_Ok) {
    blocks.cicp = code_points(static_cast<unsigned>(named->color_primaries),
                              static_cast<unsigned>(named->transfer_characteristics));
    ::heif_nclx_color_profile_free(named);
  }
}

/// Why the file is not given to libheif, which would decode what its streams say, however large
/// that is; empty where it may be.
std::string why_unfit(const ByteReader& bytes) {
  const bool hevc_alone = bytes.bytes().find("hvcC") != std::string_view::npos &&
                          bytes.bytes().find("av1C") == std::string_view::npos;
  if (!hevc_alone) {
    return "is a HEIF of a kind that srdiff does not read: its pictures are not HEVC's";
  }
  const ItemSize declared = largest_item(bytes);
  const ItemSize frame = largest_hevc_frame(bytes);
  constexpr double block = 64.0;  // frames are whole blocks
  const double most = (static_cast<double>(declared.width) + block) *
                      (static_cast<double>(declared.height) + block);
  return static_cast<double>(frame.width) * static_cast<double>(frame.height) > most
             ? "is damaged: it is not of the size that its header says"
             : "";
}

/// How the decoder's bytes become the pixels of a file.
struct HeicLayout {
  heif_colorspace colours = heif_colorspace_RGB;
  heif_chroma chroma = heif_chroma_interleaved_RGB;
  int channels = 3;
  bool alpha = false;
  bool grey = false;
  bool deep = false;
};

HeicLayout heic_layout(const heif_image_handle* handle, bool grey) {
  HeicLayout layout;
  layout.grey = grey;
  layout.alpha = ::heif_image_handle_has_alpha_channel(handle) != 0;
  layout.deep = ::heif_image_handle_get_luma_bits_per_pixel(handle) > 8;
  layout.channels = layout.alpha ? 4 : 3;
  layout.chroma =
      layout.deep
          ? (layout.alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE)
          : (layout.alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB);
  return layout;
}

/// Samples of `bits`, RGB and perhaps alpha, as BGR or grey and alpha that fill the range.
template <typename Sample>
cv::Mat heic_pixels(const heif_image* image, const HeicLayout& layout) {
  int stride = 0;
  const std::uint8_t* plane =
      ::heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
  const int width = ::heif_image_get_width(image, heif_channel_interleaved);
  const int height = ::heif_image_get_height(image, heif_channel_interleaved);
  const int bits = ::heif_image_get_bits_per_pixel_range(image, heif_channel_interleaved);
  if (plane == nullptr || width < 1 || height < 1 || bits < 1 || bits > 16) {
    return {};
  }
  const std::uint32_t top = (1U << bits) - 1;
  constexpr std::uint32_t full = static_cast<Sample>(-1);
  const int colours = layout.grey ? 1 : 3;
  const int channels = colours + (layout.alpha ? 1 : 0);
  cv::Mat pixels(height, width, CV_MAKETYPE(cv::DataType<Sample>::depth, channels));
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* in = plane + static_cast<std::ptrdiff_t>(y) * stride;
    auto* out = pixels.ptr<Sample>(y);
    for (int x = 0; x < width; ++x, in += layout.channels * sizeof(Sample)) {
      std::array<Sample, 4> sample = {};
      std::memcpy(sample.data(), in, static_cast<std::size_t>(layout.channels) * sizeof(Sample));
      const auto spread = [&](std::size_t i) {
        return static_cast<Sample>((std::min<std::uint32_t>(sample.at(i), top) * full + top / 2) /
                                   top);
      };
      for (int c = 0; c < colours; ++c) {
        *out++ = spread(static_cast<std::size_t>(colours - 1 - c));
      }
      if (layout.alpha) {
        *out++ = spread(3);
      }
    }
  }
  return pixels;
}

}  // namespace

std::string heic_library() {
  return std::string("libheif ") + ::heif_get_version() +
         (::heif_have_decoder_for_format(heif_compression_HEVC) != 0 ? ", read only"
                                                                     : ", without HEVC");
}

ImageHeader read_heic_header(const ByteReader& bytes) {
  ImageHeader header{ImageFormat::heic};
  header.truncated = has_cut_box(bytes);
  if (header.truncated) {
    return header;
  }
  header.unfit = why_unfit(bytes);
  if (!header.unfit.empty()) {
    return header;
  }
  const HeicPicture picture(bytes.bytes());
  const heif_image_handle* handle = picture.handle();
  if (handle == nullptr) {
    header.unfit = "is damaged, or a HEIC of an unknown kind (" + picture.reason() + ")";
    return header;
  }
  header.width = ::heif_image_handle_get_width(handle);
  header.height = ::heif_image_handle_get_height(handle);
  header.several_pictures = picture.pictures() > 1;
  header.pictures_beside = ::heif_image_handle_get_number_of_auxiliary_images(
      handle, LIBHEIF_AUX_IMAGE_FILTER_OMIT_ALPHA);
  header.alpha = ::heif_image_handle_is_premultiplied_alpha(handle) != 0
                     ? ImageHeader::Alpha::premultiplied
                     : ImageHeader::Alpha::straight;
  header.beside.exif = exif_without_prefix(heic_block(handle, "Exif", ""));
  header.beside.xmp = heic_block(handle, "mime", "application/rdf+xml");
  set_heic_colours(handle, header.beside);
  return header;
}

cv::Mat read_heic_pixels(const std::string& file, const ImageHeader& header) {
  const HeicPicture picture(file);
  if (picture.handle() == nullptr) {
    return {};
  }
  const HeicLayout layout = heic_layout(picture.handle(), is_monochrome_hevc(ByteReader(file)));
  heif_image* decoded = nullptr;
  const heif_error error =
      ::heif_decode_image(picture.handle(), &decoded, layout.colours, layout.chroma, nullptr);
  if (error.code != heif_error_Ok) {
    return {};
  }
  const std::unique_ptr<const heif_image, decltype(&::heif_image_release)> image(
      decoded, ::heif_image_release);
  if (::heif_image_get_width(image.get(), heif_channel_interleaved) != header.width ||
      ::heif_image_get_height(image.get(), heif_channel_interleaved) != header.height) {
    return {};
  }
  return layout.deep ? heic_pixels<std::uint16_t>(image.get(), layout)
                     : heic_pixels<std::uint8_t>(image.get(), layout);
}

}  // namespace srdiff
