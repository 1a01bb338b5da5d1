// Any text through parse_manifest: a manifest, or a ModelError.
#include <cstddef>
#include <cstdint>
#include <string>

#include "srdiff/error.h"
#include "srdiff/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    srdiff::parse_manifest({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const srdiff::ModelError&) {
  }
  return 0;
}
