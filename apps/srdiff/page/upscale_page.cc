#include "page/upscale_page.h"

#include <algorithm>
#include <optional>

namespace {

constexpr double pixels_in_mega = 1e6;

/// Nothing for a picture that an earlier run has made.
std::optional<double> known(double value) {
  return value > 0.0 ? std::optional(value) : std::nullopt;
}

double megapixels(const srdiff::ImageSize& size) {
  return static_cast<double>(size.width) * static_cast<double>(size.height) / pixels_in_mega;
}

}  // namespace

void UpscalePage::add(const srdiff::ImageReport& image) {
  PagePicture picture;
  const std::filesystem::path below = image.input.lexically_relative(input_folder_);
  picture.name = (input_folder_.empty() || below.empty() ? image.input.filename() : below).string();
  picture.before = page_address(image.input, file_);
  picture.failed = image.status == srdiff::ImageStatus::failed;
  if (!picture.failed) {
    picture.after = page_address(image.output, file_);
  }
  picture.note = image.reason;
  picture.values = {known(image.seconds), known(megapixels(image.input_size)),
                    known(megapixels(image.output_size))};
  pictures_.push_back(std::move(picture));
}

void UpscalePage::write(const std::string& output, const std::string& made_by,
                        const srdiff::BatchSummary& summary) {
  Page page;
  page.title = output;
  page.lines = {settings_line(made_by)};
  page.summary = {{"pictures", std::to_string(summary.images.total)},
                  {"done", std::to_string(summary.images.done + summary.images.skipped)},
                  {"failed", std::to_string(summary.images.failed)}};
  page.figures = {
      {"seconds", "lower"}, {"megapixels before", "higher"}, {"megapixels after", "higher"}};
  std::sort(pictures_.begin(), pictures_.end(),
            [](const PagePicture& a, const PagePicture& b) { return a.name < b.name; });
  page.pictures = pictures_;
  write_page(file_, page);
}
