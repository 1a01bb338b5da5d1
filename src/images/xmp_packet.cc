#include "images/xmp_packet.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "base/parse_number.h"
#include "srdiff/logging.h"

namespace srdiff {
namespace {

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

/// Whether a property describes how the file stores its pixels, or holds a thumbnail.
bool is_of_file(const std::string& key) {
  constexpr std::array<std::string_view, 8> starts = {
      "Xmp.tiff.ImageWidth",          "Xmp.tiff.ImageLength",
      "Xmp.tiff.BitsPerSample",       "Xmp.tiff.Compression",
      "Xmp.tiff.SamplesPerPixel",     "Xmp.tiff.PhotometricInterpretation",
      "Xmp.tiff.PlanarConfiguration", "Xmp.xmp.Thumbnails"};
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return starts_with(key, start); });
}

/// Whether a property speaks of a gain map, a depth map or a video that phones put behind the
/// picture, or of XMP in further segments. None of these come along.
bool is_of_appendix(const Exiv2::Xmpdatum& datum) {
  constexpr std::array<std::string_view, 7> namespaces = {
      "http://ns.adobe.com/hdr-gain-map/1.0/",
      "http://ns.apple.com/HDRGainMap/1.0/",
      "http://ns.google.com/photos/1.0/container/",
      "http://ns.google.com/photos/1.0/container/item/",
      "http://ns.google.com/photos/1.0/depthmap/",
      "http://ns.google.com/photos/1.0/image/",
      "http://ns.google.com/photos/dd/1.0/device/"};
  const std::string name = datum.tagName();
  const std::string space = Exiv2::XmpProperties::ns(datum.groupName());
  const bool of_camera = space == "http://ns.google.com/photos/1.0/camera/" &&
                         (starts_with(name, "MotionPhoto") || starts_with(name, "MicroVideo"));
  return of_camera || datum.key() == "Xmp.xmpNote.HasExtendedXMP" ||
         std::find(namespaces.begin(), namespaces.end(), space) != namespaces.end();
}

/// The highest number in "history[NUMBER]".
int steps_of(const Exiv2::XmpData& xmp, const std::string& history) {
  int steps = 0;
  const std::string start = history + "[";
  for (const Exiv2::Xmpdatum& datum : xmp) {
    const std::string key = datum.key();
    if (starts_with(key, start)) {
      const std::size_t end = std::min(key.find(']', start.size()), key.size());
      const std::string_view number =
          std::string_view(key).substr(start.size(), end - start.size());
      steps = std::max(steps, parse_number<int>(number).value_or(0));
    }
  }
  return steps;
}

}  // namespace

Exiv2::XmpData decode_xmp(const std::string& packet) {
  Exiv2::XmpData xmp;
  if (!packet.empty() && Exiv2::XmpParser::decode(xmp, packet) != 0) {
    throw std::invalid_argument("it is no valid XMP");
  }
  return xmp;
}

std::string encode_xmp(const Exiv2::XmpData& xmp) {
  std::string packet;
  if (!xmp.empty() && Exiv2::XmpParser::encode(packet, xmp) != 0) {
    throw std::invalid_argument("it is no valid XMP");
  }
  return packet;
}

std::string upright_xmp(const std::string& packet, bool turned, const std::string& name) {
  // The parser's time grows faster than the packet: 11 MB took seven seconds.
  constexpr std::size_t most_bytes = std::size_t{2} << 20;
  if (packet.size() > most_bytes) {
    throw std::invalid_argument("it is larger than 2 MiB");
  }
  Exiv2::XmpData xmp = decode_xmp(packet);
  bool lost = false;
  for (auto datum = xmp.begin(); datum != xmp.end();) {
    const bool of_appendix = is_of_appendix(*datum);
    lost = lost || of_appendix;
    datum = of_appendix || is_of_file(datum->key()) ? xmp.erase(datum) : std::next(datum);
  }
  if (lost) {
    log::warn("{}: what its XMP says of pictures, videos or data beside it is left out with them",
              name);
  }
  if (turned && xmp.findKey(Exiv2::XmpKey("Xmp.tiff.Orientation")) != xmp.end()) {
    xmp["Xmp.tiff.Orientation"] = "1";
  }
  return encode_xmp(xmp);
}

void add_history(Exiv2::XmpData& xmp, const std::string& made_by) {
  const std::string history = "Xmp.xmpMM.History";
  const int steps = steps_of(xmp, history);
  if (steps == 0) {
    Exiv2::XmpTextValue list;
    list.setXmpArrayType(Exiv2::XmpValue::xaSeq);
    xmp.add(Exiv2::XmpKey(history), &list);
  }
  const std::string step = history + "[" + std::to_string(steps + 1) + "]/stEvt:";
  xmp[step + "action"] = "converted";
  xmp[step + "softwareAgent"] = "srdiff " SRDIFF_VERSION;
  xmp[step + "parameters"] = made_by;
}

}  // namespace srdiff
