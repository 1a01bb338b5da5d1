// Any bytes through decode_image, for half of the lengths with damaged pictures accepted: a
// picture, or an InputError in one line. What was decoded must be encodable with its metadata.
#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "images/image_format.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace {

/// The formats with slow encoders seldom, and only where this build has them.
const char* ending_for(std::size_t size) {
  const char* const slow = size % 32 == 0 ? ".jxl" : ".avif";
  const bool take_slow = size % 16 == 0 && srdiff::why_not_written(slow).empty();
  return take_slow ? slow : size % 2 == 0 ? ".png" : ".tiff";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  spdlog::set_level(spdlog::level::off);
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  // Small enough that an input which is slow for its size stands out.
  constexpr std::int64_t max_pixels = 1 << 16;
  try {
    const srdiff::DecodeLimits limits = {.max_pixels = max_pixels, .accept_damaged = size % 4 > 1};
    const srdiff::Image image = srdiff::decode_image(bytes, "fuzz", limits);
    if (image.width() * image.height() > max_pixels || image.rgb.size(0) != 3) {
      std::abort();
    }
    srdiff::encode_image(image, ending_for(size), "fuzz", {.made_by = "fuzz"});
  } catch (const srdiff::InputError& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
