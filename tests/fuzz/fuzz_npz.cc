// Any bytes as an .npz: arrays and texts, or an InputError in one line.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "evaluation/npz.h"
#include "srdiff/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int file = ::memfd_create("npz", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  constexpr std::uint64_t most = 1 << 16;
  try {
    srdiff::read_npz(
        path, {{{"mu", most}, {"sigma", most}, {"features", most}}, {{"srdiff.json", most}}});
  } catch (const srdiff::InputError& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
