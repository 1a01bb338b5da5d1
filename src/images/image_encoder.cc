#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <utility>
#include <vector>

#include "images/image_format.h"
#include "images/metadata.h"
#include "images/metadata_beside.h"
#include "images/row_encoder.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace srdiff {
namespace {

/// How a picture is stored in a format.
FileLayout file_layout(const ImageLayout& layout, ImageFormat format) {
  const FormatTraits& traits = traits_of(format);
  const bool grey = layout.grey && (layout.alpha && traits.alpha ? traits.grey_alpha : traits.grey);
  const bool deep = layout.bit_depth == 16 && traits.sixteen_bits;
  const bool alpha = layout.alpha && traits.alpha;
  return {layout.width, layout.height, (grey ? 1 : 3) + (alpha ? 1 : 0), deep ? 16 : 8};
}

std::string failure(const std::string& name, const std::string& extension) {
  return name + ": cannot be encoded as " + extension;
}

void check_size(const ImageLayout& layout, const std::string& extension, const std::string& name) {
  if (layout.width < 1 || layout.height < 1) {
    throw InputError(failure(name, extension) + ": it has no pixels");
  }
  const ImageFormat format = format_of_ending(extension);
  const FormatTraits& limits = traits_of(format);
  const std::string would_be = name + ": would have " + std::to_string(layout.width) + "x" +
                               std::to_string(layout.height) + " pixels, and " + extension;
  const std::string remedy =
      format == ImageFormat::png ? "; make it smaller" : "; write .png or make it smaller";
  if (std::max(layout.width, layout.height) > limits.max_side) {
    throw InputError(would_be + " holds at most " + std::to_string(limits.max_side) + " a side" +
                     remedy);
  }
  if (layout.height > limits.max_pixels / layout.width) {
    throw InputError(would_be + " holds at most " + std::to_string(limits.max_pixels) + " pixels" +
                     remedy);
  }
  const FileLayout file = file_layout(layout, format);
  const std::int64_t row_bytes = file.width * file.channels * (file.bit_depth / 8);
  if (file.height > limits.max_bytes / row_bytes) {
    throw InputError(would_be + " holds at most " + std::to_string(limits.max_bytes >> 20) +
                     " MiB uncompressed" + remedy);
  }
}

/// [C,rows,W] in [0,1]: the channels that go into the file.
at::Tensor file_channels(const at::Tensor& rgb, const at::Tensor& alpha, bool grey,
                         std::int64_t channels) {
  at::Tensor colour = rgb.add(1.0).mul(0.5);
  if (grey) {
    // Rec. 601 luma; the planes of a grey picture drift apart a little inside the networks.
    colour = (colour[0] * 0.299 + colour[1] * 0.587 + colour[2] * 0.114).unsqueeze(0);
  }
  colour = colour.expand({channels - (alpha.defined() ? 1 : 0), -1, -1});
  return alpha.defined() ? at::cat({colour, alpha}) : colour;
}

/// Rounded samples, interleaved, in the machine's order.
std::vector<unsigned char> samples(const at::Tensor& channels, int bit_depth) {
  const double top = bit_depth == 16 ? 65535.0 : 255.0;
  const at::Tensor levels = channels.clamp(0.0, 1.0).mul_(top).round_().permute({1, 2, 0});
  if (bit_depth == 8) {
    const at::Tensor bytes = levels.to(at::kByte).contiguous();
    const auto* first = bytes.data_ptr<std::uint8_t>();
    return {first, first + bytes.numel()};
  }
  const at::Tensor wide = levels.to(at::kInt).contiguous();  // LibTorch 1.13 has no uint16
  const auto* first = wide.data_ptr<std::int32_t>();
  std::vector<unsigned char> result(static_cast<std::size_t>(wide.numel()) * 2);
  auto* out = reinterpret_cast<std::uint16_t*>(result.data());
  std::transform(first, first + wide.numel(), out,
                 [](std::int32_t level) { return static_cast<std::uint16_t>(level); });
  return result;
}

/// The resolution to write outside EXIF. In a TIFF this is the same tag as EXIF's, which wins.
std::optional<Resolution> written_resolution(const Metadata& blocks, ImageFormat format) {
  const std::optional<Resolution> of_exif = resolution_of(blocks);
  if (format == ImageFormat::tiff) {
    return of_exif ? of_exif : blocks.resolution;
  }
  std::optional<Resolution> resolution = blocks.resolution ? blocks.resolution : of_exif;
  if (resolution && resolution->unit == 0) {
    resolution->unit = 2;  // EXIF's default
  }
  const bool says_nothing = resolution && resolution->unit == 1 && resolution->x == resolution->y;
  return says_nothing ? std::nullopt : resolution;
}

std::string shape_of(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

}  // namespace

ImageLayout layout_of(const Image& image) {
  const bool alpha = image.alpha.defined();
  const bool opaque = alpha && image.alpha.min().item<float>() >= 1.0F;
  return {image.width(),   image.height(), alpha,         opaque,
          image.bit_depth, image.grey,     image.metadata};
}

void check_encodable(const ImageLayout& layout, const std::string& extension,
                     const std::string& name, const EncodeOptions& options) {
  const ImageFormat format = format_of_ending(extension);
  if (layout.alpha && !layout.opaque && format != ImageFormat::unknown &&
      !traits_of(format).alpha) {
    throw InputError(name + ": this format cannot hold the picture's transparency; " +
                     "write .png, .webp or .tiff");
  }
  if (options.quality < 1 || options.quality > 100) {
    throw UsageError("quality = " + std::to_string(options.quality) + " is outside 1 to 100");
  }
  if (!traits_of(format).writes) {
    throw InputError(failure(name, extension));
  }
  check_size(layout, extension, name);
}

struct ImageEncoder::Picture {
  ImageLayout layout;
  ImageFormat format;
  std::string name;
  EncodeOptions options;
  FileLayout file;
  std::unique_ptr<RowEncoder> encoder;
  std::int64_t rows = 0;  ///< that are encoded

