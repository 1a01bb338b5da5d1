#include "base/text_file.h"

#include "base/file_io.h"

namespace srdiff {

void write_text_file(const std::filesystem::path& path, const std::string& text) {
  write_file_atomically(path, text);
}

}  // namespace srdiff
