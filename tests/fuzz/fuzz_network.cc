// Any bytes as what a network's file holds: its code (first byte 0), its pickles (1) or the whole
// archive (any other) is taken, or refused with a reason.
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>

#include "engine/network_archive.h"
#include "engine/network_code.h"
#include "engine/network_pickle.h"
#include "srdiff/error.h"

namespace {

void look_at(std::string_view bytes) {
  const char kind = bytes[0];
  const std::string_view content = bytes.substr(1);
  if (kind == 0) {
    srdiff::CodeReferences references;
    srdiff::check_network_code(
        content, "__torch__", [](const std::string& name) { return name.size() % 2 == 0; },
        references);
    srdiff::check_import_depth(references);
  } else if (kind == 1) {
    srdiff::check_network_pickle(content, {{"0", 400}, {"1", 0}});
  } else {
    srdiff::check_network_archive(content);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  try {
    look_at({reinterpret_cast<const char*>(data), size});
  } catch (const srdiff::ModelError&) {
  } catch (const std::exception&) {
    // LibTorch's reader of archives says so of what it cannot read.
    if (data[0] <= 1) {
      throw;
    }
  }
  return 0;
}
