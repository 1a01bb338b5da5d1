#include "images/metadata.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "images/colour_conversion.h"
#include "images/exiv2_versions.h"
#include "images/image_header.h"
#include "images/webp_file.h"
#include "images/xmp_packet.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

using Exiv2::byte;

void log_message(int /*level*/, const char* text) {
  std::string_view line(text);
  line.remove_suffix(line.size() - std::min(line.size(), line.find_last_not_of('\n') + 1));
  log::debug("exiv2: {}", line);
}

/// Lets one thread at a time use Exiv2, whose XMP toolkit and log handler are global.
class Exiv2Session {
 public:
  Exiv2Session() : lock_(mutex()) {
    static const bool initialised = [] {
      Exiv2::LogMsg::setHandler(log_message);
      return Exiv2::XmpParser::initialize();
    }();
    static_cast<void>(initialised);
  }

 private:
  static std::mutex& mutex() {
    static std::mutex value;
    return value;
  }
  std::lock_guard<std::mutex> lock_;
};

const byte* data_of(const std::string& bytes) {
  return reinterpret_cast<const byte*>(bytes.data());
}

exiv2_versions::ImagePointer open(const std::string& file) {
  exiv2_versions::ImagePointer image =
      Exiv2::ImageFactory::open(data_of(file), static_cast<exiv2_versions::Size>(file.size()));
  image->readMetadata();
  return image;
}

/// Whether a tag describes how its file stores the pixels, or holds a block that is copied apart
/// from EXIF, such as the colour profile.
bool is_of_the_file(const Exiv2::Exifdatum& datum) {
  constexpr std::array<std::uint16_t, 37> tags = {
      0x00fe, 0x00ff, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010a, 0x0111, 0x0115,
      0x0116, 0x0117, 0x011c, 0x012d, 0x013d, 0x0140, 0x0142, 0x0143, 0x0144, 0x0145,
      0x014a, 0x0152, 0x0153, 0x015b, 0x0200, 0x0201, 0x0202, 0x0203, 0x0211, 0x0212,
      0x0213, 0x0214, 0x02bc, 0x83bb, 0x8649, 0x8773, 0x0129};
  const std::string group = datum.groupName();
  if (group == "Image") {
    return std::find(tags.begin(), tags.end(), datum.tag()) != tags.end();
  }
  return group == "Thumbnail" || group.rfind("SubImage", 0) == 0 ||
         group.rfind("SubThumb", 0) == 0 || group == "Image2" || group == "Image3";
}

