#pragma once

#include <tiffio.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>

namespace srdiff {

/// What libtiff reads or writes in place of a file: `Bytes` is a std::string_view, which is only
/// read, or a std::string.
template <typename Bytes>
struct TiffMemory {
  Bytes bytes;
  std::size_t position = 0;

  /// Null where libtiff cannot open it; `mode` is that of TIFFOpen. Must outlive what it returns.
  TIFF* open(const char* mode) {
    return ::TIFFClientOpen("memory", mode, this, read, write, seek, close, size, nullptr, nullptr);
  }

 private:
  static TiffMemory& of(thandle_t handle) { return *static_cast<TiffMemory*>(handle); }

  static tmsize_t read(thandle_t handle, void* data, tmsize_t size) {
    TiffMemory& memory = of(handle);
    const std::size_t left = memory.bytes.size() - std::min(memory.position, memory.bytes.size());
    const std::size_t count = std::min(static_cast<std::size_t>(size), left);
    std::memcpy(data, memory.bytes.data() + memory.position, count);
    memory.position += count;
    return static_cast<tmsize_t>(count);
  }

  static tmsize_t write(thandle_t handle, void* data, tmsize_t size) {
    if constexpr (std::is_same_v<Bytes, std::string>) {
      TiffMemory& memory = of(handle);
      const std::size_t end = memory.position + static_cast<std::size_t>(size);
      if (end > memory.bytes.size()) {
        memory.bytes.resize(end);
      }
      std::memcpy(memory.bytes.data() + memory.position, data, static_cast<std::size_t>(size));
      memory.position = end;
      return size;
    }
    return -1;
  }

  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    TiffMemory& memory = of(handle);
    const toff_t from = whence == SEEK_SET   ? 0
                        : whence == SEEK_CUR ? memory.position
                                             : memory.bytes.size();
    memory.position = from + offset;
    return memory.position;
  }

  static int close(thandle_t /*handle*/) { return 0; }
  static toff_t size(thandle_t handle) { return of(handle).bytes.size(); }
};

}  // namespace srdiff