  void check_continues(const at::Tensor& rgb, const at::Tensor& alpha) const {
    const auto fits = [&](const at::Tensor& strip, std::int64_t channels) {
      return strip.defined() && strip.dim() == 3 && strip.size(0) == channels &&
             strip.size(1) <= layout.height - rows && strip.size(2) == layout.width;
    };
    if (!fits(rgb, 3) || alpha.defined() != layout.alpha ||
        (layout.alpha && !(fits(alpha, 1) && alpha.size(1) == rgb.size(1)))) {
      throw UsageError(name + ": a strip does not continue the picture of " +
                       std::to_string(layout.width) + "x" + std::to_string(layout.height) +
                       " pixels at row " + std::to_string(rows) + ": " +
                       (rgb.defined() ? shape_of(rgb) : "no colours") + ", " +
                       (alpha.defined() ? shape_of(alpha) : "no alpha"));
    }
  }

  void encode(const at::Tensor& rgb, const at::Tensor& alpha) {
    const std::vector<unsigned char> strip =
        samples(file_channels(rgb, traits_of(format).alpha ? alpha : at::Tensor(), layout.grey,
                              file.channels),
                file.bit_depth);
    const std::size_t row_bytes = strip.size() / static_cast<std::size_t>(rgb.size(1));
    for (std::size_t row = 0; row < strip.size(); row += row_bytes) {
      encoder->add_row(strip.data() + row);
    }
    rows += rgb.size(1);
  }
};

ImageEncoder::ImageEncoder(ImageLayout layout, const std::string& extension,
                           const std::string& name, const EncodeOptions& options) {
  check_encodable(layout, extension, name, options);
  const ImageFormat format = format_of_ending(extension);
  FileLayout file = file_layout(layout, format);
  if (layout.metadata && !options.strip_metadata && traits_of(format).resolution) {
    file.resolution = written_resolution(*layout.metadata, format);
  }
  auto encoder = make_row_encoder(file, format, options.quality, failure(name, extension));
  picture_ = std::make_unique<Picture>(
      Picture{std::move(layout), format, name, options, file, std::move(encoder)});
}

ImageEncoder::~ImageEncoder() = default;
ImageEncoder::ImageEncoder(ImageEncoder&& other) noexcept = default;
ImageEncoder& ImageEncoder::operator=(ImageEncoder&& other) noexcept = default;

void ImageEncoder::add(const at::Tensor& rgb, const at::Tensor& alpha) {
  picture_->check_continues(rgb, alpha);
  // The strip may be the whole picture; encoding few rows at a time keeps the copies small.
  constexpr std::int64_t pixels_at_a_time = std::int64_t{1} << 18;
  const std::int64_t rows = std::max<std::int64_t>(1, pixels_at_a_time / rgb.size(2));
  for (std::int64_t y = 0; y < rgb.size(1); y += rows) {
    picture_->encode(rgb.slice(1, y, y + rows),
                     alpha.defined() ? alpha.slice(1, y, y + rows) : at::Tensor());
  }
}

std::string ImageEncoder::finish() {
  const std::unique_ptr<Picture> picture = std::move(picture_);
  const ImageLayout& layout = picture->layout;
  const FormatTraits& traits = traits_of(picture->format);
  const std::string& made_by = picture->options.made_by;
  if (picture->rows != layout.height) {
    throw UsageError(picture->name + ": has " + std::to_string(picture->rows) + " of " +
                     std::to_string(layout.height) + " rows");
  }
  const Metadata none;
  const Metadata& blocks = layout.metadata ? *layout.metadata : none;
  const bool without = picture->options.strip_metadata ||
                       (is_empty(blocks) && (made_by.empty() || !traits.exif_and_xmp));
  const bool resolution_in_exif = traits.exif_and_xmp && !traits.resolution;
  const EncodedFacts facts = {picture->format, layout.width, layout.height,
                              picture->file.channels < 3,
                              resolution_in_exif ? blocks.resolution : std::nullopt};
  if (!without && traits.metadata_by_encoder) {
    picture->encoder->take_metadata(metadata_to_write(facts, blocks, made_by, picture->name));
  }
  std::string file = picture->encoder->finish();
  picture->encoder.reset();
  if (without) {
    return file;
  }
  if (traits.metadata_by_encoder) {
    return embed_beside(std::move(file), picture->format, blocks, picture->name);
  }
  file = embed_metadata(std::move(file), facts, blocks, traits.exif_and_xmp ? made_by : "",
                        picture->name);
  return embed_beside(std::move(file), picture->format, blocks, picture->name);
}

std::string encode_image(const Image& image, const std::string& extension, const std::string& name,
                         const EncodeOptions& options) {
  ImageEncoder encoder(layout_of(image), extension, name, options);
  encoder.add(image.rgb, image.alpha);
  return encoder.finish();
}

}  // namespace srdiff