/// Nothing where EXIF does not say it; 1 where it says something else than 1…8.
std::optional<int> orientation_of(const Exiv2::ExifData& exif) {
  const auto found = exif.findKey(Exiv2::ExifKey("Exif.Image.Orientation"));
  if (found == exif.end()) {
    return std::nullopt;
  }
  const std::int64_t value = found->count() == 0 ? 1 : exiv2_versions::integer_of(*found);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

/// Whether an entry of EXIF's own directories has no type that TIFF knows. Exiv2 would write such
/// entries first, and readers give up at them.
bool is_without_type(const Exiv2::Exifdatum& datum) {
  const std::string group = datum.groupName();
  const bool standard =
      group == "Image" || group == "Photo" || group == "GPSInfo" || group == "Iop";
  return standard && (datum.typeId() < Exiv2::unsignedByte || datum.typeId() > Exiv2::tiffIfd);
}

Exiv2::ExifData decode_exif(const std::string& block) {
  Exiv2::ExifData exif;
  if (!block.empty()) {
    Exiv2::ExifParser::decode(exif, data_of(block), static_cast<std::uint32_t>(block.size()));
  }
  return exif;
}

std::string encode_exif(const Exiv2::ExifData& exif, Exiv2::ByteOrder order) {
  if (exif.empty()) {
    return {};
  }
  const Exiv2::Blob blob =
      exiv2_versions::encode(exif, order == Exiv2::invalidByteOrder ? Exiv2::littleEndian : order);
  return {blob.begin(), blob.end()};
}

/// Warns of tags that Exiv2 has left out: it encodes for a JPEG's segment of 64 KiB and leaves out
/// large tags when all do not fit.
void warn_of_lost_tags(const Exiv2::ExifData& exif, const std::string& block,
                       const std::string& name) {
  constexpr exiv2_versions::Size always_kept_bytes = 4096;
  const auto may_be_lost = [](const auto& datum) { return datum.size() > always_kept_bytes; };
  if (std::none_of(exif.begin(), exif.end(), may_be_lost)) {
    return;
  }
  const Exiv2::ExifData kept = decode_exif(block);
  std::string lost;
  for (const Exiv2::Exifdatum& datum : exif) {
    const auto is_it = [&datum](const auto& other) { return other.key() == datum.key(); };
    if (may_be_lost(datum) && std::none_of(kept.begin(), kept.end(), is_it)) {
      lost += (lost.empty() ? "" : ", ") + datum.key();
    }
  }
  if (!lost.empty()) {
    log::warn("{}: its EXIF is larger than 64 KiB, and {} is left out", name, lost);
  }
}

std::string upright_exif(Exiv2::ExifData exif, Exiv2::ByteOrder order, const std::string& name) {
  for (auto datum = exif.begin(); datum != exif.end();) {
    if (datum->key() == "Exif.Image.Orientation") {  // a file can hold it twice
      *datum = std::uint16_t{1};
    }
    datum =
        is_of_the_file(*datum) || is_without_type(*datum) ? exif.erase(datum) : std::next(datum);
  }
  std::string block = encode_exif(exif, order);
  warn_of_lost_tags(exif, block, name);
  return block;
}

constexpr std::size_t icc_header_bytes = 128;

/// ICC.1, 7.2: the signature 'acsp', and what the device's values are: "RGB ", "GRAY", "CMYK"…
bool is_profile(const std::string& icc) {
  return icc.size() >= icc_header_bytes && icc.compare(36, 4, "acsp") == 0;
}
std::string colour_space(const std::string& icc) {
  return icc.substr(16, 4);
}

/// Runs a step that reads or writes one block. If the step throws, the block is left out with a
/// warning.
class Attempts {
 public:
  Attempts(const std::string& name, const char* done) : name_(name), done_(done) {}

  void operator()(const char* block, const std::function<void()>& step) const {
    try {
      step();
    } catch (const std::exception& error) {
      log::warn("{}: its {} cannot be {} and is left out: {}", name_, block, done_, error.what());
    }
  }

 private:
  const std::string& name_;
  const char* done_;
};

/// The picture file with one more block. `held`: its format holds blocks of this kind; throws
/// std::invalid_argument otherwise.
template <typename Change>
std::string changed(const std::string& file, bool held, const Change& change) {
  if (!held) {
    throw std::invalid_argument("the output's format does not hold it");
  }
  const exiv2_versions::ImagePointer image = open(file);
  change(*image);
  image->writeMetadata();
  Exiv2::BasicIo& io = image->io();
  return {reinterpret_cast<const char*>(io.mmap()), io.size()};
}

void set_resolution(Exiv2::ExifData& exif, const Resolution& resolution) {
  const auto rational = [](float value) {
    constexpr double most = 4e9;  // of a number of 32 bits
    return Exiv2::URational(static_cast<std::uint32_t>(std::min(value * 1000.0, most)), 1000U);
  };
  exif["Exif.Image.XResolution"] = rational(resolution.x);
  exif["Exif.Image.YResolution"] = rational(resolution.y);
  exif["Exif.Image.ResolutionUnit"] = static_cast<std::uint16_t>(resolution.unit);
}

void add_exif(Exiv2::ExifData& exif, const std::string& block, const EncodedFacts& facts,
              bool made_here) {
  const Exiv2::ExifData carried = decode_exif(block);
  for (const Exiv2::Exifdatum& datum : carried) {
    if (!is_of_the_file(datum)) {
      exif[datum.key()].setValue(&datum.value());
    }
  }
  const auto correct = [&](const char* key, std::int64_t value) {
    if (exif.findKey(Exiv2::ExifKey(key)) != exif.end()) {
      exif[key] = static_cast<std::uint32_t>(value);
    }
  };
  correct("Exif.Photo.PixelXDimension", facts.width);
  correct("Exif.Photo.PixelYDimension", facts.height);
  if (facts.resolution && exif.findKey(Exiv2::ExifKey("Exif.Image.XResolution")) == exif.end()) {
    set_resolution(exif, *facts.resolution);
  }
  if (made_here) {
    exif["Exif.Image.Software"] = "srdiff " SRDIFF_VERSION;
  }
}

Exiv2::XmpData xmp_to_write(const std::string& packet, const EncodedFacts& facts,
                            const std::string& made_by) {
  Exiv2::XmpData xmp = decode_xmp(packet);
  const auto correct = [&](const char* key, std::int64_t value) {
    if (xmp.findKey(Exiv2::XmpKey(key)) != xmp.end()) {
      xmp[key] = std::to_string(value);
    }
  };
  correct("Xmp.exif.PixelXDimension", facts.width);
  correct("Xmp.exif.PixelYDimension", facts.height);
  if (!made_by.empty()) {
    add_history(xmp, made_by);
  }
  return xmp;
}

void check_fits(const std::string& icc, const EncodedFacts& facts) {
  if (colour_space(icc) != (facts.grey ? "GRAY" : "RGB ")) {
    throw std::invalid_argument(std::string("it is for ") + colour_space(icc) +
                                " values, and the picture is written as " +
                                (facts.grey ? "grey" : "RGB"));
  }
}

void set_iptc(Exiv2::Image& image, const std::string& block) {
  Exiv2::IptcData iptc;
  if (Exiv2::IptcParser::decode(iptc, data_of(block), static_cast<std::uint32_t>(block.size())) !=
      0) {
    throw std::invalid_argument("it is damaged");
  }
  image.setIptcData(iptc);
}

}  // namespace

