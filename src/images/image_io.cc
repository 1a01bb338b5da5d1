#include "srdiff/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/counted.h"
#include "base/file_io.h"
#include "base/unstoppable_work.h"
#include "images/file_pixels.h"
#include "images/image_format.h"
#include "images/image_header.h"
#include "images/metadata.h"
#include "images/png_file.h"
#include "images/tiff_file.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

/// OpenCV's own limits. (The program takes back what the environment says of them.)
constexpr std::int64_t opencv_max_pixels = std::int64_t{1} << 30;
constexpr std::int64_t opencv_max_side = std::int64_t{1} << 20;
/// A picture of at most this size is no decompression bomb, however small its file is.
constexpr std::int64_t small_picture_pixels = std::int64_t{1} << 24;

void check_declared_size(const ImageHeader& header, std::size_t file_bytes, const std::string& name,
                         const DecodeLimits& limits) {
  const std::string size = std::to_string(header.width) + "x" + std::to_string(header.height);
  if (header.width < 0 || header.height < 0) {
    throw InputError(name + ": is damaged: its header does not say how large it is");
  }
  if (header.width == 0 || header.height == 0) {
    throw InputError(name + ": has no pixels (its header says " + size + ")");
  }
  const std::int64_t max_pixels = std::min(limits.max_pixels, opencv_max_pixels);
  if (header.height > max_pixels / header.width ||
      std::max(header.width, header.height) > opencv_max_side) {
    throw InputError(name + ": declares " + size + " pixels, more than the " +
                     std::to_string(max_pixels) + " allowed; crop or reduce it first");
  }
  const std::int64_t pixels = header.width * header.height;
  if (pixels > small_picture_pixels &&
      static_cast<double>(pixels) > limits.max_pixels_per_byte * static_cast<double>(file_bytes)) {
    throw InputError(name + ": declares " + size + " pixels in " + std::to_string(file_bytes) +
                         " bytes, which looks like a decompression bomb",
                     ErrorCode::decompression_bomb);
  }
}

void check_header(const ImageHeader& header, const std::string& bytes, const std::string& name,
                  const DecodeLimits& limits) {
  if (bytes.empty()) {
    throw InputError(name + ": is empty");
  }
  // OpenCV counts a file's bytes as int.
  const std::int64_t max_bytes =
      std::min<std::int64_t>(limits.max_file_bytes, std::numeric_limits<int>::max());
  if (static_cast<std::int64_t>(bytes.size()) > max_bytes) {
    throw InputError(name + ": is larger than the " + std::to_string(max_bytes) + " bytes allowed");
  }
  if (header.format == ImageFormat::unknown) {
    throw InputError(name + ": is not a picture that srdiff reads (" + list_of_titles() + ")");
  }
  if (header.truncated && !(limits.accept_damaged && is_read_damaged(header))) {
    throw InputError(name + ": is cut short; fetch or export it again",
                     is_read_damaged(header) ? ErrorCode::picture_damaged : ErrorCode::other);
  }
  if (!header.unfit.empty()) {
    throw InputError(name + ": " + header.unfit);
  }
  check_declared_size(header, bytes.size(), name, limits);
}

/// The alpha of a grey plane: 0 where the plane has the value `clear`, which its file calls
/// transparent, 1 elsewhere.
at::Tensor alpha_of_clear_grey(const at::Tensor& grey, double clear) {
  constexpr double less_than_a_level = 1e-6;
  return grey.sub(clear).abs_().gt_(less_than_a_level);
}

void warn_of_losses(const ImageHeader& header, const std::string& name) {
  if (header.several_pictures) {
    log::warn("{}: holds several pictures; the first is taken", name);
  }
  if (header.holds_video) {
    log::warn("{}: holds a video beside its picture, which is left out", name);
  }
  if (header.pictures_beside > 0) {
    log::warn("{}: holds {} beside its picture, such as a gain map or a depth map, left out", name,
              header.pictures_beside == 1 ? "another picture" : "other pictures");
  }
  if (header.floating_point) {
    log::warn("{}: is floating point; values outside 0 to 1 are clipped to it", name);
  }
  const int lost_channels = header.extra_channels - (header.alpha_channel >= 0 ? 1 : 0);
  if (lost_channels > 0) {
    log::warn("{}: has {} beside its colours, left out", name, counted(lost_channels, "channel"));
  }
  if (!header.foreign_colour.empty()) {
    log::warn("{}: its colours are not sRGB, and what says so ({}) is left out", name,
              header.foreign_colour);
  }
}

/// The metadata without the colour profile, for a picture whose colours have been converted.
std::shared_ptr<const Metadata> without_profile(const std::shared_ptr<const Metadata>& blocks) {
  if (!blocks) {
    return blocks;
  }
  Metadata others = *blocks;
  others.icc.clear();
  return std::make_shared<const Metadata>(std::move(others));
}

/// JPEG XL, AVIF and HEIC: their headers hold the metadata and state the orientation, whatever EXIF
/// says.
bool is_boxed(ImageFormat format) {
  return format == ImageFormat::jxl || format == ImageFormat::avif || format == ImageFormat::heic;
}

