#include "srdiff/text_file.h"

#include "file_bytes.h"

namespace srdiff {

void write_text_file(const std::filesystem::path& path, const std::string& text) {
  write_file_atomically(path, text);
}

}  // namespace srdiff