bool is_made_by_srdiff(const std::string& file) {
  const ImageHeader header = read_image_header(file);
  const Exiv2Session session;
  try {
    const Exiv2::ExifData exif = traits_of(header.format).metadata_by_encoder
                                     ? decode_exif(header.beside.exif)
                                     : open(file)->exifData();
    const auto software = exif.findKey(Exiv2::ExifKey("Exif.Image.Software"));
    return software != exif.end() && software->toString().rfind("srdiff ", 0) == 0;
  } catch (const std::exception&) {
    return false;  // no picture, or one of which nothing can be known
  }
}

std::optional<Resolution> resolution_of(const Metadata& blocks) {
  const Exiv2Session session;
  try {
    Exiv2::ExifData exif = decode_exif(blocks.exif);
    const auto number = [&exif](const char* key) {
      const float value = exif[key].count() > 0 ? exif[key].toFloat() : 0.0F;
      return std::isfinite(value) ? value : 0.0F;
    };
    const float unit = std::clamp(number("Exif.Image.ResolutionUnit"), 0.0F, 3.0F);
    const Resolution found = {number("Exif.Image.XResolution"), number("Exif.Image.YResolution"),
                              static_cast<int>(unit)};
    if (found.x > 0 && found.y > 0) {
      return found;
    }
  } catch (const std::exception&) {
    return std::nullopt;  // embed_metadata says that the block is damaged
  }
  return std::nullopt;
}

FoundMetadata read_metadata(const std::string& file, const Metadata& beside,
                            const std::string& name) {
  const Exiv2Session session;
  const Attempts attempt(name, "read");
  FoundMetadata found;
  Metadata blocks = beside;
  std::optional<int> orientation;
  attempt("metadata", [&] {
    const exiv2_versions::ImagePointer image = open(file);
    attempt("EXIF", [&] {
      orientation = orientation_of(image->exifData());
      found.orientation = orientation.value_or(1);
      blocks.exif = upright_exif(image->exifData(), image->byteOrder(), name);
    });
    attempt("XMP",
            [&] { blocks.xmp = upright_xmp(image->xmpPacket(), orientation.has_value(), name); });
    attempt("IPTC", [&] {
      blocks.iptc = image->iptcData().empty()
                        ? std::string()
                        : exiv2_versions::string_of(Exiv2::IptcParser::encode(image->iptcData()));
    });
    attempt("colour profile", [&] {
      blocks.icc = exiv2_versions::colour_profile_of(*image);
      if (!blocks.icc.empty() && !is_profile(blocks.icc)) {
        blocks.icc.clear();
        throw std::invalid_argument("it is no ICC profile");
      }
    });
  });
  if (!is_empty(blocks)) {
    found.blocks = std::make_shared<const Metadata>(std::move(blocks));
  }
  return found;
}

