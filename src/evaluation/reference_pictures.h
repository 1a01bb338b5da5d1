#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace srdiff {

/// The pictures of a folder itself, by their files' endings, sorted by name; not those whose names
/// start with a dot. Throws InputError when there is none, or when two share a name but for the
/// ending.
std::vector<std::filesystem::path> list_pictures(const std::filesystem::path& folder);

/// A hash over the contents of files in their order. Throws InputError when one cannot be read.
std::string hash_files(const std::vector<std::filesystem::path>& files);

/// The low-resolution input that a reference [3,s·h,s·w] in [−1,1] stands for: [3,h,w], by
/// antialiased bicubic (a = −0.5) in float64, rounded to 8 bit. In float64 so that the rounding,
/// and with it the noise that depends on these pixels, is the same on every machine.
/// Throws InputError "NAME: …" when a side is not a multiple of the scale.
at::Tensor reduce_reference(const at::Tensor& reference, int scale, const std::string& name);

/// "16x24": width and height of a picture [C,H,W], for messages.
std::string sides_text(const at::Tensor& image);

/// The names of files without their endings, by which outputs and references pair.
class PictureStems {
 public:
  explicit PictureStems(const std::vector<std::filesystem::path>& files);
  bool has(const std::filesystem::path& file) const;

 private:
  std::vector<std::string> stems_;  ///< sorted
};

}  // namespace srdiff
