#include "images/picture_names.h"

#include <algorithm>
#include <array>

#include "base/file_io.h"

namespace srdiff {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& name) {
  return name.filename().native().front() == '.';
}

bool is_picture_name(const fs::path& name) {
  constexpr std::array<const char*, 7> endings = {".png", ".jpg",  ".jpeg", ".webp",
                                                  ".tif", ".tiff", ".bmp"};
  const std::string ending = lower_case_extension(name);
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

}  // namespace srdiff
