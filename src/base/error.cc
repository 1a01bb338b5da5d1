#include "srdiff/error.h"

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "base/text_escape.h"

namespace srdiff {

Error::Error(const std::string& message, ErrorCode code)
    : std::runtime_error(printable(message)), code_(code) {}

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const Error*>(&error) != nullptr) {
    return dynamic_cast<const MemoryError*>(&error) != nullptr;
  }
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return true;
  }
  // The words of LibTorch's allocators on CUDA and on the CPU, of cuBLAS and cuDNN, of LibTorch
  // when no algorithm of cuDNN fits into memory, of OpenCV, and of std::bad_alloc.
  constexpr std::array<std::string_view, 7> words = {
      "out of memory",     "can't allocate memory",    "STATUS_ALLOC_FAILED",
      "ALLOCATION_FAILED", "unable to find an engine", "Insufficient memory",
      "std::bad_alloc"};
  const std::string_view message = error.what();
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return message.find(word) != std::string_view::npos;
  });
}

}  // namespace srdiff
