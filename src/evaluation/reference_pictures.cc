#include "evaluation/reference_pictures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "base/file_io.h"
#include "base/sha256.h"
#include "images/eight_bit.h"
#include "images/image_format.h"
#include "srdiff/error.h"
#include "srdiff/resize.h"

namespace srdiff {

namespace fs = std::filesystem;

std::vector<fs::path> list_pictures(const fs::path& folder) {
  std::error_code error;
  std::map<std::string, fs::path> pictures;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!is_picture_name(entry.path()) || is_hidden(entry.path())) {
      continue;
    }
    const auto [other, is_new] = pictures.emplace(entry.path().stem().string(), entry.path());
    if (!is_new) {
      throw InputError(entry.path().string() + ": has the name of " + other->second.string());
    }
  }
  if (error) {
    throw InputError(folder.string() + ": cannot be read: " + error.message());
  }
  if (pictures.empty()) {
    throw InputError(folder.string() + ": holds no pictures");
  }
  std::vector<fs::path> files;
  files.reserve(pictures.size());
  for (auto& [stem, path] : pictures) {
    files.push_back(std::move(path));
  }
  return files;
}

std::string hash_files(const std::vector<fs::path>& files) {
  Sha256 all;
  for (const fs::path& path : files) {
    const std::string bytes = read_file(path);
    all.update_u64(bytes.size());
    all.update(bytes.data(), bytes.size());
  }
  return all.hex();
}

at::Tensor reduce_reference(const at::Tensor& reference, int scale, const std::string& name) {
  const std::int64_t height = reference.size(1);
  const std::int64_t width = reference.size(2);
  if (height % scale != 0 || width % scale != 0) {
    throw InputError(name + ": " + sides_text(reference) +
                     " pixels cannot be reduced evenly to 1/" + std::to_string(scale));
  }
  const at::Tensor exact = reference.unsqueeze(0).to(at::kDouble);
  return as_in_eight_bit_file(resize_bicubic(exact, height / scale, width / scale)).squeeze(0);
}

std::string sides_text(const at::Tensor& image) {
  return std::to_string(image.size(2)) + "x" + std::to_string(image.size(1));
}

PictureStems::PictureStems(const std::vector<fs::path>& files) {
  for (const fs::path& file : files) {
    stems_.push_back(file.stem().string());
  }
  std::sort(stems_.begin(), stems_.end());
}

bool PictureStems::has(const fs::path& file) const {
  return std::binary_search(stems_.begin(), stems_.end(), file.stem().string());
}

}  // namespace srdiff