std::string embed_metadata(std::string encoded, const EncodedFacts& facts, const Metadata& blocks,
                           const std::string& made_by, const std::string& name) {
  const Exiv2Session session;
  const Attempts attempt(name, "written");
  std::string file = std::move(encoded);
  const FormatTraits& traits = traits_of(facts.format);
  // Each block is written on its own, so that one that fails does not take others with it.
  if (!blocks.icc.empty()) {
    attempt("colour profile", [&] {
      file = changed(
          facts.format == ImageFormat::webp ? with_extended_header(file, facts.width, facts.height)
                                            : file,
          traits.profile, [&](Exiv2::Image& image) {
            check_fits(blocks.icc, facts);
            exiv2_versions::set_colour_profile(image, data_of(blocks.icc), blocks.icc.size());
          });
    });
  }
  if (!blocks.exif.empty() || !made_by.empty() || facts.resolution) {
    attempt("EXIF", [&] {
      file = changed(file, traits.exif_and_xmp, [&](Exiv2::Image& image) {
        add_exif(image.exifData(), blocks.exif, facts, !made_by.empty());  // a TIFF has tags there
      });
    });
  }
  if (!blocks.iptc.empty()) {
    attempt("IPTC", [&] {
      file = changed(file, traits.iptc, [&](Exiv2::Image& image) { set_iptc(image, blocks.iptc); });
    });
  }
  if (!blocks.xmp.empty() || !made_by.empty()) {
    attempt("XMP", [&] {
      file = changed(file, traits.exif_and_xmp, [&](Exiv2::Image& image) {
        image.setXmpData(xmp_to_write(blocks.xmp, facts, made_by));
      });
    });
  }
  return file;
}

FoundMetadata upright_metadata(const Metadata& stored, const std::string& name) {
  const Exiv2Session session;
  const Attempts attempt(name, "read");
  Metadata blocks = stored;
  blocks.exif.clear();
  blocks.xmp.clear();
  blocks.icc.clear();
  if (!stored.exif.empty()) {
    attempt("EXIF", [&] {
      Exiv2::ExifData exif;
      const Exiv2::ByteOrder order = Exiv2::ExifParser::decode(
          exif, data_of(stored.exif), static_cast<std::uint32_t>(stored.exif.size()));
      blocks.exif = upright_exif(exif, order, name);
    });
  }
  if (!stored.xmp.empty()) {
    attempt("XMP", [&] { blocks.xmp = upright_xmp(stored.xmp, true, name); });
  }
  if (!stored.icc.empty()) {
    attempt("colour profile", [&] {
      if (!is_profile(stored.icc)) {
        throw std::invalid_argument("it is no ICC profile");
      }
      blocks.icc = stored.icc;
    });
  }
  return {is_empty(blocks) ? nullptr : std::make_shared<const Metadata>(std::move(blocks)), 1};
}

Metadata metadata_to_write(const EncodedFacts& facts, const Metadata& blocks,
                           const std::string& made_by, const std::string& name) {
  const Exiv2Session session;
  const Attempts attempt(name, "written");
  Metadata written;
  written.cicp = blocks.cicp;
  if (!blocks.icc.empty()) {
    attempt("colour profile", [&] {
      check_fits(blocks.icc, facts);
      if (facts.format == ImageFormat::jxl && !is_usable_profile(blocks.icc)) {
        throw std::invalid_argument("it is damaged or of an unknown kind");
      }
      written.icc = blocks.icc;
    });
  }
  if (!blocks.exif.empty() || !made_by.empty() || facts.resolution) {
    attempt("EXIF", [&] {
      Exiv2::ExifData exif;
      add_exif(exif, blocks.exif, facts, !made_by.empty());
      written.exif = encode_exif(exif, Exiv2::littleEndian);
    });
  }
  if (!blocks.iptc.empty()) {
    attempt("IPTC", [] { throw std::invalid_argument("the output's format does not hold it"); });
  }
  if (!blocks.xmp.empty() || !made_by.empty()) {
    attempt("XMP", [&] { written.xmp = encode_xmp(xmp_to_write(blocks.xmp, facts, made_by)); });
  }
  return written;
}

int orientation_in(const std::string& exif) {
  const Exiv2Session session;
  try {
    return orientation_of(decode_exif(exif)).value_or(1);
  } catch (const std::exception&) {
    return 1;
  }
}

bool is_empty(const Metadata& metadata) {
  return metadata.exif.empty() && metadata.xmp.empty() && metadata.iptc.empty() &&
         metadata.icc.empty() && metadata.cicp.empty() && metadata.comments.empty() &&
         metadata.png_text.empty() && !metadata.resolution;
}

}  // namespace srdiff
