// Any bytes through decode_image, for half of the lengths with damaged pictures accepted: a picture,
// or an InputError in one line. What was decoded must be encodable with its metadata.
#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "srdiff/error.h"
#include "srdiff/image_io.h"

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
    srdiff::encode_image(image, size % 2 == 0 ? ".png" : ".tiff", "fuzz", {.made_by = "fuzz"});
  } catch (const srdiff::InputError& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
