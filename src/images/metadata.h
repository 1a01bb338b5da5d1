#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "images/image_format.h"
#include "srdiff/metadata.h"

namespace srdiff {

struct FoundMetadata {
  std::shared_ptr<const Metadata> blocks;  ///< null where the file has none
  int orientation = 1;                     ///< EXIF's, 1…8, of the pixels as stored
};

/// EXIF, XMP, IPTC and the profile of a picture file of one of the formats that decode_image reads,
/// added to what its header holds `beside` them. What cannot be read is left out with a warning
/// that names the picture.
FoundMetadata read_metadata(const std::string& file, const Metadata& beside,
                            const std::string& name);

/// The same of blocks as the header of a JPEG XL, AVIF or HEIC holds them. EXIF's orientation
/// counts for nothing there.
FoundMetadata upright_metadata(const Metadata& stored, const std::string& name);

bool is_empty(const Metadata& metadata);

/// What the EXIF block says.
std::optional<Resolution> resolution_of(const Metadata& blocks);

/// Whether a picture file says that srdiff made it: EXIF's Software, as embed_metadata writes it.
/// A program that changes such a picture puts its own name there.
bool is_made_by_srdiff(const std::string& file);

/// What an encoded picture is, where metadata must agree with it.
struct EncodedFacts {
  ImageFormat format = ImageFormat::unknown;
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool grey = false;  ///< one colour channel, so that only a grey profile fits
  /// For EXIF where it says none, in a format that has no other place for it.
  std::optional<Resolution> resolution = {};
};

/// The blocks to write into such a picture, for the formats whose encoders write them: with
/// `made_by` as below, and empty where one cannot be written or the format does not hold it, with a
/// warning that names the picture.
Metadata metadata_to_write(const EncodedFacts& facts, const Metadata& blocks,
                           const std::string& made_by, const std::string& name);

/// Of an EXIF block, 1…8; 1 where it does not say.
int orientation_in(const std::string& exif);

/// The encoded picture with the blocks in it, and with `made_by`, unless
/// empty, as a step of the XMP history and srdiff as EXIF's Software. What cannot be written is
/// left out with a warning that names the picture.
std::string embed_metadata(std::string encoded, const EncodedFacts& facts, const Metadata& blocks,
                           const std::string& made_by, const std::string& name);

}  // namespace srdiff