FoundMetadata metadata_of(const std::string& bytes, const ImageHeader& header,
                          const std::string& name) {
  if (is_boxed(header.format)) {
    return upright_metadata(header.beside, name);
  }
  if (header.format != ImageFormat::bmp && !header.big_tiff) {
    const bool cut_png = header.format == ImageFormat::png && header.truncated;
    return read_metadata(cut_png ? png_without_pixels(bytes) : bytes, header.beside, name);
  }
  // Exiv2 reads neither BMP nor BigTIFF. libtiff reads some of a BigTIFF's metadata.
  const Metadata blocks = header.big_tiff ? read_tiff_blocks(bytes, name) : header.beside;
  return {is_empty(blocks) ? nullptr : std::make_shared<const Metadata>(blocks), 1};
}

/// EXIF's, of the pixels as they are stored.
int stored_orientation(const ImageHeader& header, const FoundMetadata& metadata) {
  const bool states_it = header.format == ImageFormat::tiff || is_boxed(header.format);
  return states_it ? header.orientation : metadata.orientation;
}

/// `found` is what metadata_of gives, where it has been read before.
Image decoded(const std::string& bytes, const ImageHeader& header,
              std::optional<FoundMetadata> found, const std::string& name, bool accept_damaged) {
  FilePixels pixels(bytes, header, name, accept_damaged);
  warn_of_losses(header, name);
  FoundMetadata metadata = found ? *std::move(found) : metadata_of(bytes, header, name);
  if (header.cmyk) {
    pixels.convert_inks(metadata.blocks ? metadata.blocks->icc : std::string(), name);
    metadata.blocks = without_profile(metadata.blocks);
  }
  Image image;
  if (pixels.damage().any()) {
    image.damage = pixels.damage().text(header.height);
    log::warn("{}: {}", name, image.damage);
  }
  image.bit_depth = pixels.bit_depth();
  image.grey = pixels.grey() || header.grey_alpha;
  const at::Tensor channels = std::move(pixels).channels(stored_orientation(header, metadata));
  image.rgb = channels.slice(0, 0, 3);
  if (channels.size(0) == 4) {
    image.alpha = channels.slice(0, 3);
  } else if (header.clear_grey) {
    image.alpha = alpha_of_clear_grey(channels.slice(0, 0, 1), *header.clear_grey);
  }
  image.rgb.mul_(2.0).sub_(1.0);
  image.metadata = metadata.blocks;
  return image;
}

Image decoded_in_memory(const std::string& bytes, const ImageHeader& header,
                        const std::optional<FoundMetadata>& metadata, const std::string& name,
                        bool accept_damaged) {
  const UnstoppableWork work;
  try {
    return decoded(bytes, header, metadata, name, accept_damaged);
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) {
      throw;
    }
    throw MemoryError(name + ": not enough memory to read its " + std::to_string(header.width) +
                      "x" + std::to_string(header.height) + " pixels");
  }
}

}  // namespace

struct PictureFile::State {
  std::string bytes;
  std::string name;
  ImageHeader header = {};
  std::optional<FoundMetadata> metadata = {};  ///< once it has been read
};

PictureFile::PictureFile(std::string bytes, const std::string& name)
    : state_(std::make_unique<State>(State{std::move(bytes), name})) {
  state_->header = read_image_header(state_->bytes);
}

PictureFile::~PictureFile() = default;
PictureFile::PictureFile(PictureFile&& other) noexcept = default;
PictureFile& PictureFile::operator=(PictureFile&& other) noexcept = default;

const std::string& PictureFile::bytes() const {
  return state_->bytes;
}

DeclaredSize PictureFile::stored_size() const {
  const ImageHeader& header = state_->header;
  return {std::max<std::int64_t>(0, header.width), std::max<std::int64_t>(0, header.height)};
}

DeclaredSize PictureFile::size() {
  if (!state_->metadata) {
    state_->metadata = metadata_of(state_->bytes, state_->header, state_->name);
  }
  const DeclaredSize stored = stored_size();
  return lies_on_its_side(stored_orientation(state_->header, *state_->metadata))
             ? DeclaredSize{stored.height, stored.width}
             : stored;
}

void PictureFile::check(const DecodeLimits& limits) const {
  check_header(state_->header, state_->bytes, state_->name, limits);
}

Image PictureFile::decode(const DecodeLimits& limits) {
  check(limits);
  return decoded_in_memory(state_->bytes, state_->header, state_->metadata, state_->name,
                           limits.accept_damaged);
}

PictureFile open_picture(const fs::path& path, const DecodeLimits& limits) {
  return {read_file(path, limits.max_file_bytes), path.string()};
}

Image decode_image(const std::string& bytes, const std::string& name, const DecodeLimits& limits) {
  const ImageHeader header = read_image_header(bytes);
  check_header(header, bytes, name, limits);
  return decoded_in_memory(bytes, header, std::nullopt, name, limits.accept_damaged);
}

Image read_image(const fs::path& path, const DecodeLimits& limits) {
  return open_picture(path, limits).decode(limits);
}

void check_writable_format(const fs::path& path) {
  const std::string reason = why_not_written(lower_case_extension(path));
  if (!reason.empty()) {
    throw UsageError(path.string() + ": " + reason + "; use " + list_of_formats("."));
  }
}

std::string picture_ending(const fs::path& path) {
  return lower_case_extension(path);
}

void write_image_file(const fs::path& path, const std::string& encoded) {
  write_file_atomically(path, encoded);
}

void write_image(const fs::path& path, const Image& image, const EncodeOptions& options) {
  write_image_file(path, encode_image(image, picture_ending(path), path.string(), options));
}

}  // namespace srdiff
